"""How a command ends badly: one sentence for people, one event for programs, an exit code for scripts."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperCommand

from rasnet.errors import RASNetError

EXIT_BUG = 1
EXIT_USER = 2
EXIT_STOPPED = 130  # 128 + SIGINT
EXIT_NOBODY_READS = 141  # 128 + SIGPIPE

# Packages that RASNet can do without, and the extra that brings each.
_EXTRAS = {
    "torch": "torch",
    "monai": "torch",
    "openvino": "cpu",
    "nncf": "convert",
    "onnx": "convert",
    "matplotlib": "report",
    "ray": "ray",
    "slicerio": "seg-nrrd",
}


class Stopped(KeyboardInterrupt):
    """The user pressed Ctrl-C; the message says what is kept."""


class Command(TyperCommand):
    """A command whose every failure is a sentence.

    Exit codes: 2 for what the user can mend, 130 after Ctrl-C, 1 for a bug. With ``--progress json`` the
    sentence is also the message of an ``error`` event on stdout. ``rasnet --debug`` adds the traceback.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command's function."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _drop_stdout()
            raise typer.Exit(EXIT_NOBODY_READS) from None
        except RASNetError as error:
            raise _fail(ctx, f"error: {error}", EXIT_USER) from error
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in _EXTRAS:
                raise _fail(ctx, _bug(error), EXIT_BUG) from error
            advice = f"install it with `pip install 'rasnet[{_EXTRAS[package]}]'`"
            raise _fail(ctx, f"error: this needs the package {package}; {advice}", EXIT_USER) from error
        except KeyboardInterrupt as error:
            raise _fail(ctx, str(error) or "stopped", EXIT_STOPPED) from error
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except Exception as error:
            raise _fail(ctx, _bug(error), EXIT_BUG) from error


def examples(*lines: str) -> str:
    """Write a help page's examples, one a line."""
    # "\b" keeps the line breaks of the paragraph that it begins.
    return "\n".join(["\b", "[bold]Examples[/bold]", *(f"[cyan]{line}[/cyan]" for line in lines)])


def _fail(ctx: Any, sentence: str, code: int) -> typer.Exit:
    if ctx.find_root().params.get("debug"):
        traceback.print_exc()
    if ctx.params.get("progress") == "json":
        from rasnet.progress import JsonProgress

        JsonProgress().error(sentence.removeprefix("error: "))
    typer.echo(sentence, err=True)
    return typer.Exit(code)


def _bug(error: Exception) -> str:
    return (
        f"error: this is a bug in RASNet ({type(error).__name__}: {error}); "
        "run `rasnet --debug ...` for the traceback and report it"
    )


def _drop_stdout() -> None:
    """Let Python flush its buffer into nothing at exit, where it would complain of the closed pipe again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
