"""The paper's loss, cross entropy - alpha log Jaccard, with labels that may be partial."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rasnet.labels import ANY_INSTRUMENT, IGNORE


class CrossEntropyLogJaccard(nn.Module):
    """L = H - alpha log J (section II-D): pixel-mean cross entropy and a soft Jaccard index.

    J is averaged in its logarithm over the classes: -log J is the mean of -log J_c over the instrument classes c
    that the batch's targets hold, with J_c = TP / (TP + FP + FN) of soft counts over the whole batch. A class that
    no target holds adds nothing.

    A target may say less than the class. `ANY_INSTRUMENT` supervises the sum of the instrument classes: its cross
    entropy is -log of that sum, it counts for no J_c, and the batch gets one more Jaccard term, instrument against
    background. `IGNORE` supervises nothing.

    Args:
        alpha: weight of the logarithm of the Jaccard index; the paper takes 0.3.
        smooth: pixels added to numerator and denominator of each Jaccard index.

    Examples:
        >>> loss = CrossEntropyLogJaccard(alpha=0.3)
        >>> round(loss(torch.tensor([[[[0.0]], [[0.0]]]]), torch.zeros(1, 1, 1)).item(), 4)  # log 2, no instrument
        0.6931
    """

    def __init__(self, alpha: float = 0.3, smooth: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha
        self.smooth = smooth

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            logits: float (B, C, H, W), channel 0 the background.
            target: integers (B, H, W) or (B, 1, H, W): 0 to C - 1, `ANY_INSTRUMENT` or `IGNORE`.

        Returns:
            A float32 scalar.

        Raises:
            ValueError: the shapes do not belong together.
        """
        if target.ndim == 4:
            target = target.squeeze(1)
        if logits.ndim != 4 or target.shape != (logits.shape[0], *logits.shape[2:]):
            raise ValueError(f"logits {tuple(logits.shape)} and target {tuple(target.shape)} do not belong together")
        log_p = F.log_softmax(logits.float(), dim=1)
        target = target.long()
        return self._cross_entropy(log_p, target) - self.alpha * self._log_jaccard(log_p.exp(), target)

    def _cross_entropy(self, log_p: Tensor, target: Tensor) -> Tensor:
        some = target == ANY_INSTRUMENT
        exact = F.nll_loss(log_p, target.masked_fill(some, IGNORE), ignore_index=IGNORE, reduction="sum")
        partial = (log_p[:, 1:].logsumexp(dim=1) * some).sum()
        return (exact - partial) / (target != IGNORE).sum().clamp_min(1)

    def _log_jaccard(self, p: Tensor, target: Tensor) -> Tensor:
        """Average log J_c over the classes present; 0 where there is none."""
        classes = p.shape[1]
        known = (target < classes).unsqueeze(1)
        ids = torch.arange(1, classes, device=target.device).view(1, -1, 1, 1)
        truth = target.unsqueeze(1) == ids  # bytes: one_hot's eight times as many cost more than the rest of the loss
        seen = (target != IGNORE).unsqueeze(1)
        some = (target > 0).unsqueeze(1) & seen  # any instrument, whichever
        sizes = _sizes(p[:, 1:] * known, truth), _sizes((1 - p[:, :1]) * seen, some)
        intersection, union = (torch.cat(pair) + self.smooth for pair in zip(*sizes, strict=True))
        present = torch.cat((truth.sum(dim=(0, 2, 3)) > 0, (target == ANY_INSTRUMENT).any().view(1)))
        # Classes that are not there are masked, not left out: which ones, the CPU would have to wait for.
        index = torch.where(present, intersection, 1) / torch.where(present, union, 1)
        return index.log().sum() / present.sum().clamp_min(1)


def _sizes(p: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Soft sizes of intersection and union over the batch, one a channel, of two (B, C, H, W)."""
    intersection = (p * truth).sum(dim=(0, 2, 3))
    return intersection, p.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3)) - intersection
