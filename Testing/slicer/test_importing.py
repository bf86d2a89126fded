"""Masks of other programs come into the case and the scene, and nothing of a person's is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")

from editor import Editor
from RASNetSlicerLib.exporting import export_format
from RASNetSlicerLib.importing import import_masks
from RASNetSlicerLib.scene import CaseScene
from surgery import predicted_mask

from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.exchange.formats import FORMATS, export_case
from rasnet.masks import Mask
from rasnet.progress import SilentProgress

STROKE = slice(40, 46), slice(5, 20)


def elsewhere(shown: CaseScene, folder: Path, change: dict[int, Mask]) -> Path:
    """What another program makes of the case: other masks of some frames, and a new layer 9."""
    with Case.create(
        folder / "copy",
        source=shown.case.open_source(),
        schema=shown.case.info.types,
        roi=shown.case.info.roi,
        model=None,
    ) as case:
        case.set_layers(shown.case.layers())
        case.add_layer("Clip applier")
        for index, mask in change.items():
            case.correct(index, mask, who="somebody", tool="other program")
        export_case(case, folder / "png", "png", include_flagged=True)
    return folder / "png"


def test_imported_masks_and_layers_are_in_case_and_scene(shown: CaseScene, tmp_path: Path) -> None:
    mask = predicted_mask(2)
    mask[40:46, 5:20] = 4
    masks = {2: mask, 3: predicted_mask(3)}

    result = import_masks(shown, elsewhere(shown, tmp_path, masks))

    assert result.written == (2, 3)
    assert result.new_layers == ("Clip applier",)
    np.testing.assert_array_equal(shown.mask(2), mask)
    np.testing.assert_array_equal(shown.case.mask(2), mask)
    assert shown.case.latest_changes(1, 2)[0].who == "A. Surgeon"
    assert [segment.name for segment in shown.case.layers()][-1] == "Clip applier"
    assert not any(shown.is_edited(index) for index in shown.sequences.indices)


def test_what_was_imported_before_a_cancel_is_on_show(shown: CaseScene, tmp_path: Path) -> None:
    class Cancel(SilentProgress):
        def advance(self, frame: int | None = None, count: int = 1) -> None:
            if shown.case.mask(1).sum() == 0:  # the first frame is in the case
                raise KeyboardInterrupt

    empty = np.zeros_like(predicted_mask(1))

    with pytest.raises(KeyboardInterrupt):
        import_masks(shown, elsewhere(shown, tmp_path, {1: empty, 2: empty}), progress=Cancel())

    assert not shown.mask(1).any()
    np.testing.assert_array_equal(shown.mask(2), predicted_mask(2))


def test_a_frame_that_a_person_owns_is_refused_and_nothing_changes(
    shown: CaseScene, editor: Editor, tmp_path: Path
) -> None:
    theirs = elsewhere(shown, tmp_path, {1: predicted_mask(0), 2: predicted_mask(0)})
    shown.sequences.show(2)
    editor.paint("Layer_2", *STROKE)  # nobody has saved it yet
    mine = shown.mask(2)

    with pytest.raises(RASNetError, match="frame 2 of the case would change, which a person has corrected"):
        import_masks(shown, theirs)

    np.testing.assert_array_equal(shown.mask(2), mine)
    np.testing.assert_array_equal(shown.case.mask(2), mine)
    np.testing.assert_array_equal(shown.mask(1), predicted_mask(1))


@pytest.mark.parametrize(
    "name", [name for name, found in FORMATS.items() if found.pictures == "never"] + ["png", "cvat"]
)
def test_the_case_comes_out_in_other_formats_with_the_last_stroke(
    shown: CaseScene, editor: Editor, tmp_path: Path, name: str
) -> None:
    shown.sequences.show(2)
    editor.paint("Layer_2", *STROKE)
    asked: list[str] = []
    out = tmp_path / f"out{FORMATS[name].suffix}"

    count = export_format(shown, out, name, agree=asked.append)

    assert count == 6
    assert asked == ["frames 0 to 5 may be outside the body (faces, theatre)"]
    assert out.exists()
    assert import_masks(shown, out).written == ()  # every mask is as it was


def test_flagged_frames_stop_the_export_unless_a_person_agrees(shown: CaseScene, tmp_path: Path) -> None:
    with pytest.raises(RASNetError, match="frames 0 to 5 may be outside the body"):
        export_format(shown, tmp_path / "out", "png")

    assert not (tmp_path / "out").exists()
