"""What is trained, on what, for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rasnet.errors import RASNetError

Encoder = Literal["resnet50", "vgg11"]

FOLDS = tuple(f"fold{number}" for number in range(4))


@dataclass(frozen=True)
class Experiment:
    """A network of the paper's tables.

    Attributes:
        name: of its folder.
        title: for people.
        settings: of ``train.yaml``.
        encoder: whose ImageNet weights it begins with; None for a random beginning.
    """

    name: str
    title: str
    settings: Mapping[str, Any]
    encoder: Encoder | None = None


EXPERIMENTS = (
    Experiment("rasnet", "RASNet", {}, "resnet50"),
    Experiment("rasnet_random", "RASNet, random initialisation", {}),
    Experiment("rasnet_no_afm", "RASNet without AFM", {"network_def::attention": "none"}, "resnet50"),
    Experiment("ternausnet", "TernausNet", {"network_def::_target_": "rasnet.networks.TernausNet"}, "vgg11"),
    Experiment("unet", "U-Net", {"network_def::_target_": "rasnet.networks.UNet"}),
)


@dataclass(frozen=True)
class Plan:
    """What is trained, on what, for how long.

    Attributes:
        data: EndoVis 2017, in any layout.
        out: folder of the runs and the report.
        weights: ImageNet weights of each encoder: ``"imagenet"`` to download them, a file, or None for none.
        split: of the paper's tables, ``"paper"`` or ``"table1"``.
        settings: of ``train.yaml``, for all experiments.
        on_folds: names of the experiments that also run on the four folds.
        synthetic: whether the data is made up.
    """

    data: Path
    out: Path
    weights: Mapping[Encoder, str | None] = field(default_factory=lambda: {"resnet50": "imagenet", "vgg11": "imagenet"})
    split: str = "paper"
    settings: Mapping[str, Any] = field(default_factory=dict)
    on_folds: tuple[str, ...] = tuple(experiment.name for experiment in EXPERIMENTS)
    synthetic: bool = False

    def __post_init__(self) -> None:
        if self.split not in ("paper", "table1"):
            raise RASNetError(f"the tables are on the split paper or table1, not {self.split}; choose one of them")

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """What is run: without ImageNet weights, RASNet runs once, from random initialisation."""
        return tuple(e for e in EXPERIMENTS if e.name != "rasnet" or self.weights["resnet50"] is not None)

    @property
    def main(self) -> Experiment:
        """The RASNet of Tables III and IV."""
        return self.experiments[0]

    def splits(self, experiment: Experiment) -> tuple[str, ...]:
        """Splits that an experiment runs on."""
        folds = experiment.name in self.on_folds or (experiment is self.main and "rasnet" in self.on_folds)
        return (self.split, *(FOLDS if folds else ()))

    def run_settings(self, experiment: Experiment, split: str) -> dict[str, Any]:
        """Settings of ``train.yaml`` for one run."""
        return {
            **self.settings,
            **experiment.settings,
            "dataset_dir": str(self.data),
            "split": split,
            "pretrained": None if experiment.encoder is None else self.weights[experiment.encoder],
            "output_dir": str(self.folder(experiment, split)),
        }

    def folder(self, experiment: Experiment, split: str) -> Path:
        """Where a run keeps its weights and predictions."""
        return self.out / "runs" / split / experiment.name


def quick_plan(out: Path, weights: Mapping[Encoder, str | None] | None = None, **settings: Any) -> Plan:
    """Plan a rehearsal on synthetic data, which shows that all of it works, and no more.

    Args:
        out: folder of data, runs and report.
        weights: ImageNet weights of each encoder; none by default.
        settings: of ``train.yaml``, before those of the rehearsal.
    """
    brief = {"epochs": 20, "learning_rate": 0.001, "augmentation": "light", "patience": None, "save_every_s": 30.0}
    return Plan(
        data=out / "synthetic",
        out=out,
        weights=weights or {"resnet50": None, "vgg11": None},
        settings=brief | settings,
        on_folds=("rasnet",),
        synthetic=True,
    )
