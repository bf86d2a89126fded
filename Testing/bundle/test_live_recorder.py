"""The recording of a stream: packets as they came, or pictures encoded, in a thread that others need not wait for."""

import time
from pathlib import Path

import av
import numpy as np
import pytest
from videos import RECIPES, write

from rasnet.errors import RASNetError
from rasnet.inference.live_recorder import Recorder
from rasnet.video import open_source


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty grey pictures, each a little lighter than the one before."""
    pictures = [np.full((64, 96, 3), 8 * index, np.uint8) for index in range(30)]
    return write(tmp_path_factory.mktemp("recorder") / "clip.mp4", RECIPES["mp4"], pictures)


def test_packets_are_recorded_as_they_came(clip: Path, tmp_path: Path) -> None:
    with av.open(str(clip)) as source:
        recorder = Recorder(tmp_path / "copy.mkv", source.streams.video[0], 64, 96)
        for packet in source.demux(video=0):
            if packet.size:
                recorder.copy(packet)
        recorder.close()
        recorder.close()
    with open_source(clip) as before, open_source(tmp_path / "copy.mkv") as after:
        assert len(after) == len(before) == 30
        for old, new in zip(before, after, strict=True):
            np.testing.assert_array_equal(new.rgb, old.rgb)


@pytest.mark.parametrize("size", [(64, 96), (63, 95)])  # (H, W); no codec halves odd sides
def test_pictures_without_a_codec_are_encoded(size: tuple[int, int], tmp_path: Path) -> None:
    height, width = size
    source = f"color=gray:size={width}x{height}:rate=25:duration=0.4"
    with av.open(source, format="lavfi") as stream:
        recorder = Recorder(tmp_path / "encoded.mkv", stream.streams.video[0], height, width)
        for picture in stream.decode(video=0):
            recorder.encode(picture)
        recorder.close()
    with open_source(tmp_path / "encoded.mkv") as video:
        assert (len(video), video.height, video.width) == (10, height, width)
        assert abs(int(video[9].rgb.mean()) - 128) <= 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_of_and_nobody_waits_for_it(clip: Path) -> None:
    with av.open(str(clip)) as source:
        packets = [packet for packet in source.demux(video=0) if packet.size]
        with pytest.raises(RASNetError, match=r"/dev/full cannot be recorded .*; check the disk and its free space"):
            give_all(Recorder(Path("/dev/full"), source.streams.video[0], 64, 96), packets)


def give_all(recorder: Recorder, packets: list[av.Packet]) -> None:
    """Give packets until it is known that they cannot be written."""
    try:
        for packet in packets:
            recorder.copy(packet)
            time.sleep(0.05)
    finally:
        recorder.close()
