"""Memory is used again when nobody can see it any more, and not before."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from rasnet.inference.buffers import Buffers
from rasnet.inference.frames import FrameBatch
from rasnet.inference.transfer import memory_for, upload

SHAPE = (4, 6, 8, 3)

HOLDERS: dict[str, Callable[[npt.NDArray[np.uint8]], Any]] = {
    "the array": lambda rgb: rgb,
    "a slice": lambda rgb: rgb[1:3],
    "a slice of a slice": lambda rgb: rgb[1:][:, 2:4],
    "one picture": lambda rgb: rgb[2],
    "another shape": lambda rgb: rgb.reshape(-1),
    "another order": lambda rgb: rgb.transpose(0, 3, 1, 2)[..., ::-1],
    "another dtype": lambda rgb: rgb.view(np.int8),
    "a batch": lambda rgb: FrameBatch((0, 1), (0.0, 0.1), rgb[:2]),
    "a tensor of a slice": lambda rgb: torch.from_numpy(rgb[1:3]),
    "a view of a tensor": lambda rgb: torch.from_numpy(rgb[1:3]).movedim(-1, 1)[0],
    "a memoryview": lambda rgb: memoryview(rgb)[1:],
}


def address(pixels: npt.NDArray[np.uint8]) -> int:
    return int(pixels.ctypes.data)


def values(holder: Any) -> set[int]:
    return set(np.asarray(holder.rgb if isinstance(holder, FrameBatch) else holder).ravel().tolist())


class TestMemory:
    def test_is_used_again_when_nobody_holds_it(self) -> None:
        buffers = Buffers(SHAPE)
        assert len({address(buffers.take()) for _ in range(10)}) == 1

    @pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)
    def test_stays_as_it_is_while_any_of_it_is_held(self, hold: Callable[[npt.NDArray[np.uint8]], Any]) -> None:
        buffers = Buffers(SHAPE)
        array = buffers.take()
        array[:] = 1
        place, holder = address(array), hold(array)
        del array
        for _ in range(3):
            buffers.take()[:] = 2
        assert values(holder) == {1}
        del holder
        assert place in {address(array) for array in [buffers.take(), buffers.take()]}

    def test_is_for_as_many_as_were_held_at_once(self) -> None:
        given = []

        def empty(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
            given.append(shape)
            return np.empty(shape, np.uint8)

        buffers = Buffers(SHAPE, empty)
        for held in (2, 5, 1, 4):
            assert len({address(array) for array in [buffers.take() for _ in range(held)]}) == held
        assert given == [SHAPE] * 5

    def test_goes_with_the_buffers_but_for_what_is_held(self) -> None:
        given: list[weakref.ref[npt.NDArray[np.uint8]]] = []

        def empty(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
            memory = np.full(shape, 7, np.uint8)
            given.append(weakref.ref(memory))
            return memory

        buffers = Buffers(SHAPE, empty)
        unused, held = buffers.take(), buffers.take()[1:]
        del unused
        assert [memory() is not None for memory in given] == [True, True]
        del buffers
        assert [memory() is not None for memory in given] == [False, True]
        assert values(held) == {7}
        del held
        assert [memory() for memory in given] == [None, None]

    def test_is_one_threads_alone(self) -> None:
        buffers = Buffers((5000,))

        def is_alone(value: int) -> bool:
            array = buffers.take()
            array[:] = value
            part = array[1000:]
            del array
            return values(part) == {value}

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(is_alone, [number % 251 for number in range(2000)]))


class TestDevices:
    def test_the_cpu_takes_any_memory(self) -> None:
        rgb = memory_for(torch.device("cpu"))(SHAPE)
        assert (rgb.shape, rgb.dtype) == (SHAPE, np.uint8)
        assert upload(rgb, torch.device("cpu")).data_ptr() == address(rgb)

    def test_a_system_that_pins_no_more_gives_ordinary_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise RuntimeError("CUDA error: out of memory")

        monkeypatch.setattr(torch, "empty", refuse)
        assert memory_for(torch.device("cuda"))(SHAPE).shape == SHAPE

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
    def test_a_gpu_reads_pinned_memory_that_is_not_copied_before(self) -> None:
        device = torch.device("cuda")
        buffers = Buffers(SHAPE, memory_for(device))
        for value in range(5):
            rgb = buffers.take()
            rgb[:] = value
            tensor = torch.from_numpy(rgb[:3])
            assert tensor.is_pinned()
            assert tensor.pin_memory().data_ptr() == address(rgb)
            assert values(upload(rgb[:3], device).cpu()) == {value}
