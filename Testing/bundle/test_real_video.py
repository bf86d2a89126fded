"""The released weights on real surgery that they were not trained on, and the whole command on more of it."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from rasnet.case import Case
from rasnet.cli import app
from rasnet.inference import TorchBackend
from rasnet.video import open_source

pytestmark = pytest.mark.real


def test_binary_dice_on_an_unseen_sequence(shared_data: Path, backend: TorchBackend) -> None:
    folder = shared_data / "endovis2015_robotic" / "Dataset3"
    overlap = size = 0
    with open_source(folder / "Video.avi") as video, open_source(folder / "Segmentation.avi") as labels:
        for frame, label in zip(video.read(step=25), labels.read(step=25), strict=True):
            truth = label.rgb[..., 0] > 35  # lossy values around 0, 70 (manipulator) and 160 (shaft)
            found = backend(frame.rgb[None])[0][0] > 0
            overlap += np.count_nonzero(truth & found)
            size += np.count_nonzero(truth) + np.count_nonzero(found)
    assert 2 * overlap / size >= 0.85


@pytest.mark.usefixtures("loaded_once")
def test_two_instruments_are_two_layers(shared_data: Path, tmp_path: Path) -> None:
    video = shared_data / "endovis2015_robotic" / "Dataset1" / "Video.avi"
    arguments = ["segment", str(video), str(tmp_path / "case"), "--stop", "12", "--device", "cpu"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    with Case.open(tmp_path / "case") as case:
        assert case.missing() == []
        assert len(case.layers()) == 2
        for index in range(2, 12):
            assert np.unique(case.mask(index)).tolist() == [0, 1, 2]
