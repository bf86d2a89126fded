"""The synthetic operation: the same for the same seed, with masks that fit its pictures exactly."""

from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.synthetic import SyntheticScene, random_frames, write_case, write_endovis2017
from rasnet.synthetic.instruments import Painted, Pose, paint_instruments
from rasnet.synthetic.noise import noise
from rasnet.synthetic.parameters import Dice, stack
from rasnet.synthetic.render import render
from rasnet.synthetic.scene import TYPES, random_shots
from rasnet.synthetic.shapes import draw_shape
from rasnet.synthetic.writers import endovis_folder

SIZE = (64, 80)
CPU = torch.device("cpu")
POSE = Pose(
    x=0.0, y=0.0, angle=0.0, radius=0.06, taper=0.0, bend=0.2, yaw=0.1, opening=0.35, roll=0.3, reach=1.0, softness=1.0
)  # fmt: skip


@pytest.fixture(scope="module")
def scene() -> SyntheticScene:
    return SyntheticScene(3, size=SIZE, frames=40, types=["Vessel Sealer", "Bipolar Forceps", "Large Needle Driver"])


def paint(pose: Pose, type_name: str, size: tuple[int, int] = (120, 160)) -> Painted:
    """One instrument alone, of its type's usual shape."""
    height, width = size
    x = ((torch.arange(width) + 0.5) / width - 0.5).view(1, 1, width)
    y = ((torch.arange(height) + 0.5 - height / 2) / width).view(1, height, 1)
    finish = SyntheticScene(0).shot(0).actors[0].finish
    shape = draw_shape(Dice(1), type_name, variety=0.0)
    return paint_instruments(stack([pose], CPU), stack([shape], CPU), stack([finish], CPU), x, y)


class TestDeterminism:
    def test_same_seed_gives_same_bytes(self, scene: SyntheticScene) -> None:
        again = SyntheticScene(3, size=SIZE, frames=40, types=[name for _, name in scene.layers])
        again.render(5)  # what was rendered before must not matter
        for one, other in zip(scene.render(17), again.render(17), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_other_seed_gives_other_picture(self) -> None:
        one, other = (SyntheticScene(seed, size=SIZE).render(0).rgb for seed in (1, 2))
        assert np.abs(one.astype(int) - other).mean() > 5

    def test_stills_come_again_for_the_same_seed(self) -> None:
        first, second = (list(random_frames(3, size=SIZE, seed=9)) for _ in range(2))
        for one, other in zip(first, second, strict=True):
            np.testing.assert_array_equal(one.rgb, other.rgb)
            np.testing.assert_array_equal(one.layers, other.layers)

    def test_stills_differ_from_one_another(self) -> None:
        for one, other in pairwise(random_frames(4, size=SIZE, seed=9)):
            assert np.abs(one.rgb.astype(int) - other.rgb).mean() > 5


class TestFrames:
    @pytest.mark.parametrize("size", [(64, 80), (33, 47), (51, 29)])
    def test_shapes_and_dtypes(self, size: tuple[int, int]) -> None:
        frame = SyntheticScene(4, size=size).render(0)
        assert frame.rgb.shape == (*size, 3)  # (H, W, 3)
        assert all(mask.shape == size for mask in frame[1:])  # (H, W)
        assert all(array.dtype == np.uint8 for array in frame)

    @pytest.mark.parametrize("index", [0, 13, 26, 39])
    def test_masks_agree(self, scene: SyntheticScene, index: int) -> None:
        frame = scene.render(index)
        instrument = frame.layers > 0
        for mask in (frame.parts, frame.types, frame.raw_parts):
            np.testing.assert_array_equal(mask > 0, instrument)
        np.testing.assert_array_equal(frame.parts == 1, frame.raw_parts == 10)
        assert set(np.unique(frame.raw_parts)) <= {0, 10, 20, 30, 40}
        assert instrument.any()

    def test_a_layer_keeps_its_type(self, scene: SyntheticScene) -> None:
        schema = LabelSchema.load("endovis2017_types")
        expected = {layer: schema[name].id for layer, name in scene.layers}
        for index in range(0, 40, 8):
            frame = scene.render(index)
            for layer in np.unique(frame.layers[frame.layers > 0]):
                assert set(frame.types[frame.layers == layer]) == {expected[layer]}

    def test_still_agree(self) -> None:
        for frame in random_frames(12, size=SIZE, seed=2):
            np.testing.assert_array_equal(frame.layers > 0, frame.types > 0)
            np.testing.assert_array_equal(frame.layers > 0, frame.parts > 0)

    def test_about_a_tenth_of_stills_is_empty(self) -> None:
        empty = sum(not shot.actors for shot in random_shots(500, seed=1))
        assert 30 <= empty <= 75

    def test_an_empty_scene_has_empty_masks(self) -> None:
        frame = SyntheticScene(5, size=SIZE, types=[]).render(0)
        assert not any(mask.any() for mask in frame[1:])
        assert frame.rgb.std() > 5  # the tissue is there

    def test_nothing_is_labelled_outside_the_lens(self, scene: SyntheticScene) -> None:
        shot = scene.shot(0)
        narrow = shot._replace(lens=shot.lens._replace(border=0.2, border_center=(0.0, 0.0)))
        layers = render([narrow], (64, 64), CPU).layers[0].numpy()
        rows, columns = np.nonzero(layers)
        assert np.hypot(rows - 31.5, columns - 31.5).max() <= 0.2 * 64 + 1
        assert len(rows) > 0

    def test_index_counts_from_the_end_and_ends(self, scene: SyntheticScene) -> None:
        assert len(scene) == 40
        np.testing.assert_array_equal(scene.render(-1).rgb, scene.render(39).rgb)
        with pytest.raises(IndexError):
            scene.render(40)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"types": ["Spoon"]}, "no instrument type 'Spoon'"),
            ({"types": ["Other"] * 5}, "at most 4"),
            ({"frames": 0}, "at least 8x8, one frame"),
            ({"size": (4, 80)}, "at least 8x8"),
        ],
    )
    def test_impossible_scenes_are_refused(self, options: dict[str, object], message: str) -> None:
        with pytest.raises(RASNetError, match=message):
            SyntheticScene(0, **options)  # type: ignore[arg-type]


class TestMotion:
    @pytest.mark.parametrize("seed", [0, 7, 85])
    def test_second_instrument_leaves_and_comes_back(self, seed: int) -> None:
        scene = SyntheticScene(seed, size=SIZE, types=["Prograsp Forceps", "Large Needle Driver"])
        seen = [bool((scene.render(index).layers == 2).any()) for index in (0, 140, 249)]
        assert seen == [True, False, True]

    def test_third_instrument_enters(self) -> None:
        scene = SyntheticScene(85, size=SIZE)
        assert not (scene.render(0).layers == 3).any()
        assert (scene.render(249).layers == 3).any()

    def test_consecutive_frames_are_alike(self) -> None:
        scene = SyntheticScene(85, size=SIZE)
        one, near, far = (scene.render(index).rgb.astype(int) for index in (60, 61, 200))
        assert np.abs(one - near).mean() < 0.5 * np.abs(one - far).mean()


class TestInstruments:
    def test_shaft_is_as_wide_as_its_pose_says(self) -> None:
        coverage = paint(POSE, "Prograsp Forceps").coverage[0]  # (120, 160)
        assert coverage[:, 30].sum().item() == pytest.approx(2 * 0.06 * 160, abs=0.1)

    def test_shaft_ends_where_its_pose_says(self) -> None:
        raw = paint(POSE, "Prograsp Forceps").raw_parts[0]
        assert (raw[60, :80] == 10).all()
        assert (raw[60, 80:84] == 20).all()

    @pytest.mark.parametrize("type_name", TYPES)
    def test_every_type_has_shaft_wrist_and_end(self, type_name: str) -> None:
        raw = paint(POSE, type_name).raw_parts
        end = 40.0 if type_name == "Other" else 30.0
        assert set(raw.unique().tolist()) == {0.0, 10.0, 20.0, end}

    def test_every_type_has_its_own_silhouette(self) -> None:
        silhouettes = {name: (paint(POSE, name).coverage >= 0.5)[0, :, 80:] for name in TYPES}
        for one, other in combinations(TYPES, 2):
            a, b = silhouettes[one], silhouettes[other]
            assert ((a & b).sum() / (a | b).sum()).item() < 0.9, (one, other)

    def test_opening_moves_the_jaws_apart(self) -> None:
        closed, wide = (
            paint(POSE._replace(opening=angle, bend=0.0, yaw=0.0, roll=0.0), "Prograsp Forceps") for angle in (0, 0.9)
        )
        spans = [torch.nonzero((image.raw_parts[0] == 30).any(1)).flatten() for image in (closed, wide)]
        assert spans[1][-1] - spans[1][0] > 1.8 * (spans[0][-1] - spans[0][0])

    def test_front_instrument_hides_the_one_behind(self, scene: SyntheticScene) -> None:
        shot = scene.shot(0)
        back = shot.actors[0]
        front = back._replace(layer=9)
        layers = render([shot._replace(actors=(back, front))], SIZE, CPU).layers
        assert set(layers.unique().tolist()) == {0, 9}


class TestNoise:
    @pytest.mark.parametrize("smooth", [False, True])
    def test_repeats_after_its_period(self, smooth: bool) -> None:
        x = torch.linspace(0, 3, 50).view(1, 1, 50)
        y = torch.linspace(0, 2, 40).view(1, 40, 1)
        fields = noise("soft", x, y, smooth=smooth)  # (4, 1, 40, 50)
        assert fields.shape == (4, 1, 40, 50)
        torch.testing.assert_close(fields, noise("soft", x + 64, y - 64, smooth=smooth), atol=2e-3, rtol=0)

    def test_splines_follow_the_linear_lookup(self) -> None:
        x = torch.linspace(0, 9, 300).view(1, 1, 300)
        y = torch.linspace(0, 9, 300).view(1, 300, 1)
        linear, smooth = noise("soft", x, y), noise("soft", x, y, smooth=True)
        assert torch.corrcoef(torch.stack((linear[0].flatten(), smooth[0].flatten())))[0, 1] > 0.98


class TestCase:
    def test_case_holds_the_exact_masks(self, tmp_path: Path) -> None:
        scene = SyntheticScene(6, size=(48, 64), frames=3, types=["Other", "Vessel Sealer"])
        write_case(scene, tmp_path / "clip.mp4", tmp_path / "truth")
        with Case.open(tmp_path / "truth") as case:
            assert [row.status for row in case.frames()] == ["accepted"] * 3
            assert [(layer.id, layer.type) for layer in case.layers()] == scene.layers
            assert case.info.model is None
            for index in range(3):
                frame = scene.render(index)
                np.testing.assert_array_equal(case.mask(index), frame.layers)
                np.testing.assert_array_equal(case.parts(index), frame.parts)
            with case.open_source() as source:
                assert len(source) == 3
                assert np.abs(source[1].rgb.astype(int) - scene.render(1).rgb).mean() < 12  # lossy

    def test_odd_sizes_fit_the_video(self, tmp_path: Path) -> None:
        scene = SyntheticScene(6, size=(47, 63), frames=1)
        write_case(scene, tmp_path / "clip.mp4", tmp_path / "truth")
        with Case.open(tmp_path / "truth") as case:
            mask = case.mask(0)
            assert mask.shape == (case.info.height, case.info.width)
            np.testing.assert_array_equal(mask[:47, :63], scene.render(0).layers)

    def test_video_alone(self, tmp_path: Path) -> None:
        write_case(SyntheticScene(6, size=(48, 64), frames=2), tmp_path / "clip.mp4")
        assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


class TestEndoVis2017:
    @pytest.mark.parametrize(
        ("number", "type_name", "side", "expected"),
        [
            (1, "Bipolar Forceps", "", "Maryland_Bipolar_Forceps_labels"),
            (1, "Prograsp Forceps", "Left", "Left_Prograsp_Forceps_labels"),
            (2, "Other", "", "Other_labels"),
            (4, "Large Needle Driver", "Right", "Large_Needle_Driver_Right_labels"),
            (6, "Prograsp Forceps", "", "Prograsp_Forceps"),
            (6, "Monopolar Curved Scissors", "", "Monopolar_Curved_Scissors_labels"),
            (7, "Vessel Sealer", "Right", "Right_Vessel_Sealer"),
        ],
    )
    def test_folder_names(self, number: int, type_name: str, side: str, expected: str) -> None:
        assert endovis_folder(number, type_name, side) == expected

    def test_layout_and_values(self, tmp_path: Path) -> None:
        types = ["Prograsp Forceps", "Prograsp Forceps", "Other"]
        scenes = [SyntheticScene(seed, size=(64, 80), frames=1, types=types) for seed in (1, 2)]
        write_endovis2017(scenes, tmp_path)
        first, second = tmp_path / "instrument_dataset_1", tmp_path / "instrument_dataset_2"
        folders = ["Left_Prograsp_Forceps_labels", "Other_labels", "Right_Prograsp_Forceps_labels"]
        assert sorted(path.name for path in (first / "ground_truth").iterdir()) == folders
        assert (first / "camera_calibration.txt").is_file()
        assert (first / "mappings.json").is_file()

        left, right = (
            np.asarray(Image.open(first / side / "frame000.png")) for side in ("left_frames", "right_frames")
        )
        assert left.shape == right.shape == (1080, 1920, 3)
        assert not left[:28].any()
        assert not left[:, :320].any()
        assert not left[28 + 1024 :].any()
        assert not left[:, 320 + 1280 :].any()
        assert np.abs(left.astype(int) - right).mean() > 1  # two views

        masks = [np.asarray(Image.open(first / "ground_truth" / name / "frame000.png")) for name in folders]
        expected = scenes[0].render(0).raw_parts
        np.testing.assert_array_equal(
            np.max(masks, axis=0)[28 + 8 : 28 + 1024 : 16, 320 + 8 : 320 + 1280 : 16], expected
        )
        assert np.count_nonzero(masks, axis=0).max() == 1  # occlusion is exact: no pixel has two owners

        colored = np.asarray(Image.open(second / "ground_truth" / "Other_labels" / "frame000.png"))
        assert colored.shape == (1080, 1920, 3)

    def test_nothing_is_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "instrument_dataset_1").mkdir()
        with pytest.raises(RASNetError, match="exists already"):
            write_endovis2017([SyntheticScene(1, size=SIZE, frames=1)], tmp_path)
