"""The command `rasnet`: parses, calls one function, prints. Heavy packages load inside the commands."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from rasnet import __version__
from rasnet.cli import annotation, commands, exchange, experiments, layers, live, record
from rasnet.cli.command import Command, examples

app = typer.Typer(
    name="rasnet",
    help="Find surgical instruments in endoscopic video.",
    epilog=examples(
        "rasnet segment operation.mp4 operation.case",
        "rasnet overlay operation.case marked.mp4",
        "rasnet report operation.case report",
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rasnet {__version__}")
        raise typer.Exit


@app.callback()
def rasnet(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Find surgical instruments in endoscopic video."""


_GROUPS = (commands, live, layers, exchange, annotation, record, experiments)

for function, lines in (entry for group in _GROUPS for entry in group.COMMANDS.items()):
    app.command(cls=Command, epilog=examples(*lines))(function)


def main() -> None:
    """Run the command line; the process ends with the command's exit code."""
    # Threads that spin while they wait take the cores from decoding and tracking: where other work runs as well, the
    # whole is several times slower. Torch reads this when it loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    app()
