"""``configs/evaluate.yaml`` from data list and weights to figures, on small files made here."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow
from PIL import Image

from rasnet.bundle import config_path
from rasnet.datasets.full_size import FullSizeFrames
from rasnet.datasets.sources import Source
from rasnet.errors import RASNetError
from rasnet.inference import TorchBackend
from rasnet.labels import ANY_INSTRUMENT, IGNORE
from rasnet.metrics import Results
from rasnet.metrics.handler import WriteMetrics

CONFIG = config_path("evaluate.yaml")
FILES = [
    "calibration.csv",
    "classes.png",
    "confusion.png",
    "figures.csv",
    "figures.json",
    "frames.csv",
    "reliability.png",
]


def write_data(folder: Path) -> Path:
    """A data list: two binary frames of one size and one of another, two synthetic stills, and a training source."""
    for name, (height, width) in {"a": (48, 64), "b": (48, 64), "c": (50, 80)}.items():
        pixels = np.full((height, width, 3), (150, 60, 50), np.uint8)
        pixels[16:32, :40] = 180
        mask = np.zeros((height, width), np.uint8)
        mask[16:32, :40] = 255
        (folder / "binary").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"binary/{name}.png")
        Image.fromarray(mask).save(folder / f"binary/{name}_mask.png")
    sources = [
        {"kind": "frames_with_masks", "folder": "binary", "split": "validation"},
        {"kind": "synthetic", "count": 2, "seed": 2, "split": "validation", "name": "stills"},
        {"kind": "frames_with_masks", "folder": "nowhere", "name": "not looked at"},
    ]
    path = folder / "sources.json"
    path.write_text(json.dumps(sources))
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def scores_of(classes: torch.Tensor, sure: float = 5.0) -> torch.Tensor:
    """Scores (1, 3, H, W) of which `classes` (H, W) are the best."""
    return sure * torch.nn.functional.one_hot(classes, 3).movedim(-1, 0)[None].float()


def test_a_run_writes_what_the_pipelines_own_masks_are_worth(tmp_path: Path, backend: TorchBackend) -> None:
    data_list, out = write_data(tmp_path), tmp_path / "out"
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", CONFIG, "--device", "cpu"]
    command += ["--data_list", data_list, "--output_dir", out, "--amp", "False", "--batch_size", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in out.iterdir()) == FILES

    dice: dict[str, list[tuple[int, int]]] = {}
    sources = [
        Source("frames_with_masks", "binary", tmp_path / "binary"),
        Source("synthetic", "stills", count=2, seed=2),
    ]
    for batch in FullSizeFrames(sources):
        found, true = backend(batch["image"].numpy())[0][0] > 0, batch["label"][0].numpy()
        found, true = found & (true != IGNORE), (true > 0) & (true != IGNORE)
        dice.setdefault(batch["source"], []).append((2 * (found & true).sum(), found.sum() + true.sum()))
    pooled = {
        (row["sequence"], row["label"]): float(row["value"])
        for row in rows_of(out / "figures.csv")
        if row["metric"] == "pooled_dice"
    }
    for source, counts in dice.items():
        overlap, size = np.sum(counts, axis=0)
        assert pooled[source, "instrument"] == pytest.approx(overlap / size, abs=2e-3)
    assert ("stills", "shaft") in pooled
    assert ("binary", "shaft") not in pooled  # binary masks know nothing of parts

    calibration = {row["source"]: row for row in rows_of(out / "calibration.csv")}
    assert {source: row["frames"] for source, row in calibration.items()} == {"binary": "3", "stills": "2"}
    assert all(0 <= float(row["ece"]) <= 1 for row in calibration.values())
    assert [row["source"] for row in rows_of(out / "frames.csv")] == ["binary"] * 3 + ["stills"] * 2
    assert "instrument_dice" in done.stdout + done.stderr


def test_it_has_what_an_evaluation_workflow_of_monai_must_have(tmp_path: Path) -> None:
    workflow = ConfigWorkflow(
        config_file=str(CONFIG),
        workflow_type="infer",
        logging_file=False,
        data_list=str(write_data(tmp_path)),
        output_dir=str(tmp_path / "out"),
    )
    workflow.initialize()
    assert workflow.check_properties() == []


@pytest.mark.parametrize("option", ["tolerance", "temperature", "batch_size", "pixels", "amp"])
def test_every_setting_says_its_reason(option: str) -> None:
    line = next(line for line in CONFIG.read_text().splitlines() if line.startswith(f"{option}:"))
    assert "  # " in line


class TestFullSizeFrames:
    def test_a_batch_is_of_one_source_and_one_size(self, tmp_path: Path) -> None:
        write_data(tmp_path)
        frames = [Source("frames_with_masks", name, tmp_path / "binary") for name in ("one", "two")]
        batches = [(batch["source"], *batch["image"].shape) for batch in FullSizeFrames(frames, batch_size=4)]
        each = [(2, 48, 64, 3), (1, 50, 80, 3)]
        assert batches == [(name, *shape) for name in ("one", "two") for shape in each]

    def test_frames_come_once_and_in_order(self, tmp_path: Path) -> None:
        for number in range(5):
            Image.fromarray(np.full((40, 40, 3), number, np.uint8)).save(tmp_path / f"{number}.png")
            Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / f"{number}_mask.png")
        batches = list(FullSizeFrames([Source("frames_with_masks", "a", tmp_path)], batch_size=2))
        assert [batch["image"][:, 0, 0, 0].tolist() for batch in batches] == [[0, 1], [2, 3], [4]]

    def test_no_validation_source(self) -> None:
        with pytest.raises(RASNetError, match="no source with labels to evaluate on; give one the split 'validation'"):
            FullSizeFrames([])

    def test_a_mask_of_another_size(self, tmp_path: Path) -> None:
        Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
        Image.new("L", (40, 30)).save(tmp_path / "a_mask.png")
        with pytest.raises(RASNetError, match=r"a picture in .* is 40x40 and its mask is 40x30; make them one size"):
            list(FullSizeFrames([Source("frames_with_masks", "a", tmp_path)]))


class TestWriteMetrics:
    def test_frames_are_ranked_and_sureness_is_measured(self, tmp_path: Path) -> None:
        """Ten frames: in the worst, half of the pixels are wrong, and the model is less sure there."""
        handler = WriteMetrics(tmp_path)
        truth = torch.tensor([[0, 1, 2, 0]] * 4)
        for frame in range(10):
            classes = truth.clone()
            if frame == 7:
                classes[:2] = 0
            handler.update("a", scores_of(classes, 0.5 if frame == 7 else 5.0), truth[None].to(torch.uint8))
        log = handler.write()
        [row] = rows_of(tmp_path / "calibration.csv")
        assert float(row["worst_10_percent_found_in_first_20_percent"]) == 1
        assert float(row["spearman_uncertainty_missed_dice"]) > 0.5
        assert log["instrument_dice"] == pytest.approx(2 * 76 / (76 + 80))
        frames = rows_of(tmp_path / "frames.csv")
        assert float(frames[7]["dice"]) == pytest.approx(2 * 4 / (4 + 8))
        assert {float(row["dice"]) for row in frames[:7]} == {1.0}

    def test_a_model_that_is_too_sure_gets_a_temperature_above_one(self, tmp_path: Path) -> None:
        random = torch.Generator().manual_seed(0)
        logits = 2 * torch.randn(4, 3, 60, 60, generator=random)
        truth = torch.distributions.Categorical(logits=logits.movedim(1, -1)).sample().to(torch.uint8)
        handler = WriteMetrics(tmp_path)
        handler.update("a", 2 * logits, truth)
        assert handler.write()["temperature"] == pytest.approx(2, rel=0.1)
        [row] = rows_of(tmp_path / "calibration.csv")
        assert float(row["ece_at_temperature"]) < 0.3 * float(row["ece"])
        assert json.loads((tmp_path / "figures.json").read_text())["calibration"]["temperature_fitted_here"] is True

    def test_a_temperature_may_be_given(self, tmp_path: Path) -> None:
        handler = WriteMetrics(tmp_path, temperature=1.5)
        handler.update("a", scores_of(torch.tensor([[0, 1]])), torch.tensor([[[0, ANY_INSTRUMENT]]], dtype=torch.uint8))
        assert handler.write()["temperature"] == 1.5
        data = json.loads((tmp_path / "figures.json").read_text())
        assert data["calibration"]["temperature_fitted_here"] is False
        assert data["calibration"]["sources"]["a"]["spearman_uncertainty_missed_dice"] is None
        assert isinstance(handler.results, Results)

    def test_bad_settings(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(RASNetError, match="cannot be written"):
            WriteMetrics(tmp_path / "file" / "out")
        with pytest.raises(RASNetError, match="the temperature 0 is not above 0"):
            WriteMetrics(tmp_path, temperature=0)
