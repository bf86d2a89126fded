import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from rasnet.inference.segmenter import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    PAPER_PIXELS,
    Segmenter,
    decide,
    expected_dice_loss,
    network_size,
)

THRESHOLD = 127.5
SURE = 100.0  # a score that is a probability of 1 after softmax


class RedNetwork(nn.Conv2d):
    """Class 1 where red is above `THRESHOLD`, class 0 below: scores (B, 2, h, w), the class's is 0 or above."""

    def __init__(self) -> None:
        super().__init__(3, 2, 1)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)
        with torch.no_grad():
            self.weight[1, 0] = SURE * IMAGENET_STD[0]
            self.bias[1] = SURE * (IMAGENET_MEAN[0] - THRESHOLD / 255)


def pictures(*shape: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Random bytes, uint8 (*shape, 3), with red either 0 or 255."""
    rgb = np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)
    rgb[..., 0] = np.where(rgb[..., 0] > 127, 255, 0)
    return rgb


def scores_for(chances: Tensor) -> Tensor:
    """Scores whose softmax is `chances` (B, C, h, w)."""
    return chances.clamp_min(1e-30).log()


class TestNetworkSize:
    @pytest.mark.parametrize(
        ("height", "width", "expected"),
        [
            (1024, 1280, (256, 320)),  # EndoVis 2017
            (512, 640, (256, 320)),
            (256, 320, (256, 320)),
            (1080, 1920, (224, 384)),
            (2160, 3840, (224, 384)),
            (576, 720, (256, 320)),
            (480, 640, (256, 320)),
            (1000, 1000, (288, 288)),
            (1920, 1080, (384, 224)),
            (1, 1, (288, 288)),
        ],
    )
    def test_follows_the_shape_of_the_picture(self, height: int, width: int, expected: tuple[int, int]) -> None:
        assert network_size(height, width) == expected

    @given(st.integers(1, 4000), st.floats(1 / 8, 8))
    def test_fits_the_network_and_costs_what_the_papers_does(self, height: int, aspect: float) -> None:
        width = max(1, round(height * aspect))
        if not 1 / 8 <= width / height <= 8:
            return
        rows, columns = network_size(height, width)
        assert rows % 32 == columns % 32 == 0
        # The shorter side is at least 101, so rounding to 32 changes it by at most 16 %, the longer one by less.
        assert 0.8 < rows * columns / PAPER_PIXELS < 1.25

    @given(st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 1 << 20))
    def test_is_always_a_size_that_the_network_takes(self, height: int, width: int, pixels: int) -> None:
        rows, columns = network_size(height, width, pixels)
        assert min(rows, columns) >= 32
        assert rows % 32 == columns % 32 == 0

    @given(st.integers(1, 4000), st.integers(1, 4000))
    def test_turning_the_picture_turns_the_input(self, height: int, width: int) -> None:
        assert network_size(height, width) == network_size(width, height)[::-1]


class TestPrepare:
    @pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (124, 116, 104), (10, 200, 77)])
    @pytest.mark.parametrize("size", [(64, 96), (100, 161), (31, 47)])
    def test_one_colour_becomes_that_colour_normalised(self, color: tuple[int, ...], size: tuple[int, int]) -> None:
        frames = torch.tensor(color, dtype=torch.uint8).expand(2, *size, 3)
        images = Segmenter(RedNetwork(), pixels=64 * 96).prepare(frames)
        assert images.dtype == torch.float32
        assert tuple(images.shape) == (2, 3, *network_size(*size, 64 * 96))
        for channel in range(3):
            expected = (color[channel] / 255 - IMAGENET_MEAN[channel]) / IMAGENET_STD[channel]
            torch.testing.assert_close(images[:, channel], torch.full_like(images[:, channel], expected))

    def test_a_picture_of_the_networks_size_keeps_every_pixel(self) -> None:
        rgb = pictures(1, 64, 96)  # (B, H, W, 3)
        images = Segmenter(RedNetwork(), pixels=64 * 96).prepare(torch.from_numpy(rgb))
        expected = (rgb[0] / 255 - IMAGENET_MEAN) / IMAGENET_STD  # (H, W, 3)
        np.testing.assert_allclose(images[0].movedim(0, -1).numpy(), expected, atol=1e-5)

    def test_shrinking_averages_instead_of_skipping(self) -> None:
        rgb = np.zeros((1, 256, 384, 3), np.uint8)
        rgb[:, :, ::2] = 200  # columns too narrow for the network's input
        images = Segmenter(RedNetwork(), pixels=64 * 96).prepare(torch.from_numpy(rgb))
        inside = images[0, 0, 8:-8, 8:-8] * IMAGENET_STD[0] + IMAGENET_MEAN[0]
        torch.testing.assert_close(inside, torch.full_like(inside, 100 / 255), atol=2 / 255, rtol=0)

    def test_half_precision_stays_half(self) -> None:
        images = Segmenter(RedNetwork()).half().prepare(torch.zeros(1, 64, 80, 3, dtype=torch.uint8))
        assert images.dtype == torch.float16

    @pytest.mark.parametrize("dtype", [torch.float32, torch.int8, torch.int64, torch.bool])
    def test_only_bytes_are_frames(self, dtype: torch.dtype) -> None:
        with pytest.raises(TypeError, match="frames must be uint8, 0 to 255, not torch"):
            Segmenter(RedNetwork())(torch.zeros(1, 64, 96, 3, dtype=dtype))


def reference(scores: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(scores, size, mode="bilinear", align_corners=False).argmax(dim=1).to(torch.uint8)


class TestDecide:
    @pytest.mark.parametrize("classes", range(2, 9))
    @pytest.mark.parametrize("size", [(64, 80), (37, 53), (16, 20), (9, 7)])
    def test_is_argmax_of_the_enlarged_scores(self, classes: int, size: tuple[int, int]) -> None:
        scores = torch.randn(2, classes, 16, 20, generator=torch.Generator().manual_seed(classes))
        decided = decide(scores, size)
        assert decided.dtype == torch.uint8
        assert torch.equal(decided, reference(scores, size))

    @settings(max_examples=50, deadline=None)
    @given(st.data())
    def test_is_argmax_for_any_scores_and_sizes(self, data: st.DataObject) -> None:
        batch, classes, *sides = (data.draw(st.integers(low, 8)) for low in (1, 2, 1, 1))
        size = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
        seed = data.draw(st.integers(0, 2**32))
        scores = torch.randn(batch, classes, *sides, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(decide(scores, size), reference(scores, size))

    def test_of_equal_scores_the_first_wins(self) -> None:
        assert not decide(torch.zeros(1, 4, 2, 2), (5, 5)).any()

    def test_the_border_of_a_class_lies_where_the_enlarged_scores_cross(self) -> None:
        # Two pixels become eight: the score of class 1 falls from +3 at column 1.5 to -1 at column 5.5 and is 0 at
        # column 4.5. Deciding first and then enlarging would put the border in the middle, behind column 3.
        scores = torch.tensor([[[[0.0, 0.0]], [[3.0, -1.0]]]])  # (B, C, h, w)
        decided = decide(scores, (1, 8))
        assert decided.tolist() == [[[1, 1, 1, 1, 1, 0, 0, 0]]]
        late = F.interpolate(scores.argmax(dim=1, keepdim=True).float(), (1, 8), mode="nearest")
        assert late.squeeze(1).tolist() == [[[1, 1, 1, 1, 0, 0, 0, 0]]]


class TestExpectedDiceLoss:
    # The share of the picture below which a disagreement hardly counts, as the function's source states it.
    NEGLIGIBLE = 0.005

    @pytest.mark.parametrize("shape", [(1, 2, 8, 8), (3, 8, 5, 9)])  # (B, C, h, w)
    def test_a_model_that_is_sure_misses_nothing(self, shape: tuple[int, ...]) -> None:
        classes = torch.randint(shape[1], (shape[0], *shape[2:]), generator=torch.Generator().manual_seed(0))
        loss = expected_dice_loss(SURE * F.one_hot(classes, shape[1]).movedim(-1, 1).float())
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, torch.zeros(shape[:2]))

    def test_a_frame_that_is_surely_empty_misses_nothing(self) -> None:
        scores = torch.zeros(1, 3, 8, 8)
        scores[:, 0] = SURE
        torch.testing.assert_close(expected_dice_loss(scores), torch.zeros(1, 3))

    @pytest.mark.parametrize("chance", [0.5, 0.75, 0.9, 1.0])
    @pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
    def test_a_region_counts_with_its_chance(self, chance: float, share: float) -> None:
        # In `share` of the picture p = `chance` is chosen, elsewhere p = 0: the expected overlap is p, the expected
        # size of truth is p and that of the mask 1, each times the region.
        chances = torch.zeros(1, 2, 10, 10)
        chances[0, 1, : round(10 * share)] = chance + 1e-6  # of equal chances the background's would be chosen
        chances[0, 0] = 1 - chances[0, 1]
        expected = 1 - (2 * chance * share + self.NEGLIGIBLE) / (chance * share + share + self.NEGLIGIBLE)
        torch.testing.assert_close(
            expected_dice_loss(scores_for(chances)), torch.full((1, 2), expected), atol=1e-5, rtol=0
        )

    def test_a_suspicion_that_is_not_chosen_counts_little(self) -> None:
        chances = torch.full((1, 2, 10, 10), 0.001)
        chances[:, 0] = 0.999
        expected = 0.001 / (0.001 + self.NEGLIGIBLE)
        torch.testing.assert_close(
            expected_dice_loss(scores_for(chances)), torch.full((1, 2), expected), atol=1e-5, rtol=0
        )

    def test_two_parts_in_doubt_are_still_surely_an_instrument(self) -> None:
        chances = torch.zeros(1, 3, 10, 10)
        chances[:, 1], chances[:, 2] = 0.6, 0.4
        instrument, first, second = expected_dice_loss(scores_for(chances))[0].tolist()
        assert instrument == pytest.approx(0, abs=1e-6)
        assert first == pytest.approx(1 - (2 * 0.6 + 0.005) / (1.6 + 0.005), abs=1e-5)
        assert second == pytest.approx(1 - 0.005 / (0.4 + 0.005), abs=1e-5)

    @settings(max_examples=50, deadline=None)
    @given(st.integers(0, 2**32), st.integers(2, 8), st.sampled_from([0.01, 1.0, 10.0, 100.0]))
    def test_lies_between_0_and_1(self, seed: int, classes: int, scale: float) -> None:
        scores = scale * torch.randn(2, classes, 12, 16, generator=torch.Generator().manual_seed(seed))
        loss = expected_dice_loss(scores)
        assert tuple(loss.shape) == (2, classes)
        assert (loss >= 0).all()
        assert (loss <= 1).all()


class TestSegmenter:
    def test_the_mask_is_exact_where_nothing_is_resized(self) -> None:
        rgb = pictures(2, 64, 96)
        classes, uncertainty = Segmenter(RedNetwork(), pixels=64 * 96)(torch.from_numpy(rgb))
        np.testing.assert_array_equal(classes.numpy(), rgb[..., 0] > THRESHOLD)
        assert uncertainty.max() < 1e-6

    @pytest.mark.parametrize("size", [(65, 97), (127, 333), (33, 32), (7, 5), (1, 1)])
    def test_any_size_comes_back(self, size: tuple[int, int]) -> None:
        classes, uncertainty = Segmenter(RedNetwork())(torch.from_numpy(pictures(3, *size)))
        assert (classes.dtype, tuple(classes.shape)) == (torch.uint8, (3, *size))
        assert (uncertainty.dtype, tuple(uncertainty.shape)) == (torch.float32, (3, 2))

    @pytest.mark.parametrize(("height", "width"), [(512, 640), (101, 203), (1080, 1920)])
    def test_an_edge_stays_where_it_is_in_the_picture(self, height: int, width: int) -> None:
        rgb = np.zeros((1, height, width, 3), np.uint8)
        rgb[:, : height // 2, : width // 3] = 255
        classes, _ = Segmenter(RedNetwork())(torch.from_numpy(rgb))
        wrong = (classes[0].numpy() != (rgb[0, ..., 0] > 0)).sum()
        assert wrong <= 0.5 * (height // 2 + width // 3)  # half a pixel along the edge

    def test_a_batch_gives_what_single_frames_give(self) -> None:
        segmenter = Segmenter(RedNetwork())
        frames = torch.from_numpy(pictures(4, 70, 90))
        together = segmenter(frames)
        for index in range(len(frames)):
            alone = segmenter(frames[index : index + 1])
            assert torch.equal(alone.classes[0], together.classes[index])
            assert torch.equal(alone.uncertainty[0], together.uncertainty[index])

    def test_frames_may_be_a_view(self) -> None:
        segmenter = Segmenter(RedNetwork())
        whole = torch.from_numpy(pictures(2, 80, 120))
        view = whole[:, 5:69, 10:106]
        assert torch.equal(segmenter(view).classes, segmenter(view.clone()).classes)

    def test_a_temperature_changes_the_doubt_and_never_the_mask(self) -> None:
        torch.manual_seed(0)
        network = nn.Conv2d(3, 3, 3, padding=1)
        frames = torch.from_numpy(pictures(1, 50, 70))
        plain, cooled = (Segmenter(network, 64 * 96, temperature)(frames) for temperature in (1.0, 2.0))
        assert torch.equal(plain.classes, cooled.classes)
        scores = network(Segmenter(network, 64 * 96).prepare(frames))
        torch.testing.assert_close(cooled.uncertainty, expected_dice_loss(scores / 2))
        assert cooled.uncertainty[0, 0] > plain.uncertainty[0, 0]

    def test_its_state_is_the_networks(self) -> None:
        assert {name for name, _ in Segmenter(RedNetwork()).state_dict().items()} == {"network.weight", "network.bias"}
