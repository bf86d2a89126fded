"""Self-training: what the averaged network is sure of in an unlabelled frame becomes that frame's label."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rasnet.labels import ANY_INSTRUMENT, IGNORE
from rasnet.training.batches import normalize


class PseudoLabels:
    """Labels pictures by the average of a network's views of them and of their mirror images.

    The network sees them before they are made harder (mean teacher: Tarvainen and Valpola, NeurIPS 2017; weak against
    strong augmentation: Sohn et al., FixMatch, NeurIPS 2020). Where it is not sure the label stays unknown; where it
    is sure of an instrument and not of its part the label says "some instrument".

    Args:
        network: the averaged network, in evaluation mode; class 0 is background.
        start: share of the training, 0 to 1, before which it knows too little and labels nothing.
        sure: probability, 0.5 to 1, from which a label is believed.
    """

    def __init__(self, network: nn.Module, start: float, sure: float) -> None:
        self.network = network
        self.start = start
        self.sure = sure

    @torch.no_grad()
    def __call__(self, pictures: Tensor, labels: Tensor, progress: float) -> Tensor:
        """Fill in labels.

        Args:
            pictures: float (B, 3, H, W), 0 to 1.
            labels: uint8 (B, H, W); those that are `rasnet.labels.IGNORE` are filled in, others stay.
            progress: share of the training that is over, 0 to 1.

        Returns:
            uint8 (B, H, W).
        """
        if progress < self.start:
            return labels
        return torch.where(labels == IGNORE, self.believed(self._probabilities(pictures)), labels)

    def believed(self, probabilities: Tensor) -> Tensor:
        """Turn class probabilities, float (B, C, H, W), into labels, uint8 (B, H, W)."""
        background = probabilities[:, 0]
        part, which = probabilities[:, 1:].max(dim=1)
        labels = torch.full_like(which, IGNORE)
        labels = labels.masked_fill(background >= self.sure, 0)
        labels = labels.masked_fill(1 - background >= self.sure, ANY_INSTRUMENT)
        return torch.where(part >= self.sure, which + 1, labels).to(torch.uint8)

    def _probabilities(self, pictures: Tensor) -> Tensor:
        images = normalize(pictures).contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=images.is_cuda):
            scores, mirrored = self.network(images), self.network(images.flip(-1)).flip(-1)
        probabilities: Tensor = (scores.float().softmax(dim=1) + mirrored.float().softmax(dim=1)) / 2
        return probabilities
