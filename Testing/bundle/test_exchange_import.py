"""What every import keeps to: everything is checked first, nothing that a person owns changes, nothing is half done."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import human_mask
from endovis_folders import INSTRUMENTS, instrument_mask, merged, type_id, write_cropped, write_raw
from exchange_cases import FRAMES, LAYERS, STATUSES, empty_case, rich_case, rich_mask, round_trip
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from typer.testing import CliRunner

from rasnet.case import Case, Layer
from rasnet.cli import app
from rasnet.datasets.endovis2017_layouts import EndoVis2017
from rasnet.errors import RASNetError
from rasnet.exchange.formats import FORMATS, export_case, guess_format, import_case
from rasnet.exchange.polygons import fill, trace
from rasnet.labels import LabelSchema
from rasnet.masks import read_mask, write_mask
from rasnet.progress import SilentProgress
from rasnet.video import RegionOfInterest, open_source

LOSSLESS = ["png", "coco", "cvat", "seg_nrrd", "seg_nrrd_frames", "dicom_seg"]
TYPES = LabelSchema.load("endovis2017_types")
PALETTE = np.zeros((256, 3), np.uint8)


def rasnet(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def state(case: Case) -> tuple[object, ...]:
    """Everything about a case that an import could change, the journal included."""
    return case.layers(), case.frames(), list(case.journal())


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """The rich case as a folder of PNG files."""
    export_case(rich_case(tmp_path / "theirs"), tmp_path / "png", "png", include_flagged=True)
    return tmp_path / "png"


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """An empty case of the same video."""
    return empty_case(tmp_path / "ours")


class TestRoundTrip:
    @pytest.mark.parametrize("format", LOSSLESS)
    def test_masks_ids_names_colours_types_and_statuses_come_back(self, format: str, tmp_path: Path) -> None:
        before, after, _ = round_trip(tmp_path, format)
        assert after.layers() == before.layers() == list(LAYERS)
        assert {row.index: row.status for row in after.frames()} == STATUSES
        for index in STATUSES:
            np.testing.assert_array_equal(after.mask(index), rich_mask(index))

    @pytest.mark.parametrize("format", [name for name, found in FORMATS.items() if "types" in found.contents])
    def test_types_come_back_as_a_layer_each(self, format: str, tmp_path: Path) -> None:
        before = rich_case(tmp_path / "before")
        before.update_layer(7, type="Other")
        after = empty_case(tmp_path / "after")
        export_case(before, tmp_path / "out", format, what="types", include_flagged=True)
        import_case(after, tmp_path / "out", format)
        names = {layer.id: layer.name for layer in after.layers()}
        table = np.zeros(256, np.uint8)
        for layer, number in ((1, 2), (3, 3), (7, 7)):  # ids of Prograsp, Needle Driver and Other in the schema
            table[layer] = number
        assert (names[2], names[3], names[7]) == ("Prograsp Forceps", "Large Needle Driver", "Other")
        assert all(layer.type == layer.name for layer in after.layers())
        for index in STATUSES:
            np.testing.assert_array_equal(after.mask(index), table[rich_mask(index)])

    @pytest.mark.parametrize("format", FORMATS)
    def test_a_second_import_changes_nothing(self, format: str, tmp_path: Path) -> None:
        what = "types" if format == "endovis2017" else "layers"
        before, after = rich_case(tmp_path / "before"), empty_case(tmp_path / "after")
        before.update_layer(7, type="Other")
        out = tmp_path / ("out.seg.nrrd" if format == "seg_nrrd" else "out")
        export_case(before, out, format, what=what, include_flagged=True)
        first = import_case(after, out)
        was = state(after)
        again = import_case(after, out)
        assert (again.written, again.unchanged) == ((), first.written)
        assert state(after) == was

    @pytest.mark.parametrize("format", FORMATS)
    def test_the_format_is_told_by_what_is_there(self, format: str, tmp_path: Path) -> None:
        before = rich_case(tmp_path / "before")
        before.update_layer(7, type="Other")
        out = tmp_path / ("out.seg.nrrd" if format == "seg_nrrd" else "out")
        export_case(before, out, format, include_flagged=True)
        assert guess_format(out).reader == FORMATS[format].reader

    @settings(max_examples=60, deadline=None)
    @given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
    def test_polygons_never_lose_a_pixel(self, pixels: np.ndarray) -> None:
        filled = np.zeros_like(pixels)
        for polygon in trace(pixels):
            assert (polygon > 0).all()
            assert (polygon < pixels.shape[::-1]).all()
            filled |= fill(polygon, *pixels.shape)
        assert not (pixels & ~filled).any()


class TestLayers:
    def test_match_by_name_whatever_their_ids_and_case(self, exported: Path, case: Case) -> None:
        case.set_layers([Layer(5, "LEFT HAND", (9, 9, 9)), Layer(1, "Camera", (8, 8, 8))])
        result = import_case(case, exported)
        named = {layer.name: layer for layer in case.layers()}
        assert named["LEFT HAND"] == Layer(5, "LEFT HAND", (9, 9, 9), "Prograsp Forceps")  # the file knows its type
        assert named["Camera"].id == 1
        assert result.new_layers == (LAYERS[1].name, LAYERS[2].name)
        np.testing.assert_array_equal(case.mask(1) == 5, rich_mask(1) == 1)
        np.testing.assert_array_equal(case.mask(1) == named[LAYERS[2].name].id, rich_mask(1) == 7)

    def test_types_that_contradict_are_refused(self, exported: Path, case: Case) -> None:
        case.set_layers([Layer(1, "Left hand", (9, 9, 9), "Vessel Sealer")])
        with pytest.raises(RASNetError, match="'Left hand' is of the type 'Prograsp Forceps' in the file and 'Vessel"):
            import_case(case, exported)

    def test_unknown_types_are_refused(self, exported: Path, case: Case) -> None:
        edit(exported, lambda table: table["labels"][1].update(type="Spoon"))
        with pytest.raises(RASNetError, match=r"'Left hand' is of the unknown type 'Spoon' \(known are Bipolar"):
            import_case(case, exported)


class TestPeoplesFrames:
    def test_conflicts_are_listed_and_nothing_changes(self, exported: Path, case: Case) -> None:
        for index in (1, 2):
            case.correct(index, human_mask(index), who="B. Surgeon", tool="test")
        case.set_status(5, "skipped", who="B. Surgeon")
        before = state(case)
        with pytest.raises(RASNetError, match=r"frames 1 to 2, 5 of the case would change, which a person .* merge`"):
            import_case(case, exported)
        assert state(case) == before

    def test_frames_that_are_the_same_are_no_conflict(self, exported: Path, case: Case) -> None:
        case.set_layers(LAYERS)
        case.correct(1, rich_mask(1), who="B. Surgeon", tool="test", status="accepted")
        result = import_case(case, exported)
        assert result.unchanged == (1,)
        frame = case.frame(1)
        assert frame is not None
        assert frame.status == "accepted"

    def test_a_changed_prediction_is_a_persons_work(self, exported: Path, case: Case) -> None:
        case.write_prediction(0, 0.0, human_mask(0))
        import_case(case, exported, who="C. Surgeon")
        frame = case.frame(0)  # the file says: predicted
        assert frame is not None
        assert frame.status == "corrected"
        (last,) = [entry for entry in case.journal(0) if entry.what == "correct"]
        assert last.who == "C. Surgeon"
        assert last.tool.endswith("import")

    def test_the_status_can_be_given(self, exported: Path, case: Case) -> None:
        import_case(case, exported, status="accepted")
        assert {row.status for row in case.frames()} == {"accepted"}


def edit(folder: Path, change: Any) -> None:
    path = folder / "labels.json"
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))


class Watcher(SilentProgress):
    """Does something when the import, all checks behind it, has written its second frame."""

    def __init__(self, deed: Callable[[], None]) -> None:
        self.deed = deed
        self.task = ""

    def start(self, task: str, total: int) -> None:
        self.task, self.done = task, 0

    def advance(self, frame: int | None = None, count: int = 1) -> None:
        self.done += 1
        if self.task == "import" and self.done == 2:
            self.deed()


class TestMeanwhile:
    def test_an_import_that_was_stopped_goes_on(self, exported: Path, case: Case) -> None:
        def stop() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            import_case(case, exported, progress=Watcher(stop))
        assert [row.index for row in case.frames()] == [0, 1]
        result = import_case(case, exported)
        assert (result.unchanged, result.written) == ((0, 1), (2, 3, 5, 7))

    def test_a_frame_that_a_person_corrects_during_the_import_stays(self, exported: Path, case: Case) -> None:
        def work() -> None:
            case.correct(5, human_mask(5), who="B. Surgeon", tool="test")

        with pytest.raises(RASNetError, match=r"frame 5 of .* changed during the import and is kept as it is"):
            import_case(case, exported, progress=Watcher(work))
        np.testing.assert_array_equal(case.mask(5), human_mask(5))


class TestBadFiles:
    def test_everything_that_is_wrong_is_in_one_sentence(self, exported: Path, case: Case) -> None:
        (exported / "frame000001.png").unlink()
        write_mask(exported / "frame000002.png", np.zeros((3, 4), np.uint8), PALETTE)
        write_mask(exported / "frame000003.png", np.full((48, 64), 9, np.uint8), PALETTE)
        (exported / "frame000005.png").write_bytes(b"half a fi")
        write_mask(exported / "frame000099.png", np.zeros((48, 64), np.uint8), PALETTE)
        edit(exported, lambda table: table["frames"][-1].update(time=3.0))
        before = state(case)
        with pytest.raises(RASNetError) as caught:
            import_case(case, exported)
        message = str(caught.value)
        for words in (
            "labels.json names frame000001.png, which is not there",
            "frame000002.png is 4x3, and the video is 64x48",
            "frame000003.png holds the value 9, which no label explains",
            "frame000005.png is not a whole image",
            "frame000099.png is not in labels.json",
            "frame000007.png is at 3.000 s, where frame 7 of the video is at 0.280 s",
            "nothing has changed",
        ):
            assert words in message
        assert state(case) == before

    def test_two_frames_with_one_time(self, exported: Path, case: Case) -> None:
        edit(exported, lambda table: table["frames"][1].update(index=0, time=0.0))
        with pytest.raises(RASNetError, match=r"frame000000\.png and frame000001\.png are both frame 0 \(0\.000 s\)"):
            import_case(case, exported)
        assert not case.frames()

    def test_frames_behind_the_end(self, exported: Path, case: Case) -> None:
        edit(exported, lambda table: table["frames"][-1].update(index=FRAMES, time=0.32))
        with pytest.raises(
            RASNetError, match=r"frame000007\.png has no place in the video \(the video ends at frame 7"
        ):
            import_case(case, exported)

    def test_a_folder_whose_export_was_not_finished(self, exported: Path, case: Case) -> None:
        (exported / "labels.json").unlink()
        with pytest.raises(RASNetError, match=r"has no labels\.json, so the export was not finished"):
            import_case(case, exported, "png")

    def test_a_damaged_table(self, exported: Path, case: Case) -> None:
        text = (exported / "labels.json").read_text()
        (exported / "labels.json").write_text(text[: len(text) // 2])
        with pytest.raises(RASNetError, match=r"labels\.json is damaged"):
            import_case(case, exported)

    def test_parts_belong_to_no_layer(self, exported: Path, case: Case) -> None:
        edit(exported, lambda table: table.update(what="parts"))
        with pytest.raises(RASNetError, match="holds parts, which belong to no layer"):
            import_case(case, exported)

    def test_nothing_there_and_nothing_known(self, tmp_path: Path, case: Case) -> None:
        with pytest.raises(RASNetError, match="there is no file or folder"):
            import_case(case, tmp_path / "nowhere")
        (tmp_path / "notes.txt").write_text("")
        with pytest.raises(RASNetError, match="nothing tells the format"):
            import_case(case, tmp_path / "notes.txt")


class TestEndoVis2017:
    def open_case(self, folder: Path, pictures: Path) -> Case:
        with open_source(pictures) as source:
            roi = RegionOfInterest.whole(source.height, source.width)
            return Case.create(folder, source=source, schema=TYPES, roi=roi, model=None)

    @pytest.mark.parametrize("number", [1, 4, 7])  # masks of three channels, sides before and behind, bare names
    def test_each_folder_of_the_challenge_is_a_layer(self, number: int, tmp_path: Path) -> None:
        folders = sorted(INSTRUMENTS[number], key=str.casefold)
        root = write_raw(tmp_path / "data", {number: folders}, frames=2)
        (place,) = root.rglob(f"instrument_dataset_{number}")
        case = self.open_case(tmp_path / "case", place / "left_frames")
        result = import_case(case, place.parent)
        assert result.written == (0, 1)
        assert [TYPES[layer.type or ""].id for layer in case.layers()] == [type_id(folder) for folder in folders]
        names = [folder.removesuffix("_labels").replace("_", " ") for folder in folders]
        assert [layer.name for layer in case.layers()] == names
        for frame in range(2):
            for layer, _ in enumerate(folders):
                expected = instrument_mask(layer, len(folders), frame) > 0
                np.testing.assert_array_equal(case.mask(frame) == layer + 1, expected)

    def test_types_of_the_cropped_layout_are_layers(self, tmp_path: Path) -> None:
        root = write_cropped(tmp_path / "data", {2: INSTRUMENTS[2]}, frames=2)
        (place,) = root.rglob("instrument_dataset_2")
        case = self.open_case(tmp_path / "case", place / "images")
        import_case(case, root, "endovis2017")
        np.testing.assert_array_equal(case.mask(1), merged(INSTRUMENTS[2], 1)[0])
        assert [layer.name for layer in case.layers()] == [label.name for label in TYPES.instruments]

    def test_an_export_is_a_data_set_that_training_reads(self, tmp_path: Path) -> None:
        before = rich_case(tmp_path / "before")
        before.update_layer(7, type="Other")
        export_case(before, tmp_path / "out", "endovis2017", include_flagged=True)
        (sequence,) = EndoVis2017.find(tmp_path / "out").sequences
        assert sequence.frames == tuple(STATUSES)
        table = np.array([0, 2, 0, 3, 0, 0, 0, 7], np.uint8)
        rgb, truth = sequence.frame(0)
        np.testing.assert_array_equal(truth.types, table[rich_mask(0)])
        assert np.abs(rgb.astype(int) - (90, 60, 50)).max() <= 3  # JPEG
        binary = read_mask(tmp_path / "out" / "instrument_dataset_1" / "binary_masks" / "frame000.png")
        np.testing.assert_array_equal(binary, np.isin(rich_mask(0), (1, 3)) * np.uint8(255))  # without Other

    def test_two_sequences_are_not_one_video(self, tmp_path: Path, case: Case) -> None:
        root = write_raw(tmp_path / "data", {n: INSTRUMENTS[n] for n in (1, 3)}, frames=1)
        with pytest.raises(RASNetError, match="holds the sequences 1, 3, and a case is of one"):
            import_case(case, root, "endovis2017")


class TestSegNrrdOfSlicer:
    def test_a_cropped_segmentation_without_our_fields(self, tmp_path: Path, case: Case) -> None:
        import slicerio

        voxels = np.zeros((10, 8, 2), np.uint8)  # x, y, k: saved by Slicer without the empty rest
        voxels[2:6, 1:5, 0] = 1
        voxels[4:9, 3:7, 1] = 2
        corner = np.eye(4)
        corner[:3, 3] = (20, 30, 3)
        codes = {"contextName": "", "category": ["SCT", "1", "a"], "type": ["SCT", "1", "a"]}
        segments = [
            {"id": f"Segment_{n}", "name": name, "color": [0, 0, 1], "labelValue": n, "layer": 0, "terminology": codes}
            for n, name in ((1, "Hook"), (2, "Clip"))
        ]
        written = {"voxels": voxels, "ijkToLPS": corner, "encoding": "gzip", "segments": segments}
        slicerio.write_segmentation(str(tmp_path / "s.seg.nrrd"), written)
        result = import_case(case, tmp_path / "s.seg.nrrd")
        assert result.written == (3, 4)
        expected = np.zeros((48, 64), np.uint8)
        expected[31:35, 22:26] = 1
        np.testing.assert_array_equal(case.mask(3), expected)
        assert [layer.name for layer in case.layers()] == ["Hook", "Clip"]

    def test_another_geometry_is_refused(self, tmp_path: Path) -> None:
        import slicerio

        before, after = rich_case(tmp_path / "a"), empty_case(tmp_path / "b")
        export_case(before, tmp_path / "s.seg.nrrd", "seg_nrrd", include_flagged=True)
        segmentation = slicerio.read_segmentation(str(tmp_path / "s.seg.nrrd"))
        segmentation["ijkToLPS"] = np.diag([0.5, 0.5, 1, 1])
        slicerio.write_segmentation(str(tmp_path / "s.seg.nrrd"), segmentation)
        with pytest.raises(RASNetError, match="not in the geometry of the video"):
            import_case(after, tmp_path / "s.seg.nrrd")

    def test_a_cut_off_file(self, tmp_path: Path) -> None:
        before, after = rich_case(tmp_path / "a"), empty_case(tmp_path / "b")
        export_case(before, tmp_path / "s.seg.nrrd", "seg_nrrd", include_flagged=True)
        data = (tmp_path / "s.seg.nrrd").read_bytes()
        (tmp_path / "s.seg.nrrd").write_bytes(data[: len(data) - 50])
        with pytest.raises(RASNetError, match=r"is no whole \.seg\.nrrd file"):
            import_case(after, tmp_path / "s.seg.nrrd")

    def test_slicerio_reads_one_frame(self, tmp_path: Path) -> None:
        import slicerio

        export_case(rich_case(tmp_path), tmp_path / "out", "seg_nrrd_frames", include_flagged=True)
        segmentation = slicerio.read_segmentation(str(tmp_path / "out" / "frame000002.seg.nrrd"))
        np.testing.assert_array_equal(segmentation["voxels"][:, :, 0].T, rich_mask(2))
        assert [segment["labelValue"] for segment in segmentation["segments"]] == [layer.id for layer in LAYERS]


def test_no_format_brings_a_heavy_package_before_it_is_used() -> None:
    modules = {f"rasnet.exchange.{place[0]}" for found in FORMATS.values() for place in (found.writer, found.reader)}
    modules |= {"rasnet.exchange.formats", "rasnet.comparison", "rasnet.merging", "rasnet.privacy", "rasnet.record"}
    heavy = {"torch", "monai", "highdicom", "pydicom", "pycocotools", "slicerio", "yaml", "matplotlib"}
    program = f"import sys, {', '.join(sorted(modules))}; print(*({heavy!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("format", "package", "extra"),
    [
        ("coco", "pycocotools", "coco"),
        ("dicom_seg", "highdicom", "dicom"),
        ("seg_nrrd_frames", "slicerio", "seg-nrrd"),
    ],
)
def test_a_missing_package_is_one_sentence(
    format: str, package: str, extra: str, exported: Path, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = exported.parent / "out"
    with Case.open(exported.parent / "theirs" / "case") as theirs:
        export_case(theirs, out, format, include_flagged=True)
        monkeypatch.setitem(sys.modules, package, None)  # Python then says that it is not there
        with pytest.raises(RASNetError, match=rf"install (it|them) with `pip install 'rasnet\[{extra}\]'`"):
            export_case(theirs, exported.parent / "again", format, include_flagged=True)
    assert not (exported.parent / "again").exists()
    with pytest.raises(RASNetError, match=rf"pip install 'rasnet\[{extra}\]'"):
        import_case(case, out)


class TestCommand:
    def test_into_a_new_case(self, exported: Path, tmp_path: Path) -> None:
        done = rasnet("import", tmp_path / "new.case", exported, "--source", tmp_path / "theirs" / "frames")
        assert done.exit_code == 0, done.output
        with Case.open(tmp_path / "new.case") as case:
            assert case.layers() == list(LAYERS)
            with case.open_source() as source:
                assert len(source) == FRAMES

    def test_a_new_case_is_not_left_behind(self, exported: Path, tmp_path: Path) -> None:
        (exported / "frame000001.png").unlink()
        done = rasnet("import", tmp_path / "new.case", exported, "--source", tmp_path / "theirs" / "frames")
        assert done.exit_code == 2
        assert f"cannot be imported into {tmp_path / 'new.case'}" in done.output.replace("\n", "")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["png", "theirs"]

    def test_a_case_knows_its_video(self, exported: Path, case: Case, tmp_path: Path) -> None:
        done = rasnet("import", case.folder, exported, "--source", tmp_path / "theirs" / "frames")
        assert (done.exit_code, "leave --source away" in done.output) == (2, True)
        assert rasnet("import", case.folder, exported).exit_code == 0
        assert len(case.frames()) == len(STATUSES)

    def test_a_folder_with_other_things_is_left_alone(self, exported: Path, tmp_path: Path) -> None:
        done = rasnet("import", tmp_path / "theirs", exported, "--source", tmp_path / "theirs" / "frames")
        assert (done.exit_code, "not empty and not a case" in done.output) == (2, True)
