"""Generated sounds: each shape, colour and size is heard."""

from itertools import combinations, product

import numpy as np
import pytest

from weft.worlds.scenes import COLORS, SHAPES
from weft.worlds.sounds import PITCHES, Note, render

RATE = 8000


def note(shape: str, color: str, size: str = "large", seconds: float = 0.3) -> np.ndarray:
    return render([Note(0.0, seconds, shape, color, size)], seconds, RATE)


@pytest.mark.parametrize("color", COLORS)
def test_the_pitch_is_the_lowest_peak_of_the_spectrum(color: str) -> None:
    for shape in SHAPES:
        samples = note(shape, color, seconds=0.5)
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
        first = int((spectrum > 0.3 * spectrum.max()).argmax())
        found = 2.0 * (first + int(spectrum[first : first + 25].argmax()))
        assert found == pytest.approx(PITCHES[color], abs=2), shape


def test_every_two_colours_are_a_minor_third_apart() -> None:
    pitches = np.array(list(PITCHES.values()))
    np.testing.assert_allclose(pitches[1:] / pitches[:-1], 2 ** (3 / 12))
    assert 5 * pitches.max() < RATE / 2


def test_any_two_shapes_sound_different_in_every_colour() -> None:
    for color, (one, other) in product(COLORS, combinations(SHAPES, 2)):
        spectra = []
        for shape in (one, other):
            samples = note(shape, color)
            # Loudness over time beside the spectrum: some shapes differ in their decay or tremolo alone.
            spectrum = np.abs(np.fft.rfft(samples))
            envelope = np.abs(samples).reshape(60, -1).max(1)
            spectra.append(
                np.concatenate(
                    [spectrum / np.linalg.norm(spectrum), envelope / np.linalg.norm(envelope)]
                )
            )
        assert np.linalg.norm(spectra[0] - spectra[1]) > 0.3, (color, one, other)


def test_notes_add_and_end_with_the_sound() -> None:
    one, other = Note(0.1, 0.2, "circle", "red", "small"), Note(0.2, 0.5, "star", "blue", "large")
    both = render([one, other], 0.4, RATE)
    assert both.shape == (3200,)
    assert both.dtype == np.float32
    np.testing.assert_allclose(both, render([one], 0.4, RATE) + render([other], 0.4, RATE))
    assert not both[: int(0.1 * RATE)].any()
    assert not render([], 0.4, RATE).any()


def test_a_note_begins_and_ends_without_a_click() -> None:
    samples = note("square", "red")
    assert np.abs(samples[:4]).max() < 0.1
    assert np.abs(samples[-4:]).max() < 0.1
    assert np.abs(samples).max() <= 0.24
