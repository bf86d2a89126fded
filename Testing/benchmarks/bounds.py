"""The least time that this machine could need for a thing: operations over its peak, bytes over its bandwidth.

A bound leaves out whatever can be argued away, so that nothing goes below it: caches, the bytes between layers, the few
layers that stay in higher precision. The measured time over the bound says how much there is to gain at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bounds:
    """What `limits.py` has measured, applied to the network and to frames.

    Attributes:
        operations_per_second: at most, by precision.
        bytes_per_second: at most: ``memory``, and of a machine with a GPU ``GPU memory`` and ``upload``.
        cores: of the CPU.
        operations: of the network, for a picture of `pixels`.
        pixels: of that picture.
        parameters: of the network.
    """

    operations_per_second: Mapping[str, float]
    bytes_per_second: Mapping[str, float]
    cores: int
    operations: float
    pixels: float
    parameters: float

    @classmethod
    def of(cls, limits: Mapping[str, Any]) -> Bounds:
        """Read the result of `limits.py`."""
        return cls(limits["operations_per_second"], limits["bytes_per_second"], limits["cores"], **limits["network"])

    def network(self, engine: str, pixels: float, batch: int = 1) -> float | None:
        """Milliseconds of the network for a batch of pictures, or None where the peak was not measured.

        Args:
            engine: a backend's name.
            pixels: of each picture.
            batch: pictures; the weights are read once for all.
        """
        precision, size = _precision(engine)
        if precision not in self.operations_per_second:
            return None
        operations = self.operations * pixels / self.pixels * batch / self.operations_per_second[precision]
        memory = self.bytes_per_second.get("GPU memory", self.bytes_per_second["memory"])
        return 1e3 * max(operations, size * self.parameters / memory)

    def transfer(self, count: float) -> float:
        """Milliseconds to bring bytes to the GPU or, where there is none, to read or write them."""
        return 1e3 * count / self.bytes_per_second.get("upload", self.bytes_per_second["memory"])

    def stages(self, engine: str, speed: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, float | None]:
        """Milliseconds a frame of every stage of `speed.py`.

        Args:
            engine: a backend's name.
            speed: the program's result.
            figures: the milliseconds a frame of this engine in it.
        """
        pixels = _pixels(speed["size"])
        parts = {
            "prepare": self.transfer(_bytes_a_pixel(engine) * pixels),
            "network": self.network(engine, speed["network_pixels"]),
            "decide": self.transfer(pixels),
        }
        segment = None if parts["network"] is None else sum(value for value in parts.values() if value is not None)
        decoder, encoder = self._per_core(speed, figures)
        return {
            "decode": min(speed["decoder"]["milliseconds_per_frame"]["lowest"], decoder * self.cores),
            "segment": segment,
            **parts,
            "track": 2e3 * pixels / self.bytes_per_second["memory"],
            "write": encoder,
            "pipeline": self.pipeline(engine, speed, figures),
        }

    def pipeline(self, engine: str, speed: Mapping[str, Any], figures: Mapping[str, Any]) -> float | None:
        """Milliseconds a frame from file to case: what is done by the same cores adds up, the rest goes side by side.

        Args:
            engine: a backend's name.
            speed: the result of `speed.py`.
            figures: the milliseconds a frame of this engine in it.
        """
        network = self.network(engine, speed["network_pixels"])
        if network is None:
            return None
        cores = sum(self._per_core(speed, figures))
        if "upload" in self.bytes_per_second:
            return max(network, cores, self.transfer(_bytes_a_pixel(engine) * _pixels(speed["size"])))
        return network + cores

    def _per_core(self, speed: Mapping[str, Any], figures: Mapping[str, Any]) -> tuple[float, float]:
        """Milliseconds of FFmpeg's decoder and of the PNG encoder, if every core had its share."""
        decoder = speed["decoder"]["core_milliseconds_per_frame"]["lowest"]
        return decoder / self.cores, figures["PNG"]["lowest"] / self.cores


def _precision(engine: str) -> tuple[str, int]:
    """Precision that a backend computes in, and bytes of a weight."""
    if engine.startswith("torch-cuda"):
        return "float16", 2
    return ("int8", 1) if engine.endswith("int8") else ("float32", 4)


def _bytes_a_pixel(engine: str) -> float:
    """Of a picture on its way to the network: a GPU takes it as videos store it, with few colours."""
    return 1.5 if engine.startswith("torch-cuda") else 3


def _pixels(size: str) -> int:
    width, height = (int(side) for side in size.split("x"))
    return width * height
