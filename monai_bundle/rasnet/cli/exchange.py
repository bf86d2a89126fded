"""The commands that hand masks to other programs and take them back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from rasnet.cli.commands import CaseFolder, FirstFrame, ProgressOption, StopFrame
from rasnet.errors import RASNetError
from rasnet.progress import make_progress

# As `rasnet.exchange.formats` has them, which takes longer to load than a help page should.
FormatName = Literal[
    "png", "endovis2017", "coco", "yolo", "cvat", "cvat_tracks", "seg_nrrd", "seg_nrrd_frames", "dicom_seg"
]


def export(
    case: CaseFolder,
    output: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder to make; for seg_nrrd a .seg.nrrd file.", show_default=False)
    ],
    format: Annotated[FormatName, typer.Option(help="What to write; docs/exchange.md compares them.")],
    what: Annotated[
        Literal["layers", "parts", "types"] | None,
        typer.Option(help="Which masks; parts need png.", show_default="layers; endovis2017: types"),
    ] = None,
    images: Annotated[
        bool, typer.Option("--images", help="Write the pictures too; endovis2017 and dicom_seg always do.")
    ] = False,
    reviewed: Annotated[
        bool, typer.Option("--reviewed", help="Only frames that a person corrected or accepted: key frames.")
    ] = False,
    start: FirstFrame = None,
    stop: StopFrame = None,
    include_flagged: Annotated[
        bool,
        typer.Option(
            "--include-flagged", help="Write also frames that may be outside the body or show text; do not look."
        ),
    ] = False,
    progress: ProgressOption = "auto",
) -> None:
    """Hand a case's masks to other programs.

    First RASNet looks for frames outside the body (faces, theatre) and for burned-in text, and stops if it finds any.
    It misses some: look yourself before you give pictures away. Nothing about the patient or of the video's header is
    written.
    """
    from rasnet.case import Case
    from rasnet.exchange.content import REVIEWED, WITH_MASKS
    from rasnet.exchange.formats import export_case

    with Case.open(case) as opened, make_progress(progress) as display:
        content = export_case(
            opened,
            output,
            format,
            what=what,
            statuses=REVIEWED if reviewed else WITH_MASKS,
            start=start,
            stop=stop,
            images=images,
            include_flagged=include_flagged,
            progress=display,
        )
    if progress not in ("json", "none"):
        typer.echo(f"the masks of {len(content.rows)} frames are in {output}", err=True)


def import_(
    case: Annotated[
        Path, typer.Argument(metavar="CASE", help="Folder of a case; made if --source is given.", show_default=False)
    ],
    path: Annotated[
        Path, typer.Argument(metavar="IN", help="File or folder that another program wrote.", show_default=False)
    ],
    format: Annotated[FormatName | None, typer.Option(help="What it is.", show_default="told by what is there")] = None,
    source: Annotated[
        Path | None, typer.Option(metavar="SOURCE", help="The video, where there is no case yet.", show_default=False)
    ] = None,
    who: Annotated[str | None, typer.Option(help="The person whose masks these are.", show_default="you")] = None,
    status: Annotated[
        Literal["predicted", "corrected", "accepted"] | None,
        typer.Option(help="What the frames become.", show_default="as the file says, else corrected"),
    ] = None,
    progress: ProgressOption = "auto",
) -> None:
    """Take masks from other programs into a case.

    All or nothing: everything is checked first, and what is wrong is listed. A frame that a person has corrected,
    accepted or skipped is never overwritten. Layers are matched by name.
    """
    from rasnet.case import Case
    from rasnet.exchange.formats import import_case, new_case

    if source is not None and (case / "case.json").exists():
        raise RASNetError(f"{case} is a case already and knows its video; leave --source away")
    with make_progress(progress) as display:
        if source is not None:
            result = new_case(case, source, path, format, who=who, status=status, progress=display)
        else:
            with Case.open(case) as opened:
                result = import_case(opened, path, format, who=who, status=status, progress=display)
    if progress not in ("json", "none"):
        new = f", new layers: {', '.join(result.new_layers)}" if result.new_layers else ""
        typer.echo(
            f"{len(result.written)} frames of {case} are from {path}, {len(result.unchanged)} were like that{new}",
            err=True,
        )


import_.__name__ = "import"  # a word of Python's, which no function can be called by

COMMANDS: dict[Callable[..., None], tuple[str, ...]] = {
    export: (
        "rasnet export operation.case masks --format png --what types",
        "rasnet export operation.case coco --format coco --images --reviewed",
        "rasnet export operation.case minute.seg.nrrd --format seg_nrrd --start 1500 --stop 3000",
    ),
    import_: (
        "rasnet import operation.case from_cvat/annotations.xml",
        "rasnet import new.case coco/ --source operation.mp4",
    ),
}
"""Every command, with the examples of its help page."""
