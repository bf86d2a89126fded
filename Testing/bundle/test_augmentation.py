"""Augmentation: masks follow pictures exactly, values worked out by hand, and the same batch for the same seed."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rasnet.datasets.augmentation import Augmentation, Draw
from rasnet.datasets.augmentation.augmentation import APPEARANCE
from rasnet.datasets.augmentation.bands import tissue_bands
from rasnet.datasets.augmentation.color import blood, contrast, gamma, hue, saturation, white_balance
from rasnet.datasets.augmentation.copy_paste import copy_paste
from rasnet.datasets.augmentation.geometry import View, draw_views, mirror, reframe, sample, sampling_grid
from rasnet.datasets.augmentation.optics import blur, compression, interlacing, lens_border, low_resolution
from rasnet.labels import ANY_INSTRUMENT, IGNORE

CANVAS = (40, 50)


def draw(count: int, seed: int = 0) -> Draw:
    return Draw(count, torch.Generator().manual_seed(seed))


def view(aspect: float = 1.25, **changes: float) -> View:
    """One view, the whole picture where nothing else is said."""
    fields = {"zoom": 1.0, "turn": 0.0, "flip_x": 1.0, "flip_y": 1.0, "shift_x": 0.0, "shift_y": 0.0, **changes}
    return View(torch.tensor([aspect]), **{name: torch.tensor([value]) for name, value in fields.items()})


def batch(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noisy pictures uint8 (B, 3, 40, 50), masks with every kind of value in blocks, aspects."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, *CANVAS), generator=generator, dtype=torch.uint8)
    values = torch.tensor([0, 1, 2, ANY_INSTRUMENT, IGNORE], dtype=torch.uint8)
    blocks = values[torch.randint(0, 5, (count, 4, 5), generator=generator)]
    return images, blocks.repeat_interleave(10, 1).repeat_interleave(10, 2), torch.full((count,), 1.25)


class TestView:
    @pytest.mark.parametrize(
        ("changes", "expected"),  # of a picture (H, W)
        [
            ({}, lambda x: x),
            ({"flip_x": -1.0}, lambda x: x.flip(-1)),
            ({"flip_y": -1.0}, lambda x: x.flip(-2)),
            ({"turn": math.pi}, lambda x: x.flip(-1, -2)),
        ],
        ids=["whole", "left-right", "top-bottom", "half turn"],
    )
    def test_pixels_move_as_they_should(self, changes, expected) -> None:
        images, masks, _ = batch(1)
        seen, labels = sample(images.float(), masks, sampling_grid(view(**changes), CANVAS))
        torch.testing.assert_close(seen, expected(images.float()), atol=0.05, rtol=0)
        assert torch.equal(labels, expected(masks))

    def test_a_quarter_turn_of_a_square(self) -> None:
        images, masks, _ = batch(1)
        images, masks = images[..., :40], masks[..., :40]
        grid = sampling_grid(view(aspect=1.0, turn=math.pi / 2), (40, 40))
        seen, labels = sample(images.float(), masks, grid)
        torch.testing.assert_close(seen, images.float().rot90(1, (-2, -1)), atol=0.05, rtol=0)
        assert torch.equal(labels, masks.rot90(1, (-2, -1)))

    def test_zoom_2_shows_the_middle_half(self) -> None:
        grid = sampling_grid(view(zoom=2.0), CANVAS)[0]
        assert grid[..., 0].abs().max() == pytest.approx(0.5 * 49 / 50)  # outermost pixel centres
        assert grid[..., 1].abs().max() == pytest.approx(0.5 * 39 / 40)

    def test_zoom_1_shows_the_pictures_area_whatever_its_shape(self) -> None:
        grid = sampling_grid(view(aspect=16 / 9), (40, 40))[0]  # square output of a wide picture
        spans = [(grid[..., axis].max() - grid[..., axis].min()).item() * 40 / 39 for axis in (0, 1)]
        assert spans[0] * spans[1] == pytest.approx(2 * 2)
        assert spans[1] / spans[0] == pytest.approx(16 / 9)

    def test_a_shift_is_in_half_heights(self) -> None:
        moved = sampling_grid(view(shift_x=0.25, shift_y=0.5), CANVAS) - sampling_grid(view(), CANVAS)
        assert moved[..., 0].unique().mean() == pytest.approx(0.25 / 1.25)
        assert moved[..., 1].unique().mean() == pytest.approx(0.5)

    def test_outside_is_black_and_background(self) -> None:
        images, masks = torch.ones(1, 3, *CANVAS), torch.full((1, *CANVAS), IGNORE, dtype=torch.uint8)
        seen, labels = sample(images, masks, sampling_grid(view(zoom=0.5), CANVAS))
        assert (seen[..., :8, :] == 0).all()
        assert (labels[..., :8, :] == 0).all()
        assert labels.count_nonzero() == pytest.approx(labels.numel() / 4)

    def test_a_circle_stays_round_in_a_squeezed_picture(self) -> None:
        y, x = torch.meshgrid(torch.linspace(-1, 1, 200), torch.linspace(-1, 1, 200), indexing="ij")
        squeezed = ((2 * x) ** 2 + y**2 < 0.25).to(torch.uint8)[None]  # half heights, a picture twice as wide as high
        _, seen = sample(torch.zeros(1, 3, 200, 200), squeezed, sampling_grid(view(aspect=2.0), (160, 160)))
        width, height = seen[0].any(0).sum().item(), seen[0].any(1).sum().item()
        assert width == pytest.approx(height, abs=2)

    @pytest.mark.parametrize(
        ("place", "folded"), [(-0.5, -0.5), (0.9, 0.9), (1.1, 0.9), (-1.3, -0.7), (3.2, -0.8), (1.0, 0.99)]
    )
    def test_a_mirror_folds_places_back(self, place: float, folded: float) -> None:
        assert mirror(torch.tensor(place)).item() == pytest.approx(folded, abs=1e-5)

    @settings(max_examples=20, deadline=None)
    @given(seed=st.integers(0, 10_000), aspect=st.floats(0.5, 2.5))
    def test_most_views_show_much_of_the_picture(self, seed: int, aspect: float) -> None:
        grid = sampling_grid(draw_views(torch.full((64,), aspect), CANVAS, draw(64, seed)), CANVAS)
        inside = (grid.abs() <= 1).all(dim=-1).float().mean(dim=(1, 2))
        assert (inside > 0.25).float().mean() > 0.9

    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 10_000), aspect=st.floats(0.6, 2.2))
    def test_masks_follow_pictures(self, seed: int, aspect: float) -> None:
        """A picture that is white where its mask is 1 is so after any view, but for the pixels of the outline."""
        masks = batch(4, seed)[1] == 1
        images = masks[:, None].float().expand(-1, 3, -1, -1)
        seen, labels = reframe(images, masks.to(torch.uint8), torch.full((4,), aspect), (64, 80), draw(4, seed))
        sure = (seen[:, 0] < 0.05) | (seen[:, 0] > 0.95)
        assert sure.float().mean() > 0.5
        assert torch.equal((seen[:, 0] > 0.5)[sure], (labels == 1)[sure])


class TestAugmentation:
    @settings(max_examples=8, deadline=None)
    @given(seed=st.integers(0, 10_000), count=st.integers(1, 5), size=st.sampled_from([(32, 32), (64, 96)]))
    def test_what_comes_out(self, seed: int, count: int, size: tuple[int, int]) -> None:
        images, masks, aspects = batch(count, seed)
        pictures, labels = Augmentation(size)(images, masks, aspects, torch.Generator().manual_seed(seed))
        assert pictures.shape == (count, 3, *size)
        assert pictures.is_contiguous(memory_format=torch.channels_last)
        assert labels.shape == (count, *size)
        assert labels.dtype == torch.uint8
        assert 0 <= pictures.min() <= pictures.max() <= 1
        assert set(labels.unique().tolist()) <= {0, 1, 2, ANY_INSTRUMENT, IGNORE}

    def test_the_same_seed_gives_the_same_batch(self) -> None:
        frames = batch(4)
        global_state = torch.get_rng_state()
        one, same, other = (Augmentation((32, 40))(*frames, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
        assert torch.equal(one[0], same[0])
        assert torch.equal(one[1], same[1])
        assert not torch.equal(one[0], other[0])
        assert torch.equal(global_state, torch.get_rng_state())  # nobody else's randomness is touched

    def test_the_frames_themselves_stay_as_they_are(self) -> None:
        frames = batch(4)
        copies = [tensor.clone() for tensor in frames]
        Augmentation((32, 40))(*frames, torch.Generator().manual_seed(0))
        assert all(torch.equal(tensor, copy) for tensor, copy in zip(frames, copies, strict=True))

    def test_labels_are_completed_in_the_new_view_and_before_instruments_are_pasted(self) -> None:
        images, masks, aspects = batch(6)
        seen: list[tuple[torch.Size, int]] = []

        def complete(pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            seen.append((pictures.shape, int(labels.unique().max())))
            return labels.masked_fill(labels == IGNORE, 0)

        generator = torch.Generator().manual_seed(0)
        _, labels = Augmentation((32, 64))(images, masks, aspects, generator, complete)
        assert seen == [(torch.Size([6, 3, 32, 64]), IGNORE)]
        assert IGNORE not in labels


class TestCopyPaste:
    def test_instruments_come_over_and_nothing_else_does(self) -> None:
        images = torch.stack([torch.full((3, 40, 50), value) for value in (0.2, 0.8)])
        masks = torch.zeros(2, 40, 50, dtype=torch.uint8)
        masks[0, 10:30, 10:30] = 2
        seed = next(seed for seed in range(99) if draw(2, seed).order().tolist() == [1, 0])
        pasted, labels = copy_paste(images, masks, draw(2, seed), probability=1.0)
        assert (pasted[1, :, 12:28, 12:28] == 0.2).all()  # but for the soft edge
        assert (pasted[1, :, :8] == 0.8).all()
        assert torch.equal(labels[1], masks[0])
        assert torch.equal(pasted[0], images[0])  # the other picture has no instrument to give
        assert torch.equal(labels[0], masks[0])

    def test_unknown_pixels_are_no_instrument(self) -> None:
        images = torch.rand(6, 3, 40, 50, generator=torch.Generator().manual_seed(0))
        masks = torch.full((6, 40, 50), IGNORE, dtype=torch.uint8)
        pasted, labels = copy_paste(images, masks, draw(6), probability=1.0)
        assert torch.equal(pasted, images)
        assert torch.equal(labels, masks)

    def test_an_instrument_on_an_unlabelled_picture_is_labelled(self) -> None:
        masks = torch.full((2, 40, 50), IGNORE, dtype=torch.uint8)
        masks[0] = 0
        masks[0, :20] = ANY_INSTRUMENT
        seed = next(seed for seed in range(99) if draw(2, seed).order().tolist() == [1, 0])
        _, labels = copy_paste(torch.rand(2, 3, 40, 50), masks, draw(2, seed), probability=1.0)
        assert (labels[1, :20] == ANY_INSTRUMENT).all()
        assert (labels[1, 20:] == IGNORE).all()


class TestBands:
    def test_they_lie_behind_instruments_and_off_unknown_pixels(self) -> None:
        images = torch.rand(16, 3, 64, 80, generator=torch.Generator().manual_seed(0))
        masks = torch.zeros(16, 64, 80, dtype=torch.uint8)
        masks[:, :20], masks[:, 20:30] = 1, IGNORE
        banded = tissue_bands(images, masks, draw(16), probability=1.0)
        changed = (banded - images).abs().amax(dim=1) > 1e-6
        assert not changed[:, :30].any()
        assert changed[:, 30:].any(dim=(1, 2)).all()

    def test_they_are_long_and_narrow(self) -> None:
        images = torch.zeros(32, 3, 64, 80)
        masks = torch.zeros(32, 64, 80, dtype=torch.uint8)
        covered = (tissue_bands(images, masks, draw(32), probability=1.0).amax(dim=1) > 0.2).float().mean(dim=(1, 2))
        assert 0.02 < covered.median() < 0.5

    def test_without_chance_nothing_changes(self) -> None:
        images = torch.rand(3, 3, 64, 80)
        masks = torch.zeros(3, 64, 80, dtype=torch.uint8)
        assert torch.equal(tissue_bands(images, masks, draw(3), probability=0.0), images)


GREY = torch.full((64, 3, 32, 40), 0.4)
COLORED = torch.rand(64, 3, 32, 40, generator=torch.Generator().manual_seed(0))


class TestAppearance:
    @pytest.mark.parametrize("transform", APPEARANCE, ids=lambda transform: transform.__name__)
    def test_shapes_stay_values_are_finite_and_some_pictures_change(self, transform) -> None:
        changed = transform(COLORED, draw(64))
        assert changed.shape == COLORED.shape
        assert torch.isfinite(changed).all()
        assert (changed != COLORED).any(dim=(1, 2, 3)).any()

    @pytest.mark.parametrize("transform", [saturation, hue])
    def test_grey_has_no_color_to_change(self, transform) -> None:
        torch.testing.assert_close(transform(GREY, draw(64)), GREY)

    def test_a_turn_of_hue_keeps_the_sum_and_length_of_a_color(self) -> None:
        turned = hue(COLORED, draw(64))
        torch.testing.assert_close(turned.sum(1), COLORED.sum(1))
        torch.testing.assert_close(turned.norm(dim=1), COLORED.norm(dim=1))

    def test_a_sixth_of_the_pictures_loses_its_color(self) -> None:
        many = COLORED[:1].expand(2000, -1, -1, -1)[:, :, :2, :2]
        spread = saturation(many, draw(2000)).std(dim=1).amax(dim=(1, 2))
        assert (spread < 1e-6).float().mean() == pytest.approx(0.15, abs=0.03)

    @pytest.mark.parametrize(
        ("transform", "low", "high"),  # range of the factor on an even picture of 0.4
        [(white_balance, 0.85, 1.15), (contrast, math.exp(-0.45), math.exp(0.35)), (blood, 0.2, 1.0)],
    )
    def test_ranges(self, transform, low: float, high: float) -> None:
        factors = transform(GREY, draw(64)) / 0.4
        assert low - 1e-4 <= factors.min() < factors.max() <= high + 1e-4

    def test_gamma_is_a_power_within_its_range(self) -> None:
        powers = gamma(GREY, draw(64)).log() / math.log(0.4)
        assert math.exp(-0.55) <= powers.min() < powers.max() <= math.exp(0.55)

    @pytest.mark.parametrize("transform", [blur, low_resolution, interlacing])
    def test_an_even_picture_has_no_detail_to_lose(self, transform) -> None:
        torch.testing.assert_close(transform(GREY, draw(64)), GREY)

    def test_blur_spreads_each_picture_by_itself(self) -> None:
        points = torch.zeros(64, 3, 33, 33)
        points[:, :, 16, 16] = 1
        blurred = blur(points, draw(64))
        torch.testing.assert_close(blurred.sum(dim=(2, 3)), torch.ones(64, 3))
        torch.testing.assert_close(blurred, blurred.mT)  # as wide as high
        assert blurred[:, 0, 16, 16].unique().numel() > 10  # the untouched, and many widths

    def test_compression_keeps_what_is_even_within_a_step_and_loses_fine_detail(self) -> None:
        torch.testing.assert_close(compression(GREY, draw(64)), GREY, atol=9 / 255 / 8 / 2 + 1e-4, rtol=0)
        fine = 0.5 + 0.01 * torch.randn(64, 3, 24, 40, generator=torch.Generator().manual_seed(0))
        coded = compression(fine, draw(64))
        changed = (coded - fine).abs().amax(dim=(1, 2, 3)) > 1e-5
        assert 8 <= changed.sum() <= 32  # 30 % of 64
        assert (coded[changed].std(dim=(1, 2, 3)) < fine[changed].std(dim=(1, 2, 3))).all()

    def test_compression_works_on_blocks_of_8_and_takes_sizes_between_them(self) -> None:
        picture = torch.full((1, 3, 13, 21), 0.2)
        picture[..., :8, :8] = torch.rand(8, 8, generator=torch.Generator().manual_seed(0))
        coded = next(out for seed in range(20) if not torch.equal(out := compression(picture, draw(1, seed)), picture))
        assert coded.shape == picture.shape
        assert (coded - picture)[..., :8, :8].abs().max() > 0.01
        rest = (coded - picture)[..., 8:].flatten()
        assert rest.abs().max() <= 9 / 255 / 8 / 2 + 1e-4  # even blocks: half a step of their mean

    def test_beyond_the_lens_all_is_black_and_background(self) -> None:
        masks = torch.full((64, 64, 80), 2, dtype=torch.uint8)
        seen, labels = lens_border(torch.ones(64, 3, 64, 80), masks, draw(64))
        beyond = labels == 0
        assert beyond.any()
        assert not beyond[:, 32, 40].any()  # the middle is always seen
        assert seen[:, 0][beyond].max() <= 0.5 + 0.02
        assert (labels[~beyond] == 2).all()


def test_each_picture_draws_its_own_values() -> None:
    values = draw(1000).uniform(2, 3)
    assert values.shape == (1000, 1, 1, 1)
    assert 2 <= values.min() < 2.05
    assert 2.95 < values.max() <= 3
    assert draw(4000).chance(0.3).mean() == pytest.approx(0.3, abs=0.03)


def test_clouds_are_smooth_and_fill_their_range() -> None:
    clouds = draw(16).clouds(3, (60, 60))
    assert clouds.shape == (16, 1, 60, 60)
    assert 0 <= clouds.min() < 0.25
    assert 0.75 < clouds.max() <= 1
    assert clouds.diff(dim=-1).abs().mean() < 0.05
