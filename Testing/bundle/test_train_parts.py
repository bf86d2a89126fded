"""``configs/train_parts.yaml`` from data list to packed weights, on small files made here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow
from PIL import Image

from rasnet.bundle import config_path
from rasnet.networks import RASNet

CONFIG = config_path("train_parts.yaml")
SMALL = ("--canvas", "[40,50]", "--size", "[32,64]", "--batch_size", "2", "--unlabelled", "1", "--iterations", "2")


def write_data(folder: Path) -> Path:
    """A data list with a source of every role: binary masks, no labels, synthetic."""
    for name in ("binary/a.png", "binary/b.png", "tissue/c.png"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((48, 64, 3), (150, 60, 50), np.uint8)
        pixels[16:32, :40] = 180
        Image.fromarray(pixels).save(file)
    for name in "ab":
        mask = np.zeros((48, 64), np.uint8)
        mask[16:32, :40] = 255
        Image.fromarray(mask).save(folder / f"binary/{name}_mask.png")
    sources = [
        {"kind": "frames_with_masks", "folder": "binary", "weight": 0.5},
        {"kind": "unlabelled", "folder": "tissue"},
        {"kind": "synthetic", "count": 3, "seed": 1},
        {"kind": "synthetic", "count": 2, "seed": 2, "split": "validation", "name": "stills"},
        {"kind": "frames_with_masks", "folder": "binary", "split": "validation"},
    ]
    path = folder / "sources.json"
    path.write_text(json.dumps(sources))
    return path


def bundle_run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", CONFIG, *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, check=False)


def test_it_has_what_a_training_workflow_of_monai_must_have(tmp_path: Path) -> None:
    workflow = ConfigWorkflow(
        config_file=str(CONFIG),
        workflow_type="train",
        logging_file=False,
        data_list=str(write_data(tmp_path)),
        output=str(tmp_path / "weights.pt"),
        canvas=[40, 50],
        size=[32, 64],
        iterations=20,
        teacher_weight=0,
    )
    workflow.initialize()
    assert workflow.check_properties() == []
    assert workflow.max_epochs == 10
    assert len(workflow.train_dataset) == 6  # two with binary masks, one without labels, three synthetic


def test_a_training_ends_in_packed_weights_that_the_network_takes(tmp_path: Path) -> None:
    output = tmp_path / "new" / "weights.pt"
    done = bundle_run("--data_list", write_data(tmp_path), "--output", output, "--teacher_weight", "0", *SMALL)
    assert done.returncode == 0, done.stderr

    network = RASNet(num_classes=3, attention="sigmoid")
    packed = torch.load(output, weights_only=True)
    assert any(name.endswith(".int8") for name in packed)
    network.load_state_dict(packed)
    assert network.encoder.bn1.num_batches_tracked == 2  # it has seen both iterations
    best = torch.load(output.with_suffix(".best.pt"), weights_only=True)
    network.load_state_dict(best)

    said = done.stdout + done.stderr
    assert re.search(r"Epoch\[2\] Metrics.*binary instrument: .*mean_instrument_dice: .*stills manipulator: ", said)
    assert "binary shaft" not in said  # binary masks know nothing of parts
    assert sorted(file.name for file in output.parent.iterdir()) == ["weights.best.pt", "weights.pt"]


def test_a_list_that_is_not_there_is_said_before_anything_is_written(tmp_path: Path) -> None:
    done = bundle_run("--data_list", tmp_path / "sources.json", "--output", tmp_path / "w.pt", *SMALL)
    assert done.returncode != 0
    assert f"RASNetError: the data list {tmp_path / 'sources.json'} cannot be read" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "option", ["iterations", "batch_size", "learning_rate", "alpha", "average_decay", "teacher_weight"]
)
def test_every_hyper_parameter_says_its_reason(option: str) -> None:
    line = next(line for line in CONFIG.read_text().splitlines() if line.startswith(f"{option}:"))
    assert "  # " in line
