"""Readers, the data list, the data set and the mixing of batches, on small files written here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from videos import RECIPES, Recipe, write

from rasnet.datasets import FrameDataset, MixedBatches, Ramp, Source, read_sources
from rasnet.datasets.blank import render_blanks
from rasnet.datasets.endovis2015 import part_ids, read_rigid, read_robotic
from rasnet.datasets.frames_with_masks import read_frames_with_masks
from rasnet.datasets.frames_without_masks import read_unlabelled, read_without_instruments
from rasnet.datasets.rendered import render_examples
from rasnet.errors import RASNetError
from rasnet.labels import ANY_INSTRUMENT, IGNORE

SHAFT, MANIPULATOR = 1, 2
HEIGHT, WIDTH = 48, 64
LOSSLESS = Recipe(".avi", "avi", "ffv1", "gray")


def save(file: Path, value: int, height: int = HEIGHT, width: int = WIDTH) -> Path:
    """An even grey picture, (H, W)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width), value, np.uint8)).save(file)
    return file


def save_pair(folder: Path, name: str, value: int, mask: int = 255) -> None:
    save(folder / f"{name}.png", value)
    save(folder / f"{name}_mask.png", mask)


def write_masks(file: Path, values: list[list[int]]) -> None:
    """A video of masks: frame i holds values[i] in columns of equal width."""
    rows = [np.repeat(np.array(row, np.uint8), WIDTH // len(row)) for row in values]
    write(file, LOSSLESS, [np.broadcast_to(row[None, :, None], (HEIGHT, WIDTH, 3)).copy() for row in rows])


def write_robotic(folder: Path, frames: int, masks: int) -> Path:
    folder.mkdir()
    write(
        folder / "Video.avi",
        RECIPES["avi mjpeg"],
        [np.full((HEIGHT, WIDTH, 3), 9 * i, np.uint8) for i in range(frames)],
    )
    write_masks(folder / "Left_Instrument_Segmentation.avi", [[70, 160, 0, 0]] * masks)
    write_masks(folder / "Right_Instrument_Segmentation.avi", [[0, 0, 0, 72 if i % 2 else 0] for i in range(masks)])
    return folder


class TestEndoVis2015:
    @pytest.mark.parametrize(
        ("value", "part"),
        [
            (0, 0),
            (35, 0),
            (36, MANIPULATOR),
            (70, MANIPULATOR),
            (115, MANIPULATOR),
            (116, SHAFT),
            (160, SHAFT),
            (255, SHAFT),
        ],
    )
    def test_lossy_values_go_to_the_nearest_part(self, value: int, part: int) -> None:
        assert part_ids(np.array([[value]], np.uint8)) == part

    def test_masks_of_several_instruments_become_one(self, tmp_path: Path) -> None:
        first, second = read_robotic(write_robotic(tmp_path / "Dataset1", 2, 2))
        quarters = first.mask.reshape(HEIGHT, 4, WIDTH // 4)
        assert [set(np.unique(quarters[:, i])) for i in range(4)] == [{MANIPULATOR}, {SHAFT}, {0}, {0}]
        assert set(np.unique(second.mask[:, -WIDTH // 4 :])) == {MANIPULATOR}

    def test_step_takes_pictures_and_masks_of_the_same_frames(self, tmp_path: Path) -> None:
        examples = list(read_robotic(write_robotic(tmp_path / "Dataset1", 6, 6), step=3))  # frames 0 and 3
        assert [round(float(example.rgb.mean()) / 9) for example in examples] == [0, 3]
        assert [bool(example.mask[:, -1].any()) for example in examples] == [False, True]

    def test_videos_of_different_length_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(RASNetError, match=r"Segmentation.avi has 3 frames and Video.avi has 4; unpack"):
            list(read_robotic(write_robotic(tmp_path / "Dataset1", 4, 3)))

    def test_a_folder_without_videos_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(RASNetError, match=r"must hold Video.avi and \*Segmentation.avi"):
            list(read_robotic(tmp_path))

    def test_rigid_frames_find_their_masks(self, tmp_path: Path) -> None:
        for number, value in (("02", 160), ("10", 70)):
            save(tmp_path / "Raw" / f"img_{number}_raw.png", 50)
            save(tmp_path / "Masks" / f"img_{number}_class.png", value)
        assert [int(example.mask[0, 0]) for example in read_rigid(tmp_path)] == [SHAFT, MANIPULATOR]

    def test_a_rigid_frame_without_a_mask_is_named(self, tmp_path: Path) -> None:
        save(tmp_path / "Raw" / "img_01_raw.png", 50)
        with pytest.raises(RASNetError, match=r"no mask .*img_01_class.png"):
            list(read_rigid(tmp_path))

    @pytest.mark.real
    def test_a_real_sequence_shows_both_parts(self, shared_data: Path) -> None:
        examples = list(read_robotic(shared_data / "endovis2015_robotic" / "Dataset1", step=150))
        assert [example.rgb.shape for example in examples] == [(576, 720, 3)] * 3
        assert all(set(np.unique(example.mask)) == {0, SHAFT, MANIPULATOR} for example in examples)


class TestFolders:
    def test_binary_masks_say_only_that_there_is_an_instrument(self, tmp_path: Path) -> None:
        save_pair(tmp_path, "frame2", 20, mask=127)
        save_pair(tmp_path, "frame10", 30, mask=128)
        first, second = read_frames_with_masks(tmp_path)
        assert (int(first.mask[0, 0]), int(second.mask[0, 0])) == (0, ANY_INSTRUMENT)
        assert (int(first.rgb[0, 0, 0]), int(second.rgb[0, 0, 0])) == (20, 30)  # natural order

    @pytest.mark.parametrize(
        ("lonely", "sentence"), [("b.png", "frame b has no b_mask.png"), ("b_mask.png", "mask b_mask has no")]
    )
    def test_a_frame_or_mask_alone_is_named(self, lonely: str, sentence: str, tmp_path: Path) -> None:
        save_pair(tmp_path, "a", 20)
        save(tmp_path / lonely, 0)
        with pytest.raises(RASNetError, match=sentence):
            list(read_frames_with_masks(tmp_path))

    def test_unlabelled_frames_may_have_any_size(self, tmp_path: Path) -> None:
        save(tmp_path / "1.png", 5, 40, 60)
        save(tmp_path / "2.jpg", 5, 60, 40)
        examples = list(read_unlabelled(tmp_path))
        assert [example.mask.shape for example in examples] == [(40, 60), (60, 40)]
        assert all((example.mask == IGNORE).all() for example in examples)

    @pytest.mark.parametrize("reader", [read_robotic, read_rigid, read_frames_with_masks, read_unlabelled])
    def test_a_missing_folder_is_one_sentence(self, reader, tmp_path: Path) -> None:
        with pytest.raises(RASNetError, match=r"there is no folder .*; correct it in the data list"):
            list(reader(tmp_path / "nowhere"))

    def test_a_broken_image_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "1.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
        with pytest.raises(RASNetError, match=r"1.png is not a whole image"):
            list(read_unlabelled(tmp_path))

    def test_what_is_too_dark_in_a_rendered_still_is_ignored(self) -> None:
        examples = list(render_examples(6, (64, 80), seed=3, device="cpu"))
        for example in examples:
            np.testing.assert_array_equal(example.mask == IGNORE, example.rgb.max(axis=-1) < 5)
        assert any((example.mask == IGNORE).any() for example in examples)

    def test_pictures_without_instruments_are_background_all_over(self, tmp_path: Path) -> None:
        save(tmp_path / "tissue.png", 90)
        save(tmp_path / "theatre.png", 30, height=20, width=30)
        theatre, tissue = read_without_instruments(tmp_path)
        assert theatre.mask.shape == (20, 30)
        assert not theatre.mask.any()
        assert not tissue.mask.any()

    def test_blank_pictures_are_dark_bright_even_or_smooth_and_hold_nothing(self) -> None:
        blanks = list(render_blanks(40, (24, 32), seed=3))
        assert all(blank.rgb.shape == (24, 32, 3) and not blank.mask.any() for blank in blanks)
        dark, bright, flat, smooth = ([blank.rgb.astype(float) for blank in blanks[kind::4]] for kind in range(4))
        assert max(rgb.mean() for rgb in dark) < 50
        assert min(rgb.mean() for rgb in bright) > 205
        assert all(rgb.std(axis=(0, 1)).max() < 0.07 * 255 for rgb in flat)  # the noise alone
        assert all(rgb.std(axis=(0, 1)).max() > 10 for rgb in smooth)
        again = list(render_blanks(40, (24, 32), seed=3))
        assert all(np.array_equal(one.rgb, same.rgb) for one, same in zip(blanks, again, strict=True))


class TestDataList:
    def test_folders_start_where_the_list_lies(self, tmp_path: Path) -> None:
        path = tmp_path / "sources.json"
        path.write_text('[{"kind": "unlabelled", "folder": "a/tissue", "step": 2}, {"kind": "synthetic", "count": 7}]')
        assert read_sources(path) == [
            Source("unlabelled", "tissue", tmp_path / "a" / "tissue", step=2),
            Source("synthetic", "synthetic", count=7),
        ]
        assert read_sources(path, "/data")[0].folder == Path("/data/a/tissue")

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("[{]", "is not JSON"),
            ("[]", "must be a JSON list of sources"),
            ('{"kind": "unlabelled"}', "must be a JSON list of sources"),
            ("[3]", "source 1 of .* must be a JSON object"),
            ('[{"kind": "dicom", "folder": "a"}]', "kind 'dicom'; use one of endovis2015_robotic"),
            ('[{"kind": "unlabelled"}]', "lacks 'folder'"),
            ('[{"kind": "unlabelled", "folder": "a", "wieght": 1}]', "unknown key 'wieght'; it may have count"),
            ('[{"kind": "unlabelled", "folder": "a", "weight": 0}]', "a weight is a number above 0"),
            ('[{"kind": "unlabelled", "folder": "a", "weight": true}]', "a weight is a number above 0"),
            ('[{"kind": "unlabelled", "folder": "a", "step": 0}]', "step 0; give a whole number from 1 up"),
            ('[{"kind": "unlabelled", "folder": "a", "step": 1.5}]', "step 1.5; give a whole number"),
            ('[{"kind": "unlabelled", "folder": "a", "count": 3}]', "has no 'count'; remove it"),
            ('[{"kind": "synthetic", "folder": "a"}]', "has no 'folder'; remove it"),
            ('[{"kind": "unlabelled", "folder": "a", "name": 3}]', "a name is a string"),
            ('[{"kind": "endovis2015_rigid", "folder": "a", "split": "test"}]', "use 'train' or 'validation'"),
            ('[{"kind": "unlabelled", "folder": "a", "split": "validation"}]', "no labels to validate with"),
        ],
    )
    def test_what_makes_no_sense_is_one_sentence(self, text: str, sentence: str, tmp_path: Path) -> None:
        (tmp_path / "sources.json").write_text(text)
        with pytest.raises(RASNetError, match=sentence) as caught:
            read_sources(tmp_path / "sources.json")
        assert "\n" not in str(caught.value)

    def test_a_missing_list_says_which_option_to_give(self, tmp_path: Path) -> None:
        with pytest.raises(RASNetError, match=r"cannot be read .*; give one with --data_list"):
            read_sources(tmp_path / "sources.json")

    def test_validation_figures_need_names_that_differ(self, tmp_path: Path) -> None:
        entry = {"kind": "frames_with_masks", "split": "validation"}
        (tmp_path / "list.json").write_text(json.dumps([{**entry, "folder": "x/3"}, {**entry, "folder": "y/3"}]))
        with pytest.raises(RASNetError, match="two validation sources called '3'; give each a 'name'"):
            read_sources(tmp_path / "list.json")


@pytest.fixture
def mixed(tmp_path: Path) -> FrameDataset:
    """3 + 1 labelled frames of brightness 200 and 100, 2 synthetic ones, 2 unlabelled ones of brightness 10."""
    for name in "abc":
        save_pair(tmp_path / "bright", name, 200)
    save_pair(tmp_path / "dim", "d", 100)
    for number in range(2):
        save(tmp_path / "tissue" / f"{number}.png", 10, 40, 80)
    sources = [
        Source("frames_with_masks", "bright", tmp_path / "bright", weight=3),
        Source("frames_with_masks", "dim", tmp_path / "dim", weight=1),
        Source("synthetic", "synthetic", count=2),
        Source("unlabelled", "tissue", tmp_path / "tissue"),
    ]
    return FrameDataset(sources, canvas=(32, 40))


class TestFrameDataset:
    def test_every_frame_is_squeezed_to_the_canvas_and_keeps_its_aspect(self, mixed: FrameDataset) -> None:
        assert len(mixed) == 8
        for frame in (mixed[index] for index in range(len(mixed))):
            assert frame["image"].shape == (3, 32, 40)
            assert frame["label"].shape == (32, 40)
            assert frame["image"].dtype == frame["label"].dtype == torch.uint8
        assert [mixed[index]["aspect"] for index in (0, 3, 5, 7)] == pytest.approx([64 / 48, 64 / 48, 40 / 32, 2.0])

    def test_indices_run_through_the_sources(self, mixed: FrameDataset) -> None:
        names = [mixed[index]["source"] for index in range(8)]
        assert names == ["bright"] * 3 + ["dim"] + ["synthetic"] * 2 + ["tissue"] * 2
        assert mixed[-1]["source"] == "tissue"
        assert mixed[3]["image"].float().mean() == 100
        with pytest.raises(IndexError):
            mixed[8]

    def test_black_borders_of_a_sequence_are_left_out(self, tmp_path: Path) -> None:
        for name in "abc":
            picture, mask = np.zeros((2, 120, 200, 3), np.uint8)
            picture[10:110, 40:165] = 120
            mask[10:60, 40:165] = 255
            Image.fromarray(picture).save(tmp_path / f"{name}.png")
            Image.fromarray(mask[..., 0]).save(tmp_path / f"{name}_mask.png")
        dataset = FrameDataset([Source("frames_with_masks", "bordered", tmp_path)], canvas=(40, 50))
        frame = dataset[1]
        assert frame["aspect"] == pytest.approx(1.25)
        assert (frame["image"] == 120).all()
        assert (frame["label"][:20] == ANY_INSTRUMENT).all()
        assert not frame["label"][20:].any()

    def test_a_mask_of_another_size_is_refused(self, tmp_path: Path) -> None:
        save(tmp_path / "a.png", 20, 48, 64)
        save(tmp_path / "a_mask.png", 0, 24, 32)
        with pytest.raises(RASNetError, match="is 64x48 and its mask is 32x24"):
            FrameDataset([Source("frames_with_masks", "a", tmp_path)])


def brightness(images: torch.Tensor, masks: torch.Tensor, aspects: torch.Tensor, _: torch.Generator, complete):
    """Instead of an augmentation: what identifies a frame's source, (B,)."""
    brightnesses = images.float().mean(dim=(1, 2, 3))
    return brightnesses, complete(brightnesses, masks[:, 0, 0])


def batches(dataset: FrameDataset, **changes) -> MixedBatches:
    settings = {
        "batch_size": 16,
        "unlabelled": 4,
        "synthetic_share": Ramp(0.5, 0.0, until=0.5),
        "epoch_length": 10,
        "iterations": 100,
    }
    return MixedBatches(dataset, brightness, **{**settings, **changes})


class TestMixedBatches:
    def test_every_batch_has_its_labelled_and_unlabelled_frames(self, mixed: FrameDataset) -> None:
        for batch in batches(mixed):
            assert len(batch["image"]) == 20
            assert (batch["image"] == 10).sum() == 4
            assert (batch["label"][-4:] == IGNORE).all()

    def test_sources_are_drawn_by_weight_not_by_size(self, mixed: FrameDataset) -> None:
        drawn = torch.cat([batch["image"] for batch in batches(mixed, epoch_length=200, synthetic_share=Ramp(0, 0))])
        bright, dim = (drawn == 200).sum().item(), (drawn == 100).sum().item()
        assert bright + dim == 200 * 16
        assert bright / dim == pytest.approx(3, abs=0.4)  # weights 3 and 1

    def test_the_synthetic_share_follows_the_training_over_epochs(self, mixed: FrameDataset) -> None:
        mixing = batches(mixed, batch_size=64)
        shares = []
        for _ in range(10):
            drawn = torch.cat([batch["image"][:64] for batch in mixing])
            shares.append(1 - torch.isin(drawn, torch.tensor([100.0, 200.0])).float().mean().item())
        expected = [0.455, 0.355, 0.255, 0.155, 0.055, 0, 0, 0, 0, 0]  # 0.5 to 0 over the first 50 of 100 batches
        assert shares == pytest.approx(expected, abs=0.07)

    def test_a_labeller_labels_the_unlabelled_frames_alone(self, mixed: FrameDataset) -> None:
        progress = []

        def all_tissue(pictures: torch.Tensor, labels: torch.Tensor, done: float) -> torch.Tensor:
            progress.append(done)
            assert (pictures == 10).all()
            assert (labels == IGNORE).all()
            return torch.zeros_like(labels)

        plain, labelled = batches(mixed), batches(mixed, labeller=all_tissue)
        for before, after in zip(plain, labelled, strict=True):
            assert torch.equal(before["label"][:-4], after["label"][:-4])
            assert (after["label"][-4:] == 0).all()
        assert progress == pytest.approx([0.01 * i for i in range(10)])

    def test_the_same_seed_gives_the_same_batches(self, mixed: FrameDataset) -> None:
        one, same, other = (torch.cat([batch["image"] for batch in batches(mixed, seed=seed)]) for seed in (1, 1, 2))
        assert torch.equal(one, same)
        assert not torch.equal(one, other)

    def test_without_labelled_frames_all_are_synthetic(self) -> None:
        dataset = FrameDataset([Source("synthetic", "synthetic", count=2)], canvas=(32, 40))
        assert [len(batch["image"]) for batch in batches(dataset)] == [16] * 10

    def test_nothing_to_learn_from_is_refused(self, tmp_path: Path) -> None:
        save(tmp_path / "1.png", 10)
        dataset = FrameDataset([Source("unlabelled", "tissue", tmp_path)], canvas=(32, 40))
        with pytest.raises(RASNetError, match="no training source with labels"):
            batches(dataset)


@pytest.mark.parametrize(("progress", "value"), [(0, 0.5), (0.1, 0.4), (0.4, 0.1), (0.7, 0.1), (1, 0.1)])
def test_a_ramp_ends_where_it_should_and_stays(progress: float, value: float) -> None:
    assert Ramp(0.5, 0.1, until=0.4)(progress) == pytest.approx(value)
