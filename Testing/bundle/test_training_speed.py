"""What keeps a GPU from waiting changes nothing in what is learnt; and the program that measures it counts right."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_network import TINY
from torch import Tensor

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import training  # noqa: E402

from rasnet.training.ahead import Ahead  # noqa: E402
from rasnet.training.normalization import Normalization, by_channel  # noqa: E402
from rasnet.training.workflow import make_training  # noqa: E402

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")),
]


class Counting:
    """Batches of one number each, made of tensors that are dropped at once."""

    def __init__(self, count: int, device: str) -> None:
        self.count, self.device = count, device

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for number in range(self.count):
            image = torch.full((2, 3, 64, 64), float(number), device=self.device)
            yield {"image": image * 2 - image, "label": image[:, 0].to(torch.uint8)}


@pytest.mark.parametrize("device", DEVICES)
class TestAhead:
    @pytest.mark.parametrize("count", [0, 1, 5])
    def test_it_gives_every_batch_once_in_order_every_epoch(self, count: int, device: str) -> None:
        batches = Ahead(Counting(count, device), device)
        assert len(batches) == count
        for _ in range(2):
            assert [(b["image"].unique().tolist(), b["label"].unique().tolist()) for b in batches] == [
                ([number], [number]) for number in range(count)
            ]

    def test_a_batch_stays_what_it_is_while_later_ones_are_made(self, device: str) -> None:
        """Work on a batch that is still under way must not see memory that was given to the next."""
        sums = []
        for batch in Ahead(Counting(20, device), device):
            slow = batch["image"]
            for _ in range(20):
                slow = slow + batch["image"]
            sums.append(slow.mean())
            del batch
        assert torch.stack(sums).tolist() == pytest.approx([21.0 * number for number in range(20)])

    def test_what_goes_wrong_comes_through(self, device: str) -> None:
        def broken() -> Iterator[dict[str, Tensor]]:
            yield {"image": torch.zeros(1, device=device)}
            raise RuntimeError("no more")

        with pytest.raises(RuntimeError, match="no more"):
            list(Ahead(broken(), device))  # type: ignore[arg-type]


class TestNormalization:
    def test_it_subtracts_the_mean_and_divides_by_the_deviation(self) -> None:
        normalize = Normalization([0.5, 0.25, 0.0], [0.5, 0.25, 2.0])
        batch = {"image": torch.ones(1, 3, 2, 2), "label": torch.zeros(1, 2, 2, dtype=torch.uint8)}
        images, labels = normalize(batch)
        assert images[0, :, 0, 0].tolist() == [1.0, 3.0, 0.5]
        assert labels is batch["label"]

    def test_constants_are_copied_to_a_device_once(self) -> None:
        device = torch.device("cpu")
        assert by_channel((0.1, 0.2), device) is by_channel((0.1, 0.2), device)

    def test_constants_of_a_test_serve_a_training(self) -> None:
        with torch.inference_mode():
            first = by_channel((0.7,), torch.device("cpu"))
        weight = torch.ones(1, requires_grad=True)
        (weight / first).sum().backward()  # would fail with a tensor of inference mode
        assert weight.grad is not None
        assert weight.grad.item() == pytest.approx(1 / 0.7)


class TestCompiling:
    @pytest.mark.parametrize("wished_for", [False, True])
    def test_the_network_itself_is_validated_and_kept(self, wished_for: bool) -> None:
        get = make_training({"network_def": TINY, "pretrained": None, "compile": wished_for}).parser.get_parsed_content
        network, model = get("network"), get("model")
        assert (network is model) == (not wished_for)
        assert getattr(network, "_orig_mod", network) is model
        assert next(network.parameters()) is next(model.parameters())


class TestMeasuring:
    def test_figures_follow_from_the_steps(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "training.json"
        way = "as configured"
        training.main(way=[way], batch_size=[4], frames=16, epochs=2, size="48x32", json=file, augmentation="light")
        result = json.loads(file.read_text(encoding="utf-8"))["results"][0]
        assert (result["way"], result["batch_size"]) == (way, 4)
        assert 0 < result["waiting"]["median"] < 1
        # An epoch is made of such steps; ten times leaves room for what else a machine does.
        by_step = 4 / (1e-3 * result["step_ms"]["median"])
        assert by_step / 10 < result["images_per_second"]["median"] < by_step * 10
        assert way in capsys.readouterr().out

    def test_frames_are_as_many_as_asked_for_with_every_class(self) -> None:
        frames = training.MadeUpFrames(19, (32, 64), 8, "cpu")
        assert len(frames) == 19
        assert frames[18]["image"].shape == (3, 32, 64)
        assert set(frames.groups[0].masks.unique().tolist()) == set(range(8))

    def test_an_unknown_way_is_named(self) -> None:
        with pytest.raises(SystemExit, match="no way 'faster'; choose of: as configured; "):
            training.main(way=["faster"])

    @pytest.mark.parametrize("settings", training.WAYS.values(), ids=training.WAYS)
    def test_every_way_is_a_setting_that_there_is(self, settings: dict[str, Any]) -> None:
        parser = make_training({"network_def": TINY, "pretrained": None, **settings}).parser
        for name, value in settings.items():
            assert parser[name] == value
        assert hasattr(parser.get_parsed_content("network"), "forward")
