"""Weights files that say what they are, and those that cannot be run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.nets import UNet as MonaiUNet
from type_models import write_type_model

from rasnet.bundle import weights_path
from rasnet.errors import RASNetError
from rasnet.inference import OpenVinoBackend, TorchBackend, export_model
from rasnet.inference.network_input import IMAGENET_MEAN, IMAGENET_STD
from rasnet.inference.torch_backend import load_model
from rasnet.labels import LabelSchema
from rasnet.networks import Description, RASNet, UNet, describe, pack, read_checkpoint
from rasnet.networks.checkpoints import checkpoint_content
from rasnet.training.start import released_start, start_from

SCHEMA = LabelSchema.load("endovis2017_types")
TYPES = Description("RASNet", {"num_classes": 8, "attention": "softmax"}, SCHEMA, 6144, IMAGENET_MEAN, IMAGENET_STD)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_type_model(tmp_path_factory.mktemp("weights") / "types.pt")


def write(path: Path, network: torch.nn.Module, description: Description | dict[str, object] | None) -> Path:
    content = checkpoint_content(pack(network), None)
    if description is not None:
        content["rasnet"] = description.to_json() if isinstance(description, Description) else description
    torch.save(content, path)
    return path


@pytest.mark.parametrize("network", [RASNet(8), RASNet(8, attention="none"), UNet(8)], ids=["softmax", "none", "unet"])
def test_what_a_description_says_is_what_is_built(network: RASNet | UNet) -> None:
    about = describe(network, "endovis2017_types", (64, 96), IMAGENET_MEAN, IMAGENET_STD)
    assert about is not None
    again = Description.from_json(about.to_json())
    assert again == about
    assert repr(again.make_network()) == repr(network)


def test_networks_of_others_are_not_described() -> None:
    other = MonaiUNet(spatial_dims=2, in_channels=3, out_channels=8, channels=[4, 8], strides=[2])
    assert describe(other, "endovis2017_types", (64, 96), IMAGENET_MEAN, IMAGENET_STD) is None


def test_a_schema_of_another_size_is_refused() -> None:
    with pytest.raises(RASNetError, match="tells 3 classes apart, and the label schema 'endovis2017_types' has 8"):
        describe(RASNet(3), "endovis2017_types", (64, 96), IMAGENET_MEAN, IMAGENET_STD)


class TestRunning:
    def test_a_described_file_needs_no_configuration(self, weights: Path) -> None:
        backend = TorchBackend(weights, "cpu")
        assert (backend.schema, backend.segmenter.pixels) == (SCHEMA, 64 * 96)
        classes, uncertainty = backend(np.zeros((1, 64, 96, 3), np.uint8))
        assert (classes.shape, uncertainty.shape) == ((1, 64, 96), (1, 8))

    def test_the_released_weights_are_what_the_bundle_says(self, backend: TorchBackend) -> None:
        assert backend.schema.name == "instrument_parts"
        assert load_model(weights_path()).description is None

    def test_openvino_keeps_the_classes(self, weights: Path, tmp_path: Path) -> None:
        export_model(tmp_path / "types.xml", weights=weights, precision="fp32")
        model = OpenVinoBackend(tmp_path / "types.xml")
        assert model.schema == SCHEMA
        rgb = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)
        assert np.mean(model(rgb)[0] == TorchBackend(weights, "cpu")(rgb)[0]) > 0.99


class TestRefused:
    def test_weights_of_other_classes_that_do_not_describe_themselves(self, tmp_path: Path) -> None:
        with pytest.raises(RASNetError, match=r"does not fit the network in .*inference\.yaml"):
            load_model(write(tmp_path / "bare.pt", RASNet(8), None))

    def test_weights_that_are_not_what_they_say(self, tmp_path: Path) -> None:
        with pytest.raises(RASNetError, match="does not fit the RASNet that it describes"):
            load_model(write(tmp_path / "lie.pt", RASNet(3), TYPES))

    def test_other_normalisation(self, tmp_path: Path) -> None:
        with pytest.raises(RASNetError, match=r"wants pictures normalised by \(0\.5, 0\.5, 0\.5\)"):
            load_model(write(tmp_path / "grey.pt", RASNet(8), replace(TYPES, mean=(0.5, 0.5, 0.5))))

    @pytest.mark.parametrize(
        "changes",
        [{"network": "os.system"}, {"network": None}, {"schema": {}}, {"pixels": 1, "more": 2}, {"arguments": []}],
        ids=str,
    )
    def test_descriptions_from_elsewhere(self, changes: dict[str, object], tmp_path: Path) -> None:
        path = write(tmp_path / "odd.pt", torch.nn.Conv2d(3, 8, 1), {**TYPES.to_json(), **changes})
        with pytest.raises(RASNetError, match="describes a network that this RASNet does not know"):
            read_checkpoint(path)


class TestBeginning:
    def test_a_training_on_other_classes_gets_a_last_layer_of_its_own(self) -> None:
        begun, fresh = RASNet(8, attention="sigmoid"), RASNet(8, attention="sigmoid")
        last = begun.head[-1].weight.clone()
        start_from(begun, weights_path())
        assert torch.equal(begun.head[-1].weight, last)
        assert not torch.equal(begun.decode4[0].weight, fresh.decode4[0].weight)

    def test_cases_alone_begin_at_the_released_weights(self) -> None:
        expected = {"pretrained": None, "weights": str(weights_path()), "network_def::attention": "sigmoid"}
        assert released_start() == expected

    def test_another_network_cannot_begin_there(self) -> None:
        with pytest.raises(RASNetError, match="does not fit the network_def of this training"):
            start_from(UNet(8), weights_path())
