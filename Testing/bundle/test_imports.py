"""What 3D Slicer loads runs without PyTorch: no module below brings torch or MONAI with it."""

import json
import subprocess
import sys

import pytest

LIGHT = (
    "rasnet.labels",
    "rasnet.video",
    "rasnet.case",
    "rasnet.tracking",
    "rasnet.measurements",
    "rasnet.exchange.png",
    "rasnet.exchange.seg_nrrd",
    "rasnet.report",
    "rasnet.progress",
    "rasnet.adaptation",
    "rasnet.bundle",
    "rasnet.comparison",
    "rasnet.datasets.endovis2017_report",
    "rasnet.datasets.splits",
    "rasnet.evaluation",
    "rasnet.mask_sequences",
    "rasnet.merging",
    "rasnet.metrics",
    "rasnet.optical_flow",
    "rasnet.privacy",
    "rasnet.propagation",
    "rasnet.report.metric_plots",
    "rasnet.review",
    "rasnet.simulation",
    "rasnet.doctor",
    "rasnet.inference",
    "rasnet.inference.backend",
    "rasnet.inference.openvino_backend",
    "rasnet.inference.frames",
    "rasnet.inference.sink",
    "rasnet.inference.pipeline",
    "rasnet.inference.many",
    "rasnet.inference.ray_cluster",
    "rasnet.inference.live",
    "rasnet.cli",
)

HEAVY = ("torch", "triton", "monai", "ignite")

PROGRAM = """
import importlib, json, sys
blame, before = {}, set()
for name in sys.argv[1:]:
    importlib.import_module(name)
    blame[name] = [module for module in sys.modules if module not in before]
    before = set(sys.modules)
print(json.dumps(blame))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """Names of the modules that each of `LIGHT`, imported in this order by a fresh interpreter, has added."""
    command = [sys.executable, "-c", PROGRAM, *LIGHT]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    added: dict[str, list[str]] = json.loads(done.stdout)
    return added


@pytest.mark.parametrize("name", LIGHT)
def test_neither_torch_nor_monai(name: str, loaded: dict[str, list[str]]) -> None:
    assert name in {module for added in loaded.values() for module in added}
    assert not [module for module in loaded[name] if module.split(".")[0] in HEAVY]
