"""The networks that RASNet is compared with: size of the output, parameters of the publications, pretrained files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser
from torch import nn

from rasnet.errors import RASNetError
from rasnet.losses import CrossEntropyLogJaccard
from rasnet.networks import RASNet, TernausNet, UNet, pack
from rasnet.networks.pretrained import VGG11_URL


@pytest.fixture(scope="module", params=[UNet, TernausNet])
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return request.param(num_classes=3).eval()


@pytest.fixture(scope="module")
def vgg11_state() -> dict[str, torch.Tensor]:
    """Names and shapes of torchvision's VGG-11, random values, and a classifier (a small one: it is not looked at)."""
    torch.manual_seed(1)
    places = {0: (3, 64), 3: (64, 128), 6: (128, 256), 8: (256, 256), 11: (256, 512)} | dict.fromkeys(
        (13, 16, 18), (512, 512)
    )
    state = {"classifier.0.weight": torch.zeros(4, 4), "classifier.0.bias": torch.zeros(4)}
    for place, (inputs, outputs) in places.items():
        state[f"features.{place}.weight"] = torch.randn(outputs, inputs, 3, 3) / (9 * inputs) ** 0.5
        state[f"features.{place}.bias"] = torch.randn(outputs)
    return state


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


# (H, W): the least, odd, primes, multiples of 16 but not of 32, the paper's
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (61, 97), (48, 80), (256, 320)])
def test_output_has_the_size_of_the_input(network: nn.Module, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        scores = network(torch.zeros(1, 3, *size))
    assert scores.shape == (1, 3, *size)


def test_unet_has_the_parameters_of_its_publication() -> None:
    """Figure 1 of the publication: 3x3 convolutions, 2x2 up-convolutions that halve the channels, a 1x1 one."""
    widths = [64, 128, 256, 512, 1024]
    convolutions = [(3, 64), (64, 64)]
    for small, large in pairwise(widths):
        convolutions += [(small, large), (large, large)]  # on the way down
        convolutions += [(large, small), (small, small)]  # on the way up, after concatenation
    up = sum(4 * large * small + small for small, large in pairwise(widths))
    classes = 8
    published = sum(9 * i * o + o for i, o in convolutions) + up + 64 * classes + classes
    scales = sum(o for _, o in convolutions)  # a bias becomes batch normalisation's bias, and there is a scale besides
    assert published == 31_032_200  # 31.0 million, as is always quoted
    assert parameters(UNet(classes)) == published + scales


def test_ternausnet_has_the_parameters_of_its_publication() -> None:
    """VGG-11 without its classifier, and a decoder of 3x3 convolutions and 4x4 deconvolutions."""
    vgg11 = 132_863_336 - (25088 * 4096 + 4096) - (4096 * 4096 + 4096) - (4096 * 1000 + 1000)  # torchvision's
    blocks = [(512, 512, 256), (768, 512, 256), (768, 512, 128), (384, 256, 64), (192, 128, 32)]  # in, middle, out
    decoder = sum(9 * i * m + m + 16 * m * o + o for i, m, o in blocks) + 9 * 96 * 32 + 32
    classes = 8
    network = TernausNet(classes)
    assert parameters(network.encoder) == vgg11 == 9_220_480
    assert parameters(network) == vgg11 + decoder + 32 * classes + classes


def test_without_attention_rasnet_loses_the_weights_of_its_three_modules() -> None:
    widths = (1024, 512, 256)
    removed = sum(width * width + 2 * width for width in widths)  # a 1x1 convolution and batch normalisation
    assert parameters(RASNet(8)) - parameters(RASNet(8, attention="none")) == removed


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, RASNet),
        ({"network_def::attention": "none"}, RASNet),
        ({"network_def::_target_": "rasnet.networks.TernausNet"}, TernausNet),
        ({"network_def::_target_": "rasnet.networks.UNet"}, UNet),
        ({"network_def": {"_target_": "rasnet.networks.UNet", "num_classes": 8}}, UNet),
    ],
)
def test_one_override_of_a_configuration_takes_another_network(change: dict, kind: type) -> None:
    parser = ConfigParser({"network_def": {"_target_": "rasnet.networks.RASNet", "num_classes": 8, "pretrained": None}})
    for name, value in change.items():
        parser[name] = value
    network = parser.get_parsed_content("network_def")
    assert type(network) is kind
    assert (network.fuse3.weigh is None) if "network_def::attention" in change else True


def test_they_learn() -> None:
    """A few steps on one picture, a bright bar on dark ground, bring the loss down by more than half."""
    picture = torch.zeros(1, 1, 32, 48)
    picture[..., 8:20, :30] = 1
    images, target = picture.repeat(2, 3, 1, 1), picture.repeat(2, 1, 1, 1).long()[:, 0]
    for kind in (UNet, TernausNet):
        torch.manual_seed(0)
        network, losses = kind(2), []
        optimizer = torch.optim.Adam(network.parameters(), lr=3e-4)
        for _ in range(8):
            loss = CrossEntropyLogJaccard()(network(images), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.5 * losses[0], kind


def test_torchscript_computes_the_same(network: nn.Module) -> None:
    images = torch.rand(1, 3, 65, 40)
    with torch.inference_mode():
        assert torch.allclose(torch.jit.script(network)(images), network(images), atol=1e-5)


def test_a_packed_checkpoint_loads(network: nn.Module) -> None:
    copy = type(network)(num_classes=3).eval()
    copy.load_state_dict(pack(network))
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wanted, got = network(images), copy(images)
    assert (wanted - got).abs().max() < 0.05 * wanted.abs().max()


def test_dropout_is_active_in_training_only(network: nn.Module) -> None:
    dropping = type(network)(num_classes=3, dropout=0.5)
    dropping.load_state_dict(network.state_dict())
    images = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(dropping.eval()(images), network(images))
        dropping.classify.train()
        assert not torch.equal(dropping(images), dropping(images))


class TestPretrained:
    def test_ternausnet_takes_torchvisions_vgg11(self, tmp_path: Path, vgg11_state: dict) -> None:
        torch.save(vgg11_state, tmp_path / "vgg11.pth")
        encoder = TernausNet(3, pretrained=tmp_path / "vgg11.pth").encoder.state_dict()
        assert all(torch.equal(value, vgg11_state[name]) for name, value in encoder.items())

    def test_the_encoder_computes_vgg11(self, tmp_path: Path, vgg11_state: dict) -> None:
        """Its last features, pooled, are those of torchvision's `features`: eight convolutions, five poolings."""
        torch.save(vgg11_state, tmp_path / "vgg11.pth")
        network = TernausNet(3, pretrained=tmp_path / "vgg11.pth").eval()
        images = torch.rand(1, 3, 64, 64)
        expected = images
        for place in (0, 3, 6, 8, 11, 13, 16, 18):
            weight, bias = (vgg11_state[f"features.{place}.{name}"] for name in ("weight", "bias"))
            expected = nn.functional.conv2d(expected, weight, bias, padding=1).relu()
            if place in (0, 3, 8, 13):
                expected = nn.functional.max_pool2d(expected, 2)
        with torch.inference_mode():
            assert torch.allclose(network.encoder(images)[-1], expected, atol=1e-5)

    def test_weights_of_another_network(self, tmp_path: Path) -> None:
        torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "resnet50.pth")
        with pytest.raises(RASNetError, match=r"does not fit a VGG-11: .*; use torchvision's VGG-11 file"):
            TernausNet(3, pretrained=tmp_path / "resnet50.pth")

    def test_a_download_without_internet_says_what_to_do(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(variable, "http://127.0.0.1:9")  # nothing listens there
        with pytest.raises(RASNetError, match=f"download {VGG11_URL} elsewhere and give the file's path"):
            TernausNet(3, pretrained="imagenet")

    def test_unet_has_none(self) -> None:
        with pytest.raises(RASNetError, match="set pretrained to null"):
            UNet(3, pretrained="imagenet")
