"""Long recordings are cut at pauses, a window at a time."""

from pathlib import Path

import numpy as np
import pytest
from made_media import RATE, bursts, film, sound_file

from weft.core.errors import WeftError
from weft.core.media import Media
from weft.core.ranges import SLACK
from weft.modalities import pauses as module
from weft.modalities.audio_decoding import read_sound
from weft.modalities.pauses import parts_of, pauses

SILENT = (2.7, 4.9, 6.6, 8.4)
"""Seconds at which a pause of 0.3 s begins."""


def speech(seconds: float = 10.0) -> np.ndarray:
    """(S,) noise as loud everywhere, with pauses."""
    found = np.random.default_rng(0).uniform(-0.3, 0.3, round(seconds * RATE)).astype(np.float32)
    for begin in SILENT:
        found[round(begin * RATE) : round((begin + 0.3) * RATE)] *= 0.001
    return found


@pytest.mark.parametrize("content", [sound_file(speech()), film(100, 10, (16, 16), sound=speech())])
def test_cuts_lie_in_pauses(content: bytes) -> None:
    recording = Media.encoded(content, "video")
    cuts = pauses(recording, 3.0)
    lengths = np.diff([0.0, *cuts, 10.0])
    assert (lengths > 0.5).all()
    assert (lengths <= 3.0).all()
    for cut in cuts:
        assert any(begin < cut < begin + 0.3 for begin in SILENT), cut


@pytest.mark.parametrize(("start", "end"), [(0.0, None), (1.0, 6.0), (1.0, None)])
def test_parts_are_the_whole_in_order(start: float, end: float | None) -> None:
    """Also of a recording that is itself a part."""
    sound = Media.encoded(sound_file(bursts(1, 7.0)), "audio").part(start, end)
    parts = parts_of(sound, pauses(sound, 2.0))
    assert len(parts) >= 3
    assert np.array_equal(
        np.concatenate([read_sound(part, RATE) for part in parts]), read_sound(sound, RATE)
    )


def test_short_ones_stay_whole() -> None:
    sound = Media.encoded(sound_file(bursts(1, 2.0)), "audio")
    assert parts_of(sound, pauses(sound, 2.0)) == [sound]


@pytest.mark.parametrize(("more", "whole"), [(SLACK / 2, True), (2 * SLACK, False)])
def test_recordings_hardly_longer_than_the_window_stay_whole(more: float, whole: bool) -> None:
    assert (pauses(Media.encoded(sound_file(bursts(1, 2 + more)), "audio"), 2.0) == []) is whole


def test_silence_is_cut_late() -> None:
    sound = Media.encoded(sound_file(np.zeros(10 * RATE)), "audio")
    assert pauses(sound, 4.0)[0] == pytest.approx(3.9, abs=0.02)


def test_only_a_window_is_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def counted(*asked: object, **named: float) -> np.ndarray:
        found = read_sound(*asked, **named)  # type: ignore[arg-type]
        sizes.append(len(found))
        return found

    monkeypatch.setattr(module, "read_sound", counted)
    sound = Media.encoded(sound_file(bursts(1, 40.0)), "audio")
    assert len(pauses(sound, 3.0)) == len(sizes)
    assert max(sizes) <= 3.0 * module.RATE + 1


def test_a_header_that_says_more_than_there_is_ends_the_search(tmp_path: Path) -> None:
    whole = film(100, 10, (16, 16), sound=bursts(1, 10.0), format="matroska")
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 6 // 10])
    cuts = pauses(Media.file(tmp_path / "cut.mkv"), 2.0)
    assert 1 <= len(cuts) <= 4


def test_what_has_no_sound_is_an_error() -> None:
    with pytest.raises(WeftError, match="has no sound track"):
        pauses(Media.encoded(film(30), "video"), 1.0)
