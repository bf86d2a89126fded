"""What this installation can do, and what to do about what it cannot."""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rasnet import __version__
from rasnet.bundle import bundle_root, file_sha256, weights_path
from rasnet.errors import RASNetError
from rasnet.inference.backend import choose_backend

_INSTALL = "install it with `pip install 'rasnet[{extra}]'`"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        found: what is there, in words.
        advice: what to do about it; None where all is well.
        needed: whether segmenting a video needs it.
    """

    name: str
    found: str
    advice: str | None = None
    needed: bool = True


def examine() -> list[Check]:
    """Look at the installation; what is absent or broken becomes advice, never an exception."""
    return [
        Check("Python", f"{platform.python_version()} at {sys.executable}"),
        Check("RASNet", f"{__version__} at {Path(__file__).parent}"),
        *_check_torch(),
        _check_package("MONAI", "monai", extra="torch", needed=False),
        *_check_openvino(),
        _check_engine(),
        *_check_video(),
        _check_package("matplotlib (timelines)", "matplotlib", extra="report", needed=False),
        _check_package("slicerio (export to .seg.nrrd)", "slicerio", extra="seg-nrrd", needed=False),
        *_check_bundle(),
        _check_temporary_folder(),
    ]


def _check_torch() -> Iterator[Check]:
    torch, failure = _import("torch")
    if torch is None:
        yield Check("PyTorch", failure, _INSTALL.format(extra="torch"), needed=False)
        return
    yield Check("PyTorch", str(torch.__version__))
    try:
        device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none; the CPU does the work"
        yield Check("CUDA device", device, needed=False)
    except Exception as error:
        yield Check("CUDA device", _words(error), "update the NVIDIA driver, or work on the CPU", needed=False)


def _check_openvino() -> Iterator[Check]:
    openvino, failure = _import("openvino")
    if openvino is None:
        yield Check("OpenVINO", failure, _INSTALL.format(extra="cpu"), needed=False)
        return
    try:
        core = openvino.Core()
        cpu, able = (core.get_property("CPU", key) for key in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES"))
        yield Check("OpenVINO", f"{openvino.get_version()} on {cpu}, computes in {', '.join(able)}")
    except Exception as error:
        yield Check(
            "OpenVINO", _words(error), "install it again: `pip install --force-reinstall openvino`", needed=False
        )


def _check_engine() -> Check:
    """What `rasnet segment` would choose."""
    try:
        engine, model, reason = choose_backend()
    except RASNetError as error:
        return Check("the network runs on", "nothing", str(error))
    return Check("the network runs on", f"{engine} with {model.name}: {reason}")


def _check_video() -> Iterator[Check]:
    av, failure = _import("av")
    if av is None:
        yield Check("PyAV", failure, "install it with `pip install av`")
        return
    yield Check("PyAV", f"{av.__version__} with FFmpeg {getattr(av, 'ffmpeg_version_info', 'unknown')}")
    for name, codec, mode in (("H.264 decoder", "h264", "r"), ("H.264 encoder", "libx264", "w")):
        try:
            yield Check(name, av.Codec(codec, mode).long_name)
        except Exception as error:
            yield Check(name, _words(error), "install PyAV from PyPI, whose FFmpeg has H.264", mode == "r")


def _check_package(name: str, distribution: str, *, extra: str, needed: bool = True) -> Check:
    try:
        return Check(name, importlib.metadata.version(distribution), needed=needed)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, "not installed", _INSTALL.format(extra=extra), needed)


def _check_bundle() -> Iterator[Check]:
    try:
        yield Check("bundle", str(bundle_root()))
        weights = weights_path()
    except RASNetError as error:  # its sentence says what to do
        yield Check("bundle", "not found", str(error))
        return
    try:
        digest, size = file_sha256(weights), weights.stat().st_size
        yield Check("weights", f"{weights.name}, {size / 1e6:.1f} MB, sha256 {digest}")
    except OSError as error:
        yield Check("weights", _words(error), "install RASNet again, or name other weights by --weights")


def _check_temporary_folder() -> Check:
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"RASNet")
    except OSError as error:
        return Check("temporary folder", _words(error), "free some space, or set TMPDIR to a folder with some")
    return Check("temporary folder", tempfile.gettempdir())


def _import(name: str) -> tuple[Any, str]:
    """Import a package that may be absent or broken: the package, or None and why."""
    try:
        return importlib.import_module(name), ""
    except ModuleNotFoundError:
        return None, "not installed"
    except Exception as error:  # a broken binary raises whatever it likes
        return None, _words(error)


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
