"""From videos whose layers have been given a type once to a model that tells types apart, and to its own cases."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from rasnet.case import Case, ModelInfo
from rasnet.cli import app
from rasnet.datasets.case_dataset import read_case
from rasnet.errors import RASNetError
from rasnet.inference import TorchBackend
from rasnet.labels import LabelSchema
from rasnet.networks import read_checkpoint
from rasnet.synthetic import SyntheticFrame, SyntheticScene, write_case
from rasnet.video import RegionOfInterest, open_source

SCHEMA = LabelSchema.load("endovis2017_types")
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZE, FRAMES, HALF = (96, 128), 8, 4
TWO = ("Large Needle Driver", "Monopolar Curved Scissors")  # the one black, the other orange


def rasnet(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.output


class Video:
    """A synthetic operation of eight seconds, whose types only this object knows."""

    def __init__(self, folder: Path, name: str, seed: int, types: tuple[str, ...]) -> None:
        self.types, self.path, self.case = types, folder / f"{name}.mp4", folder / f"{name}.case"
        scene = SyntheticScene(seed, size=SIZE, frames=FRAMES, fps=1.0, types=types)
        self.frames: list[SyntheticFrame] = [scene.render(index) for index in range(FRAMES)]
        write_case(scene, self.path)

    def predict(self, damage: Any) -> None:
        """Make a case in which a program has found the instruments, with mistakes in their ids and without types."""
        with open_source(self.path) as source:
            case = Case.create(
                self.case,
                source=source,
                schema=LabelSchema.load("instrument_parts"),
                roi=RegionOfInterest.whole(*SIZE),
                model=ModelInfo("toy", "ab" * 32, "torch"),
            )
        with case:
            for index, frame in enumerate(self.frames):
                case.write_prediction(index, case.times[index], damage(index, frame.layers), frame.parts)

    def accept(self) -> None:
        with Case.open(self.case) as case:
            for row in case.frames():
                case.set_status(row.index, "accepted", who="A. Surgeon")


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> list[Video]:
    """Two videos, as an annotator leaves them who has said of each instrument once what it is."""
    folder = tmp_path_factory.mktemp("annotated")
    first, second = Video(folder, "first", 3, TWO), Video(folder, "second", 11, TWO[::-1])

    # The tracker gave instrument 1 another id in the second half; seen in the list of layers, mended with one word.
    first.predict(lambda index, layers: np.where((layers == 1) & (index >= HALF), np.uint8(3), layers))
    assert "3  Instrument 3: type not known" in rasnet("layers", first.case)
    rasnet("layers", first.case, "--merge", "1=3", "--type", f"1={TWO[0]}", "--type", f"2={TWO[1]}")

    # The tracker took the two instruments for each other from the middle on.
    second.predict(lambda index, layers: np.array([0, 2, 1] if index >= HALF else [0, 1, 2], np.uint8)[layers])
    rasnet("layers", second.case, "--split", f"1@{HALF}", "--split", f"2@{HALF}=1")
    shown = rasnet("layers", second.case, "--merge", "2=3", "--type", f"1={TWO[1]}", "--type", f"2={TWO[0]}")
    assert "1  Instrument 1: Monopolar Curved Scissors" in shown
    for video in (first, second):
        video.accept()
    return [first, second]


@pytest.fixture(scope="module")
def model(annotated: list[Video], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one command makes of them: ``best.pt``."""
    out = tmp_path_factory.mktemp("model") / "types"
    cases = [word for video in annotated for word in ("--case", video.case)]
    short = {
        "size": [64, 96],
        "batch_size": 7,
        "epochs": 18,
        "learning_rate": 0.001,  # three times the paper's, for half a minute of training
        "val_interval": 9,
        "patience": None,
        "save_every_s": 1e9,
    }
    settings = [word for name, value in short.items() for word in ("--set", f"{name}={value}")]
    said = rasnet("train", *cases, "--out", out, *settings)
    assert "rasnet segment VIDEO CASE --weights" in said
    return out / "best.pt"


def test_one_word_a_layer_has_labelled_every_frame(annotated: list[Video]) -> None:
    for video in annotated:
        with Case.open(video.case) as case:
            assert [layer.type for layer in case.layers()] == list(video.types)
            masks = [example.mask for example in read_case(case, SCHEMA)]
        np.testing.assert_array_equal(np.stack(masks), np.stack([frame.types for frame in video.frames]))


class TestTheModel:
    def test_its_file_says_what_it_is(self, model: Path) -> None:
        state, about = read_checkpoint(model)
        assert about is not None
        assert (about.network, about.arguments) == ("RASNet", {"num_classes": 8, "attention": "sigmoid"})
        assert (about.schema, about.pixels) == (SCHEMA, 64 * 96)
        assert state["head.7.weight"].shape[0] == 8

    def test_it_segments_a_new_video_into_layers_that_have_a_type(self, model: Path, tmp_path: Path) -> None:
        video = Video(tmp_path, "new", 31, TWO[::-1])
        rasnet("segment", video.path, video.case, "--weights", model, "--device", "cpu", "--progress", "none")
        backend = TorchBackend(model, "cpu")
        with Case.open(video.case) as case, case.open_source() as source:
            assert (case.info.schema, case.info.model.name) == (SCHEMA, "rasnet_endovis2017_types")
            masks = np.stack([case.mask(index) for index in range(FRAMES)])
            classes = np.concatenate([backend(frame.rgb[None])[0] for frame in source])
            layers = case.layers()
        types = np.stack([frame.types for frame in video.frames])
        assert layers
        for layer in layers:  # every frame of a layer has a vote
            shown = [c[m == layer.id] for c, m in zip(classes, masks, strict=True)]
            votes = Counter(int(np.bincount(pixels).argmax()) for pixels in shown if len(pixels))
            assert SCHEMA[layer.type].id == votes.most_common(1)[0][0]
        for name in TWO:
            true = types == SCHEMA[name].id
            right = np.isin(masks, [layer.id for layer in layers if layer.type == name]) & true
            assert right.sum() > 0.6 * true.sum()
        found, true = masks > 0, types > 0
        assert 2 * (found & true).sum() > 0.7 * (found.sum() + true.sum())  # Dice

    def test_a_case_of_parts_is_not_gone_on_with(self, model: Path, annotated: list[Video]) -> None:
        words = ("segment", annotated[0].path, annotated[0].case, "--weights", model)
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 2
        assert "is a case of the labels 'instrument_parts', not 'endovis2017_types'" in done.output

    def test_the_state_of_the_training_is_no_model(self, model: Path) -> None:
        with pytest.raises(RASNetError, match=r"last\.pt holds no network weights; give .*best\.pt"):
            read_checkpoint(model.with_name("last.pt"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--type", "1=Hook"], "has no label 'Hook'; it has background, Bipolar Forceps"),
        (["--type", "7=Other"], "the case has no layer 7; it has 1, 2"),
        (["--merge", "1=x"], "'1=x' is not understood: 'x' should be a number"),
        (["--type", "Other"], "'Other' is not understood; give the number of a layer"),
    ],
)
def test_layers_that_make_no_sense_are_refused(annotated: list[Video], words: list[str], sentence: str) -> None:
    done = CliRunner().invoke(app, ["layers", str(annotated[0].case), *words])
    assert done.exit_code == 2
    assert sentence in done.output
