"""Draws the pictures of the module's documentation from a case of the sample clip.

    rasnet segment Resources/sample_clip.mp4 clip.case
    python Testing/slicer/screenshots.py clip.case

Frames are drawn by Slicer's own slice view, the panel by the stand-in for Slicer's desktop. The case is copied first,
so what is painted for a picture stays out of it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw
from PySide6 import QtCore, QtGui

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "RASNetSlicer"), str(ROOT / "Testing" / "desktop")]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from editor import Editor  # noqa: E402
from mrml import Mrml  # noqa: E402
from RASNetSlicerLib.scene import CaseScene  # noqa: E402
from RASNetSlicerLib.window import plan_window  # noqa: E402
from slice_view import SliceView  # noqa: E402
from standin.application import Desk  # noqa: E402

from rasnet.case import Case  # noqa: E402

SCREENSHOTS = ROOT / "Resources" / "Screenshots"
THUMBNAIL = ROOT / "RASNetSlicer" / "Resources" / "Icons" / "RASNetSampleClip.png"

ZOOM = 3  # screen pixels along the side of a pixel of the clip
ALL_THREE = 225  # a frame with three instruments, two of which cross
TAKEN = 70  # a frame in which the tracker gives the jaws of instrument 2 to instrument 1
JAWS = (
    [(322, 296), (326, 303), (338, 307), (348, 300), (384, 277), (370, 246), (340, 270), (326, 286)],
    [(368, 318), (402, 318), (402, 348), (368, 348)],
)
CLOSE_UP = (270, 210, 470, 370)  # left, top, right, bottom


def main(folder: Path) -> None:
    """Draw every picture of a case of the sample clip."""
    SCREENSHOTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(shutil.copytree(folder, Path(scratch) / "clip.case"))
        with Case.open(copy) as case:
            mrml = Mrml(scratch)
            shown = CaseScene.load(case, mrml.scene, plan_window(case.info))
            view = SliceView(mrml, shown.sequences.image_proxy, ZOOM)
            draw_layers(view, shown)
            draw_correction(view, shown, Editor(mrml, shown))
            shown.close()
            mrml.stop()
        draw_panel(Path(shutil.copytree(folder, Path(scratch) / "panel.case")), scratch)


def draw_layers(view: SliceView, shown: CaseScene) -> None:
    """A frame with all its layers, large and as a thumbnail."""
    shown.sequences.show(ALL_THREE)
    picture = Image.fromarray(view.picture())
    picture.reduce(ZOOM).save(SCREENSHOTS / "layers.jpg", quality=88)
    small = picture.resize((280, 224), Image.Resampling.LANCZOS)
    small.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(THUMBNAIL, optimize=True)


def draw_correction(view: SliceView, shown: CaseScene, editor: Editor) -> None:
    """A close-up before and after a few strokes of the Segment Editor."""
    shown.sequences.show(TAKEN)
    box = tuple(edge * ZOOM for edge in CLOSE_UP)
    before = Image.fromarray(view.picture()).crop(box)
    for corners in JAWS:
        paint(editor, "Layer_2", polygon(corners, shown.window.shape) & (shown.mask(TAKEN) == 1))
    after = Image.fromarray(view.picture()).crop(box)
    both = Image.new("RGB", (2 * before.width + 12, before.height), "white")
    both.paste(before, (0, 0))
    both.paste(after, (before.width + 12, 0))
    both.save(SCREENSHOTS / "correction.jpg", quality=85)


def draw_panel(folder: Path, scratch: str) -> None:
    """The panel with the case open, as the stand-in for Slicer's desktop draws it."""
    with pytest.MonkeyPatch.context() as patch:
        mrml = Mrml(scratch)
        desk = Desk(mrml, scratch, patch, ROOT / "RASNetSlicer" / "RASNetSlicer.py")
        desk.widget.opening.choose_case(folder)
        desk.widget.attempt(desk.widget.opening.open)
        edits = desk.widget.session.edits
        edits.rename(1, "Left forceps")
        edits.set_type(1, "Bipolar Forceps")
        desk.widget.session.shown.sequences.show(TAKEN)
        desk.widget.update()
        # Slicer's event loop would take widgets away that the table has replaced.
        QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
        desk.picture(width=400).save(str(SCREENSHOTS / "panel.png"))
        draw_learning(desk, folder)
        desk.close()
        mrml.stop()


def draw_learning(desk: Desk, folder: Path) -> None:
    """The sections "Learn from corrections" and "Compare" after their work; somebody else saw no third instrument."""
    other = Path(shutil.copytree(folder, folder.with_name("colleague.case")))
    session, ui = desk.widget.session, desk.ui
    with Case.open(other) as case:
        for index in range(100, 120):
            mask = case.mask(index)
            mask[mask == 3] = 0
            case.correct(index, mask, who="colleague", tool="screenshots")
    pictures = []
    for section, act in (
        (ui.learnSection, session.tasks.queue),
        (ui.compareSection, lambda: session.compare(other)),
    ):
        section.collapsed = False
        act()
        while not session.tasks.settled:
            desk.app.processEvents()
        desk.widget.update()
        desk.picture(width=400)
        pictures.append(section.grab().toImage())
    page = QtGui.QImage(pictures[0].width(), sum(one.height() + 8 for one in pictures) - 8, pictures[0].format())
    page.fill(QtCore.Qt.GlobalColor.white)
    painter, top = QtGui.QPainter(page), 0
    for one in pictures:
        painter.drawImage(0, top, one)
        top += one.height() + 8
    painter.end()
    page.save(str(SCREENSHOTS / "learning.png"))


def polygon(corners: list[tuple[int, int]], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The pixels inside corners (x, y)."""
    image = Image.new("1", shape[::-1])
    ImageDraw.Draw(image).polygon(corners, fill=1)
    return np.asarray(image)


def paint(editor: Editor, segment: str, pixels: npt.NDArray[np.bool_]) -> None:
    """Paint pixels run by run."""
    for row in np.flatnonzero(pixels.any(axis=1)):
        for painted, run in groupby(range(pixels.shape[1]), key=lambda column, row=row: bool(pixels[row, column])):
            columns = list(run)
            if painted:
                editor.paint(segment, slice(row, row + 1), slice(columns[0], columns[-1] + 1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
