"""What may be wrong with what people give `rasnet segment`: one sentence each, and nothing lost or half-written."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from bars import bar, write_bar_folder, write_bar_video
from PIL import Image
from typer.testing import CliRunner, Result
from videos import write_sound

from rasnet.case import Case
from rasnet.cli import app
from rasnet.errors import RASNetError
from rasnet.inference import open_case
from rasnet.video import open_source

RASNET = [sys.executable, "-c", "from rasnet.cli import main; main()"]

# Loads what is slow to load, and begins on a line from its parent.
WAITING = (
    "import rasnet.networks, rasnet.inference.torch_backend, monai.bundle; input(); from rasnet.cli import main; main()"
)
WAITING_RASNET = [sys.executable, "-c", WAITING]

needs_full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
needs_kill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
needs_rights = pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read anything"
)


def segment(source: Path, case: Path, *options: str) -> Result:
    """`rasnet segment` in this process, where the network is loaded already."""
    return CliRunner().invoke(app, ["segment", str(source), str(case), "--device", "cpu", *options])


def expect_refusal(code: int, stdout: str, stderr: str, *words: str) -> None:
    assert code == 2
    assert stdout == ""
    (sentence,) = stderr.splitlines()
    assert sentence.startswith("error: ")
    for word in words:
        assert word in sentence


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def masks_and_info(folder: Path) -> dict[str, bytes]:
    """Files of a case but its database, whose files change with every reader."""
    return {name: data for name, data in files(folder).items() if not Path(name).name.startswith("case.db")}


def temporary_files(folder: Path) -> list[Path]:
    return list(folder.rglob(".*.tmp"))


def write_text(folder: Path) -> Path:
    (folder / "notes.mp4").write_text("no video\n" * 50)
    return folder / "notes.mp4"


def write_empty(folder: Path) -> Path:
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def write_truncated(folder: Path) -> Path:
    """An MP4 file whose table of frames, which comes last, is cut off."""
    video = write_bar_video(folder / "cut.mp4", 8)
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    return video


def write_mixed_sizes(folder: Path) -> Path:
    frames = write_bar_folder(folder / "mixed", 2)
    Image.fromarray(bar(2)[:-1]).save(frames / "frame2.png")
    return frames


def write_text_folder(folder: Path) -> Path:
    frames = folder / "texts"
    frames.mkdir()
    (frames / "readme.txt").write_text("no frames")
    return frames


def write_broken_image(folder: Path) -> Path:
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    return folder / "broken.png"


def write_32_bits(folder: Path) -> Path:
    Image.new("F", (96, 64)).save(folder / "depth.tif")
    return folder / "depth.tif"


class TestSource:
    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (lambda folder: folder / "nothing.mp4", ["there is no file or folder", "check the path"]),
            (write_text, ["is not a video that can be read", "choose a video"]),
            (write_empty, ["is empty", "copy it again"]),
            (write_truncated, ["was cut off", "copy it again"]),
            (lambda folder: write_sound(folder / "sound.m4a"), ["holds no video frames", "choose another file"]),
            (write_mixed_sizes, ["must have one size", "put them into separate folders"]),
            (write_text_folder, ["holds no PNG or JPEG images", "choose the folder"]),
            (write_broken_image, ["cannot be read", "copy it again"]),
            (write_32_bits, ["32-bit numbers", "save it with 8 or 16 bits"]),
        ],
        ids=["missing", "text", "empty", "truncated", "sound", "mixed sizes", "no images", "broken image", "32 bits"],
    )
    def test_that_is_no_video_is_refused_in_one_sentence(self, make, words: list[str], tmp_path: Path) -> None:
        source = make(tmp_path)
        before = files(tmp_path)
        done = segment(source, tmp_path / "case")
        expect_refusal(done.exit_code, done.stdout, done.stderr, source.name, *words)
        assert files(tmp_path) == before
        assert not (tmp_path / "case").exists()

    def test_is_refused_by_the_command_itself(self, tmp_path: Path) -> None:
        source = write_sound(tmp_path / "sound.m4a")
        command = [*RASNET, "segment", str(source), str(tmp_path / "case")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        expect_refusal(done.returncode, done.stdout, done.stderr, "sound.m4a holds no video frames")
        assert not (tmp_path / "case").exists()

    @needs_rights
    def test_that_may_not_be_read_is_refused(self, tmp_path: Path) -> None:
        video = write_bar_video(tmp_path / "bar.mp4", 2)
        video.chmod(0)
        done = segment(video, tmp_path / "case")
        expect_refusal(done.exit_code, done.stdout, done.stderr, "bar.mp4 may not be read", "read permission")
        assert not (tmp_path / "case").exists()

    @pytest.mark.usefixtures("loaded_once")
    def test_of_16_bits_or_grey_is_segmented_as_its_8_bit_colours_are(self, tmp_path: Path) -> None:
        grey = bar(3)[..., 1]  # (H, W)
        images = {
            "rgb": Image.fromarray(np.repeat(grey[..., None], 3, axis=2)),
            "grey": Image.fromarray(grey),
            "deep": Image.fromarray(grey.astype(np.uint16) * 256 + 77),
        }
        found = {}
        for name, image in images.items():
            image.save(tmp_path / f"{name}.png")
            done = segment(tmp_path / f"{name}.png", tmp_path / f"{name}.case")
            assert done.exit_code == 0, done.output
            found[name] = Case.open(tmp_path / f"{name}.case").parts(0)
        assert found["rgb"].any()
        np.testing.assert_array_equal(found["grey"], found["rgb"])
        np.testing.assert_array_equal(found["deep"], found["rgb"])


@pytest.mark.usefixtures("loaded_once")
class TestCase:
    def test_of_another_format_version_is_left_alone(self, tmp_path: Path) -> None:
        frames, folder = write_bar_folder(tmp_path / "frames", 1), tmp_path / "case"
        assert segment(frames, folder).exit_code == 0
        info = json.loads((folder / "case.json").read_text())
        (folder / "case.json").write_text(json.dumps({**info, "format": "rasnet-case/7"}))
        before = masks_and_info(folder)
        done = segment(frames, folder)
        words = ["'rasnet-case/7'", "'rasnet-case/1'", "open it with the RASNet that made it, or update this one"]
        expect_refusal(done.exit_code, done.stdout, done.stderr, *words)
        assert masks_and_info(folder) == before

    def test_in_a_folder_of_other_things_is_not_begun(self, tmp_path: Path) -> None:
        folder = tmp_path / "thesis"
        folder.mkdir()
        (folder / "chapter1.txt").write_text("Introduction")
        done = segment(write_bar_folder(tmp_path / "frames", 1), folder)
        expect_refusal(done.exit_code, done.stdout, done.stderr, "thesis is not empty and not a case; choose an empty")
        assert list(files(folder).values()) == [b"Introduction"]

    def test_with_another_range_is_not_begun_over(self, tmp_path: Path) -> None:
        frames, folder = write_bar_folder(tmp_path / "frames", 2), tmp_path / "case"
        assert segment(frames, folder, "--stop", "1").exit_code == 0
        done = segment(frames, folder)
        expect_refusal(done.exit_code, done.stdout, done.stderr, "frames 0 to 1", "not 0 to 2", "choose another folder")

    def test_that_begins_behind_the_end_is_not_begun(self, tmp_path: Path) -> None:
        done = segment(write_bar_folder(tmp_path / "frames", 2), tmp_path / "case", "--start", "9")
        expect_refusal(done.exit_code, done.stdout, done.stderr, "has frames 0 to 1", "choose a start")
        assert not (tmp_path / "case").exists()


class TestLabels:
    def test_a_layer_takes_no_type_that_the_schema_lacks(self, tmp_path: Path) -> None:
        frames, weights = write_bar_folder(tmp_path / "frames", 1), tmp_path / "weights.pt"
        weights.touch()
        with open_source(frames) as source:
            case = open_case(source, tmp_path / "case", weights, backend="none")
        layer = case.add_layer(name="Left hand", who="A. Surgeon")
        with pytest.raises(RASNetError, match="has no label 'Scalpel'; it has background, Bipolar Forceps, Prograsp"):
            case.update_layer(layer.id, type="Scalpel", who="A. Surgeon")
        assert case.layers() == [layer]

    def test_a_case_takes_no_schema_that_does_not_exist(self, tmp_path: Path) -> None:
        frames, weights = write_bar_folder(tmp_path / "frames", 1), tmp_path / "weights.pt"
        weights.touch()
        with pytest.raises(RASNetError, match="unknown label schema 'organs'; use one of endovis2017_types, instrume"):
            open_case(frames, tmp_path / "case", weights, backend="none", schema="organs")
        assert not (tmp_path / "case").exists()


@needs_full_device
@pytest.mark.usefixtures("loaded_once")
def test_a_full_disk_is_one_sentence_and_the_same_command_goes_on(tmp_path: Path) -> None:
    frames, folder = write_bar_folder(tmp_path / "frames", 10), tmp_path / "case"

    no_room, over = folder / "masks" / ".00000008.png.tmp", threading.Event()

    def fill_disk() -> None:
        # As soon as there is a case, and whatever is cleared away: the disk has no room for frame 8.
        while not over.wait(0.001):
            with suppress(FileExistsError, FileNotFoundError):
                no_room.symlink_to("/dev/full")

    filler = threading.Thread(target=fill_disk, daemon=True)
    filler.start()
    done = segment(frames, folder, "--batch-size", "1", "--progress", "none")
    over.set()
    filler.join()
    no_room.unlink(missing_ok=True)
    words = ["is full; free space and run the same command again"]
    expect_refusal(done.exit_code, done.stdout, done.stderr, *words)
    assert temporary_files(folder) == []
    kept = {row.index: Case.open(folder).mask(row.index) for row in Case.open(folder).frames()}
    assert 0 in kept

    assert segment(frames, folder).exit_code == 0
    case = Case.open(folder)
    assert case.missing() == []
    for index, mask in kept.items():
        np.testing.assert_array_equal(case.mask(index), mask)


@needs_kill
@pytest.mark.usefixtures("loaded_once")
def test_a_run_that_is_killed_and_killed_again_loses_nothing(tmp_path: Path) -> None:
    frames, folder = write_bar_folder(tmp_path / "frames", 16), tmp_path / "case"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*WAITING_RASNET, "segment", str(frames), str(folder), "--device", "cpu", "--batch-size", "1"]
    runs = [subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) for _ in range(2)]
    human = np.full(bar(0).shape[:2], 5, np.uint8)
    kept: dict[int, np.ndarray] = {}
    for run in runs:
        assert run.stdin is not None
        run.stdin.write(b"\n")
        run.stdin.flush()
        while len(list(folder.glob("masks/0*.png"))) <= len(kept):
            assert run.poll() is None, "the run ended before it could be killed"
            time.sleep(0.005)
        run.kill()
        assert run.wait() == -signal.SIGKILL
        run.stdin.close()
        case = Case.open(folder)
        for index, mask in kept.items():
            np.testing.assert_array_equal(case.mask(index), mask)
        if not kept:
            for index in (1, 15):
                case.correct(index, human, who="A. Surgeon", tool="test")
        kept = {row.index: case.mask(row.index) for row in case.frames()}
        assert temporary_files(folder) == []

    done = segment(frames, folder)
    assert done.exit_code == 0, done.output
    case = Case.open(folder)
    assert case.missing() == []
    for index, mask in kept.items():
        np.testing.assert_array_equal(case.mask(index), mask)
    assert [row.index for row in case.frames() if row.status == "corrected"] == [1, 15]
    np.testing.assert_array_equal(case.mask(15), human)
