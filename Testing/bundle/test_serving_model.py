"""A server whose case learns a new model meanwhile goes on with that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from bars import write_bar_folder
from test_serving import Dialog, make_case

from rasnet.adaptation.record import AdaptationRecord, write_model
from rasnet.bundle import weights_path
from rasnet.case import Case, ModelInfo
from rasnet.inference import TorchBackend
from rasnet.inference.torch_backend import load_segmenter

RECORD = AdaptationRecord("ab", "cd", (0,), (1,), 0.5, 0.6, "A. Surgeon", "2026-01-01T00:00:00+00:00")


def learn_to_see_nothing(folder: Path) -> str:
    """What `adapt` does, from another program's side: a model that finds only background; its hash."""
    network = load_segmenter(weights_path()).network
    with torch.no_grad():
        network.head[-1].bias += torch.tensor([1e4, 0.0, 0.0])
    _, sha256 = write_model(folder, network, RECORD, None)
    with Case.open(folder) as case:
        case.remember_model(ModelInfo("rasnet_instrument_parts", sha256, "torch-cpu"), who="A. Surgeon")
    return sha256


def test_the_next_request_gets_the_new_model(tmp_path: Path, backend: TorchBackend) -> None:
    case = make_case(tmp_path / "case", write_bar_folder(tmp_path / "frames", 4))
    dialog = Dialog(case, backend)
    try:
        dialog.ask(do="frame", index=3)
        dialog.until("frame")
        before = case.mask(3)
        sha256 = learn_to_see_nothing(case.folder)
        dialog.ask(do="frame", index=3)
        events = dialog.until("frame")
    finally:
        dialog.close()
    assert before.any()
    assert not np.any(case.mask(3))
    assert next(e["message"] for e in events if e["event"] == "note").startswith("the case has a new model")
    assert Case.open(case.folder).info.model.sha256 == sha256


def test_a_new_model_without_its_file_is_told(tmp_path: Path, backend: TorchBackend) -> None:
    case = make_case(tmp_path / "case", write_bar_folder(tmp_path / "frames", 2))
    dialog = Dialog(case, backend)
    try:
        dialog.until("ready")
        with Case.open(case.folder) as other:
            other.remember_model(ModelInfo("rasnet_instrument_parts", "ab" * 32, "torch-cpu"), who="A. Surgeon")
        dialog.ask(do="video")
        (told,) = dialog.until("error")
    finally:
        dialog.close()
    assert "has another model by now, and no file of it; start the server again" in told["message"]
    assert case.frames() == []
