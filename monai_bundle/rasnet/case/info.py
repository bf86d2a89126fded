"""case.json: what a case is about, written once and whole."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.masks import write_whole
from rasnet.video import RegionOfInterest, VideoSource
from rasnet.video.images import IMAGE_SUFFIXES

FORMAT = "rasnet-case/1"
_FINGERPRINT_BYTES = 1 << 20


@dataclass(frozen=True)
class ModelInfo:
    """The model that a case's predictions come from.

    Attributes:
        name: what people call it, for example ``"rasnet_parts"``.
        sha256: of the weights, hexadecimal.
        backend: what runs it, for example ``"torch"`` or ``"openvino"``.
    """

    name: str
    sha256: str
    backend: str


@dataclass(frozen=True)
class SourceInfo:
    """The video of a case, as it was when the case was made.

    Attributes:
        path: absolute.
        relative_path: the same, seen from the case folder, so that both can move together.
        kind: ``"video"``, ``"folder"`` or ``"image"``.
        name: the source's own name.
        frame_count: frames in the source.
        fps: average frames a second.
        height: pixels.
        width: pixels.
        fingerprint: tells this video from any other, wherever it lies (see `fingerprint`).
    """

    path: str
    relative_path: str
    kind: str
    name: str
    frame_count: int
    fps: float
    height: int
    width: int
    fingerprint: str


@dataclass(frozen=True)
class CaseInfo:
    """Everything about a case that does not change while people and programs work on it.

    Attributes:
        source: the video.
        start: first wanted frame.
        stop: one past the last wanted frame.
        step: distance between wanted frames.
        height: of the masks, pixels; the full frame.
        width: of the masks, pixels; the full frame.
        roi: what of the frame the network sees.
        schema: the classes that the model tells apart.
        model: None where no model made the masks (an import).
    """

    source: SourceInfo
    start: int
    stop: int
    step: int
    height: int
    width: int
    roi: RegionOfInterest
    schema: LabelSchema
    model: ModelInfo | None

    @property
    def wanted(self) -> range:
        """Indices of the frames that the case is to cover."""
        return range(self.start, self.stop, self.step)

    @property
    def types(self) -> LabelSchema:
        """The schema that layer types are named after: the model's own, or EndoVis 2017 for a parts model."""
        return self.schema if self.schema.kind == "types" else LabelSchema.load("endovis2017_types")

    @property
    def parts(self) -> LabelSchema:
        """The schema of the part masks: the model's own, or the one RASNet ships for a types model."""
        return self.schema if self.schema.kind == "parts" else LabelSchema.load("instrument_parts")

    @classmethod
    def describe(
        cls,
        folder: Path,
        *,
        source: VideoSource,
        schema: LabelSchema,
        roi: RegionOfInterest,
        model: ModelInfo | None,
        start: int,
        stop: int | None,
        step: int,
    ) -> CaseInfo:
        """Collect what a new case in `folder` will say of its source.

        Raises:
            RASNetError: the frame range lies outside the source, or the ROI is of another frame size.
        """
        stop = len(source) if stop is None else stop
        if not 0 <= start < stop <= len(source) or step < 1:
            raise RASNetError(
                f"frames {start} to {stop} in steps of {step} are not in {source.name}, which has frames 0 to "
                f"{len(source) - 1}; choose a start, an end after it, and a step of 1 or more"
            )
        if (roi.frame_height, roi.frame_width) != (source.height, source.width):
            raise RASNetError(
                f"the region of interest is for frames of {roi.frame_width}x{roi.frame_height}, but {source.name} "
                f"has {source.width}x{source.height}; find the region in this video"
            )
        return cls(
            source=describe_source(folder, source),
            start=start,
            stop=stop,
            step=step,
            height=source.height,
            width=source.width,
            roi=roi,
            schema=schema,
            model=model,
        )

    @classmethod
    def read(cls, folder: Path) -> CaseInfo:
        """Read ``case.json``.

        Raises:
            RASNetError: the folder is not a case, or one of a format that this RASNet does not know.
        """
        path = folder / "case.json"
        if not path.is_file():
            raise RASNetError(f"{folder} is not a case (it has no case.json); give the folder of a case")
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            found = data["format"]
            if found == FORMAT:
                return cls._from_json(data)
        except (ValueError, KeyError, TypeError) as error:
            raise RASNetError(f"{path} is damaged ({error!r}); put a copy of it back") from error
        raise RASNetError(
            f"{folder} has the format '{found}' and this RASNet understands '{FORMAT}'; "
            "open it with the RASNet that made it, or update this one"
        )

    def write(self, folder: Path) -> None:
        """Write ``case.json`` whole."""
        data = {"format": FORMAT, **asdict(self), "roi": self.roi.to_json(), "schema": self.schema.to_json()}
        write_whole(folder / "case.json", (json.dumps(data, indent=2) + "\n").encode())

    def with_source(self, source: SourceInfo) -> CaseInfo:
        """The same case with its video in another place."""
        return replace(self, source=source)

    def disagreement(self, other: CaseInfo) -> str | None:
        """Name the first thing that keeps `other` from going on with this case; None when nothing does.

        The video may have moved, and the backend may be another one: neither changes what the masks mean.
        """
        mine, theirs = self.source, other.source
        if mine.fingerprint != theirs.fingerprint:
            return f"the video {mine.name} ({mine.frame_count} frames), not {theirs.path}"
        if self.wanted != other.wanted:
            return f"frames {_words(self.wanted)}, not {_words(other.wanted)}"
        if self.roi != other.roi:
            return f"the region of interest {self.roi.to_json()}, not {other.roi.to_json()}"
        if self.schema != other.schema:
            return f"the labels '{self.schema.name}', not '{other.schema.name}'"
        if _weights(self.model) != _weights(other.model):
            return f"the model {_model_words(self.model)}, not {_model_words(other.model)}"
        return None

    @classmethod
    def _from_json(cls, data: dict[str, Any]) -> CaseInfo:
        return cls(
            source=SourceInfo(**data["source"]),
            start=data["start"],
            stop=data["stop"],
            step=data["step"],
            height=data["height"],
            width=data["width"],
            roi=RegionOfInterest.from_json(data["roi"]),
            schema=LabelSchema.from_json(data["schema"]),
            model=ModelInfo(**data["model"]) if data["model"] else None,
        )


def describe_source(folder: Path, source: VideoSource) -> SourceInfo:
    """Collect what a case in `folder` keeps of its source."""
    path = source.path.resolve()
    try:
        relative = os.path.relpath(path, folder.resolve())
    except ValueError:  # another drive letter
        relative = str(path)
    return SourceInfo(
        path=str(path),
        relative_path=Path(relative).as_posix(),
        kind=source.kind,
        name=source.name,
        frame_count=len(source),
        fps=float(source.fps),
        height=source.height,
        width=source.width,
        fingerprint=fingerprint(path),
    )


def fingerprint(path: Path) -> str:
    """SHA-256 that tells one video from another without reading gigabytes.

    Of a file: its size, first and last mebibyte. Of a folder: name and size of each image in it.
    """
    digest = hashlib.sha256()
    if path.is_dir():
        images = (p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
        for image in sorted(images):
            digest.update(f"{image.name}\0{image.stat().st_size}\0".encode())
        return digest.hexdigest()
    size = path.stat().st_size
    digest.update(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(_FINGERPRINT_BYTES))
        file.seek(max(0, size - _FINGERPRINT_BYTES))
        digest.update(file.read(_FINGERPRINT_BYTES))
    return digest.hexdigest()


def _words(frames: range) -> str:
    return f"{frames.start} to {frames.stop} in steps of {frames.step}"


def _weights(model: ModelInfo | None) -> tuple[str, str] | None:
    return (model.name, model.sha256) if model else None


def _model_words(model: ModelInfo | None) -> str:
    return f"{model.name} ({model.sha256[:8]})" if model else "of no predictions"
