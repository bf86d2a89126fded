"""A model learns from corrections, and keeps what it learnt only where frames held back say so."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from moving import HEIGHT, WIDTH, make_moving_case, picture, true_mask, true_parts
from type_models import write_type_model
from typer.testing import CliRunner

from rasnet.adaptation import (
    adapt,
    adapting,
    case_weights,
    holding_back,
    learning,
    old_predictions,
    read_record,
    repredicting,
)
from rasnet.adaptation.holding_back import judge
from rasnet.adaptation.learning import fine_tune
from rasnet.adaptation.replay import ask_parent
from rasnet.bundle import file_sha256, weights_path
from rasnet.case import Case, ModelInfo
from rasnet.cli import app
from rasnet.datasets.example import Example
from rasnet.errors import RASNetError
from rasnet.inference import Segmenter, TorchBackend, segment_video
from rasnet.inference.torch_backend import Model, load_model
from rasnet.progress import SilentProgress

FRAMES, PEOPLE = 10, (0, 2, 4, 6, 8, 9)
NOTHING = np.zeros((HEIGHT, WIDTH), np.uint8)


def small_model(weights: Path) -> Model:
    """A network with an input no larger than the test's pictures."""
    model = load_model(weights)
    model.segmenter.pixels = HEIGHT * WIDTH
    return model


def small_parent() -> Segmenter:
    return small_model(weights_path()).segmenter


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few steps and few scenes on tiny pictures; frames 0.08 s apart count as different places."""
    monkeypatch.setattr(adapting, "load_model", small_model)
    monkeypatch.setattr(learning, "STEPS", 2)
    monkeypatch.setattr(holding_back, "PLACE_S", 0.05)
    monkeypatch.setattr(holding_back, "APART_S", 0.05)
    monkeypatch.setattr(adapting, "_STILLS", 2)
    monkeypatch.setattr(adapting, "_OWN", 2)
    monkeypatch.setattr(adapting, "_TIMES", 1)
    monkeypatch.setattr(adapting, "_EXAM_STILLS", 2)


@pytest.fixture(scope="module")
def segmented(tmp_path_factory: pytest.TempPathFactory, backend: TorchBackend) -> Path:
    """A case that the released weights segmented, with nobody's corrections."""
    case = make_moving_case(tmp_path_factory.mktemp("segmented"), FRAMES, predicted=())
    model = ModelInfo("rasnet_instrument_parts", file_sha256(weights_path()), "torch-cpu")
    case.remember_model(model, who="test")
    with case.open_source() as source:
        for frame in source:
            classes, uncertainty = backend(frame.rgb[None])
            layers = (classes[0] > 0).astype(np.uint8)
            case.write_prediction(frame.index, frame.pts, layers, classes[0], uncertainty=uncertainty[0].tolist())
    case.close()
    return case.folder


@pytest.fixture
def case(segmented: Path, tmp_path: Path) -> Iterator[Case]:
    shutil.copytree(segmented, tmp_path / "case")
    with Case.open(tmp_path / "case") as copy:
        yield copy


def correct(case: Case, indices: tuple[int, ...] = PEOPLE) -> None:
    for index in indices:
        case.correct(index, true_mask(index), true_parts(index), who="A. Surgeon", tool="test")


def state(case: Case) -> list[object]:
    files = sorted(path.relative_to(case.folder) for path in case.folder.rglob("*.p*"))
    return [case.info.model, case.frames(), len(list(case.journal())), files]


class TestLearning:
    def test_the_child_fits_what_it_was_shown_and_the_parent_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(learning, "STEPS", 8)
        parent = small_parent()
        before = {name: value.clone() for name, value in parent.state_dict().items()}
        examples = [Example(picture(index), true_parts(index)) for index in (0, 5, 10)]
        child = fine_tune(parent, examples, None, most_seconds=60, progress=SilentProgress())
        assert np.mean(judge(child, examples, parent.pixels)) > np.mean(judge(parent.network, examples, parent.pixels))
        assert all(torch.equal(before[name], value) for name, value in parent.state_dict().items())

    def test_statistics_and_encoder_stay_the_parents(self) -> None:
        parent = small_parent()
        child = fine_tune(
            parent, [Example(picture(0), true_parts(0))], None, most_seconds=60, progress=SilentProgress()
        )
        changed = {
            n for n, value in child.state_dict().items() if not torch.equal(value, parent.network.state_dict()[n])
        }
        assert changed
        assert not [name for name in changed if "running" in name or name.startswith("encoder")]

    def test_empty_frames_leave_a_finite_network(self) -> None:
        parent = small_parent()
        memory = ask_parent(parent, [picture(3)], (HEIGHT, WIDTH))
        child = fine_tune(parent, [Example(picture(0), NOTHING)], memory, most_seconds=60, progress=SilentProgress())
        assert all(torch.isfinite(value).all() for value in child.state_dict().values())

    def test_it_ends_when_its_time_is_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(learning, "STEPS", 10_000)
        parent = small_parent()
        fine_tune(parent, [Example(picture(0), true_parts(0))], None, most_seconds=0.1, progress=SilentProgress())


class TestMemory:
    def test_each_picture_is_changed_otherwise_and_the_parent_asked(self) -> None:
        parent = small_parent()
        memory = ask_parent(parent, [picture(0), picture(9)], (96, 128), times=3)
        assert memory.pictures.shape == (6, 3, 96, 128)
        assert len({round(float(one.mean()), 4) for one in memory.pictures}) == 6
        with torch.no_grad():
            assert torch.allclose(memory.wanted, parent.network(memory.pictures).softmax(dim=1), atol=1e-4)

    def test_it_holds_the_child_near_the_parent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(learning, "STEPS", 8)
        parent = small_parent()
        examples = [Example(picture(index), true_parts(index)) for index in (0, 5, 10)]
        elsewhere = ask_parent(parent, [picture(3, scene=1)], (HEIGHT, WIDTH), times=4)
        far = []
        for memory in (None, elsewhere):
            child = fine_tune(parent, examples, memory, most_seconds=60, progress=SilentProgress())
            with torch.no_grad():
                said = child(elsewhere.pictures).softmax(dim=1)
            far.append(float((said - elsewhere.wanted).abs().mean()))
        assert far[1] < far[0] / 2


class TestJudge:
    def test_an_empty_frame_that_stays_empty_is_worth_1(self) -> None:
        parent = small_parent()
        black = Example(np.zeros((HEIGHT, WIDTH, 3), np.uint8), NOTHING)
        assert judge(parent.network, [black], parent.pixels) == [pytest.approx(1.0)]


class TestAdapt:
    def test_better_weights_become_the_cases_and_people_keep_their_frames(
        self, case: Case, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(learning, "STEPS", 8)
        monkeypatch.setattr(adapting, "MOST_LOSS", 1.0)  # a toy's bar says little about other scenes
        correct(case)
        people = {row.index: row for row in case.frames() if row.status == "corrected"}
        before = case.info.model
        done = adapt(case, who="A. Surgeon")
        assert done.kept, done.why
        assert done.after > done.before
        assert set(done.learnt) | set(done.held_back) == set(PEOPLE)
        assert done.predicted == FRAMES - len(PEOPLE)
        assert {row.index: row for row in case.frames() if row.status == "corrected"} == people
        assert case_weights(case.folder) == done.weights
        record = read_record(done.weights)
        assert (record.parent_sha256, record.who) == (before.sha256, "A. Surgeon")
        assert (record.learnt, record.held_back) == (done.learnt, done.held_back)
        assert case.info.model.sha256 == file_sha256(done.weights)
        assert [entry.after for entry in case.journal() if entry.what == "change model"][-1] == case.info.model.sha256
        assert done.weights.stat().st_size < 40_000_000

        with case.open_source() as source:  # and the case goes on with them
            missing = case.frames()[1].index
            (case.folder / "masks" / f"{missing:08d}.png").unlink()
            resumed = segment_video(source, case.folder, device="cpu")
            assert resumed.missing() == []
            assert resumed.info.model.sha256 == file_sha256(done.weights)

    @pytest.mark.parametrize("hurdle", ["LEAST_GAIN", "MOST_LOSS"])
    def test_weights_that_are_not_better_change_nothing(
        self, case: Case, monkeypatch: pytest.MonkeyPatch, hurdle: str
    ) -> None:
        monkeypatch.setattr(adapting, hurdle, 2.0 if hurdle == "LEAST_GAIN" else -2.0)
        correct(case)
        before = state(case)
        done = adapt(case)
        assert not done.kept
        assert "stays as it was" in done.why
        assert state(case) == before
        assert case_weights(case.folder) is None

    def test_what_a_kill_left_half_predicted_the_next_run_finishes(
        self, case: Case, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(adapting, "LEAST_GAIN", -2.0)  # whatever it learns is kept
        monkeypatch.setattr(adapting, "MOST_LOSS", 1.0)
        correct(case)
        old = [row.index for row in case.frames() if row.status == "predicted"]

        def killed(case: Case, backend: TorchBackend, progress: SilentProgress) -> int:
            repredicting.repredict(case, backend, progress, old[:1])
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(adapting, "repredict", killed)
            with pytest.raises(KeyboardInterrupt):
                adapt(case)
        assert old_predictions(case) == old[1:]

        monkeypatch.setattr(adapting, "LEAST_GAIN", 2.0)  # no second child: what is left is predicted all the same
        with Case.open(shutil.copytree(case.folder, case.folder.with_name("copy"))) as copy:
            done = adapt(copy)
            assert (done.kept, done.predicted, old_predictions(copy)) == (False, len(old) - 1, [])
        with case.open_source() as source:
            segment_video(source, case.folder, device="cpu")
        assert old_predictions(case) == []
        assert [row.index for row in case.frames() if row.status == "corrected"] == list(PEOPLE)

    def test_it_does_not_change_the_model_under_a_program_that_predicts(self, case: Case) -> None:
        correct(case)
        with case.writer(), pytest.raises(RASNetError, match="another program is writing predictions"):
            adapt(case)

    def test_weights_of_other_classes_are_refused(self, case: Case, tmp_path: Path) -> None:
        weights = write_type_model(tmp_path / "types.pt")
        correct(case)
        case.remember_model(ModelInfo("types", file_sha256(weights), "torch"), who="test")
        with pytest.raises(RASNetError, match=r"knows the labels 'endovis2017_types', and .* 'instrument_parts'"):
            adapt(case, weights=weights)

    def test_nothing_to_learn_from_is_refused(self, case: Case) -> None:
        with pytest.raises(RASNetError, match="nothing to learn from"):
            adapt(case)

    def test_frames_without_instruments_alone_are_refused(self, case: Case) -> None:
        for index in PEOPLE:
            case.correct(index, NOTHING, NOTHING, who="A. Surgeon", tool="test")
        with pytest.raises(RASNetError, match="shows an instrument"):
            adapt(case)

    def test_other_weights_than_the_cases_are_refused(self, case: Case) -> None:
        correct(case)
        case.remember_model(ModelInfo("other", "cd" * 32, "torch"), who="test")
        with pytest.raises(RASNetError, match="segmented with other weights"):
            adapt(case)

    def test_the_command_says_what_came_of_it(self, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(adapting, "LEAST_GAIN", 2.0)
        correct(case)
        done = CliRunner().invoke(app, ["adapt", str(case.folder), "--device", "cpu", "--progress", "none"])
        assert done.exit_code == 0, done.output
        assert "did not get better" in done.stdout


def test_a_file_that_is_no_cases_model_is_refused() -> None:
    with pytest.raises(RASNetError, match="not the model file of a case"):
        read_record(weights_path())
