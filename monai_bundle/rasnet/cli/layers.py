"""The command that says what the instruments of a case are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rasnet.cli.commands import CaseFolder, ProgressOption
from rasnet.errors import RASNetError
from rasnet.progress import ProgressMode, make_progress

if TYPE_CHECKING:
    from rasnet.case import Case


def layers(
    case: CaseFolder,
    merge: Annotated[
        list[str] | None,
        typer.Option(
            metavar="INTO=ID,ID...", help="Layers that are one instrument: all become the first.", show_default=False
        ),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID@FRAME[=INTO]",
            help="From this frame on the layer is another instrument: a new layer, or one that there is.",
            show_default=False,
        ),
    ] = None,
    type: Annotated[
        list[str] | None,
        typer.Option(metavar="ID=TYPE", help="What an instrument is, in the whole video.", show_default=False),
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option(metavar="ID=NAME", help="What to call it.", show_default=False)
    ] = None,
    who: Annotated[
        str | None, typer.Option(metavar="NAME", help="In whose name.", show_default="the user of this computer")
    ] = None,
    progress: ProgressOption = "auto",
) -> None:
    """Show the instruments of a case, and say once for the whole video what each is.

    Each option may be given again. Merging comes first, then splitting, types and names.
    """
    from rasnet.case import Case

    merges = [(layer, [_number(other, text) for other in rest.split(",")]) for layer, rest, text in _pairs(merge)]
    splits = [_parse_split(text) for text in split or ()]
    types, names = _pairs(type), _pairs(name)
    with make_progress(progress) as display, Case.open(case) as opened:
        _check(opened, [layer for layer, _, _ in types + names], [kind for _, kind, _ in types], new=len(splits))
        for into, others in merges:
            opened.merge_layers(into, others, who=who, progress=display)
        for layer, frame, target in splits:
            opened.split_layer_at(layer, frame, into=target, who=who, progress=display)
        for layer, kind, _ in types:
            opened.update_layer(layer, type=kind, who=who)
        for layer, called, _ in names:
            opened.update_layer(layer, name=called, who=who)
        _show(opened, progress)


def _show(case: Case, progress: ProgressMode) -> None:
    if progress == "json":
        typer.echo(json.dumps({"event": "layers", "layers": [asdict(layer) for layer in case.layers()]}))
        return
    for layer in case.layers():
        typer.echo(f"{layer.id:3d}  {layer.name}: {layer.type or 'type not known'}")


def _check(case: Case, ids: list[int], types: list[str], *, new: int) -> None:
    """Refuse before anything is changed what would be refused in the middle."""
    for kind in types:
        case.info.types[kind]
    known = {layer.id for layer in case.layers()}
    unknown = sorted(set(ids) - known)
    if len(unknown) > new:  # a split makes layers that are numbered only then
        raise RASNetError(f"the case has no layer {unknown[0]}; it has {', '.join(map(str, sorted(known))) or 'none'}")


def _pairs(texts: list[str] | None) -> list[tuple[int, str, str]]:
    """Read ``ID=VALUE``: the layer, the value, and the text for an error."""
    pairs = []
    for text in texts or ():
        layer, sign, value = text.partition("=")
        if not sign:
            raise RASNetError(f"'{text}' is not understood; give the number of a layer, = and what it is")
        pairs.append((_number(layer, text), value, text))
    return pairs


def _parse_split(text: str) -> tuple[int, int, int | None]:
    start, _, into = text.partition("=")
    layer, _, frame = start.partition("@")
    return _number(layer, text), _number(frame, text), _number(into, text) if into else None


def _number(word: str, text: str) -> int:
    if not word.strip().isdecimal():
        raise RASNetError(f"'{text}' is not understood: '{word}' should be a number; see `rasnet layers --help`")
    return int(word)


COMMANDS: dict[Callable[..., None], tuple[str, ...]] = {
    layers: (
        "rasnet layers operation.case",
        "rasnet layers operation.case --type '1=Large Needle Driver' --type '2=Prograsp Forceps'",
        "rasnet layers operation.case --merge 1=4,6 --split 2@150",
    ),
}
"""Every command, with the examples of its help page."""
