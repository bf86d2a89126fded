"""What watches a training: its loss, its speed, and the Dice of its validation."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Engine

from rasnet.errors import RASNetError
from rasnet.labels import ANY_INSTRUMENT, IGNORE
from rasnet.training.finite_loss import FiniteLoss
from rasnet.training.pooled_confusion import PooledConfusion
from rasnet.training.throughput import Throughput


class TestPooledConfusion:
    def test_dice_comes_from_counts_over_all_batches(self) -> None:
        metric = PooledConfusion("instrument_parts")
        scores = torch.zeros(1, 3, 1, 4)
        scores[0, 1, 0, :2] = scores[0, 2, 0, 2:] = 1  # 1 1 2 2
        metric.update(scores, torch.tensor([[[1, 0, 2, 2]]]))
        metric.update(scores, torch.tensor([[[1, 1, 2, 1]]]))
        assert metric.matrix.tolist() == [[0, 1, 0], [0, 3, 1], [0, 0, 3]]
        assert metric.result() == {
            "shaft": pytest.approx(2 * 3 / (4 + 4)),
            "manipulator": pytest.approx(2 * 3 / (3 + 4)),
        }

    def test_what_nobody_knows_does_not_count(self) -> None:
        metric = PooledConfusion("instrument_parts")
        metric.update(torch.zeros(1, 3, 1, 3), torch.tensor([[[ANY_INSTRUMENT, IGNORE, 0]]]))
        assert metric.matrix.sum() == 1
        assert np.isnan(list(metric.result().values())).all()


def test_throughput_counts_images_and_waiting(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine(lambda engine, batch: time.sleep(0.01))
    speed = Throughput(4, "cpu")
    speed.attach(engine)

    class Slow:
        def __iter__(self) -> Any:
            for number in range(5):
                time.sleep(0.03)
                yield number

    logger = logging.getLogger("train")
    logger.addHandler(caplog.handler)
    try:
        engine.run(Slow(), epoch_length=5)
    finally:
        logger.removeHandler(caplog.handler)
    assert 5 < speed.images_per_second < 4 / 0.04
    assert 0.5 < speed.waiting < 0.9
    assert re.search(r"Epoch\[1\] [\d.]+ images/s, waiting for data [\d.]+%$", caplog.messages[-1])


def test_a_loss_is_watched_between_two_looks() -> None:
    engine = Engine(lambda engine, batch: {"loss": torch.tensor(float("nan") if batch == 1 else 0.0)})
    FiniteLoss(0.1, every=4).attach(engine)
    with pytest.raises(RASNetError, match=r"in iteration 4 or shortly before; lower --learning_rate \(now 0\.1\)"):
        engine.run(range(10))
