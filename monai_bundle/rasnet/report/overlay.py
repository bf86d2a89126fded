"""The video with its instruments marked: what a surgeon looks at first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from rasnet.errors import RASNetError
from rasnet.masks import mask_values
from rasnet.progress import Progress, SilentProgress
from rasnet.report.frames import is_marked, measure_frame
from rasnet.report.label_layout import Box, Caption, LabelLayout
from rasnet.report.style import NOT_SEGMENTED, STATUS_COLORS, clock
from rasnet.report.text import tag
from rasnet.video import VideoWriter

if TYPE_CHECKING:
    from rasnet.case import Case, FrameRow, FrameStatus, Layer
    from rasnet.measurements import LayerMeasurement
    from rasnet.video import Frame

UInt8Array = npt.NDArray[np.uint8]

_OPACITY = 0.32  # of a layer's colour: the metal's own texture stays visible
_REFERENCE_HEIGHT = 512  # sizes below are pixels of a frame whose shorter side is this
_FONT = 15
_LINE = 1.7
_MARGIN = 8


def draw_overlay(
    rgb: UInt8Array,
    mask: UInt8Array | None,
    layers: Sequence[Layer],
    *,
    status: FrameStatus | None = None,
    time_s: float | None = None,
    measurements: Sequence[LayerMeasurement] | None = None,
) -> UInt8Array:
    """Draw one frame with its instruments marked and named.

    Args:
        rgb: the frame, uint8 (H, W, 3).
        mask: layer ids, uint8 (H, W), 0 is background; None for a frame without one.
        layers: names and colours; ids in the mask that have no layer stay unmarked.
        status: shown in the corner; a frame with neither mask nor status is said to be not segmented.
        time_s: shown in the corner, seconds.
        measurements: of this frame; labels keep off the tips, and each tip gets a small ring.

    Returns:
        A new picture, uint8 (H, W, 3).
    """
    return OverlayPainter(layers).paint(rgb, mask, status=status, time_s=time_s, measurements=measurements)


class OverlayPainter:
    """Draws the frames of one video, in order; labels move only when they have to.

    Args:
        layers: names and colours.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = {layer.id: layer for layer in layers}
        self._palette = np.zeros((256, 1, 3), np.uint8)  # as cv2.applyColorMap wants it
        self._known = np.zeros(256, np.uint8)  # ids without a layer become background
        for layer in layers:
            self._palette[layer.id, 0] = layer.color
            self._known[layer.id] = layer.id
        self._layout = LabelLayout()

    def paint(
        self,
        rgb: UInt8Array,
        mask: UInt8Array | None,
        *,
        status: FrameStatus | None = None,
        time_s: float | None = None,
        measurements: Sequence[LayerMeasurement] | None = None,
    ) -> UInt8Array:
        """Draw one frame; arguments and result as `draw_overlay` has them."""
        picture: UInt8Array = rgb.copy()
        scale = min(rgb.shape[:2]) / _REFERENCE_HEIGHT
        if mask is None:
            self._paint_corner(picture, scale, status or NOT_SEGMENTED, time_s)
            return picture
        shown: UInt8Array = cv2.LUT(mask, self._known)
        present = [self._layers[value] for value in mask_values(shown) if value]
        tips = [found.tip for found in measurements or () if found.tip is not None and found.layer in self._layers]
        if present:
            self._paint_layers(picture, shown, present, scale)
        corner = self._paint_corner(picture, scale, status, time_s)  # also where an instrument lies in it
        self._paint_tips(picture, tips, scale)
        self._paint_names(picture, shown, present, scale, tips, corner)
        return picture

    def _paint_layers(self, picture: UInt8Array, shown: UInt8Array, present: Sequence[Layer], scale: float) -> None:
        left, top, width, height = cv2.boundingRect(shown)
        window = (slice(top, top + height), slice(left, left + width))
        blend = cv2.addWeighted(
            picture[window], 1 - _OPACITY, cv2.applyColorMap(shown[window], self._palette), _OPACITY, 0
        )
        line = max(round(_LINE * scale), 1)
        outlines = [_outline(shown, layer.id, pad=3 * line) for layer in present]
        # A dark rim outside the coloured line: the contour shows on bright metal and on dark shadow. It comes
        # before the fill, which clears it from the inside, where thin jaws would drown in it.
        for outline in outlines:
            cv2.drawContours(picture, outline, -1, (0, 0, 0), line + 2 * max(round(scale), 1), cv2.LINE_AA)
        picture[window] = cv2.copyTo(blend, shown[window], picture[window].copy())
        for layer, outline in zip(present, outlines, strict=True):
            cv2.drawContours(picture, outline, -1, layer.color, line, cv2.LINE_AA)

    def _paint_tips(self, picture: UInt8Array, tips: Sequence[tuple[float, float]], scale: float) -> None:
        radius, line = max(round(5 * scale), 3), max(round(1.5 * scale), 1)
        for x, y in tips:
            for color, width in (((0, 0, 0), line + 2), ((255, 255, 255), line)):
                cv2.circle(picture, (round(x), round(y)), radius, color, width, cv2.LINE_AA)

    def _paint_names(
        self,
        picture: UInt8Array,
        mask: UInt8Array,
        present: Sequence[Layer],
        scale: float,
        tips: Sequence[tuple[float, float]],
        corner: Sequence[Box],
    ) -> None:
        tags = {layer.id: tag(layer.name, _font_size(scale), layer.color) for layer in present}
        captions = [Caption(layer.id, tags[layer.id].width, tags[layer.id].height) for layer in present]
        for layer, box in self._layout.place(mask, captions, tips=tips, reserved=corner).items():
            tags[layer].paste(picture, box.left, box.top)

    def _paint_corner(
        self, picture: UInt8Array, scale: float, status: FrameStatus | str | None, time_s: float | None
    ) -> list[Box]:
        words = [clock(time_s)] if time_s is not None else []
        words += [status] if status is not None else []
        if not words:
            return []
        badge = tag("  ".join(words), _font_size(scale), STATUS_COLORS.get(status or "", (255, 255, 255)))
        margin = round(_MARGIN * scale)
        badge.paste(picture, margin, margin)
        return [Box(margin, margin, badge.width, badge.height)]


def write_overlay(
    case: Case,
    output: str | Path,
    *,
    start: int | None = None,
    stop: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write the case's video with its instruments marked, as MP4.

    Every frame that the case is about is shown. One that is not segmented yet, or that a person skipped,
    stays unmarked and says so.

    Args:
        case: the case; its source video must be where it was.
        output: the MP4 file to write; an existing one is replaced once the new one is whole.
        start: first frame, by its index in the source; by default the case's.
        stop: one past the last frame; by default the case's.
        progress: who watches.

    Raises:
        RASNetError: the source has moved, or the range holds no frame of the case.
    """
    progress = progress or SilentProgress()
    info = case.info
    wanted = [index for index in info.wanted if (start is None or index >= start) and (stop is None or index < stop)]
    if not wanted:
        raise RASNetError(
            f"{case.folder} is about frames {info.start} to {info.stop - 1}; choose a range that meets them"
        )
    progress.start("overlay", len(wanted))
    painter = OverlayPainter(case.layers())
    rows = {row.index: row for row in case.frames()}
    with (
        case.open_source() as source,
        VideoWriter(output, info.height, info.width, info.source.fps / info.step) as writer,
    ):
        first_s: float | None = None
        for frame in source.read(wanted[0], wanted[-1] + 1, info.step):
            first_s = frame.pts if first_s is None else first_s
            writer.write(_paint_frame(painter, case, frame, rows.get(frame.index)), frame.pts - first_s)
            progress.advance(frame=frame.index)
    progress.finish(output=str(output))


def _paint_frame(painter: OverlayPainter, case: Case, frame: Frame, row: FrameRow | None) -> UInt8Array:
    if row is None:
        return painter.paint(frame.rgb, None, time_s=frame.pts)
    if not is_marked(row):
        return painter.paint(frame.rgb, None, status=row.status, time_s=frame.pts)
    mask = case.mask(row.index)
    found = measure_frame(case, row.index, mask)
    return painter.paint(frame.rgb, mask, status=row.status, time_s=frame.pts, measurements=found)


def _outline(shown: UInt8Array, layer: int, pad: int) -> Sequence[npt.NDArray[np.int32]]:
    """Find a layer's contours; where it leaves the frame they do too, rather than run along the edge."""
    left, top, width, height = cv2.boundingRect((shown == layer).view(np.uint8))
    own = (shown[top : top + height, left : left + width] == layer).view(np.uint8)
    sides = (top == 0, top + height == shown.shape[0], left == 0, left + width == shown.shape[1])
    above, below, before, behind = (pad * side for side in sides)
    own = cv2.copyMakeBorder(own, above, below, before, behind, cv2.BORDER_REPLICATE)
    contours: Sequence[npt.NDArray[np.int32]]
    contours, _ = cv2.findContours(own, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(left - before, top - above))
    return contours


def _font_size(scale: float) -> int:
    return max(round(_FONT * scale), 9)
