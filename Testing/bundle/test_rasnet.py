"""The network: shapes, attention, pretrained encoder."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.networks.nets import ResNetFeatures

from rasnet.errors import RASNetError
from rasnet.networks import AttentionFusion, DecoderBlock, RASNet


@pytest.fixture(scope="module")
def net() -> RASNet:
    torch.manual_seed(0)
    return RASNet(num_classes=3).eval()


def imagenet_file(tmp_path, **changes):
    """A file with the names and shapes of torchvision's ResNet-50, random values, and its classifier."""
    torch.manual_seed(1)
    state = ResNetFeatures("resnet50", pretrained=False, spatial_dims=2, in_channels=3).state_dict()
    state |= {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)} | changes
    state = {name: value for name, value in state.items() if value is not None}
    torch.save(state, tmp_path / "resnet50.pth")
    return tmp_path / "resnet50.pth", state


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 95), (101, 75), (256, 320)])  # (H, W)
def test_output_has_the_size_of_the_input(net, size):
    with torch.inference_mode():
        assert net(torch.zeros(2, 3, *size)).shape == (2, 3, *size)


@settings(max_examples=8, deadline=None)
@given(height=st.integers(32, 100), width=st.integers(32, 100))
def test_output_has_the_size_of_any_input(net, height, width):
    with torch.inference_mode():
        assert net(torch.zeros(1, 3, height, width)).shape == (1, 3, height, width)


def test_parameters_are_those_of_resnet50_and_a_light_decoder(net):
    encoder = sum(p.numel() for p in net.encoder.parameters())
    assert encoder == 25_557_032 - 2048 * 1000 - 1000  # torchvision's ResNet-50 without its classifier
    assert 31e6 < sum(p.numel() for p in net.parameters()) < 33e6


def test_softmax_attention_weighs_low_level_channels_by_the_mean_of_the_high_level_ones():
    fusion = AttentionFusion(2, "softmax").eval()
    torch.nn.init.eye_(fusion.weigh[1].weight[:, :, 0, 0])
    high = torch.tensor([0.0, torch.log(torch.tensor(3.0))]).reshape(1, 2, 1, 1).expand(1, 2, 4, 5)
    fused = fusion(high, torch.ones(1, 2, 4, 5))
    scale = (1 + fusion.weigh[2].eps) ** 0.5
    weights = torch.softmax(high[0, :, 0, 0] / scale, 0)  # 1/4 and 3/4 but for batch normalisation's epsilon
    assert torch.allclose(fused[0, :, 0, 0], high[0, :, 0, 0] + weights)
    assert weights[1].item() == pytest.approx(0.75, abs=1e-4)


@pytest.mark.parametrize(("attention", "gain"), [("softmax", 1 / 8), ("sigmoid", 1 / 2), ("none", 1.0)])
def test_even_attention(attention, gain):
    """High-level features of zero weigh 8 channels evenly."""
    fusion = AttentionFusion(8, attention).eval()
    fused = fusion(torch.zeros(1, 8, 4, 4), torch.ones(1, 8, 4, 4))
    assert torch.allclose(fused, torch.full_like(fused, gain))


def test_unknown_attention_is_refused():
    with pytest.raises(ValueError, match="attention must be"):
        RASNet(3, attention="cosine")


@pytest.mark.parametrize(("shape", "out"), [((1, 8, 3, 5), 4), ((2, 16, 1, 1), 8)])  # (B, C, H, W), channels
def test_decoder_block_doubles_the_size(shape, out):
    batch, channels, height, width = shape
    block = DecoderBlock(channels, out).eval()
    assert block(torch.zeros(shape)).shape == (batch, out, 2 * height, 2 * width)


def test_dropout_is_active_in_training_only(net):
    dropping = RASNet(3, dropout=0.5)
    dropping.load_state_dict(net.state_dict())
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(dropping.eval()(images), net(images))
        dropping.head.train()
        assert not torch.equal(dropping(images), dropping(images))


def test_torchscript_computes_the_same(net):
    images = torch.rand(1, 3, 65, 40)
    with torch.inference_mode():
        assert torch.allclose(torch.jit.script(net)(images), net(images), atol=1e-5)


def test_pretrained_takes_a_torchvision_file(tmp_path):
    path, state = imagenet_file(tmp_path)
    encoder = RASNet(3, pretrained=path).encoder.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in encoder.items())


def test_pretrained_takes_old_files_without_batch_counters(tmp_path):
    path, state = imagenet_file(tmp_path)
    torch.save({k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}, path)
    assert torch.equal(RASNet(3, pretrained=str(path)).encoder.conv1.weight, state["conv1.weight"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conv1.weight": torch.zeros(64, 1, 7, 7)}, r"'conv1.weight' has shape \(64, 1, 7, 7\) instead of"),
        ({"layer4.2.bn3.bias": None}, "'layer4.2.bn3.bias' is missing"),
        ({"layer5.0.weight": torch.zeros(1)}, "'layer5.0.weight' is not part of one"),
    ],
)
def test_pretrained_weights_of_another_network(tmp_path, changes, message):
    path, _ = imagenet_file(tmp_path, **changes)
    with pytest.raises(RASNetError, match=message):
        RASNet(3, pretrained=path)


def test_pretrained_file_missing(tmp_path):
    with pytest.raises(RASNetError, match="there is no weights file"):
        RASNet(3, pretrained=tmp_path / "none.pth")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
def test_pretrained_file_damaged(tmp_path, content):
    (tmp_path / "bad.pth").write_bytes(content)
    with pytest.raises(RASNetError, match="is not a PyTorch weights file or is damaged"):
        RASNet(3, pretrained=tmp_path / "bad.pth")


def test_pretrained_download_without_internet_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")  # nothing listens there
    with pytest.raises(RASNetError, match=r"could not be downloaded .* give the file's path as pretrained"):
        RASNet(3, pretrained="imagenet")
