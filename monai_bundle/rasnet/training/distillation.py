"""Distillation of features: a network trained on photographs shows the encoder what is worth seeing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from ignite.engine import Engine, Events
from monai.engines import IterationEvents
from torch import Tensor, nn

from rasnet.datasets.mixing import Ramp
from rasnet.networks.rasnet import ENCODER_WIDTHS, RASNet

Teacher = Callable[[Tensor], Sequence[Tensor]]

# The teacher's features have heavy tails, which a student need not imitate.
_LARGEST = 4.0


class Distillation(nn.Module):
    """Adds to a trainer's loss how far the encoder's features are from a teacher's.

    The encoder's levels at 1/8, 1/16 and 1/32 of the input are projected (1x1 convolution) to the teacher's
    channels and compared, by the smooth L1 loss, with the teacher's features, normalised over the batch. Every
    picture teaches, labelled or not. After the training nothing of this is left in the network.

    Args:
        network: the student, on the device that it is trained on.
        teacher: maps pictures, float (B, 3, H, W), 0 to 1, to three feature maps of those levels' sizes; a module
            is moved to the student's device and frozen. None: no distillation.
        weight: of the added loss, over the training.
        iterations: of the whole training.
    """

    def __init__(self, network: RASNet, teacher: Teacher | None, weight: Ramp, iterations: int) -> None:
        super().__init__()
        self.weight = weight
        self.iterations = iterations
        self._encoder = [network.encoder]  # in a list, so as not to be a part of this module
        self._features: Sequence[Tensor] = ()
        self._listening: Any = None
        device = next(network.parameters()).device
        if isinstance(teacher, nn.Module):
            teacher.requires_grad_(False).eval().to(device)
        self.teacher = teacher
        widths = (
            [] if teacher is None else [level.shape[1] for level in teacher(torch.zeros(1, 3, 64, 64, device=device))]
        )
        self.projections = nn.ModuleList(
            nn.Conv2d(ours, theirs, 1) for ours, theirs in zip(ENCODER_WIDTHS[1:], widths, strict=False)
        ).to(device)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width, affine=False) for width in widths).to(device)

    def attach(self, engine: Engine) -> None:
        """Follow a trainer whose batches hold ``image``, pictures from 0 to 1."""
        if self.teacher is None:
            return
        # The hook comes with the first iteration, so that copies of the network made before do not carry it.
        engine.add_event_handler(Events.STARTED, self._listen)
        engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self._add)
        engine.add_event_handler(Events.COMPLETED, self._stop)

    def mismatch(self, pictures: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Mean distance of the encoder's last three levels from the teacher's features, summed over the levels."""
        assert self.teacher is not None
        with torch.no_grad():
            wanted = [norm(level.float()) for norm, level in zip(self.norms, self.teacher(pictures), strict=True)]
        losses = [
            F.smooth_l1_loss(project(ours).float(), theirs.clamp(-_LARGEST, _LARGEST))
            for project, ours, theirs in zip(self.projections, features[-len(wanted) :], wanted, strict=True)
        ]
        return torch.stack(losses).sum()

    def _listen(self, _: Engine) -> None:
        def keep(module: nn.Module, inputs: Any, features: Sequence[Tensor]) -> None:
            self._features = features

        self._listening = self._encoder[0].register_forward_hook(keep)

    def _add(self, engine: Engine) -> None:
        """Add the weighted mismatch to the trainer's loss, inside its mixed precision."""
        weight = self.weight((engine.state.iteration - 1) / self.iterations)
        if weight > 0:
            pictures = engine.state.batch["image"].to(self._features[0].device)
            engine.state.output["loss"] = engine.state.output["loss"] + weight * self.mismatch(pictures, self._features)
        self._features = ()

    def _stop(self, _: Engine) -> None:
        self._listening.remove()
