"""Films: the frame that is shown at a time, whatever the container, the rate and the rotation."""

import contextlib
import io

import av
import numpy as np
import pytest
from made_media import film, number_of, sound_file, tone

from weft.core.errors import WeftError
from weft.core.media import Media
from weft.modalities.video_decoding import read_frames, video_facts


def encoded(data: bytes) -> Media:
    return Media.encoded(data, "video")


@pytest.mark.parametrize(
    ("codec", "format"),
    [("mpeg4", "mp4"), ("mpeg4", "matroska"), ("mpeg4", "avi"), ("libx264", "mp4")],
)
def test_frames_at_times(codec: str, format: str) -> None:
    media = encoded(film(30, codec=codec, format=format))
    facts = video_facts(media)
    assert (facts.width, facts.height) == (64, 48)
    assert facts.seconds == pytest.approx(3.0, abs=0.11)
    times = [0.0, 0.05, 0.55, 1.2, 2.95]
    found = read_frames(media, times)
    assert found.shape == (5, 48, 64, 3)
    assert [number_of(frame) for frame in found] == [0, 0, 5, 12, 4]


def test_seeking_gives_the_frames_of_reading_through() -> None:
    """Over several key frames, far ahead, and in a part of the film."""
    media = encoded(film(320, rate=10))
    for times in ([0.05, 14.05, 29.95], [31.05], [10.0, 10.1, 27.3]):
        found = [number_of(frame) for frame in read_frames(media, times)]
        assert found == [int(time * 10 + 1e-6) % 25 for time in times]
    assert [number_of(f) for f in read_frames(media.part(20.0, 21.0), [0.05, 0.95])] == [0, 9]
    assert video_facts(media.part(20.0, 21.0)).seconds == pytest.approx(1.0)


def test_frames_of_a_variable_rate_are_shown_until_the_next() -> None:
    media = encoded(film(4, times=[0.0, 0.1, 1.0, 1.05]))
    found = read_frames(media, [0.05, 0.5, 0.99, 1.02, 1.2])
    assert [number_of(frame) for frame in found] == [0, 1, 1, 2, 3]


def test_smaller_frames_have_the_same_shape() -> None:
    media = encoded(film(3, size=(64, 48)))
    assert read_frames(media, [0.0], min_side=24).shape == (1, 24, 32, 3)
    assert read_frames(media, [0.0], min_side=480).shape == (1, 48, 64, 3)


def test_one_frame_and_times_behind_the_end() -> None:
    assert [number_of(f) for f in read_frames(encoded(film(1)), [0.0, 5.0])] == [0, 0]


def test_arrays_of_frames() -> None:
    frames = np.stack([np.full((4, 6, 3), 10 * n, np.uint8) for n in range(10)])
    media = Media.frames(frames, rate=5)
    assert [number_of(f) for f in read_frames(media, [0.0, 0.39, 1.0, 9.0])] == [0, 1, 5, 9]
    assert [number_of(f) for f in read_frames(media.part(1.0), [0.0, 0.2])] == [5, 6]
    assert video_facts(media) == video_facts(media.part(0))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"^video is empty \(0 bytes\)$"),
        (b"no film at all, only words", "not a video"),
        (sound_file(tone(0.1)), "no video track, it holds: audio"),
        (film(5)[:400], "not a video|cannot be decoded|holds: nothing"),
    ],
)
def test_one_line_for_what_cannot_be_read(data: bytes, message: str) -> None:
    with pytest.raises(WeftError, match=message) as caught:
        read_frames(encoded(data), [0.0])
    assert "\n" not in str(caught.value)


def test_damaged_frames_give_frames_or_one_line() -> None:
    data = bytearray(film(30))
    random = np.random.default_rng(0)
    for place in random.integers(200, len(data) - 200, 60):
        data[place] = int(random.integers(256))
    with contextlib.suppress(WeftError):
        found = read_frames(encoded(bytes(data)), [0.0, 1.0, 2.0])
        assert found.shape == (3, 48, 64, 3)


def test_rotated_films_stand_upright() -> None:
    """As telephones write them: the pixels lie, and the track says by how much they are turned."""
    source = io.BytesIO(film(3))
    turned = io.BytesIO()
    with av.open(source) as given, av.open(turned, "w", format="mp4") as container:
        track = container.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = track
                container.mux(packet)
    data = turned.getvalue()
    matrix = data.index(b"tkhd") + 4 + 4 + 20 + 16  # version 0: after times, ids, layer, volume
    identity = np.array([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], ">i4").tobytes()
    place = data.index(identity, matrix - 44)
    quarter = np.array([0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30], ">i4").tobytes()
    found = read_frames(encoded(data[:place] + quarter + data[place + 36 :]), [0.0])
    assert found.shape == (1, 64, 48, 3)
