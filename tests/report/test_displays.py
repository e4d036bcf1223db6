"""Sounds, videos and pictures on a page: how wide they are."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from weft.core.display import Axis, Display, Picture, Recording
from weft.core.media import Media
from weft.report.displays import WIDE, figures


def widths(found: str) -> list[int]:
    return [int(width) for width in re.findall(r'style="width:(\d+)px"', found)]


@pytest.fixture
def sound(tmp_path: Path) -> Display:
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.sin(np.arange(8000) / 5), 16_000)
    return Display(recordings=(Recording(Media.file(path, "audio")),))


def test_a_spectrogram_is_as_wide_as_its_player(sound: Display) -> None:
    found = figures(sound, "a tone", 160)
    player = re.fullmatch(
        r'<div class="recording" style="width:480px">(<figure.*</figure>)(<audio.*</audio>)</div>',
        found,
    )
    assert player is not None
    assert widths(player[1]) == [160 * WIDE]


def test_small_pictures_of_sounds_stay_small(sound: Display) -> None:
    found = figures(sound, "", 90, played=False, wide=1)
    assert widths(found) == [90]
    assert "<audio" not in found


def test_pictures_with_frequencies_are_wide_and_others_are_not() -> None:
    pixels = np.zeros((8, 24, 3), np.uint8)
    frequencies = Axis((0.0, 4000.0, 8000.0), "Hz")
    shown = Display(pictures=(Picture(pixels), Picture(pixels, rows=frequencies)))
    assert widths(figures(shown, "", 100)) == [100, 100 * WIDE]
