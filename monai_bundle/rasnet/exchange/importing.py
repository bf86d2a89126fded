"""Bringing masks of another program into a case: everything is checked first, and nothing is overwritten."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rasnet.case import Case, FrameRow, FrameStatus, Layer
from rasnet.case.journal import TOOL, current_user
from rasnet.case.layers import default_layer
from rasnet.errors import RASNetError
from rasnet.exchange.content import MaskLabel
from rasnet.exchange.incoming import Incoming, IncomingFrame
from rasnet.frame_ranges import frame_words
from rasnet.masks import Mask, mask_sha256, mask_values
from rasnet.progress import Progress, SilentProgress

_MOST_LISTED = 12


@dataclass(frozen=True)
class ImportResult:
    """What an import did.

    Attributes:
        written: frames that have a new mask or status.
        unchanged: frames whose mask and status were like that already.
        new_layers: names of the layers that the case did not have.
    """

    written: tuple[int, ...]
    unchanged: tuple[int, ...]
    new_layers: tuple[str, ...]


@dataclass(frozen=True)
class _Planned:
    """One frame that is to be written."""

    frame: IncomingFrame
    index: int
    status: FrameStatus
    before: FrameRow | None


def import_masks(
    case: Case,
    incoming: Incoming,
    source: Path,
    *,
    who: str | None = None,
    status: FrameStatus | None = None,
    progress: Progress | None = None,
) -> ImportResult:
    """Bring masks into a case, all of them or none.

    Layers are matched by name, whatever their case; a layer that the case lacks is added, under its own id where
    that is free. A frame becomes what the file says it is. Where the file does not say, or where it says ``predicted``
    of a mask that differs from the one in the case, a person has been at work: it becomes ``corrected``.

    Args:
        case: to bring them into.
        incoming: what the file says.
        source: the file or folder, for messages and the journal.
        who: the person whose masks these are; by default the one at this computer.
        status: that every frame gets, whatever the file says.
        progress: told of each frame.

    Raises:
        RASNetError: anything is wrong, or a frame that a person corrected, accepted or skipped would change. The
            message lists it all, and nothing has changed then.
    """
    progress = progress or SilentProgress()
    problems = list(incoming.problems)
    labels = _match_labels(case, incoming, problems)
    table = _table(labels)
    planned, unchanged = _plan(case, incoming, labels, status, problems, progress)
    if problems:
        raise _refused(source, case, problems)
    who, tool = who or current_user(), f"{TOOL} import"
    known = {layer.id: layer for layer in case.layers()}
    used = [layer for layer in labels.values() if layer is not None]
    case.set_layers([layer for layer in used if known.get(layer.id) != layer], who=who, tool=tool)
    progress.start("import", len(planned))
    for plan in planned:
        _write(case, plan, table, who, tool, source)
        progress.advance(plan.index)
    new = tuple(layer.name for layer in used if layer.id not in known)
    written = tuple(plan.index for plan in planned)
    progress.finish(frames=len(written), unchanged=len(unchanged), new_layers=list(new))
    return ImportResult(written, tuple(unchanged), new)


def _match_labels(case: Case, incoming: Incoming, problems: list[str]) -> dict[int, Layer | None]:
    """The layer that each label of the file is; None for one that cannot be, which is a problem."""
    ours = {layer.name.casefold(): layer for layer in case.layers()}
    types = {label.name.casefold(): label.name for label in case.info.types.instruments}
    taken = {layer.id for layer in ours.values()}
    found: dict[int, Layer | None] = {}
    for label in incoming.labels:
        known = ours.get(label.name.casefold())
        type_name = types.get((label.type or "").casefold())
        if label.type and type_name is None:
            problems.append(f"'{label.name}' is of the unknown type '{label.type}' (known are {_names(types)})")
            found[label.id] = None
        elif known is not None:
            found[label.id] = _with_type(known, type_name, problems)
        elif incoming.defines_layers or label.name.casefold() in types:
            new = _new_layer(label, type_name or types.get(label.name.casefold()), taken)
            taken.add(new.id)
            found[label.id] = new
        else:
            names = [layer.name for layer in ours.values()]
            problems.append(
                f"the category '{label.name}' is unknown (known are the layers {', '.join(names) or 'none'} and the "
                f"types {_names(types)}; for a new one add a layer of that name first)"
            )
            found[label.id] = None
    same = [layer.name for layer in found.values() if layer is not None]
    problems += [f"two labels are both called '{name}'" for name in sorted({n for n in same if same.count(n) > 1})]
    return found


def _with_type(layer: Layer, type_name: str | None, problems: list[str]) -> Layer:
    if layer.type is not None and type_name is not None and layer.type != type_name:
        problems.append(f"'{layer.name}' is of the type '{type_name}' in the file and '{layer.type}' in the case")
    return layer if type_name is None or layer.type is not None else replace(layer, type=type_name)


def _new_layer(label: MaskLabel, type_name: str | None, taken: set[int]) -> Layer:
    own = 1 <= label.id <= 255 and label.id not in taken
    free = next((number for number in range(1, 256) if number not in taken), None)
    if free is None:
        raise RASNetError("the case would have more than 255 layers, which is all that a mask can hold; merge some")
    number = label.id if own else max(taken, default=0) + 1 if max(taken, default=0) < 255 else free
    return Layer(number, label.name, label.color or default_layer(number).color, type_name)


def _plan(
    case: Case,
    incoming: Incoming,
    labels: dict[int, Layer | None],
    status: FrameStatus | None,
    problems: list[str],
    progress: Progress,
) -> tuple[list[_Planned], list[int]]:
    """Read every mask once; add what is wrong to `problems`."""
    table = _table(labels)
    rows = {row.index: row for row in case.frames()}
    planned, unchanged, owned = [], [], []
    if not incoming.frames and not problems:
        problems.append("there is no mask in it")
    progress.start("check", len(incoming.frames))
    for frame, index in _places(case, incoming, problems):
        mask = _checked_mask(case, frame, labels, problems)
        progress.advance(index)
        if mask is None:
            continue
        before = rows.get(index)
        same = before is not None and before.mask_sha256 == mask_sha256(table.take(mask))
        wanted = _wanted_status(frame, before, same, status)
        if same and before is not None and (wanted == before.status or before.status in ("corrected", "accepted")):
            unchanged.append(index)
        elif before is not None and before.status != "predicted":
            owned.append(index)
        else:
            planned.append(_Planned(frame, index, wanted, before))
    if owned:
        problems.append(
            f"{frame_words(owned)} of the case would change, which a person has corrected, accepted or skipped (import "
            "into a new case and use `rasnet merge`)"
        )
    return planned, unchanged


def _wanted_status(
    frame: IncomingFrame, before: FrameRow | None, same: bool, status: FrameStatus | None
) -> FrameStatus:
    if status is not None:
        return status
    changed = before is not None and not same
    if frame.status == "predicted":
        return "corrected" if changed else "predicted"
    return frame.status or "corrected"


def _places(case: Case, incoming: Incoming, problems: list[str]) -> Iterator[tuple[IncomingFrame, int]]:
    """The frames with their indices in the video; those without a place, or with another's, are problems."""
    times = case.times
    steps = np.diff(times)
    half = float(min(steps[steps > 0], default=np.inf)) / 2
    places: dict[int, list[IncomingFrame]] = defaultdict(list)
    for frame in incoming.frames:
        index = frame.index
        if index is None and frame.time is not None:
            nearest = int(np.abs(times - frame.time).argmin())
            index = nearest if abs(times[nearest] - frame.time) < half else None
        if index is None or not 0 <= index < len(times):
            what = "nothing says which frame it is" if index is None else f"the video ends at frame {len(times) - 1}"
            problems.append(f"{frame.where} has no place in the video ({what})")
        elif frame.time is not None and abs(times[index] - frame.time) >= half:
            problems.append(
                f"{frame.where} is at {frame.time:.3f} s, where frame {index} of the video is at {times[index]:.3f} s"
            )
        else:
            places[index].append(frame)
    for index, frames in sorted(places.items()):
        if len(frames) > 1:
            names = " and ".join(frame.where for frame in frames)
            problems.append(f"{names} are both frame {index} ({times[index]:.3f} s)")
        else:
            yield frames[0], index


def _checked_mask(
    case: Case, frame: IncomingFrame, labels: dict[int, Layer | None], problems: list[str]
) -> Mask | None:
    try:
        mask = frame.read()
    except RASNetError as error:
        problems.append(str(error).split("; ")[0])
        return None
    size = (case.info.height, case.info.width)
    if mask.shape != size:
        problems.append(f"{frame.where} is {mask.shape[1]}x{mask.shape[0]}, and the video is {size[1]}x{size[0]}")
        return None
    if strange := [value for value in mask_values(mask) if value and value not in labels]:
        problems.append(f"{frame.where} holds the value {', '.join(map(str, strange))}, which no label explains")
        return None
    return mask


def _write(case: Case, plan: _Planned, table: Mask, who: str, tool: str, source: Path) -> None:
    if case.frame(plan.index) != plan.before:
        raise RASNetError(
            f"frame {plan.index} of {case.folder} changed during the import and is kept as it is; import {source} again"
        )
    mask = table.take(plan.frame.read())
    if plan.status == "predicted":
        case.write_prediction(plan.index, case.times[plan.index], mask, model=f"import of {source.name}")
    else:
        case.correct(plan.index, mask, who=who, tool=tool, status=plan.status)


def _table(labels: dict[int, Layer | None]) -> Mask:
    """Layer of each label, uint8 (256,)."""
    table = np.zeros(256, np.uint8)
    for label, layer in labels.items():
        table[label] = 0 if layer is None else layer.id
    return table


def _refused(source: Path, case: Case, problems: list[str]) -> RASNetError:
    shown = "; ".join(problems[:_MOST_LISTED])
    more = f"; and {len(problems) - _MOST_LISTED} more problems" if len(problems) > _MOST_LISTED else ""
    return RASNetError(
        f"{source} cannot be imported into {case.folder}, where nothing has changed: {shown}{more}; mend it and import "
        "it again"
    )


def _names(types: dict[str, str]) -> str:
    return ", ".join(types.values())
