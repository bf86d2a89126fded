import importlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from report_cases import make_case
from typer.testing import CliRunner

from rasnet import __version__
from rasnet.cli import app
from rasnet.cli.command import Command
from rasnet.cli.commands import parse_roi, parse_size
from rasnet.errors import RASNetError
from rasnet.progress import ProgressMode
from rasnet.video import RegionOfInterest, open_source

COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands]

HEAVY = ("torch", "monai", "av", "cv2", "matplotlib", "scipy", "numpy")


def rasnet(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def python(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


class TestHelp:
    def test_the_front_page_lists_every_command(self) -> None:
        shown = rasnet("--help").output
        assert len(COMMANDS) > 20
        for command in COMMANDS:
            assert command in shown

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_explains_itself_with_an_example(self, command: str) -> None:
        done = rasnet(command, "--help")
        assert done.exit_code == 0
        assert "Examples" in done.output
        assert f"rasnet {command} " in done.output

    def test_version(self) -> None:
        assert rasnet("--version").output == f"rasnet {__version__}\n"

    def test_an_unknown_option_is_refused(self) -> None:
        assert rasnet("tracks", "case", "--fast").exit_code == 2

    def test_the_command_line_loads_nothing_heavy(self) -> None:
        loaded = python("import sys, rasnet.cli; print(*(name.split('.')[0] for name in sys.modules))").split()
        assert not set(HEAVY) & set(loaded)

    def test_help_comes_at_once(self) -> None:
        program = "import sys; sys.argv = ['rasnet', '--help']; from rasnet.cli import main; main()"
        took = []
        for _ in range(3):
            began = time.perf_counter()
            assert "segment" in python(program)
            took.append(time.perf_counter() - began)
        assert min(took) < 1.0  # 0.2 s on an idle machine


class TestReports:
    def test_overlay_writes_a_video(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(5))
        done = rasnet("overlay", case.folder, tmp_path / "marked.mp4", "--stop", "4", "--progress", "none")
        assert (done.exit_code, done.output) == (0, "")
        with open_source(tmp_path / "marked.mp4") as video:
            assert len(video) == 4

    def test_report_writes_its_three_files(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(5))
        done = rasnet("report", case.folder, tmp_path / "report")
        assert done.exit_code == 0
        assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
            "contact_sheet.png",
            "timeline.png",
            "tracks.csv",
        ]

    def test_tracks_shows_a_table(self, tmp_path: Path) -> None:
        case = make_case(tmp_path)
        done = rasnet("tracks", case.folder)
        assert done.exit_code == 0
        (line,) = [line for line in done.stdout.splitlines() if "Instrument 1" in line]
        assert "0.8 s" in line

    def test_tracks_writes_rows_to_stdout_and_progress_elsewhere(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(3))
        done = rasnet("tracks", case.folder, "--csv", "-")
        assert done.exit_code == 0
        assert [line.split(",")[0] for line in done.stdout.splitlines()] == ["frame", "0", "1", "2"]

    def test_tracks_refuses_two_kinds_of_output_on_one_stream(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(1))
        done = rasnet("tracks", case.folder, "--csv", "-", "--progress", "json")
        assert done.exit_code == 2

    def test_json_progress_is_json_to_the_last_line(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(3))
        done = rasnet("tracks", case.folder, "--csv", tmp_path / "tracks.csv", "--progress", "json")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert events[0] == {"event": "start", "task": "measure", "total": 3}
        assert (events[-1]["event"], events[-1]["rows"]) == ("finish", 3)


class TestExport:
    @pytest.mark.parametrize("what", ["layers", "parts", "types"])
    def test_png(self, what: str, tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(3), parts=True)
        case.update_layer(1, type="Bipolar Forceps", who="A. Surgeon")
        done = rasnet("export", case.folder, tmp_path / "masks", "--format", "png", "--what", what)
        assert done.exit_code == 0, done.output
        assert len(list((tmp_path / "masks").rglob("*.png"))) == 3

    def test_seg_nrrd(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(3))
        done = rasnet("export", case.folder, tmp_path / "case.seg.nrrd", "--format", "seg_nrrd")
        assert done.exit_code == 0, done.output
        assert (tmp_path / "case.seg.nrrd").read_bytes().startswith(b"NRRD")

    @pytest.mark.parametrize("options", [("png", "--start", "1"), ("seg_nrrd", "--what", "parts")])
    def test_what_a_format_cannot_do_is_refused(self, options: tuple[str, ...], tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(1))
        done = rasnet("export", case.folder, tmp_path / "out", "--format", *options)
        assert done.exit_code == 2
        assert not (tmp_path / "out").exists()


class TestSynth:
    def test_a_clip_its_case_and_a_data_set(self, tmp_path: Path) -> None:
        clip, case, data = tmp_path / "clip.mp4", tmp_path / "case", tmp_path / "endovis"
        options = ("--case", case, "--endovis2017", data, "--seconds", "0.08", "--size", "160x128")
        done = rasnet("synth", clip, *options)
        assert done.exit_code == 0, done.output
        with open_source(clip) as video:
            assert (len(video), video.height, video.width) == (2, 128, 160)
        assert "on screen" in rasnet("tracks", case).stdout
        assert any(data.rglob("*.png"))


class TestDoctor:
    def test_a_person_gets_a_table(self) -> None:
        shown = rasnet("doctor").stdout
        for name in ("Python", "RASNet", "PyTorch", "MONAI", "PyAV", "bundle", "temporary folder"):
            assert name in shown

    def test_a_program_gets_json(self) -> None:
        checks = {check["name"]: check for check in json.loads(rasnet("doctor", "--json").stdout)["checks"]}
        assert checks["RASNet"]["found"].startswith(__version__)
        assert checks["H.264 decoder"]["advice"] is None

    def test_where_nothing_runs_the_network_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for package in ("torch", "openvino"):  # importing them now raises ModuleNotFoundError
            monkeypatch.setitem(sys.modules, package, None)
        done = rasnet("doctor", "--json")
        checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
        assert checks["PyTorch"]["found"] == "not installed"
        assert "pip install 'rasnet[torch]'" in checks["PyTorch"]["advice"]
        assert "pip install 'rasnet[cpu]'" in checks["OpenVINO"]["advice"]
        assert "nothing can run the network" in checks["the network runs on"]["advice"]
        assert done.exit_code == 2

    def test_a_broken_torch_is_quoted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rasnet("doctor")  # what a command line loads when it is first used must load the real thing
        real = importlib.import_module

        def broken(name: str, package: str | None = None) -> Any:
            if name == "torch":
                raise OSError("libcudart.so: cannot open shared object file")
            return real(name, package)

        monkeypatch.setattr("importlib.import_module", broken)
        checks = {check["name"]: check for check in json.loads(rasnet("doctor", "--json").stdout)["checks"]}
        assert "libcudart.so" in checks["PyTorch"]["found"]


class TestFailures:
    @pytest.mark.parametrize("command", [("overlay", "OUT.mp4"), ("report", "OUT"), ("tracks",)])
    def test_a_folder_that_is_no_case_is_one_sentence(self, command: tuple[str, ...], tmp_path: Path) -> None:
        done = rasnet(command[0], tmp_path, *(tmp_path / word for word in command[1:]), "--progress", "json")
        assert done.exit_code == 2
        assert done.stderr.startswith("error: ")
        assert len(done.stderr.splitlines()) == 1
        assert json.loads(done.stdout)["event"] == "error"
        assert list(tmp_path.iterdir()) == []

    def test_whoever_stops_reading_stops_the_command_quietly(self, tmp_path: Path) -> None:
        case = make_case(tmp_path)
        program = "from rasnet.cli import main; main()"
        command = [sys.executable, "-c", program, "tracks", str(case.folder), "--csv", "-", "--progress", "none"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141  # as a shell reports SIGPIPE

    @pytest.mark.parametrize(
        ("error", "code", "words"),
        [
            (RASNetError("the disk is full; free some space"), 2, "error: the disk is full; free some space\n"),
            (ModuleNotFoundError("no", name="monai.data"), 2, "pip install 'rasnet[torch]'"),
            (ModuleNotFoundError("no", name="numpi"), 1, "a bug in RASNet"),
            (ZeroDivisionError("division by zero"), 1, "a bug in RASNet (ZeroDivisionError: division by zero)"),
            (KeyboardInterrupt(), 130, "stopped\n"),
        ],
    )
    def test_every_failure_has_its_sentence_and_code(self, error: BaseException, code: int, words: str) -> None:
        failing = typer.Typer()

        @failing.command(cls=Command)
        def fail(progress: ProgressMode = "auto") -> None:
            raise error

        done = CliRunner().invoke(failing, ["--progress", "json"])
        assert done.exit_code == code
        assert words in done.stderr
        assert "Traceback" not in done.stderr
        assert json.loads(done.stdout)["message"] == done.stderr.removeprefix("error: ").rstrip("\n")


class TestParsing:
    @pytest.mark.parametrize(
        ("text", "region"),
        [
            ("auto", None),
            ("full", RegionOfInterest.whole(100, 200)),
            # LEFT,TOP,WIDTH,HEIGHT of a frame of 100 x 200 (H, W)
            ("20,10,160,80", RegionOfInterest(10, 20, 80, 160, 100, 200)),
        ],
    )
    def test_roi(self, text: str, region: RegionOfInterest | None) -> None:
        assert parse_roi(text, 100, 200) == region

    @pytest.mark.parametrize("text", ["", "half", "1,2,3", "1,2,3,4,5", "a,b,c,d", "0,0,201,100", "-1,0,9,9"])
    def test_roi_that_makes_no_sense(self, text: str) -> None:
        with pytest.raises(RASNetError):
            parse_roi(text, 100, 200)

    @pytest.mark.parametrize(("text", "size"), [("640x512", (640, 512)), ("1280X1024", (1280, 1024))])
    def test_size_is_width_then_height(self, text: str, size: tuple[int, int]) -> None:
        assert parse_size(text) == size

    @pytest.mark.parametrize("text", ["640", "640x", "x512", "640x-2", "0x0", "640*512"])
    def test_size_that_makes_no_sense(self, text: str) -> None:
        with pytest.raises(RASNetError, match="640x512"):
            parse_size(text)
