"""Packed checkpoints: small, exact to half a step, and loaded like any other."""

import pytest
import torch
from torch import nn

from rasnet.networks import RASNet, pack, unpack
from rasnet.networks.packing import unpack_on_load


@pytest.fixture(scope="module")
def net() -> RASNet:
    torch.manual_seed(0)
    return RASNet(num_classes=3).eval()


@pytest.fixture(scope="module")
def packed(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "model.pt"
    torch.save(pack(net), path)
    return path


@pytest.mark.parametrize(
    ("layer", "scale_shape"),
    [
        (nn.Conv2d(64, 96, 3), (96, 1, 1, 1)),
        (nn.Conv2d(200, 300, 1, bias=False), (300, 1, 1, 1)),
        (nn.ConvTranspose2d(64, 96, 4), (1, 96, 1, 1)),
    ],
)
def test_scale_is_one_value_an_output_channel(layer, scale_shape):
    state = pack(layer)
    assert state["weight.int8"].dtype == torch.int8
    assert state["weight.int8"].shape == layer.weight.shape
    assert state["weight.scale"].shape == scale_shape


def test_small_layers_keep_half_floats():
    layer = nn.Conv2d(3, 64, 7)
    state = pack(layer)
    assert state["weight"].dtype == torch.float16
    assert torch.equal(state["weight"], layer.weight.half())
    assert torch.equal(state["bias"], layer.bias)


def unpacked(layer: nn.Conv2d) -> torch.Tensor:
    state = pack(layer)
    unpack(state)
    return state["weight"]


def test_weights_on_the_grid_survive_exactly():
    torch.manual_seed(0)
    layer = nn.Conv2d(200, 200, 1, bias=False)
    grid = torch.randint(-127, 128, layer.weight.shape).float()
    grid[:, 0] = 127.0
    layer.weight.data = grid * torch.logspace(-3, 1, 200).reshape(200, 1, 1, 1)
    assert torch.allclose(unpacked(layer), layer.weight)


def test_error_is_no_larger_than_plain_rounding():
    torch.manual_seed(0)
    layer = nn.Conv2d(64, 96, 3, bias=False)
    step = layer.weight.abs().amax(dim=(1, 2, 3), keepdim=True) / 127
    plain = (layer.weight / step).round() * step
    error = (unpacked(layer) - layer.weight).square().sum(dim=(1, 2, 3))
    assert (error <= (plain - layer.weight).square().sum(dim=(1, 2, 3)) + 1e-9).all()


def test_a_channel_of_zeros_stays_zero():
    layer = nn.Conv2d(200, 200, 1, bias=False)
    layer.weight.data[0] = 0
    assert (unpacked(layer)[0] == 0).all()


def test_file_is_at_most_34_mb_and_holds_tensors_only(packed):
    assert packed.stat().st_size <= 34e6
    assert all(isinstance(value, torch.Tensor) for value in torch.load(packed, weights_only=True).values())


def test_load_state_dict_takes_packed_and_unpacked(net, packed):
    from_packed, from_unpacked = RASNet(3), RASNet(3)
    state = torch.load(packed, weights_only=True)
    from_packed.load_state_dict(state)
    unpack(state)
    from_unpacked.load_state_dict(state)
    pairs = zip(from_packed.state_dict().values(), from_unpacked.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_loading_leaves_the_callers_state_as_it_was(packed):
    state = torch.load(packed, weights_only=True)
    names = list(state)
    RASNet(3).load_state_dict(state)
    assert list(state) == names


def test_packed_loads_inside_a_larger_module():
    layer, other = nn.Conv2d(200, 300, 1), nn.Conv2d(200, 300, 1)
    unpack_on_load(layer)
    outer = nn.Sequential(nn.Identity(), layer)
    outer.load_state_dict({f"1.{name}": value for name, value in pack(other).items()})
    assert torch.allclose(layer.weight, other.weight, atol=1e-3)


def test_a_network_of_other_classes_is_refused(packed):
    with pytest.raises(RuntimeError, match="size mismatch"):
        RASNet(8).load_state_dict(torch.load(packed, weights_only=True))


def test_monai_checkpoint_loader_takes_a_packed_file(net, packed):
    from ignite.engine import Engine
    from monai.handlers import CheckpointLoader

    fresh = RASNet(3)
    engine = Engine(lambda _engine, _batch: None)
    CheckpointLoader(str(packed), {"model": fresh}).attach(engine)
    engine.run([0])
    assert torch.allclose(fresh.head[-1].weight, net.head[-1].weight, atol=1e-2)
    assert torch.equal(fresh.encoder.bn1.running_var, net.encoder.bn1.running_var)
