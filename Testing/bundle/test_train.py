"""``configs/train.yaml``: the paper's recipe, from folders to the weights of the best validation."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from endovis_folders import write_raw
from ignite.engine import Engine, Events
from monai.bundle import ConfigWorkflow
from tiny_network import TINY
from torch import Tensor, nn

from rasnet.bundle import config_path
from rasnet.case import Case
from rasnet.datasets import SplitFrames
from rasnet.datasets.case_dataset import read_case, trusted_frames
from rasnet.datasets.splits import Split
from rasnet.errors import RASNetError
from rasnet.labels import ANY_INSTRUMENT, LabelSchema
from rasnet.synthetic import SyntheticScene, write_case
from rasnet.training.memory import run_in_memory
from rasnet.training.workflow import clear_cause, make_training

TRAIN, MULTI_GPU = config_path("train.yaml"), config_path("multi_gpu_train.yaml")

ITERATIONS = 6
"""In an epoch of 48 frames, eight a batch."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All eight sequences, nine frames each: 48 train, 8 validate, 16 test by the paper's split. Do not change them."""
    return write_raw(tmp_path_factory.mktemp("data"), frames=9)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def settings(data: Path, cache: Path, tmp_path: Path) -> dict[str, Any]:
    """Overrides that make a run small."""
    return {
        "dataset_dir": str(data),
        "cache_dir": str(cache),
        "output_dir": str(tmp_path / "run"),
        "network_def": TINY,
        "pretrained": None,
        "size": [32, 48],
        "batch_size": 8,
        "epochs": 4,
        "learning_rate": 0.01,
        "save_every_s": 0.0,
    }


class Run:
    """A workflow in this process, and the loss of each of its iterations."""

    def __init__(self, settings: dict[str, Any], **changes: Any) -> None:
        self.workflow = make_training(settings | changes)
        self.losses: dict[int, float] = {}

    def __call__(self) -> Run:
        self.get("train::trainer").add_event_handler(Events.ITERATION_COMPLETED, self._note)
        with clear_cause():
            self.workflow.run()
            self.workflow.finalize()
        return self

    def get(self, name: str) -> Any:
        with clear_cause():
            return self.workflow.parser.get_parsed_content(name)

    def _note(self, engine: Engine) -> None:
        self.losses[engine.state.iteration] = float(engine.state.output["loss"].detach())


def command(settings: dict[str, Any], *configs: Path, **changes: Any) -> list[str]:
    """Arguments of ``python`` that run the bundle."""
    options = [f"--{key}={value}" for key, value in (settings | changes).items()]
    return ["-m", "monai.bundle", "run", "--config_file", str([str(config) for config in configs]), *options]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


class TestTheWorkflow:
    def test_it_has_what_a_training_workflow_of_monai_must_have(self, settings: dict[str, Any]) -> None:
        run = Run(settings)
        assert run.workflow.check_properties() == []
        assert run.workflow.max_epochs == 4

    def test_its_defaults_are_the_papers(self) -> None:
        workflow = ConfigWorkflow(config_file=str(TRAIN), workflow_type="train", logging_file=False)
        paper = {
            "batch_size": 8,
            "learning_rate": 3e-4,
            "decay": 0.8,
            "decay_every": 30,
            "alpha": 0.3,
            "size": [256, 320],
            "pretrained": "imagenet",
            "augmentation": "none",
            "split": "paper",
            "network_def::_target_": "rasnet.networks.RASNet",
            "optimizer::_target_": "torch.optim.Adam",
        }
        assert {key: workflow.parser[key] for key in paper} == paper

    def test_it_learns_and_keeps_the_best_weights(self, settings: dict[str, Any]) -> None:
        run = Run(settings, epochs=12)()
        losses = list(run.losses.values())
        assert len(losses) == 12 * ITERATIONS
        assert np.mean(losses[-ITERATIONS:]) < np.mean(losses[:ITERATIONS]) / 2
        best = run.get("best_model")
        assert best.metric > 0.5
        folder = Path(settings["output_dir"])
        assert sorted(file.name for file in folder.iterdir()) == ["best.pt", "last.pt", "split.json"]
        run.get("model").load_state_dict(torch.load(folder / "best.pt", weights_only=True))
        measured = run.get("validate::evaluator")
        measured.run()
        assert measured.state.metrics["mean_dice"] == pytest.approx(best.metric, abs=1e-6)

    def test_validation_chooses_and_the_test_is_never_seen(self, settings: dict[str, Any]) -> None:
        run = Run(settings)
        split = run.get("train::dataset").split
        assert split.test["1"] == (7, 8)
        seen = torch.cat(
            [group.images for name in ("train", "validate") for group in run.get(f"{name}::dataset").groups]
        )
        test = SplitFrames("test", settings["dataset_dir"], size=[32, 48], cache=settings["cache_dir"])
        tested = torch.cat([group.images for group in test.groups])
        assert (len(seen), len(tested)) == (48 + 8, 16)
        assert not (seen.flatten(1)[:, None] == tested.flatten(1)[None]).all(dim=2).any()

    @pytest.mark.parametrize(
        ("override", "name", "attentions"),
        [
            ({}, "RASNet", 3),
            ({"network_def::attention": "none"}, "RASNet", 0),
            ({"network_def::_target_": "rasnet.networks.UNet"}, "UNet", 0),
            ({"network_def::_target_": "rasnet.networks.TernausNet"}, "TernausNet", 0),
        ],
    )
    def test_every_network_of_the_tables_is_one_override_away(
        self, settings: dict[str, Any], override: dict[str, Any], name: str, attentions: int
    ) -> None:
        del settings["network_def"]
        network = Run(settings, **override).get("network")
        assert type(network).__name__ == name
        assert network.eval()(torch.zeros(1, 3, 32, 64)).shape == (1, 8, 32, 64)
        weighing = [module for module in network.modules() if isinstance(module, nn.Softmax)]
        assert len(weighing) == attentions

    def test_parts_are_learnt_where_the_schema_says_so(self, settings: dict[str, Any]) -> None:
        run = Run(settings, label_schema="instrument_parts", **{"network_def": TINY | {"out_channels": 3}})
        assert set(torch.cat([group.masks for group in run.get("train::dataset").groups]).unique().tolist()) == {
            0,
            1,
            2,
        }

    def test_curves_are_written_for_tensorboard_where_they_are_wished_for(self, settings: dict[str, Any]) -> None:
        pytest.importorskip("tensorboard")
        Run(settings, tensorboard=True, epochs=1)()
        assert list((Path(settings["output_dir"]) / "tensorboard").glob("events.*"))

    @pytest.mark.parametrize(
        "option",
        ["epochs", "patience", "validation", "decay_by_epoch", "smooth", "augmentation", "mean", "std", "pretrained"],
    )
    def test_every_gap_of_the_paper_is_a_setting_that_says_its_reason(self, option: str) -> None:
        line = next(line for line in TRAIN.read_text().splitlines() if line.startswith(f"{option}:"))
        assert "  # " in line


class TestGoingOn:
    def test_a_killed_training_goes_on_as_if_nothing_had_been(self, settings: dict[str, Any]) -> None:
        settings |= {"epochs": 25}  # so that it cannot be done before it is killed
        whole = Run(settings, output_dir=settings["output_dir"] + "_whole")()

        last = Path(settings["output_dir"]) / "last.pt"
        program = [sys.executable, *command(settings, TRAIN)]
        killed = subprocess.Popen(program, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(6000):
            if last.is_file() or killed.poll() is not None:
                break
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
        assert last.is_file()

        rest = Run(settings)()
        assert 0 < len(rest.losses) < len(whole.losses)
        assert max(rest.losses) == max(whole.losses) == 25 * ITERATIONS
        assert rest.losses == {number: whole.losses[number] for number in rest.losses}
        assert rest.get("best_model").metric == whole.get("best_model").metric

    def test_a_training_that_is_done_stays_done(self, settings: dict[str, Any]) -> None:
        Run(settings, epochs=2)()
        assert Run(settings, epochs=2)().losses == {}
        assert sorted(Run(settings, epochs=3)().losses) == list(
            range(2 * ITERATIONS + 1, 3 * ITERATIONS + 1)
        )  # and can be made longer

    def test_it_ends_when_nothing_gets_better(self, settings: dict[str, Any]) -> None:
        frozen = {"learning_rate": 0.0, "patience": 2, "epochs": 50}
        assert len(Run(settings, **frozen)().losses) == 3 * ITERATIONS  # the first validation is the best
        assert Run(settings, **frozen)().losses == {}

    def test_other_settings_are_refused(self, settings: dict[str, Any]) -> None:
        Run(settings, epochs=1)()
        with pytest.raises(RASNetError, match=r"was started with batch_size 8, not 4; give the same again, or another"):
            Run(settings, batch_size=4)()

    def test_a_damaged_state_is_named(self, settings: dict[str, Any]) -> None:
        Run(settings, epochs=1)()
        last = Path(settings["output_dir"]) / "last.pt"
        last.write_bytes(last.read_bytes()[:1000])
        with pytest.raises(RASNetError, match=r"last\.pt is damaged; remove it to train from the beginning"):
            Run(settings)()


class TestSeveralProcesses:
    def test_two_follow_the_loss_of_one(self, settings: dict[str, Any]) -> None:
        # Without the Jaccard index, which each process measures on its share.
        settings |= {"alpha": 0.0, "epochs": 1, "log_every": 1}
        alone = Run(settings, output_dir=settings["output_dir"] + "_alone")()
        program = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "--no-python"]
        arguments = [
            *program,
            sys.executable,
            *command(settings, TRAIN, MULTI_GPU, logging_file=config_path("logging.conf")),
        ]
        done = subprocess.run(arguments, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said = done.stdout + done.stderr
        first = {int(i): float(loss) for i, loss in re.findall(r"Iter: (\d+)/6 -- train_loss: ([\d.]+)", said)}
        assert sorted(first) == [1, 2, 3, 4, 5, 6]
        # The log is of the first process: its half of the batch, so equal in size, not in every digit.
        for number, loss in first.items():
            assert loss == pytest.approx(alone.losses[number], rel=0.25)
        # Biases before a normalisation do nothing and drift; what the networks say is compared.
        pictures = torch.rand(4, 3, 32, 48, generator=torch.Generator().manual_seed(0))
        network = alone.get("model").eval()
        with torch.no_grad():
            expected = network(pictures)
            network.load_state_dict(torch.load(Path(settings["output_dir"]) / "best.pt", weights_only=True))
            assert torch.allclose(network(pictures), expected, atol=0.02)


class TestCases:
    @pytest.fixture(scope="class")
    def case(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Twelve accepted frames; layer 1 is a Vessel Sealer, layer 2 has no type yet."""
        folder = tmp_path_factory.mktemp("case")
        scene = SyntheticScene(3, size=(64, 80), frames=12, types=["Vessel Sealer", "Other"])
        write_case(scene, folder / "clip.mp4", folder / "a.case")
        Case.open(folder / "a.case").update_layer(2, type="")
        return folder / "a.case"

    def test_types_come_from_layers(self, case: Path) -> None:
        opened = Case.open(case)
        schema = LabelSchema.load("endovis2017_types")
        examples = list(read_case(opened, schema))
        assert len(examples) == 12
        for index, example in enumerate(examples):
            layers = opened.mask(index)
            assert np.array_equal(example.mask == schema["Vessel Sealer"].id, layers == 1)
            assert np.array_equal(example.mask == ANY_INSTRUMENT, layers == 2)
            assert example.rgb.shape == (64, 80, 3)

    def test_parts_are_those_of_the_case(self, case: Path) -> None:
        opened = Case.open(case)
        for index, example in enumerate(read_case(opened, LabelSchema.load("instrument_parts"))):
            parts = opened.parts(index)
            assert parts is not None
            assert np.array_equal(example.mask, parts)

    def test_only_what_a_person_has_answered_for_counts(self, case: Path, tmp_path: Path) -> None:
        opened = Case.open(case)
        opened.set_status(4, "skipped", who="A. Surgeon")
        try:
            assert [row.index for row in trusted_frames(opened)] == [0, 1, 2, 3, *range(5, 12)]
        finally:
            opened.set_status(4, "accepted", who="A. Surgeon")

    def test_a_type_model_is_one_command_away(self, case: Path, settings: dict[str, Any]) -> None:
        run = Run(settings, dataset_dir=None, cases=[str(case)], epochs=1)()
        assert (len(run.get("train::dataset")), len(run.get("validate::dataset"))) == (11, 1)
        assert (Path(settings["output_dir"]) / "best.pt").is_file()

    def test_cases_join_sequences(self, case: Path, settings: dict[str, Any]) -> None:
        dataset = Run(settings, cases=[str(case)]).get("train::dataset")
        assert [group.source.name for group in dataset.groups][-2:] == ["sequence 8", "case a.case"]

    def test_a_case_that_nobody_has_looked_at(self, case: Path, settings: dict[str, Any], tmp_path: Path) -> None:
        from cases import make_case, predict

        untouched = make_case(tmp_path)
        predict(untouched)
        with pytest.raises(RASNetError, match=r"no frame of .* is accepted or corrected, .*; review some frames"):
            Run(settings, dataset_dir=None, cases=[str(untouched.folder)]).get("train::dataset")

    def test_a_schema_without_the_types_of_the_case(self, case: Path, tmp_path: Path) -> None:
        schema = LabelSchema.from_json(
            {
                "name": "mine",
                "kind": "types",
                "labels": [
                    {"id": 0, "name": "background", "color": [0, 0, 0]},
                    {"id": 1, "name": "Hook", "color": [1, 2, 3]},
                ],
            }
        )
        with pytest.raises(
            RASNetError, match=r"layer 1 of .* is a Vessel Sealer, which the label schema 'mine' does not"
        ):
            next(read_case(Case.open(case), schema))


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"dataset_dir": None}, "there is nothing to learn from; give --dataset_dir"),
            ({"dataset_dir": "/nowhere"}, "there is no folder /nowhere"),
            ({"split": "fold9.json"}, r"the split fold9\.json cannot be read .*; use one of paper"),
            ({"batch_size": 64}, r"the 48 training frames do not fill a batch of 64; give --batch_size 48 or less"),
            ({"processes": 3}, "3 processes cannot share batches of 8"),
            ({"label_schema": "nonsense"}, "unknown label schema 'nonsense'"),
        ],
    )
    def test_is_one_sentence(self, settings: dict[str, Any], changes: dict[str, Any], words: str) -> None:
        with pytest.raises(RASNetError, match=words):
            Run(settings, **changes).get("train::trainer")

    def test_a_split_that_wants_more_than_there_is(self, settings: dict[str, Any], tmp_path: Path) -> None:
        Split("mine", "", {"1": (0, 1)}, {"1": (2,)}, {"1": (200,)}).write(tmp_path / "mine.json")
        with pytest.raises(RASNetError, match=r"wants frame 200 of sequence 1 \(1 such frames\), which .* lacks"):
            Run(settings, split=str(tmp_path / "mine.json")).get("train::dataset")

    def test_a_loss_that_is_no_number_ends_it(self, settings: dict[str, Any]) -> None:
        with pytest.raises(RASNetError, match=r"the loss is not a number in iteration \d+ .*; lower --learning_rate"):
            Run(settings, learning_rate=1e30)()
        assert not (Path(settings["output_dir"]) / "last.pt").exists()

    @pytest.mark.parametrize(("most", "advice"), [(3, "batches of 2 fit: give --batch_size 2"), (1, "not even 2 fit")])
    def test_too_little_memory_says_what_fits(self, settings: dict[str, Any], most: int, advice: str) -> None:
        run = Run(settings)
        trainer = run.get("train::trainer")
        trainer.network.register_forward_pre_hook(lambda _, inputs: _refuse(inputs[0], most))
        with pytest.raises(RASNetError, match=f"too little memory for batches of 8; {advice}"):
            run_in_memory(trainer, 8)


def _refuse(images: Tensor, most: int) -> None:
    """Fail as a device does that has memory for `most` pictures."""
    if len(images) > most:
        raise torch.OutOfMemoryError("CUDA out of memory")
