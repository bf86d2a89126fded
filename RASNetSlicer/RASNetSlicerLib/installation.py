"""What RASNet needs besides Slicer: what of it is there, what is missing and how large it is, and its installation.

Nothing is imported to find out, and nothing is installed but by `install`, which belongs behind a button and a
question.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from rasnet.bundle import openvino_path
from rasnet.errors import RASNetError

Choice = Literal["cpu", "gpu"]

_RESOURCES = Path(__file__).resolve().parent.parent / "Resources"
_SIZE = re.compile(r"(\d+) MB")
_TORCH = "torch"

# Distributions of CUDA that come with torch from PyPI, whose version does not name CUDA.
_CUDA_RUNTIMES = ("nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12")

_under_way = threading.Lock()


@dataclass(frozen=True)
class Requirement:
    """A package that is needed.

    Attributes:
        name: of the package.
        text: name and versions, as pip takes them.
        megabytes: to download.
    """

    name: str
    text: str
    megabytes: int


@dataclass(frozen=True)
class State:
    """What is there; as text, what the panel shows.

    Attributes:
        backend: what runs the network; None where something is missing.
        words: for people.
    """

    backend: Literal["openvino", "torch"] | None
    words: str

    @property
    def ready(self) -> bool:
        """Whether instruments can be found."""
        return self.backend is not None

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Plan:
    """What `install` would install; as text, what the user is asked.

    Attributes:
        choice: where the network is to run.
        missing: packages that are not there, or too old.
    """

    choice: Choice
    missing: tuple[Requirement, ...]

    @property
    def done(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing

    @property
    def megabytes(self) -> int:
        """To download, without the small packages that these need."""
        return sum(requirement.megabytes for requirement in self.missing)

    def __str__(self) -> str:
        if self.done:
            return f"Everything is installed: {state()}."
        lines = [f"{requirement.text}   ({requirement.megabytes} MB)" for requirement in self.missing]
        return "\n".join(
            [
                f"These packages will be installed into 3D Slicer's Python, about {self.megabytes} MB to download:",
                "",
                *lines,
                "",
                "Slicer may have to be started again afterwards.",
                "RASNet's weights are under CC BY-NC-SA 4.0: not for commercial use.",
                *([f"{_NO_MODEL}."] if self.choice == "cpu" and not openvino_path().is_file() else []),
                *([_ABOUT_TORCH] if any(requirement.name == _TORCH for requirement in self.missing) else []),
            ]
        )


_NO_MODEL = "this copy of RASNet has no model for OpenVINO; choose GPU (torch), which runs on the CPU as well"

_ABOUT_TORCH = (
    "torch comes through the PyTorch extension, which chooses the build for this computer and asks once more."
)


class Installer(Protocol):
    """What installs packages into this Python."""

    def packages(self, requirements: Sequence[str]) -> None:
        """Install by pip."""
        ...

    def torch(self, versions: str) -> None:
        """Install the build of torch that fits this computer; `versions` as in ``>=2.6``."""
        ...


def read_requirements(choice: Choice) -> list[Requirement]:
    """The packages of a choice, from ``Resources/requirements-cpu.txt`` or ``-gpu.txt``.

    Raises:
        RASNetError: the file is not there.
    """
    path = _RESOURCES / f"requirements-{choice}.txt"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise RASNetError(f"{path} cannot be read ({error.strerror}); install the extension RASNet again") from error
    return [_requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def state() -> State:
    """Look what is there, without importing it: CUDA before OpenVINO before torch on the CPU."""
    missing: dict[str, list[str]] = {choice: [item.name for item in _missing(choice)] for choice in get_args(Choice)}
    cuda = _cuda() if not missing["gpu"] else None
    if cuda is not None:
        return State("torch", f"GPU, torch {_public(_version(_TORCH))} with CUDA {cuda}")
    if not missing["cpu"] and openvino_path().is_file():
        return State("openvino", f"CPU, OpenVINO {_release(_version('openvino'))}")
    if not missing["gpu"]:
        return State("torch", f"CPU, torch {_public(_version(_TORCH))} without CUDA")
    names = missing["cpu"]
    if not names:
        return State(None, _NO_MODEL)
    return State(None, f"not installed: {', '.join(names)} {'is' if len(names) == 1 else 'are'} missing")


def plan(choice: Choice) -> Plan:
    """Say what is missing for a choice.

    Raises:
        RASNetError: the list of packages is not there.
    """
    return Plan(choice, tuple(_missing(choice)))


def check_learning() -> None:
    """See whether a model can learn here, which takes torch, also on the CPU.

    Raises:
        RASNetError: a package is missing.
    """
    if missing := [requirement.name for requirement in _missing("gpu")]:
        raise RASNetError(
            f"learning needs {', '.join(missing)} besides what finds instruments; in the section Installation choose "
            "GPU (torch), which learns on the CPU as well, and press Install…"
        )


def install(wanted: Plan, *, wheels: Path | None = None, installer: Installer | None = None) -> None:
    """Install what is missing; the user has agreed.

    Proxies, mirrors and certificates are those that pip is set up for.

    Args:
        wanted: the plan that the user has seen; what has come meanwhile is not installed again.
        wheels: a folder of wheels to install from, without the network; None for pip's own sources.
        installer: None for Slicer's.

    Raises:
        RASNetError: an installation is under way, the folder has no wheels, the PyTorch extension is missing, or
            something could not be installed.
    """
    if not _under_way.acquire(blocking=False):
        raise RASNetError("an installation is under way; wait until it is done")
    try:
        missing = _missing(wanted.choice)
        if missing:
            with _pip_settings(wheels):
                _install(missing, installer or SlicerInstaller(), with_torch=wheels is None)
    finally:
        _under_way.release()
    importlib.invalidate_caches()
    if left := [requirement.text for requirement in _missing(wanted.choice)]:
        raise RASNetError(f"{', '.join(left)} could not be installed; look into the Python console for the reason")


class SlicerInstaller:
    """Slicer's own ways: `slicer.packaging`, and the PyTorch extension."""

    def packages(self, requirements: Sequence[str]) -> None:
        """Install by Slicer's pip."""
        try:
            from slicer.packaging import pip_ensure  # from Slicer 5.12 on
        except ImportError:
            import slicer

            slicer.util.pip_install(list(requirements))
            return
        kind = _packaging("requirements").Requirement
        # The user has been asked by the dialog of the plan.
        pip_ensure([kind(text) for text in requirements], prompt_install=False, requester="RASNet")

    def torch(self, versions: str) -> None:
        """Install torch by the PyTorch extension, which asks the user."""
        try:
            import PyTorchUtils
        except ImportError as error:
            raise RASNetError(
                "torch comes through the extension PyTorch, which is not installed; install it by the Extensions "
                "Manager and start Slicer again, or choose the CPU"
            ) from error
        PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=versions)


def _install(missing: Sequence[Requirement], installer: Installer, *, with_torch: bool) -> None:
    """Install packages; torch by itself and first, so that what needs it finds it there."""
    packages = [requirement.text for requirement in missing]
    try:
        for requirement in missing:
            # A folder of wheels holds the build that its owner chose, and there is no network to choose another.
            if requirement.name == _TORCH and with_torch:
                packages.remove(requirement.text)
                installer.torch(requirement.text.removeprefix(_TORCH))
        if packages:
            installer.packages(packages)
    except (subprocess.CalledProcessError, RuntimeError, OSError) as error:
        raise RASNetError(
            f"the packages could not be installed ({error}); check the network and pip's proxy, or install from a "
            "folder of wheels"
        ) from error


def _requirement(line: str) -> Requirement:
    text, _, comment = line.partition("#")
    size = _SIZE.search(comment)
    name = _packaging("requirements").Requirement(text.strip()).name
    return Requirement(name, text.strip(), int(size.group(1)) if size else 0)


def _missing(choice: Choice) -> list[Requirement]:
    kind = _packaging("requirements").Requirement
    return [
        item
        for item in read_requirements(choice)
        if not (version := _version(item.name)) or not kind(item.text).specifier.contains(version, prereleases=True)
    ]


def _version(name: str) -> str:
    """Version of a package; "" where it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _public(version: str) -> str:
    """The version without its build: 2.8.0+cu128 is 2.8.0."""
    return version.partition("+")[0]


def _release(version: str) -> str:
    """The version without the number of its build: 2026.4.1-22982 is 2026.4.1."""
    return version.partition("-")[0]


def _cuda() -> str | None:
    """Version of CUDA that torch was built for; None for none."""
    build = _version(_TORCH).partition("+")[2]
    if build.startswith("cu") and build[2:].isdecimal():
        return f"{build[2:-1]}.{build[-1]}"
    if build:
        return None
    runtime = next(filter(None, map(_version, _CUDA_RUNTIMES)), None)
    return ".".join(runtime.split(".")[:2]) if runtime else None


def _packaging(module: str) -> Any:
    """A module of `packaging`, which Slicer has, or of the copy that pip brings."""
    try:
        return importlib.import_module(f"packaging.{module}")
    except ImportError:
        return importlib.import_module(f"pip._vendor.packaging.{module}")


@contextmanager
def _pip_settings(wheels: Path | None) -> Iterator[None]:
    """Let pip, whoever calls it, take wheels from a folder only."""
    if wheels is None:
        yield
        return
    if not any(wheels.glob("*.whl")):
        raise RASNetError(f"there are no wheels (.whl) in {wheels}; choose the folder that they lie in")
    # As an address, because pip takes a path with spaces for several.
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels.resolve().as_uri()}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
