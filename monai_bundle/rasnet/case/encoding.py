"""New masks of a frame, encoded for its case: the slow part of writing, which needs neither lock nor database."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rasnet.case.frames import FrameRow, FrameStatus
from rasnet.case.info import CaseInfo
from rasnet.case.journal import TOOL
from rasnet.errors import RASNetError
from rasnet.masks import Mask, encode_mask, mask_sha256, mask_values


@dataclass(frozen=True)
class MaskChange:
    """New masks of one frame, already encoded: what a row of ``pending`` holds."""

    row: FrameRow
    values: tuple[int, ...]
    mask: bytes
    parts: bytes | None
    who: str
    what: str
    tool: str


@dataclass(frozen=True)
class Encoder:
    """Encodes masks of one case, in any thread or process.

    Attributes:
        folder: of the case.
        info: of the case.
    """

    folder: Path
    info: CaseInfo

    def predicted(
        self,
        index: int,
        pts: float,
        mask: Mask,
        parts: Mask | None,
        *,
        uncertainty: Sequence[float],
        model: str | None,
        colors: Mask,
    ) -> MaskChange:
        """Encode a program's masks; see `CaseWriter.write`.

        Args:
            index: of the frame.
            pts: seconds from the first frame.
            mask: layer ids, uint8 (H, W), full frame.
            parts: part ids, uint8 (H, W).
            uncertainty: one figure a class of the model's schema, background first.
            model: its name where it is not the case's own.
            colors: uint8 (256, 3), of the layers.

        Raises:
            RASNetError: the masks do not fit the case.
        """
        model = model or (self.info.model.name if self.info.model else None)
        return self.encode(
            index,
            pts,
            mask,
            parts,
            colors=colors,
            status="predicted",
            uncertainty=uncertainty,
            model=model,
            who=model or "rasnet",
            what="predict",
            tool=TOOL,
        )

    def encode(
        self,
        index: int,
        pts: float,
        mask: Mask,
        parts: Mask | None,
        *,
        colors: Mask,
        status: FrameStatus,
        uncertainty: Sequence[float] = (),
        model: str | None,
        who: str,
        what: str,
        tool: str,
    ) -> MaskChange:
        """Encode anybody's masks.

        Raises:
            RASNetError: the masks do not fit the case.
        """
        self.check_index(index)
        self._check("mask", index, mask)
        if parts is not None:
            self._check("part mask", index, parts)
        figures = tuple(float(value) for value in uncertainty)
        row = FrameRow(
            index=index,
            pts=float(pts),
            status=status,
            uncertainty=max((value for value in figures if not math.isnan(value)), default=None),
            class_uncertainty=figures,
            model=model,
            mask_sha256=mask_sha256(mask),
            parts_sha256=None if parts is None else mask_sha256(parts),
        )
        return MaskChange(
            row=row,
            values=tuple(mask_values(mask)),
            mask=encode_mask(mask, colors),
            parts=None if parts is None else encode_mask(parts, self.info.parts.palette),
            who=who,
            what=what,
            tool=tool,
        )

    def check_index(self, index: int) -> None:
        """Refuse a frame that the video does not have."""
        if not 0 <= index < self.info.source.frame_count:
            last = self.info.source.frame_count - 1
            raise RASNetError(f"{self.info.source.name} has no frame {index}; it has frames 0 to {last}")

    def _check(self, name: str, index: int, mask: Mask) -> None:
        size = (self.info.height, self.info.width)
        if mask.shape != size or mask.dtype != np.uint8:
            raise RASNetError(
                f"the {name} of frame {index} is {mask.dtype} of {mask.shape}, and {self.folder} holds "
                f"uint8 of {size}; give it in the geometry of the full frame"
            )
