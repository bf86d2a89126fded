"""The loss against values worked out by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rasnet.labels import ANY_INSTRUMENT, IGNORE
from rasnet.losses import CrossEntropyLogJaccard

THIRD = math.log(3)


def logits_of(probabilities: list[list[float]]) -> torch.Tensor:
    """One row of pixels, each with its class probabilities, as logits (1, C, 1, N)."""
    return torch.tensor(probabilities).log().T.reshape(1, len(probabilities[0]), 1, len(probabilities))


def target_of(values: list[int]) -> torch.Tensor:
    return torch.tensor(values).reshape(1, 1, -1)


# (pixels' class probabilities, target, alpha, smooth, expected loss)
CASES = {
    "cross entropy alone: two even pixels": ([[0.5, 0.5], [0.5, 0.5]], [0, 1], 0.0, 0.0, math.log(2)),
    # TP = 0.5; FP = 0.5; FN = 0.5 -> J = 1/3
    "jaccard of even pixels": ([[0.5, 0.5], [0.5, 0.5]], [0, 1], 0.3, 0.0, math.log(2) + 0.3 * math.log(3)),
    # smooth 1: J = (0.5 + 1) / (1.5 + 1)
    "smoothing": ([[0.5, 0.5], [0.5, 0.5]], [0, 1], 1.0, 1.0, math.log(2) - math.log(1.5 / 2.5)),
    # classes 1 and 2 present: J1 = (1/3) / (1 + 2/3) = 0.2, J2 the same
    "mean over present classes": ([[1 / 3] * 3] * 3, [0, 1, 2], 1.0, 0.0, THIRD - math.log(0.2)),
    # class 2 absent: only J1 = (1/3) / (1 + 1/3) = 0.25
    "absent class adds nothing": ([[1 / 3] * 3] * 2, [0, 1], 1.0, 0.0, THIRD - math.log(0.25)),
    "no instrument at all": ([[1 / 3] * 3] * 2, [0, 0], 1.0, 0.0, THIRD),
    # pixel 1: -log(0.3 + 0.5); J_any = 0.8 / (1 + 0.1)
    "partial label": (
        [[0.9, 0.05, 0.05], [0.2, 0.3, 0.5]],
        [0, ANY_INSTRUMENT],
        1.0,
        0.0,
        -(math.log(0.9) + math.log(0.8)) / 2 - math.log(0.8 / 1.1),
    ),
    # the ignored pixel counts nowhere
    "ignored pixel": (
        [[0.5, 0.5], [0.5, 0.5], [0.01, 0.99]],
        [0, 1, IGNORE],
        0.3,
        0.0,
        math.log(2) + 0.3 * math.log(3),
    ),
    "everything ignored": ([[0.5, 0.5]], [IGNORE], 0.3, 1.0, 0.0),
}


@pytest.mark.parametrize(("probabilities", "target", "alpha", "smooth", "expected"), CASES.values(), ids=CASES.keys())
def test_value(probabilities, target, alpha, smooth, expected):
    loss = CrossEntropyLogJaccard(alpha, smooth)(logits_of(probabilities), target_of(target))
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_the_paper_default_is_alpha_0_3():
    assert CrossEntropyLogJaccard().alpha == 0.3


def test_partial_label_does_not_say_which_class():
    """Moving probability between instrument classes changes nothing where only 'some instrument' is known."""
    loss = CrossEntropyLogJaccard()
    target = target_of([0, ANY_INSTRUMENT])
    one = loss(logits_of([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1]]), target)
    other = loss(logits_of([[0.9, 0.05, 0.05], [0.2, 0.1, 0.7]]), target)
    assert one.item() == pytest.approx(other.item(), abs=1e-6)


def test_counts_are_pooled_over_the_batch():
    """Two images in a batch give the loss of their pixels in one image."""
    pixels = [[0.7, 0.3], [0.4, 0.6], [0.8, 0.2], [0.1, 0.9]]
    together = CrossEntropyLogJaccard()(logits_of(pixels), target_of([0, 1, 1, 0]))
    batch = torch.cat([logits_of(pixels[:2]), logits_of(pixels[2:])])
    apart = CrossEntropyLogJaccard()(batch, torch.tensor([[[0, 1]], [[1, 0]]]))
    assert together.item() == pytest.approx(apart.item(), abs=1e-6)


def test_a_channel_axis_in_the_target_is_fine():
    logits, target = torch.randn(2, 3, 4, 5), torch.randint(0, 3, (2, 4, 5))
    loss = CrossEntropyLogJaccard()
    assert loss(logits, target) == loss(logits, target.unsqueeze(1))


@pytest.mark.parametrize("shape", [(1, 4, 6), (2, 4, 5), (4, 5)])  # not (1, 4, 5)
def test_ill_shape(shape):
    with pytest.raises(ValueError, match="do not belong together"):
        CrossEntropyLogJaccard()(torch.zeros(1, 3, 4, 5), torch.zeros(shape))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), dtype=st.sampled_from([torch.float32, torch.float16]))
def test_gradients_are_finite_for_any_mixture_of_labels(seed, dtype):
    torch.manual_seed(seed)
    logits = (30 * torch.randn(2, 4, 5, 6)).to(dtype).requires_grad_()
    values = torch.tensor([0, 1, 3, ANY_INSTRUMENT, IGNORE])
    loss = CrossEntropyLogJaccard()(logits, values[torch.randint(0, 5, (2, 5, 6))])
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_descent_reaches_the_target():
    torch.manual_seed(0)
    target = torch.randint(0, 3, (1, 8, 8))
    logits = torch.zeros(1, 3, 8, 8, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.5)
    for _ in range(60):
        optimizer.zero_grad()
        CrossEntropyLogJaccard()(logits, target).backward()
        optimizer.step()
    assert (logits.argmax(1) == target).all()
