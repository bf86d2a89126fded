"""Following a case's frames, near by and in a process of its own: the same."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from cases import HEIGHT, WIDTH, make_case

from rasnet.case import Case, PredictedFrame
from rasnet.errors import RASNetError
from rasnet.forwarded import Forwarded
from rasnet.inference.following import Follower, RemoteFollower
from rasnet.masks import Mask
from rasnet.tracking import ClassRuns, Drawing
from rasnet.until_failure import UntilFailure


def classes(index: int) -> Mask:
    """Class ids of a frame, uint8 (H, W): a bar from the left that grows."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[16:28, : 24 + index] = 1
    return mask


@contextmanager
def followers(case: Case, notes: list[str], kind: str) -> Iterator[Follower | RemoteFollower]:
    if kind == "near":
        yield Follower(case, notes.append)
    else:
        with RemoteFollower(case.folder, notes.append) as follower:
            yield follower


def follow(follower: Follower | RemoteFollower, indices: Sequence[int]) -> list[Drawing]:
    frames = [PredictedFrame(index, index / 25) for index in indices]
    prepared = UntilFailure(follower.preparation(ClassRuns.of(classes(index))) for index in indices)
    return list(follower.follow(frames, Forwarded(prepared)))


@pytest.mark.parametrize("kind", ["near", "remote"])
class TestFollower:
    def test_gives_what_is_to_be_drawn_and_every_layer(self, kind: str, tmp_path: Path) -> None:
        with followers(make_case(tmp_path), [], kind) as follower:
            drawings = [*follow(follower, range(3)), *follow(follower, [3])]
            assert [dict(drawing.layers) for drawing in drawings] == [{0: 1}] * 4
            assert [(layer.id, layer.frames) for layer in follower.layers] == [(1, 4)]

    def test_goes_on_from_the_masks_that_are_there(self, kind: str, tmp_path: Path) -> None:
        case, notes = make_case(tmp_path), list[str]()
        for index in (0, 1):
            case.correct(index, 7 * classes(index), who="A. Surgeon", tool="test")
        (case.folder / "masks" / "00000001.png").write_bytes(b"no image")
        with followers(case, notes, kind) as follower:
            (drawing,) = follow(follower, [2])
        assert dict(drawing.layers) == {0: 7}
        assert len(notes) == 1
        assert "00000001.png" in notes[0]

    def test_gives_what_came_before_a_failure(self, kind: str, tmp_path: Path) -> None:
        def failing() -> Iterator[Mask]:
            yield classes(0)
            raise RASNetError("it cannot be prepared")

        with followers(make_case(tmp_path), [], kind) as follower:
            prepared = UntilFailure(follower.preparation(ClassRuns.of(mask)) for mask in failing())
            frames = [PredictedFrame(0, 0.0), PredictedFrame(1, 0.04)]
            drawings = iter(follower.follow(frames, Forwarded(prepared)))
            assert dict(next(drawings).layers) == {0: 1}
            with pytest.raises(RASNetError, match="it cannot be prepared"):
                next(drawings)


def test_a_folder_that_is_no_case_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RASNetError, match=str(tmp_path)), RemoteFollower(tmp_path, print):
        pytest.fail("there is no case")
