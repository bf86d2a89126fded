"""What is installed, what is missing, and how it is installed: real pip, real wheels, no network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "RASNetSlicer"))

from RASNetSlicerLib import installation  # noqa: E402
from RASNetSlicerLib.installation import Requirement, install, plan, read_requirements, state  # noqa: E402

from rasnet.errors import RASNetError  # noqa: E402

Pretend = Callable[..., None]


class Pip:
    """Slicer's pip, into a folder of its own.

    Args:
        target: where it installs; on the path.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.asked: list[Sequence[str]] = []
        self.torch_asked: list[str] = []

    def packages(self, requirements: Sequence[str]) -> None:
        self.asked.append(requirements)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(self.target)]
        subprocess.run([*command, *requirements], check=True, capture_output=True)

    def torch(self, versions: str) -> None:
        self.torch_asked.append(versions)


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pip:
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return Pip(tmp_path / "site")


@pytest.fixture
def require(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let RASNet need other packages than it does."""
    monkeypatch.setattr(installation, "_RESOURCES", tmp_path)

    def require(*lines: str) -> None:
        for choice in ("cpu", "gpu"):
            (tmp_path / f"requirements-{choice}.txt").write_text("\n".join(["# needed", *lines, ""]))

    return require


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Let packages have other versions than they have; "" for not installed."""

    def pretend(**versions: str) -> None:
        given = {name.replace("_", "-"): version for name, version in versions.items()}

        def version(name: str) -> str:
            if not (found := given.get(name, "2999")):
                raise metadata.PackageNotFoundError(name)
            return found

        monkeypatch.setattr(metadata, "version", version)

    return pretend


def make_wheel(folder: Path, name: str, version: str = "1.2") -> None:
    """A wheel of one empty module."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The model file that OpenVINO runs, which a checkout may lack."""
    path = tmp_path / "model_int8.xml"
    path.touch()
    monkeypatch.setattr(installation, "openvino_path", lambda: path)
    return path


# The lists


@pytest.mark.parametrize("choice", ["cpu", "gpu"])
def test_what_is_needed_is_what_the_package_needs(choice: str) -> None:
    found = {requirement.name: requirement for requirement in read_requirements(choice)}
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    extra = project["optional-dependencies"].get("torch" if choice == "gpu" else "cpu", [])
    needed = [*project["dependencies"], *extra, *project["optional-dependencies"]["seg-nrrd"]]

    assert {text.split(";")[0].replace(" ", "") for text in needed} <= {item.text for item in found.values()}
    assert all(requirement.megabytes > 0 for requirement in found.values())
    assert ("torch" in found, "openvino" in found) == (choice == "gpu", choice == "cpu")
    assert "torchvision" not in found


# The state


@pytest.mark.parametrize(
    ("versions", "words", "backend"),
    [
        ({"torch": "2.8.0+cu128", "openvino": "2026.1.0-22982"}, "GPU, torch 2.8.0 with CUDA 12.8", "torch"),
        ({"torch": "2.9.1", "nvidia_cuda_runtime_cu12": "12.8.90", "nvidia_cuda_runtime": ""},
         "GPU, torch 2.9.1 with CUDA 12.8", "torch"),
        ({"torch": "2.8.0+cpu", "openvino": "2026.1.0-22982"}, "CPU, OpenVINO 2026.1.0", "openvino"),
        ({"torch": "", "openvino": "2026.1.0"}, "CPU, OpenVINO 2026.1.0", "openvino"),
        ({"torch": "2.8.0+cpu", "openvino": ""}, "CPU, torch 2.8.0 without CUDA", "torch"),
        ({"torch": "2.8.0+rocm6.4", "openvino": ""}, "CPU, torch 2.8.0 without CUDA", "torch"),
        ({"torch": "", "openvino": "", "av": ""}, "not installed: av, openvino are missing", None),
        ({"torch": "", "openvino": "", "av": "16.0"}, "not installed: av, openvino are missing", None),
        ({"torch": "", "openvino": "2024.6"}, "not installed: openvino is missing", None),
    ],
)  # fmt: skip
def test_the_state_is_said_in_words(
    pretend: Pretend, versions: dict[str, str], words: str, backend: str | None
) -> None:
    pretend(**versions)

    assert (str(state()), state().backend, state().ready) == (words, backend, backend is not None)


def test_openvino_without_its_model_is_not_enough(pretend: Pretend, model: Path) -> None:
    model.unlink()

    pretend(torch="2.8.0+cpu")
    assert str(state()) == "CPU, torch 2.8.0 without CUDA"
    pretend(torch="")
    assert not state().ready
    assert "no model for OpenVINO; choose GPU (torch)" in str(state())
    missing = (Requirement("absent-one", "absent-one", 1),)
    assert "no model for OpenVINO; choose GPU (torch)" in str(installation.Plan("cpu", missing))
    assert "no model for OpenVINO" not in str(installation.Plan("gpu", missing))


def test_the_state_of_this_computer_needs_no_import() -> None:
    program = f"""
import sys
sys.path.insert(0, {str(ROOT / "RASNetSlicer")!r})
from RASNetSlicerLib.installation import plan, state
print(state(), plan("cpu"), plan("gpu"))
heavy = {{"torch", "openvino", "av", "cv2", "monai", "scipy", "rich", "typer", "slicer"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


# The plan


def test_the_plan_says_what_and_how_large(require: Callable[..., None]) -> None:
    require("pillow>=1  # 7 MB", "absent-one>=2,<3  # 40 MB", "pytest>=999  # 2 MB")

    found = plan("cpu")

    assert found.missing == (Requirement("absent-one", "absent-one>=2,<3", 40), Requirement("pytest", "pytest>=999", 2))
    assert (found.megabytes, found.done) == (42, False)
    assert "about 42 MB to download" in str(found)
    assert re.search(r"absent-one>=2,<3 +\(40 MB\)", str(found))
    assert "PyTorch extension" not in str(found)


def test_the_plan_for_a_gpu_says_where_torch_comes_from(pretend: Pretend) -> None:
    pretend(torch="")

    assert [requirement.text for requirement in plan("gpu").missing] == ["torch>=2.6"]
    assert "torch comes through the PyTorch extension" in str(plan("gpu"))
    assert plan("cpu").done
    assert str(plan("cpu")) == "Everything is installed: CPU, OpenVINO 2999."


def test_a_list_that_is_not_there_is_one_sentence(require: Callable[..., None]) -> None:
    with pytest.raises(RASNetError, match=r"requirements-cpu.txt cannot be read .* install the extension RASNet again"):
        plan("cpu")


# Installing


def test_a_folder_of_wheels_is_all_that_is_needed(
    require: Callable[..., None], pip: Pip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "/somewhere/else")
    monkeypatch.delenv("PIP_NO_INDEX", raising=False)
    wheels = tmp_path / "my wheels, größer"
    make_wheel(wheels, "rasnet_toy_one")
    make_wheel(wheels, "rasnet_toy_two")
    require("pillow>=1  # 7 MB", "rasnet-toy-one>=1  # 1 MB", "rasnet-toy-two>=1  # 1 MB")

    install(plan("cpu"), wheels=wheels, installer=pip)

    assert pip.asked == [["rasnet-toy-one>=1", "rasnet-toy-two>=1"]]  # and nothing that was there
    assert plan("cpu").done
    assert os.environ["PIP_FIND_LINKS"] == "/somewhere/else"
    assert "PIP_NO_INDEX" not in os.environ


def test_nothing_is_installed_twice(require: Callable[..., None], pip: Pip, tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", "rasnet_toy_one")
    require("rasnet-toy-one  # 1 MB")
    wanted = plan("cpu")

    install(wanted, wheels=tmp_path / "wheels", installer=pip)
    install(wanted, wheels=tmp_path / "wheels", installer=pip)  # the plan of before

    assert len(pip.asked) == 1


def test_torch_comes_first_and_not_by_pip(require: Callable[..., None], pip: Pip, pretend: Pretend) -> None:
    pretend(torch="", rasnet_toy="")
    require("rasnet-toy  # 1 MB", "torch>=2.6  # 3000 MB")
    order: list[object] = []
    pip.packages = lambda requirements: order.append(list(requirements))  # type: ignore[method-assign]
    pip.torch = order.append  # type: ignore[method-assign]

    with pytest.raises(RASNetError, match=r"rasnet-toy, torch>=2.6 could not be installed"):
        install(plan("gpu"), installer=pip)

    assert order == [">=2.6", ["rasnet-toy"]]


def test_torch_may_lie_among_the_wheels(require: Callable[..., None], pip: Pip, tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", "torch", "2999.0")
    require("torch>=2999  # 3000 MB")

    install(plan("gpu"), wheels=tmp_path / "wheels", installer=pip)

    assert (pip.asked, pip.torch_asked) == ([["torch>=2999"]], [])


def test_a_second_press_while_it_installs_is_one_sentence(
    require: Callable[..., None], pip: Pip, tmp_path: Path
) -> None:
    require("rasnet-toy-one  # 1 MB")
    make_wheel(tmp_path / "wheels", "rasnet_toy_one")
    said: list[str] = []

    def press_again(requirements: Sequence[str]) -> None:
        with pytest.raises(RASNetError) as caught:
            install(plan("cpu"), installer=pip)
        said.append(str(caught.value))
        Pip.packages(pip, requirements)

    pip.packages = press_again  # type: ignore[method-assign]
    install(plan("cpu"), wheels=tmp_path / "wheels", installer=pip)

    assert said == ["an installation is under way; wait until it is done"]


@pytest.mark.parametrize(
    ("wheels", "message"),
    [("empty", "there are no wheels"), ("nowhere", "there are no wheels"), ("others", "could not be installed")],
)
def test_what_cannot_be_installed_is_one_sentence_and_can_be_tried_again(
    require: Callable[..., None], pip: Pip, tmp_path: Path, wheels: str, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    make_wheel(tmp_path / "others", "rasnet_toy_two")
    require("rasnet-toy-one  # 1 MB")

    with pytest.raises(RASNetError, match=message) as caught:
        install(plan("cpu"), wheels=tmp_path / wheels, installer=pip)

    assert "\n" not in str(caught.value)
    make_wheel(tmp_path / "right", "rasnet_toy_one")
    install(plan("cpu"), wheels=tmp_path / "right", installer=pip)
    assert plan("cpu").done


def test_without_the_pytorch_extension_it_says_so(require: Callable[..., None]) -> None:
    require("torch>=2999  # 3000 MB")

    with pytest.raises(RASNetError, match="install it by the Extensions Manager"):
        install(plan("gpu"))
