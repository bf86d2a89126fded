import json
import os
import pickle
import shutil
import sqlite3
import threading
import time
from functools import partial

import numpy as np
import pytest
from cases import (
    HEIGHT,
    MODEL,
    WIDTH,
    human_mask,
    make_case,
    make_source,
    predict,
    predicted_mask,
    predicted_parts,
)

from rasnet.case import Case, ModelInfo, PredictedFrame
from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.masks import mask_sha256
from rasnet.video import RegionOfInterest, open_source


@pytest.fixture
def case(tmp_path):
    with make_case(tmp_path) as case:
        yield case


def resume(tmp_path, frames="frames", **changes):
    arguments = {
        "source": open_source(tmp_path / frames),
        "schema": LabelSchema.load("instrument_parts"),
        "roi": RegionOfInterest.whole(HEIGHT, WIDTH),
        "model": MODEL,
        **changes,
    }
    return Case.create_or_resume(tmp_path / "case", **arguments)


# Making and opening


def test_a_new_case_knows_its_source_and_misses_every_wanted_frame(tmp_path):
    case = make_case(tmp_path, frames=10, start=2, stop=9, step=3)
    assert case.missing() == [2, 5, 8]
    assert case.frames() == []
    assert case.layers() == []
    assert (case.info.height, case.info.width) == (HEIGHT, WIDTH)
    assert case.info.source.frame_count == 10
    assert case.info.model == MODEL
    np.testing.assert_array_equal(case.times, open_source(tmp_path / "frames").times)


def test_what_is_opened_is_what_was_made(tmp_path, case):
    again = Case.open(tmp_path / "case")
    assert again.info == case.info
    data = json.loads((tmp_path / "case" / "case.json").read_text())
    assert data["format"] == "rasnet-case/1"
    assert data["source"]["relative_path"] == "../frames"


@pytest.mark.parametrize("wishes", [{"start": -1}, {"start": 12}, {"stop": 13}, {"start": 5, "stop": 5}, {"step": 0}])
def test_a_range_outside_the_video_is_refused(tmp_path, wishes):
    with pytest.raises(RASNetError, match="has frames 0 to 11"):
        make_case(tmp_path, frames=12, **wishes)
    assert not (tmp_path / "case").exists()


def test_a_region_of_another_frame_size_is_refused(tmp_path):
    with pytest.raises(RASNetError, match="region of interest"):
        make_case(tmp_path, roi=RegionOfInterest.whole(HEIGHT, WIDTH + 1))


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "thesis.txt").write_text("dear")
    with pytest.raises(RASNetError, match="not empty and not a case"):
        make_case(tmp_path)
    assert [path.name for path in (tmp_path / "case").iterdir()] == ["thesis.txt"]


def test_a_case_is_never_made_over_another(tmp_path, case):
    predict(case, [0])
    with pytest.raises(RASNetError, match="is a case already"):
        Case.create(
            tmp_path / "case", source=case.open_source(), schema=case.info.schema, roi=case.info.roi, model=None
        )
    np.testing.assert_array_equal(case.mask(0), predicted_mask(0))


def test_what_a_killed_create_left_is_no_obstacle(tmp_path):
    case = make_case(tmp_path)
    case.close()
    (tmp_path / "case" / "case.json").unlink()  # the last thing that create writes
    shutil.rmtree(tmp_path / "frames")
    assert make_case(tmp_path).missing() == list(range(12))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is not a case"),
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"format": "rasnet-case/1"}', "is damaged"),
        ('{"format": "rasnet-case/7"}', "'rasnet-case/7' and this RASNet understands 'rasnet-case/1'.*update"),
    ],
)
def test_what_is_no_case_of_this_format_is_refused(tmp_path, content, words):
    if content is not None:
        (tmp_path / "case.json").write_text(content)
    with pytest.raises(RASNetError, match=words):
        Case.open(tmp_path)


# The video


def test_the_video_is_found_where_it_was(case):
    assert len(case.open_source()) == 12


def test_case_and_video_may_move_together(tmp_path, case):
    case.close()
    (tmp_path / "a").mkdir()
    (tmp_path / "frames").rename(tmp_path / "a" / "frames")
    (tmp_path / "case").rename(tmp_path / "a" / "case")
    assert len(Case.open(tmp_path / "a" / "case").open_source()) == 12


def test_a_video_that_is_gone_is_named_with_what_to_do(tmp_path, case):
    (tmp_path / "frames").rename(tmp_path / "elsewhere")
    with pytest.raises(RASNetError, match=r"no longer at .*frames.*rasnet segment NEW_PLACE"):
        case.open_source()


def test_another_video_in_its_place_is_noticed(tmp_path, case):
    (tmp_path / "frames" / "0003.png").unlink()
    with pytest.raises(RASNetError, match="is not the video"):
        case.open_source()


# Going on


def test_resume_makes_a_case_once_and_goes_on_after_that(tmp_path):
    make_source(tmp_path / "frames", 12)
    predict(resume(tmp_path), [0, 1, 2])
    assert resume(tmp_path).missing() == list(range(3, 12))


def test_resume_remembers_the_new_place_of_the_video(tmp_path, case):
    (tmp_path / "frames").rename(tmp_path / "elsewhere")
    moved = resume(tmp_path, "elsewhere")
    assert moved.info.source.path == str(tmp_path / "elsewhere")
    assert len(Case.open(tmp_path / "case").open_source()) == 12
    last = list(moved.journal())[-1]
    assert (last.what, last.before, last.after) == (
        "move source",
        str(tmp_path / "frames"),
        str(tmp_path / "elsewhere"),
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"start": 1}, "frames 0 to 12 in steps of 1, not 1 to 12"),
        ({"step": 2}, "in steps of 2"),
        ({"schema": LabelSchema.load("endovis2017_types")}, "the labels 'instrument_parts', not 'endovis2017_types'"),
        ({"model": ModelInfo("toy", "cd" * 32, "torch")}, r"the model toy \(abababab\), not toy \(cdcdcdcd\)"),
        ({"model": None}, "not of no predictions"),
        ({"roi": RegionOfInterest(0, 0, 16, 16, HEIGHT, WIDTH)}, "the region of interest"),
    ],
)
def test_resume_refuses_what_does_not_agree(tmp_path, case, changes, words):
    with pytest.raises(RASNetError, match=words):
        resume(tmp_path, **changes)


def test_resume_refuses_another_video(tmp_path, case):
    make_source(tmp_path / "other", 13)
    with pytest.raises(RASNetError, match=r"the video frames \(12 frames\), not .*other"):
        resume(tmp_path, "other")


def test_resume_takes_another_backend(tmp_path, case):
    assert resume(tmp_path, model=ModelInfo(MODEL.name, MODEL.sha256, "openvino")).info.model == MODEL


# Frames


def test_a_prediction_is_read_as_it_was_written(case):
    assert case.write_prediction(4, 0.16, predicted_mask(4), predicted_parts(4), uncertainty=(0.1, float("nan"), 0.3))
    np.testing.assert_array_equal(case.mask(4), predicted_mask(4))
    np.testing.assert_array_equal(case.parts(4), predicted_parts(4))
    row = case.frame(4)
    assert (row.index, row.pts, row.status, row.model) == (4, 0.16, "predicted", "toy")
    assert row.uncertainty == 0.3
    np.testing.assert_array_equal(row.class_uncertainty, (0.1, np.nan, 0.3))
    assert row.mask_sha256 == mask_sha256(predicted_mask(4))


def test_a_frame_without_parts_has_none(case):
    case.write_prediction(0, 0.0, predicted_mask(0), predicted_parts(0))
    case.write_prediction(0, 0.0, predicted_mask(1))
    assert case.parts(0) is None
    assert case.frame(0).uncertainty is None
    assert list((case.folder / "parts").iterdir()) == []


def test_unknown_frames_are_no_error_but_have_no_mask(case):
    assert case.frame(3) is None
    assert case.parts(3) is None
    with pytest.raises(RASNetError, match=r"frame 3 .* has no mask yet"):
        case.mask(3)


@pytest.mark.parametrize(
    ("index", "mask", "words"),
    [
        (12, predicted_mask(0), "has no frame 12; it has frames 0 to 11"),
        (-1, predicted_mask(0), "has no frame -1"),
        (0, predicted_mask(0)[:-1], r"uint8 of \(47, 64\)"),
        (0, predicted_mask(0).astype(np.int64), "int64"),
        (0, np.zeros((HEIGHT, WIDTH, 3), np.uint8), r"uint8 of \(48, 64, 3\)"),
    ],
)
def test_masks_that_do_not_fit_are_refused(case, index, mask, words):
    with pytest.raises(RASNetError, match=words):
        case.write_prediction(index, 0.0, mask)
    with pytest.raises(RASNetError, match=words):
        case.correct(index, mask, who="A. Surgeon", tool="test")
    with pytest.raises(RASNetError, match=words), case.writer() as writer:
        writer.write(index, 0.0, mask)
    assert case.frames() == []


def test_a_writer_writes_in_order_and_copies_its_arrays(case):
    buffer = np.empty((HEIGHT, WIDTH), np.uint8)
    with case.writer(threads=2) as writer:
        for index in range(12):
            buffer[:] = predicted_mask(index)
            writer.write(index, index / 25, buffer, uncertainty=[0.0, index / 100, 0.0])
    assert writer.written == 12
    assert writer.kept == []
    assert [row.index for row in case.frames()] == list(range(12))
    for row in case.frames():
        np.testing.assert_array_equal(case.mask(row.index), predicted_mask(row.index))
        assert row.uncertainty == row.index / 100
    assert [entry.frame for entry in case.journal() if entry.what == "predict"] == list(range(12))


def test_masks_that_are_drawn_late_are_drawn_by_the_writers_threads_and_written_in_order(case):
    drawn_by = set()

    def draw(indices):
        drawn_by.add(threading.current_thread())
        time.sleep(0.01 * (indices[0] == 0))  # the first are ready last
        return [(predicted_mask(index), predicted_mask(index)) for index in indices]

    with case.writer(threads=3) as writer:
        for indices in (range(3), range(3, 4), range(4, 9), range(9, 12)):
            writer.write_drawn([PredictedFrame(index, index / 25) for index in indices], partial(draw, indices))
    assert threading.main_thread() not in drawn_by
    assert [entry.frame for entry in case.journal() if entry.what == "predict"] == list(range(12))
    for index in range(12):
        np.testing.assert_array_equal(case.mask(index), predicted_mask(index))
        np.testing.assert_array_equal(case.parts(index), predicted_mask(index))


def test_a_mask_that_cannot_be_drawn_is_an_error_of_the_writer(case):
    def fail():
        raise RASNetError("there is nothing to draw")

    with pytest.raises(RASNetError, match="nothing to draw"), case.writer() as writer:
        writer.write_drawn([PredictedFrame(0, 0.0)], fail)
    assert case.frames() == []


def test_masks_that_were_drawn_before_one_that_cannot_be_are_kept(case):
    def draw():
        yield predicted_mask(0), None
        yield predicted_mask(1), None
        raise RASNetError("there is nothing to draw")

    frames = [PredictedFrame(index, index / 25) for index in range(3)]
    with pytest.raises(RASNetError, match="nothing to draw"), case.writer(threads=2) as writer:
        writer.write_drawn(frames, draw)
    assert [row.index for row in case.frames()] == [0, 1]


def test_what_was_queued_before_an_exception_is_kept(case):
    def stopped(frames):
        yield from frames
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(case, stopped(range(7)))
    assert case.missing() == list(range(7, 12))


def test_a_lost_mask_file_is_missing_again(case):
    predict(case)
    case.correct(5, human_mask(5), who="A. Surgeon", tool="test")
    (case.folder / "masks" / "00000003.png").write_bytes(b"")
    (case.folder / "masks" / "00000004.png").unlink()
    (case.folder / "masks" / "00000005.png").unlink()
    assert case.missing() == [3, 4]  # not 5: only a person can say again what a person said
    with pytest.raises(RASNetError, match=r"00000005\.png cannot be read"):
        case.mask(5)


# A person's frames


def _own(case, index, status):
    if status == "corrected":
        case.correct(index, human_mask(index), who="A. Surgeon", tool="test")
    else:
        case.set_status(index, status, who="A. Surgeon")


@pytest.mark.parametrize("status", ["corrected", "accepted", "skipped"])
@pytest.mark.parametrize("through", ["write_prediction", "writer"])
def test_no_program_overwrites_a_frame_that_a_person_owns(case, status, through):
    case.write_prediction(3, 0.12, predicted_mask(3), predicted_parts(3))
    _own(case, 3, status)
    files = [case.folder / name / "00000003.png" for name in ("masks", "parts")]
    before = [file.read_bytes() for file in files], case.frame(3), list(case.journal())
    if through == "writer":
        with case.writer() as writer:
            writer.write(3, 0.0, predicted_mask(4), predicted_parts(4))
        assert writer.kept == [3]
    else:
        assert not case.write_prediction(3, 0.0, predicted_mask(4), predicted_parts(4))
    assert ([file.read_bytes() for file in files], case.frame(3), list(case.journal())) == before


def test_a_frame_that_is_given_back_can_be_predicted_again(case):
    case.correct(3, human_mask(3), who="A. Surgeon", tool="test")
    case.set_status(3, "predicted", who="A. Surgeon")
    assert case.write_prediction(3, 0.12, predicted_mask(3))
    np.testing.assert_array_equal(case.mask(3), predicted_mask(3))


def test_a_correction_needs_no_prediction_and_takes_its_time_from_the_video(case):
    case.correct(6, human_mask(6), who="A. Surgeon", tool="test")
    assert case.frame(6).pts == case.times[6]
    assert case.frame(6).status == "corrected"
    assert case.frame(6).model is None
    assert 6 not in case.missing()


def test_a_correction_keeps_what_the_model_said_of_its_certainty(case):
    case.write_prediction(6, 0.24, predicted_mask(6), uncertainty=(0.5, 0.25))
    case.correct(6, human_mask(6), who="A. Surgeon", tool="test", status="accepted")
    row = case.frame(6)
    assert (row.status, row.uncertainty, row.class_uncertainty, row.model) == ("accepted", 0.5, (0.5, 0.25), "toy")


def test_parts_stay_inside_a_corrected_mask(case):
    case.write_prediction(6, 0.24, predicted_mask(6), predicted_parts(6))
    case.correct(6, human_mask(6), who="A. Surgeon", tool="test")
    expected = np.where(human_mask(6) > 0, predicted_parts(6), 0)
    np.testing.assert_array_equal(case.parts(6), expected)


def test_a_lost_part_mask_does_not_stop_a_correction(case):
    case.write_prediction(6, 0.24, predicted_mask(6), predicted_parts(6))
    (case.folder / "parts" / "00000006.png").unlink()
    case.correct(6, human_mask(6), who="A. Surgeon", tool="test")
    np.testing.assert_array_equal(case.mask(6), human_mask(6))
    assert case.parts(6) is None


def test_a_person_may_give_parts(case):
    case.correct(6, predicted_mask(6), predicted_parts(6), who="A. Surgeon", tool="test")
    np.testing.assert_array_equal(case.parts(6), predicted_parts(6))


def test_a_skipped_frame_without_mask_is_not_missing_until_it_is_given_back(case):
    case.set_status(2, "skipped", who="A. Surgeon")
    assert 2 not in case.missing()
    assert case.frame(2).mask_sha256 is None
    case.set_status(2, "predicted", who="A. Surgeon")
    assert 2 in case.missing()


@pytest.mark.parametrize("status", ["accepted", "corrected"])
def test_only_a_mask_can_be_accepted(case, status):
    for before in (None, "skipped"):
        if before:
            case.set_status(2, before, who="A. Surgeon")
        with pytest.raises(RASNetError, match="has no mask yet"):
            case.set_status(2, status, who="A. Surgeon")


def test_status_words_are_checked(case):
    with pytest.raises(RASNetError, match="use predicted, corrected, accepted, skipped"):
        case.set_status(0, "done", who="A. Surgeon")
    with pytest.raises(RASNetError, match="a person's mask is not 'predicted'"):
        case.correct(0, human_mask(0), who="A. Surgeon", tool="test", status="predicted")


# The journal


def test_the_journal_says_who_changed_what(case):
    case.write_prediction(3, 0.12, predicted_mask(3))
    case.correct(3, human_mask(3), who="A. Surgeon", tool="3D Slicer 5.10")
    case.set_status(3, "accepted", who="B. Surgeon")
    case.set_status(3, "accepted", who="C. Surgeon")  # changes nothing, so it is no entry
    entries = [(e.who, e.what, e.frame, e.before, e.after) for e in case.journal(frame=3)]
    predicted, corrected = mask_sha256(predicted_mask(3)), mask_sha256(human_mask(3))
    assert entries == [
        ("toy", "predict", 3, None, predicted),
        ("A. Surgeon", "correct", 3, predicted, corrected),
        ("B. Surgeon", "set status", 3, "corrected", "accepted"),
    ]
    assert [entry.what for entry in case.latest_changes(2, frame=3)] == [entry[1] for entry in entries[:-3:-1]]
    everything = list(case.journal())
    assert case.latest_changes(100) == everything[::-1]
    assert everything[0].what == "create"
    assert [entry.id for entry in everything] == list(range(1, len(everything) + 1))
    assert all(entry.when.endswith("+00:00") for entry in everything)
    assert sorted(entry.when for entry in everything) == [entry.when for entry in everything]
    assert everything[-2].tool == "3D Slicer 5.10"


@pytest.mark.parametrize("statement", ["DELETE FROM journal", "UPDATE journal SET who = 'nobody'"])
def test_the_journal_only_grows(case, statement):
    with sqlite3.connect(case.folder / "case.db") as connection, pytest.raises(sqlite3.IntegrityError, match="grows"):
        connection.execute(statement)


def test_a_long_journal_is_read_whole(case):
    with case._database.transaction() as connection:
        connection.executemany(
            "INSERT INTO journal (time, who, what, tool) VALUES (?, 'x', 'note', 'test')",
            [(str(i),) for i in range(2500)],
        )
    assert [entry.when for entry in case.journal()][1:] == [str(i) for i in range(2500)]


# Processes


def test_a_case_travels_to_another_process(case):
    predict(case, [0])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(case)).mask(0), predicted_mask(0))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_reads_and_leaves_the_parent_working(case):
    predict(case, [0])
    child = os.fork()
    if child == 0:
        os._exit(0 if case.missing() == list(range(1, 12)) and np.array_equal(case.mask(0), predicted_mask(0)) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    predict(case)
    assert case.missing() == []
