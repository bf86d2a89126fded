"""Triton kernels for what PyTorch does in more passes over memory than necessary.

PyTorch brings Triton for CUDA on Linux; elsewhere this module cannot be imported, and nothing imports it before it is
to be used.

Features are float16 and channels last: a tensor of shape (B, C, H, W) whose memory is (B, H, W, C). C is a power of
two, since a kernel's tiles are. Whole numbers are kept from being compiled in (`do_not_specialize`): a picture of
another size shall not wait for the compiler.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

_OLDEST = (8, 0)  # the compute capability from which on Triton supports NVIDIA's GPUs

# Pixels that a program works on at a time.
_POOLED, _CLASSIFIED = 32, 128
_LEAST = 16  # columns and rows of a product, for the tensor cores
_TILES = 128  # that are summed at a time


class Classified(NamedTuple):
    """What `classify` gives.

    Attributes:
        classes: uint8 (B, H, W), the class with the highest score, the first of equals.
        sums: float32 (B, tiles, 3, columns), for `expected_dice_loss`: each tile's sums of probabilities, of chosen
            pixels and of probabilities of chosen pixels; columns beyond the classes are 0.
    """

    classes: Tensor
    sums: Tensor


def max_pool(features: Tensor) -> Tensor:
    """Max pooling of 3x3 at stride 2 with padding 1.

    Args:
        features: float16 (B, C, H, W), channels last.

    Returns:
        float16 (B, C, ceil(H / 2), ceil(W / 2)), channels last.

    Raises:
        ValueError: features of another kind.
        RuntimeError: the GPU is too old for Triton.
    """
    _check(features)
    batch, channels, height, width = features.shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    out = features.new_empty(batch, rows, columns, channels)
    grid = batch * rows, triton.cdiv(columns, _POOLED)
    _max_pool[grid](features, out, height, width, rows, columns, channels=channels, block=_POOLED)
    return out.permute(0, 3, 1, 2)


def classify(features: Tensor, weight: Tensor, bias: Tensor, temperature: float) -> Classified:
    """Score every pixel, take its best class, and sum what `expected_dice_loss` needs.

    Args:
        features: float16 (B, C, H, W), channels last.
        weight: float16 (classes, C).
        bias: float16 (classes,).
        temperature: that scores are divided by.

    Raises:
        ValueError: features of another kind.
        RuntimeError: the GPU is too old for Triton.
    """
    _check(features)
    batch, channels, height, width = features.shape
    pixels, classes = height * width, len(weight)
    tiles = triton.cdiv(pixels, _CLASSIFIED)
    columns = max(_LEAST, triton.next_power_of_2(classes))
    chosen = torch.empty(batch, height, width, dtype=torch.uint8, device=features.device)
    sums = torch.empty(batch, tiles, 3, columns, dtype=torch.float32, device=features.device)
    shape = {"classes": classes, "columns": columns, "channels": channels, "block": _CLASSIFIED}
    _classify[tiles, batch](features, weight.contiguous(), bias, chosen, sums, pixels, float(temperature), **shape)
    return Classified(chosen, sums)


def expected_dice_loss(sums: Tensor, classes: int, pixels: int, negligible: float) -> Tensor:
    """Estimate what the mask will miss, as `rasnet.inference.segmenter.expected_dice_loss` does from scores.

    Args:
        sums: float32 (B, tiles, 3, columns), of `classify`.
        classes: their number.
        pixels: of a picture.
        negligible: pixels under which a disagreement hardly counts.

    Returns:
        float32 (B, classes).
    """
    batch, tiles, _, columns = sums.shape
    out = sums.new_empty(batch, classes)
    shape = {"classes": classes, "columns": columns, "block": _TILES}
    _expected_dice_loss[(batch,)](sums, out, tiles, float(pixels), float(negligible), **shape, num_warps=8)
    return out


def _check(features: Tensor) -> None:
    """Refuse what the kernels would misread, and GPUs on which Triton's compiler might end the process."""
    channels = features.shape[1]
    last = features.is_contiguous(memory_format=torch.channels_last)
    if features.dtype != torch.float16 or not last or channels < _LEAST or channels & (channels - 1):
        raise ValueError(
            "features must be float16, channels last, with a power of two of channels that is at least "
            f"{_LEAST}; not {features.dtype} of shape {tuple(features.shape)} and strides {features.stride()}"
        )
    if features.is_cuda and torch.cuda.get_device_capability(features.device) < _OLDEST:
        raise RuntimeError(f"{torch.cuda.get_device_name(features.device)} is too old for Triton")


@triton.jit(do_not_specialize=["height", "width", "rows", "columns"])
def _max_pool(features, out, height, width, rows, columns, channels: tl.constexpr, block: tl.constexpr):
    """Part of one row of the result: `block` pixels of it."""
    image = (tl.program_id(0) // rows).to(tl.int64)  # a batch may have more features than 32 bits can count
    row = tl.program_id(0) % rows
    column = tl.program_id(1) * block + tl.arange(0, block)
    channel = tl.arange(0, channels)
    best = tl.full((block, channels), float("-inf"), tl.float16)
    for down in tl.static_range(3):
        for right in tl.static_range(3):
            y = 2 * row - 1 + down
            x = 2 * column - 1 + right
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            source = features + image * height * width * channels + (y * width + x)[:, None] * channels
            best = tl.maximum(best, tl.load(source + channel[None, :], mask=inside[:, None], other=float("-inf")))
    target = out + ((image * rows + row) * columns + column[:, None]) * channels + channel[None, :]
    tl.store(target, best, mask=(column < columns)[:, None])


@triton.jit(do_not_specialize=["pixels"])
def _classify(
    features,
    weight,
    bias,
    chosen,
    sums,
    pixels,
    temperature,
    classes: tl.constexpr,
    columns: tl.constexpr,
    channels: tl.constexpr,
    block: tl.constexpr,
):
    """One tile of one picture: `block` pixels in a row; `columns` for the classes, a power of two."""
    tile = tl.program_id(0)
    image = tl.program_id(1).to(tl.int64)
    pixel = tile * block + tl.arange(0, block)
    valid = pixel < pixels
    channel = tl.arange(0, channels)
    column = tl.arange(0, columns)
    real = column < classes
    source = features + (image * pixels + pixel)[:, None] * channels + channel[None, :]
    given = tl.load(source, mask=valid[:, None], other=0.0)
    factors = tl.load(weight + column[None, :] * channels + channel[:, None], mask=real[None, :], other=0.0)
    offset = tl.load(bias + column, mask=real, other=0.0).to(tl.float32)
    score = (tl.dot(given, factors) + offset[None, :]) / temperature
    score = tl.where(real[None, :], score, float("-inf"))
    best = tl.max(score, 1)
    # The first of equals; of scores that are no numbers none is equal to the best, and 0 is chosen.
    highest = (score == best[:, None]) & real[None, :]
    which = tl.min(tl.where(highest, column[None, :], columns), 1) % columns
    tl.store(chosen + image * pixels + pixel, which.to(tl.uint8), mask=valid)
    power = tl.exp(score - best[:, None])
    share = tl.where(valid[:, None], power / tl.sum(power, 1)[:, None], 0.0)
    picked = (column[None, :] == which[:, None]) & valid[:, None]
    target = sums + (image * tl.num_programs(0) + tile) * 3 * columns + column
    tl.store(target, tl.sum(share, 0))
    tl.store(target + columns, tl.sum(picked.to(tl.float32), 0))
    tl.store(target + 2 * columns, tl.sum(tl.where(picked, share, 0.0), 0))


@triton.jit(do_not_specialize=["tiles"])
def _expected_dice_loss(
    sums, out, tiles, pixels, negligible, classes: tl.constexpr, columns: tl.constexpr, block: tl.constexpr
):
    """All classes of one picture."""
    image = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, columns)
    expected = tl.zeros((block, columns), tl.float32)
    found = tl.zeros((block, columns), tl.float32)
    overlap = tl.zeros((block, columns), tl.float32)
    for first in range(0, tiles, block):
        tile = first + tl.arange(0, block)
        source = sums + (image * tiles + tile)[:, None] * 3 * columns + column[None, :]
        inside = (tile < tiles)[:, None]
        expected += tl.load(source, mask=inside, other=0.0)
        found += tl.load(source + columns, mask=inside, other=0.0)
        overlap += tl.load(source + 2 * columns, mask=inside, other=0.0)
    e = tl.sum(expected, 0)
    f = tl.sum(found, 0)
    o = tl.sum(overlap, 0)
    # What is not background, of which column 0 tells, is the rest of the picture.
    size = tl.where(column == 0, 2 * pixels - (e + f), e + f)
    o = tl.where(column == 0, (pixels - f) - (e - o), o)
    loss = 1 - (2 * o + negligible) / (size + negligible)
    tl.store(out + image * classes + column, loss, mask=column < classes)
