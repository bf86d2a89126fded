"""A case among kills, full disks and other processes."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cases import human_mask, make_case, predict, predicted_mask, predicted_parts

from rasnet.case import Case
from rasnet.errors import RASNetError

PROGRAM = Path(__file__).with_name("cases.py")
needs_full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
needs_kill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")


def start(verb, case, *rest):
    """Run a program of cases.py on the case, and return when it has the case open."""
    command = [sys.executable, str(PROGRAM), verb, str(case.folder), *map(str, rest)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n", process.stderr.read()
    return process


def finish(process, code=0):
    _, error = process.communicate(timeout=60)
    assert process.returncode == code, error


def leftovers(case):
    return sorted(path.name for path in case.folder.rglob(".*.tmp"))


def fill_disk_while_predicting(case, full_at):
    """Predict every missing frame while the disk refuses the file of frame `full_at`; say how far it came."""
    accepted = 0
    with case.writer() as writer:
        (case.folder / "masks" / f".{full_at:08d}.png.tmp").symlink_to("/dev/full")
        for index in case.missing():
            try:
                writer.write(index, 0.0, predicted_mask(index), predicted_parts(index))
            except RASNetError as error:
                raise RASNetError(f"{error} (after {accepted})") from error
            accepted += 1


def expect(case, human=()):
    """Every frame that has a row holds exactly a person's or the program's mask."""
    for row in case.frames():
        expected = human_mask(row.index) if row.index in human else predicted_mask(row.index)
        np.testing.assert_array_equal(case.mask(row.index), expected)
        if row.index not in human:
            np.testing.assert_array_equal(case.parts(row.index), predicted_parts(row.index))


def expect_merged(case):
    """All layers are one in every frame, and nothing else changed."""
    assert [layer.id for layer in case.layers()] == [1]
    for row in case.frames():
        np.testing.assert_array_equal(case.mask(row.index), predicted_mask(row.index) > 0)
        np.testing.assert_array_equal(case.parts(row.index), predicted_parts(row.index))


@needs_kill
def test_a_run_that_is_killed_again_and_again_ends_as_if_it_never_was(tmp_path):
    case = make_case(tmp_path, frames=600)
    human = [3, 50, 400, 599]
    for index in human:
        case.correct(index, human_mask(index), who="A. Surgeon", tool="test")
    dice = random.Random(7)
    for _ in range(5):
        process = start("predict", case)
        time.sleep(dice.uniform(0.0, 0.15))
        process.kill()
        process.wait()
        expect(case, human)
    finish(start("predict", case))
    assert case.missing() == []
    expect(case, human)
    assert leftovers(case) == []
    assert [row.index for row in case.frames() if row.status == "corrected"] == human


@needs_kill
@pytest.mark.parametrize("verb", ["die-before", "die-after"])
@pytest.mark.parametrize("rename", [1, 2, 5])
def test_a_kill_at_any_rename_loses_and_mixes_nothing(tmp_path, verb, rename):
    # Renames 1, 3, 5 ... put masks into place and 2, 4, 6 ... parts: all before their rows.
    case = make_case(tmp_path, frames=8)
    finish(start(verb, case, rename), -signal.SIGKILL)
    expect(case)
    again = Case.open(case.folder)
    expect(again)
    assert leftovers(again) == []
    predict(again)
    assert again.missing() == []
    expect(again)


@needs_kill
@pytest.mark.parametrize("rename", [1, 2, 7])
def test_a_merge_that_is_killed_is_whole_for_readers_and_finished_at_the_next_opening(tmp_path, rename):
    case = make_case(tmp_path, frames=60)
    predict(case)
    finish(start("die-merging", case, rename), -signal.SIGKILL)
    expect_merged(case)
    expect_merged(Case.open(case.folder))
    entries = [e.frame for e in case.journal() if e.what == "merge layers" and e.frame is not None]
    assert entries == [index for index in range(60) if index % 3]
    assert leftovers(case) == []


@needs_full_device
def test_a_full_disk_is_one_sentence_and_the_same_command_goes_on(tmp_path):
    case = make_case(tmp_path)
    with pytest.raises(RASNetError, match="is full; free space and run the same command again"):
        fill_disk_while_predicting(case, full_at=5)
    assert case.frames() == []
    again = Case.open(case.folder)
    predict(again)
    assert again.missing() == []
    expect(again)
    assert leftovers(again) == []


def test_a_database_that_cannot_grow_is_the_same_sentence(tmp_path):
    case = make_case(tmp_path)
    predict(case, [0])
    case._database.rows("PRAGMA max_page_count = 1")
    noise = np.random.default_rng(0).integers(0, 200, (48, 64)).astype(np.uint8)  # does not compress
    with pytest.raises(RASNetError, match="is full; free space"):
        case.correct(1, noise, who="A. Surgeon", tool="test")
    again = Case.open(case.folder)
    np.testing.assert_array_equal(again.mask(0), predicted_mask(0))
    predict(again)
    assert again.missing() == []


@needs_full_device
def test_a_writer_in_trouble_tells_its_caller_before_the_end(tmp_path):
    case = make_case(tmp_path, frames=2000)
    with pytest.raises(RASNetError, match=r"is full.*\(after \d{1,3}\)$"):
        fill_disk_while_predicting(case, full_at=0)


def test_a_second_program_is_told_that_one_is_at_work(tmp_path):
    case = make_case(tmp_path)
    with (
        case.writer(),
        Case.open(case.folder) as other,
        pytest.raises(RASNetError, match=r"another program is writing predictions into .*case"),
        other.writer(),
    ):
        pytest.fail("two programs write at the same time")
    predict(case)
    assert case.missing() == []


@needs_kill
def test_the_lock_goes_with_its_holder(tmp_path):
    case = make_case(tmp_path)
    process = start("hold", case)
    with pytest.raises(RASNetError, match="another program"):
        case.writer().__enter__()
    case.correct(1, human_mask(1), who="A. Surgeon", tool="test")
    process.kill()
    process.wait()
    predict(case)
    assert case.missing() == []
    expect(case, [1])


def test_two_readers_a_program_and_a_person_work_at_the_same_time(tmp_path):
    case = make_case(tmp_path, frames=400)
    done = tmp_path / "done"
    human = random.Random(3).sample(range(400), 60)
    readers = [start("read", case, done) for _ in range(2)]
    program = start("predict", case)
    person = start("correct", case, *human)
    finish(person)
    finish(program)
    done.touch()
    for reader in readers:
        finish(reader)
    assert case.missing() == []
    expect(case, human)
    assert leftovers(case) == []


def test_temporary_files_of_the_past_are_cleared_before_writing(tmp_path):
    case = make_case(tmp_path)
    (case.folder / "masks" / ".00000003.png.tmp").write_bytes(b"half")
    (case.folder / "parts" / ".00000003.png.tmp").write_bytes(b"half")
    with case.writer():
        pass
    assert leftovers(case) == []


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_without_rights_is_named(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RASNetError, match="cannot be written"):
            make_case(tmp_path / "case")
    finally:
        tmp_path.chmod(0o700)


def test_a_damaged_database_is_named(tmp_path):
    case = make_case(tmp_path)
    case.close()
    (case.folder / "case.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(RASNetError, match=r"case\.db is damaged"):
        Case.open(case.folder)


def test_a_case_whose_database_is_gone_is_named(tmp_path):
    case = make_case(tmp_path)
    case.close()
    (case.folder / "case.db").unlink()
    with pytest.raises(RASNetError, match="cannot be used"):
        Case.open(case.folder)


def test_a_person_waits_for_a_program_that_holds_the_database(tmp_path):
    case = make_case(tmp_path)
    busy = sqlite3.connect(case.folder / "case.db", isolation_level=None, check_same_thread=False)
    busy.execute("BEGIN IMMEDIATE")
    process = start("correct", case, 4)
    time.sleep(0.2)
    assert process.poll() is None
    busy.execute("COMMIT")
    finish(process)
    np.testing.assert_array_equal(case.mask(4), human_mask(4))


def test_a_slow_reader_keeps_nobody_waiting(tmp_path):
    case = make_case(tmp_path)
    predict(case, [0])
    reader = sqlite3.connect(case.folder / "case.db", isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM frames").fetchone() == (1,)
    finish(start("correct", case, 4))
    assert reader.execute("SELECT count(*) FROM frames").fetchone() == (1,)  # still its own point in time
    reader.execute("COMMIT")
    assert reader.execute("SELECT count(*) FROM frames").fetchone() == (2,)
