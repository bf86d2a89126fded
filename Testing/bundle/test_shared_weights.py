"""Weights that a checkpoint and its 8-bit model have in common are stored once, and come back to the byte."""

import os
import shutil
from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from bars import bar
from torch import nn

from rasnet.bundle import openvino_path
from rasnet.errors import RASNetError
from rasnet.inference import OpenVinoBackend
from rasnet.inference.export import to_openvino, write_openvino
from rasnet.inference.quantization import quantize
from rasnet.inference.segmenter import Segmenter
from rasnet.inference.shared_weights import assemble, share_weights
from rasnet.networks.packing import pack


def network(seed: int) -> nn.Sequential:
    """A convolution and a transposed one, large enough to be packed, whose normalisations turn signs."""
    torch.manual_seed(seed)
    layers = [nn.Conv2d(3, 32, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 1), nn.ReLU()]
    layers += [nn.Conv2d(32, 160, 3, padding=1), nn.BatchNorm2d(160), nn.ReLU()]
    layers += [nn.ConvTranspose2d(160, 64, 2, stride=2, bias=False)]
    layers += [nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 3, 1)]
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data = torch.rand_like(layer.weight).add(0.5) * (2 * torch.randint_like(layer.weight, 2) - 1)
            nn.init.uniform_(layer.running_mean, -1, 1)
    return nn.Sequential(*layers)


def unpacked(packed: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    integers = [name.removesuffix(".int8") for name in packed if name.endswith(".int8")]
    plain = {name: value.float() for name, value in packed.items() if not name.endswith((".int8", ".scale"))}
    return plain | {name: packed[f"{name}.int8"].float() * packed[f"{name}.scale"] for name in integers}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a packed checkpoint, model.pt, and of its 8-bit model, whole: model.xml and model.bin."""
    folder = tmp_path_factory.mktemp("made")
    small = network(0)
    packed = pack(small)
    assert sum(name.endswith(".int8") for name in packed) == 2
    torch.save(packed, folder / "model.pt")
    small.load_state_dict(unpacked(packed))
    pictures = [np.ascontiguousarray(bar(index)) for index in range(4)]
    model = quantize(to_openvino(Segmenter(small).eval()), pictures)
    write_openvino(model, folder / "model.xml", {"precision": "int8"})
    return folder


@pytest.fixture
def shared(made: Path, tmp_path: Path) -> Path:
    """The same model, that shares what it can."""
    shutil.copytree(made, tmp_path / "shared")
    share_weights(tmp_path / "shared/model.xml", tmp_path / "shared/model.pt")
    return tmp_path / "shared/model.xml"


def test_come_back_to_the_byte(made: Path, shared: Path) -> None:
    whole = (made / "model.bin").read_bytes()
    assert assemble(shared).tobytes() == whole
    assert sorted(path.name for path in shared.parent.iterdir()) == ["model.pt", "model.rest", "model.xml"]
    # Both large layers are shared; scales, biases and the small layers are what is left.
    assert len(whole) - 32 * 160 * 9 - 160 * 64 * 4 <= shared.with_suffix(".rest").stat().st_size + 2000
    assert shared.with_suffix(".rest").stat().st_size < 0.3 * len(whole)


def test_the_model_can_be_written_so_at_once(made: Path, tmp_path: Path) -> None:
    shutil.copy(made / "model.pt", tmp_path)
    (tmp_path / "model.bin").write_bytes(b"of an earlier model")
    model = openvino.Core().read_model(made / "model.xml")
    write_openvino(model, tmp_path / "model.xml", {"precision": "int8"}, share_with=tmp_path / "model.pt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.pt", "model.rest", "model.xml"]
    assert assemble(tmp_path / "model.xml").tobytes() == (made / "model.bin").read_bytes()
    write_openvino(model, tmp_path / "model.xml", {"precision": "int8"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.bin", "model.pt", "model.xml"]


def test_the_released_model_gives_the_same_masks_either_way(openvino_int8: Path, tmp_path: Path) -> None:
    shutil.copy(openvino_int8, tmp_path / "model.xml")
    assemble(openvino_int8).tofile(tmp_path / "model.bin")
    masks, doubt = OpenVinoBackend(openvino_int8)(bar(5)[None])
    expected, expected_doubt = OpenVinoBackend(tmp_path / "model.xml")(bar(5)[None])
    assert expected.any()
    np.testing.assert_array_equal(masks, expected)
    np.testing.assert_array_equal(doubt, expected_doubt)


def test_the_bundle_holds_its_weights_once() -> None:
    assert not openvino_path().with_suffix(".bin").exists()
    assert sum(path.stat().st_size for path in openvino_path().parent.iterdir()) <= 36_000_000


class TestBadFiles:
    def test_a_checkpoint_that_is_missing(self, shared: Path) -> None:
        (shared.parent / "model.pt").unlink()
        with pytest.raises(RASNetError, match=r"model\.xml needs the weights of .*model\.pt, which is not there"):
            assemble(shared)

    def test_a_checkpoint_of_other_weights(self, shared: Path) -> None:
        torch.save(pack(network(1)), shared.parent / "model.pt")
        with pytest.raises(RASNetError, match=r"model\.xml was made from other weights than .*model\.pt"):
            assemble(shared)

    def test_a_checkpoint_that_is_packed_otherwise(self, shared: Path) -> None:
        torch.save({}, shared.parent / "model.pt")
        with pytest.raises(RASNetError, match=r"model\.xml was made from other weights than .*model\.pt"):
            assemble(shared)

    def test_a_checkpoint_that_was_cut_off(self, shared: Path) -> None:
        os.truncate(shared.parent / "model.pt", 30_000)
        with pytest.raises(RASNetError, match=r"model\.pt is damaged; install rasnet again"):
            assemble(shared)

    def test_a_checkpoint_with_a_wrong_byte(self, made: Path, shared: Path) -> None:
        content = bytearray((made / "model.pt").read_bytes())
        integers = next(value for name, value in pack(network(0)).items() if name.endswith(".int8"))
        content[content.index(integers.numpy().tobytes()) + 100] ^= 1
        (shared.parent / "model.pt").write_bytes(content)
        with pytest.raises(RASNetError, match=r"model\.pt is damaged; install rasnet again"):
            assemble(shared)

    @pytest.mark.parametrize("content", [b"", b"\x00\x01", b"PK\x03\x04"])
    def test_a_rest_that_is_damaged(self, content: bytes, shared: Path) -> None:
        shared.with_suffix(".rest").write_bytes(content)
        with pytest.raises(RASNetError, match=r"model\.rest is damaged; install rasnet again"):
            assemble(shared)

    def test_a_backend_says_so_too(self, openvino_int8: Path, tmp_path: Path) -> None:
        for ending in (".xml", ".rest"):
            shutil.copy(openvino_int8.with_suffix(ending), tmp_path / f"model{ending}")
        with pytest.raises(RASNetError, match=r"model\.xml needs the weights of .*model\.pt, which is not there"):
            OpenVinoBackend(tmp_path / "model.xml")

    def test_nothing_in_common(self, made: Path, tmp_path: Path) -> None:
        shutil.copytree(made, tmp_path / "other")
        torch.save(pack(network(1)), tmp_path / "other/model.pt")
        with pytest.raises(RASNetError, match=r"model\.xml has no weights in common with model\.pt"):
            share_weights(tmp_path / "other/model.xml", tmp_path / "other/model.pt")
        assert (tmp_path / "other/model.bin").is_file()
