"""The bundle as MONAI's own tools take it."""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bars import write_bar_folder, write_bar_video
from ignite.engine import Engine
from monai.bundle import ConfigParser, ConfigWorkflow, ckpt_export, verify_metadata, verify_net_in_out
from monai.handlers import CheckpointLoader

from rasnet.bundle import bundle_root, config_path, weights_path
from rasnet.case import Case
from rasnet.inference import TorchBackend, segment_video
from rasnet.inference.torch_backend import define_network
from rasnet.labels import LabelSchema
from rasnet.video import open_source

METADATA = bundle_root() / "configs" / "metadata.json"
needs_no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


def workflow(*more: str, **overrides: Any) -> ConfigWorkflow:
    """The bundle's inference workflow with more configurations on top, ready to run; without any it takes the CPU."""
    if not more:
        overrides["device"] = "cpu"
    made = ConfigWorkflow(
        config_file=[str(config_path(name)) for name in ("inference.yaml", *more)],
        meta_file=str(METADATA),
        logging_file=str(config_path("logging.conf")),
        workflow_type="inference",
        **{name: str(value) if isinstance(value, Path) else value for name, value in overrides.items()},
    )
    made.initialize()
    return made


def causes(error: BaseException | None) -> Iterator[str]:
    """What an error and those that led to it say."""
    while error is not None:
        yield str(error)
        error = error.__cause__ or error.__context__


def expect_same(case: Case, other: Case) -> None:
    assert [row.index for row in case.frames()] == [row.index for row in other.frames()]
    for row in case.frames():
        np.testing.assert_array_equal(case.mask(row.index), other.mask(row.index))
        np.testing.assert_array_equal(case.parts(row.index), other.parts(row.index))
        np.testing.assert_allclose(row.class_uncertainty, other.frame(row.index).class_uncertainty, atol=1e-4)
    assert case.layers() == other.layers()
    assert case.info.model == other.info.model
    assert case.info.roi == other.info.roi


class TestMetadata:
    def test_channels_are_the_labels_of_the_schema(self) -> None:
        metadata = json.loads(METADATA.read_text())
        outputs = metadata["network_data_format"]["outputs"]["pred"]
        schema = LabelSchema.load("instrument_parts")
        assert outputs["channel_def"] == schema.channel_def()
        assert outputs["num_channels"] == len(schema)

    def test_satisfies_monais_schema(self, metadata_schema: Path) -> None:
        verify_metadata(meta_file=str(METADATA), filepath=str(metadata_schema))

    def test_inputs_and_outputs_of_the_network_are_as_it_says(self) -> None:
        verify_net_in_out(
            net_id="network_def", meta_file=str(METADATA), config_file=str(config_path()), n=2, device="cpu"
        )


class TestWorkflow:
    def test_has_every_property_that_monai_wants(self, tmp_path: Path) -> None:
        frames = write_bar_folder(tmp_path / "frames", 1)
        assert not workflow(dataset_dir=frames, output_dir=tmp_path / "case").check_properties()

    def test_a_finished_case_is_left_as_it_is(self, tmp_path: Path) -> None:
        frames, folder = write_bar_folder(tmp_path / "frames", 2), tmp_path / "case"
        workflow(dataset_dir=frames, output_dir=folder).run()
        journal = len(list(Case.open(folder).journal()))
        assert Case.open(folder).missing() == []
        workflow(dataset_dir=frames, output_dir=folder).run()
        assert len(list(Case.open(folder).journal())) == journal

    def test_frames_that_cannot_be_decoded_are_left_out_and_none_comes_twice(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        frames = write_bar_folder(tmp_path / "frames", 4)
        for index in (1, 3):
            broken = frames / f"frame{index}.png"
            broken.write_bytes(broken.read_bytes()[:80])
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an engine that misses batches warns
            workflow(dataset_dir=frames, output_dir=tmp_path / "case", batch_size=1).run()
        case = Case.open(tmp_path / "case")
        assert [row.index for row in case.frames()] == [0, 2]
        assert [entry.frame for entry in case.journal() if entry.what == "predict"] == [0, 2]
        told = capfd.readouterr().err
        assert "frames 1 to 1 could not be decoded" in told
        assert "frames 3 to 3 could not be decoded" in told

    def test_weights_of_other_classes_are_named(self, tmp_path: Path) -> None:
        state = torch.load(weights_path(), weights_only=True)
        for name in [name for name in state if name.startswith("head.7.")]:
            state[name] = torch.cat([state[name], state[name]])
        torch.save(state, tmp_path / "six.pt")
        frames = write_bar_folder(tmp_path / "frames", 1)
        made = workflow(dataset_dir=frames, output_dir=tmp_path / "case", weights=tmp_path / "six.pt")
        with pytest.raises(RuntimeError) as caught:
            made.run()
        assert any("size mismatch for head.7.weight" in cause for cause in causes(caught.value))

    def test_a_case_into_which_another_program_writes_is_named(self, tmp_path: Path) -> None:
        frames, folder = write_bar_folder(tmp_path / "frames", 2), tmp_path / "case"
        workflow(dataset_dir=frames, output_dir=folder).parser.get_parsed_content("case")
        with Case.open(folder).writer(), pytest.raises(RuntimeError) as caught:
            workflow(dataset_dir=frames, output_dir=folder).run()
        assert any("another program is writing predictions" in cause for cause in causes(caught.value))


class TestGpuSettings:
    def test_are_laid_over_those_for_any_machine(self) -> None:
        parser = ConfigParser()
        parser.read_config([str(config_path("inference.yaml")), str(config_path("inference_gpu.yaml"))])
        assert parser.get_parsed_content("device") == torch.device("cuda")
        assert parser.get_parsed_content("batch_size") == 16
        assert parser["network_def"] == ConfigParser.load_config_file(config_path())["network_def"]

    @needs_no_cuda
    def test_fail_where_there_is_no_gpu_and_leave_no_case(self, tmp_path: Path) -> None:
        frames = write_bar_folder(tmp_path / "frames", 1)
        made = workflow("inference_gpu.yaml", dataset_dir=frames, output_dir=tmp_path / "case")
        with pytest.raises(RuntimeError) as caught:
            made.run()
        assert any("CUDA" in cause or "NVIDIA" in cause for cause in causes(caught.value))
        assert not (tmp_path / "case").exists()


@pytest.mark.parametrize("place", ["bundle root", "elsewhere"])
@pytest.mark.usefixtures("loaded_once")
def test_monais_command_gives_what_rasnet_segment_gives(place: str, tmp_path: Path) -> None:
    video = write_bar_video(tmp_path / "bar.mp4", 3)
    folder, config = (bundle_root(), "configs/inference.yaml") if place == "bundle root" else (tmp_path, config_path())
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(config)]
    command += ["--dataset_dir", str(video), "--output_dir", str(tmp_path / "bundle"), "--device", "cpu"]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with open_source(video) as source:
        case = segment_video(source, tmp_path / "command", device="cpu")
    assert len(case.frames()) == 3
    expect_same(Case.open(tmp_path / "bundle"), case)


class TestWeights:
    def test_monais_checkpoint_loader_takes_them(self, backend: TorchBackend) -> None:
        network = define_network()
        engine = Engine(lambda engine, batch: None)
        CheckpointLoader(load_path=str(weights_path()), load_dict={"model": network}, map_location="cpu").attach(engine)
        engine.run([0])
        torch.testing.assert_close(dict(network.state_dict()), dict(backend.segmenter.network.state_dict()))

    def test_the_exported_network_computes_the_same(self, tmp_path: Path, backend: TorchBackend) -> None:
        ckpt_export(
            net_id="network_def",
            filepath=str(tmp_path / "model.ts"),
            ckpt_file=str(weights_path()),
            meta_file=str(METADATA),
            config_file=str(config_path()),
            key_in_ckpt="",
        )
        exported = torch.jit.load(tmp_path / "model.ts").eval()
        images = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            torch.testing.assert_close(exported(images), backend.segmenter.network(images), atol=1e-4, rtol=1e-4)
