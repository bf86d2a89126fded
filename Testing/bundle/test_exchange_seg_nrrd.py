import nrrd
import numpy as np
import pytest
import slicerio
from cases import HEIGHT, WIDTH, human_mask, make_case, predict, predicted_mask

from rasnet.case import Layer
from rasnet.errors import RASNetError
from rasnet.exchange import seg_nrrd
from rasnet.exchange.seg_nrrd import export_seg_nrrd


@pytest.fixture
def case(tmp_path):
    with make_case(tmp_path) as case:
        predict(case)
        yield case


def read(path):
    segmentation = slicerio.read_segmentation(str(path))
    return segmentation, {segment["labelValue"]: segment for segment in segmentation["segments"]}


def test_slicer_reads_every_frame_as_a_slice(tmp_path, case):
    case.correct(5, human_mask(5), who="A. Surgeon", tool="test")
    export_seg_nrrd(case, tmp_path / "case.seg.nrrd")
    segmentation, _ = read(tmp_path / "case.seg.nrrd")
    voxels = segmentation["voxels"]
    assert voxels.shape == (WIDTH, HEIGHT, 12)
    assert voxels.dtype == np.uint8
    for index in range(12):
        expected = human_mask(5) if index == 5 else predicted_mask(index)
        np.testing.assert_array_equal(voxels[:, :, index].T, expected)


def test_layers_are_segments_with_names_colours_and_codes(tmp_path, case):
    layers = [
        Layer(1, "Left: hand | 1", (255, 0, 51), "Prograsp Forceps"),
        Layer(2, "Right hand", (17, 34, 68), "Large Needle Driver"),
        Layer(3, "Third", (0, 0, 0)),
    ]
    case.set_layers(layers)
    export_seg_nrrd(case, tmp_path / "case.seg.nrrd")
    _, segments = read(tmp_path / "case.seg.nrrd")
    for layer in layers:
        segment = segments[layer.id]
        assert segment["id"] == f"Layer_{layer.id}"
        assert segment["name"] == layer.name
        assert tuple(round(255 * value) for value in segment["color"]) == layer.color
        assert segment["layer"] == 0
        assert segment["extent"] == [0, WIDTH - 1, 0, HEIGHT - 1, 0, 11]
        assert segment["terminology"]["category"] == ["SCT", "260787004", "Physical object"]
    types = {layer_id: segment["terminology"]["type"] for layer_id, segment in segments.items()}
    assert types == {
        1: ["SCT", "29319002", "Forceps"],
        2: ["SCT", "59746007", "Needle holder"],
        3: ["SCT", "37759000", "Surgical instrument"],
    }
    assert segments[1]["tags"] == {"RASNet.Type": "Prograsp Forceps"}


@pytest.mark.parametrize(
    ("name", "written"), [("Präzisionszange", "Prazisionszange"), ("鉗子", "Instrument 2"), ("a ~ b ^ c", "a ~ b ^ c")]
)
def test_names_survive_as_far_as_the_format_lets_them(tmp_path, case, name, written):
    case.update_layer(2, name=name)
    export_seg_nrrd(case, tmp_path / "case.seg.nrrd")
    _, segments = read(tmp_path / "case.seg.nrrd")
    assert segments[2]["name"] == written


def test_the_picture_is_upright_where_slicer_shows_it(tmp_path, case):
    export_seg_nrrd(case, tmp_path / "case.seg.nrrd")
    segmentation, _ = read(tmp_path / "case.seg.nrrd")
    ijk_to_ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ segmentation["ijkToLPS"]
    np.testing.assert_array_equal(ijk_to_ras, np.diag([-1.0, -1.0, 1.0, 1.0]))
    assert nrrd.read_header(str(tmp_path / "case.seg.nrrd"))["encoding"] == "gzip"


def test_a_slice_knows_its_frame(tmp_path):
    case = make_case(tmp_path, frames=12, start=1, step=3)  # wants 1, 4, 7, 10
    predict(case, [1, 4, 10])
    case.set_status(4, "skipped", who="A. Surgeon")
    export_seg_nrrd(case, tmp_path / "part.seg.nrrd", start=2, stop=11)
    segmentation, _ = read(tmp_path / "part.seg.nrrd")
    assert (segmentation["RASNet_FirstFrame"], segmentation["RASNet_FrameStep"]) == ("4", "3")
    voxels = segmentation["voxels"]
    assert voxels.shape[2] == 3
    assert not voxels[:, :, 0].any()  # skipped
    assert not voxels[:, :, 1].any()  # not segmented yet
    np.testing.assert_array_equal(voxels[:, :, 2].T, predicted_mask(10))


@pytest.mark.parametrize(("start", "stop"), [(12, None), (None, 0), (5, 5)])
def test_a_range_outside_the_case_is_refused(tmp_path, case, start, stop):
    with pytest.raises(RASNetError, match="which covers 0 to 11; choose a range in it"):
        export_seg_nrrd(case, tmp_path / "case.seg.nrrd", start=start, stop=stop)


def test_more_than_memory_holds_is_refused_with_the_range_that_fits(tmp_path, case, monkeypatch):
    monkeypatch.setattr(seg_nrrd, "MEMORY_LIMIT", 5 * HEIGHT * WIDTH)
    with pytest.raises(RASNetError, match=r"12 frames of 64x48 need .* choose a range of at most 5 frames"):
        export_seg_nrrd(case, tmp_path / "case.seg.nrrd")
    export_seg_nrrd(case, tmp_path / "case.seg.nrrd", stop=5)
    assert read(tmp_path / "case.seg.nrrd")[0]["voxels"].shape[2] == 5


def test_other_endings_are_refused(tmp_path, case):
    with pytest.raises(RASNetError, match=r"name the file case\.seg\.nrrd"):
        export_seg_nrrd(case, tmp_path / "case.nrrd")


def test_an_export_that_fails_leaves_the_old_file(tmp_path, case):
    target = tmp_path / "case.seg.nrrd"
    export_seg_nrrd(case, target)
    before = target.read_bytes()
    (case.folder / "masks" / "00000008.png").unlink()
    with pytest.raises(RASNetError, match=r"00000008\.png"):
        export_seg_nrrd(case, target)
    assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case", "case.seg.nrrd", "frames"]


def test_a_place_that_cannot_be_written_is_named(tmp_path, case):
    (tmp_path / "file").write_text("")
    with pytest.raises(RASNetError, match="cannot be written"):
        export_seg_nrrd(case, tmp_path / "file" / "case.seg.nrrd")
