"""Case: the folder that holds everything a person and the model said about one video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from rasnet.case import journal
from rasnet.case.changes import FrameStore
from rasnet.case.creation import make_case
from rasnet.case.database import Database
from rasnet.case.encoding import Encoder
from rasnet.case.frames import FrameRow, FrameStatus, check_status
from rasnet.case.info import CaseInfo, ModelInfo, describe_source
from rasnet.case.journal import TOOL, JournalEntry, current_user
from rasnet.case.layer_edits import CaseLayers
from rasnet.case.writer import CaseWriter
from rasnet.cores import usable_cores
from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.masks import Mask
from rasnet.video import RegionOfInterest, VideoSource, open_source


class Case(CaseLayers):
    """Masks, layers and history of one video, in a folder that outlives crashes.

    ``case.json`` says what the case is about, ``case.db`` (SQLite) holds frames, layers and the journal,
    ``masks/00000042.png`` the layer ids of frame 42 and ``parts/00000042.png`` its part ids: palette PNG,
    uint8, full frame. The colours in a PNG are those its layers had when it was written; `palette` has
    today's. Any number of readers, one predicting program (see `writer`) and people who correct can work
    on one case at the same time, on a local disk (SQLite's write-ahead log does not work across a network).

    Examples:
        >>> case = Case.create("case", source=source, schema=schema, roi=roi, model=model)
        >>> with case.writer() as writer:
        ...     for frame in source:
        ...         writer.write(frame.index, frame.pts, segment(frame.rgb))
        >>> case.correct(7, mask, who="A. Surgeon", tool="3D Slicer 5.10")
    """

    def __init__(self, folder: Path, info: CaseInfo, database: Database) -> None:
        self.folder = folder
        super().__init__(info, database, FrameStore(folder, database, info))

    @classmethod
    def create(
        cls,
        folder: str | Path,
        *,
        source: VideoSource,
        schema: LabelSchema,
        roi: RegionOfInterest,
        model: ModelInfo | None,
        start: int = 0,
        stop: int | None = None,
        step: int = 1,
    ) -> Case:
        """Make a new case in a folder that is empty or does not exist.

        Args:
            folder: where; made with its parents.
            source: the video.
            schema: the classes that the model tells apart.
            roi: what of the frame the network sees.
            model: None where no model makes the masks (an import).
            start: first frame to cover.
            stop: one past the last; None for the end of the video.
            step: cover every step-th frame.

        Raises:
            RASNetError: the folder holds other things or is a case already, or the range is not in the video.
        """
        folder = Path(folder)
        info = CaseInfo.describe(
            folder, source=source, schema=schema, roi=roi, model=model, start=start, stop=stop, step=step
        )
        database = make_case(folder, info, np.asarray(source.times, np.float64))
        return cls(folder, info, database)

    @classmethod
    def open(cls, folder: str | Path) -> Case:
        """Open a case, and finish what a killed program left half done.

        Raises:
            RASNetError: not a case, or one of a format that this RASNet does not know.
        """
        folder = Path(folder)
        info = CaseInfo.read(folder)
        case = cls(folder, info, Database(folder / "case.db"))
        if case._database.rows("SELECT 1 FROM pending LIMIT 1"):
            case._store.carry_out()
        case._store.follow_edits()
        return case

    @classmethod
    def create_or_resume(
        cls,
        folder: str | Path,
        *,
        source: VideoSource,
        schema: LabelSchema,
        roi: RegionOfInterest,
        model: ModelInfo | None,
        start: int = 0,
        stop: int | None = None,
        step: int = 1,
    ) -> Case:
        """Make a case, or open the one in the folder to go on with it (see `missing`).

        A case whose video has moved remembers the new place. Arguments as in `create`.

        Raises:
            RASNetError: the case is about another video, range, region, schema or model; the message says which.
        """
        folder = Path(folder)
        if not (folder / "case.json").exists():
            return cls.create(
                folder, source=source, schema=schema, roi=roi, model=model, start=start, stop=stop, step=step
            )
        case = cls.open(folder)
        wish = CaseInfo.describe(
            folder, source=source, schema=schema, roi=roi, model=model, start=start, stop=stop, step=step
        )
        if difference := case.info.disagreement(wish):
            case.close()
            raise RASNetError(
                f"{folder} is a case of {difference}; use the same again or choose another folder for the case"
            )
        if case.info.source.path != wish.source.path:
            case._remember_source(source)
        return case

    def close(self) -> None:
        """Let go of the database file; the next use opens it again."""
        self._database.close()

    def __enter__(self) -> Case:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Case.open, (self.folder,)

    def open_source(self, *, gpu: bool = False) -> VideoSource:
        """Open the case's video, where it was or beside the case folder as it was.

        Args:
            gpu: as for `rasnet.video.open_source`.

        Raises:
            RASNetError: it is in neither place, or another video is there now.
        """
        info = self.info.source
        places = [Path(info.path), self.folder / info.relative_path]
        found = next((place for place in places if place.exists()), None)
        advice = f"put it back, or run `rasnet segment NEW_PLACE {self.folder}`, which remembers the new place"
        if found is None:
            raise RASNetError(f"the video of {self.folder} is no longer at {info.path}; {advice}")
        source = open_source(found, gpu=gpu)
        if (len(source), source.height, source.width) != (info.frame_count, info.height, info.width):
            source.close()
            raise RASNetError(f"{found} is not the video that {self.folder} was made from; {advice}")
        return source

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """Presentation time of every frame of the source, seconds from the first, (N,)."""
        blob = self._database.rows("SELECT value FROM meta WHERE key = 'times'")[0][0]
        return np.frombuffer(blob, np.float64)

    # Frames

    def frames(self) -> list[FrameRow]:
        """Every frame that has a mask or was skipped, by index."""
        return self._store.rows()

    def frame(self, index: int) -> FrameRow | None:
        """One frame; None where neither a program nor a person has said anything yet."""
        return self._store.row(index)

    def missing(self) -> list[int]:
        """Wanted frames that a program still has to segment: no row yet, or a mask file that a power cut emptied."""
        files = {path.name for path in (self.folder / "masks").iterdir() if path.stat().st_size}
        done = {
            row.index
            for row in self._store.rows()
            if row.status != "predicted" or self._store.mask_path(row.index).name in files
        }
        return [index for index in self.info.wanted if index not in done]

    def mask(self, index: int) -> Mask:
        """Layer ids of a frame, uint8 (H, W), 0 where no instrument is.

        Raises:
            RASNetError: the frame has no mask, or its file is damaged.
        """
        return self._store.mask(index)

    def parts(self, index: int) -> Mask | None:
        """Part ids of a frame, uint8 (H, W); None where the frame has none.

        After a person's correction the parts cover only what is still instrument; instrument that the
        person added has part 0, which means not known.
        """
        return self._store.parts(index)

    def write_prediction(
        self,
        index: int,
        pts: float,
        mask: Mask,
        parts: Mask | None = None,
        *,
        uncertainty: Sequence[float] = (),
        model: str | None = None,
    ) -> bool:
        """Write a program's masks of one frame; mask values without a layer get one.

        Args:
            index: of the frame.
            pts: seconds from the first frame.
            mask: layer ids, uint8 (H, W), full frame.
            parts: part ids, uint8 (H, W).
            uncertainty: one figure a class of the model's schema, background first.
            model: name of the model where it is not the case's own.

        Returns:
            False where a person corrected, accepted or skipped the frame: nothing is written then.

        Raises:
            RASNetError: the mask does not fit the case, or the disk is full.
        """
        colors = self._store.palette()
        change = self._encoder.predicted(index, pts, mask, parts, uncertainty=uncertainty, model=model, colors=colors)
        return self._store.predict([change], self._store.latest_edit())[0]

    @property
    def _encoder(self) -> Encoder:
        return Encoder(self.folder, self.info)

    def writer(self, threads: int | None = None, pool: Executor | None = None) -> CaseWriter:
        """Write many predictions fast: ``with case.writer() as writer: writer.write(...)``.

        A layer that a person merges or removes meanwhile stays merged or removed in what follows.

        Args:
            threads: that encode PNG; one a core by default.
            pool: draws and encodes in their place, in processes if that is its kind; it is the caller's to shut down.

        Raises:
            RASNetError: on entering: another program is writing predictions into this case. On leaving:
                something could not be written (the disk is full).
        """
        return CaseWriter(self._store, self._encoder, threads or usable_cores(), pool)

    def correct(
        self,
        index: int,
        mask: Mask,
        parts: Mask | None = None,
        *,
        who: str,
        tool: str,
        status: FrameStatus = "corrected",
    ) -> None:
        """Write a person's mask of one frame; no program overwrites it. Values without a layer get one.

        Args:
            index: of the frame.
            mask: layer ids, uint8 (H, W), full frame.
            parts: part ids, uint8 (H, W); without them the frame keeps its parts inside the new mask.
            who: the person.
            tool: the program in which the person worked, with its version.
            status: what the frame is now.

        Raises:
            RASNetError: the mask does not fit the case, or the disk is full.
        """
        check_status(status)
        if status == "predicted":
            raise RASNetError("a person's mask is not 'predicted'; use corrected, accepted or skipped")
        self._encoder.check_index(index)
        change = self._encoder.encode(
            index,
            self.times[index],
            mask,
            parts,
            colors=self._store.palette(),
            status=status,
            model=None,
            who=who,
            what="correct",
            tool=tool,
        )
        self._store.correct(change)

    def set_status(self, index: int, status: FrameStatus, *, who: str, tool: str = TOOL) -> None:
        """Accept or skip a frame, or give it back to the programs (``predicted``).

        Raises:
            RASNetError: no such frame or status, or the frame has no mask to accept.
        """
        check_status(status)
        self._encoder.check_index(index)
        self._store.set_status(index, self.times[index], status, who=who, tool=tool)

    # Everything

    def journal(self, frame: int | None = None) -> Iterator[JournalEntry]:
        """Every change, oldest first; only those of one frame where `frame` is given."""
        return journal.read(self._database, frame)

    def latest_changes(self, count: int, frame: int | None = None) -> list[JournalEntry]:
        """The last `count` changes, newest first; only those of one frame where `frame` is given."""
        return journal.read_latest(self._database, count, frame)

    def remember_model(self, model: ModelInfo, *, who: str, tool: str = TOOL) -> None:
        """Say that predictions come from another model from now on.

        Args:
            model: the new one.
            who: the person who wished for it.
            tool: the program.
        """
        before, self.info = self.info.model, replace(self.info, model=model)
        with self._database.transaction() as connection:
            self.info.write(self.folder)
            journal.append(
                connection,
                who=who,
                what="change model",
                tool=tool,
                before=before.sha256 if before else None,
                after=model.sha256,
            )

    def _remember_source(self, source: VideoSource) -> None:
        before, self.info = self.info, self.info.with_source(describe_source(self.folder, source))
        with self._database.transaction() as connection:
            self.info.write(self.folder)
            journal.append(
                connection,
                who=current_user(),
                what="move source",
                tool=TOOL,
                before=before.source.path,
                after=self.info.source.path,
            )
