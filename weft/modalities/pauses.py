"""Pauses in long recordings, at which they are divided into parts."""

from collections.abc import Sequence

import numpy as np

from weft.core.media import Media
from weft.core.ranges import SLACK
from weft.modalities.audio_decoding import Samples, read_sound, sound_facts

RATE = 8_000
"""Samples a second of the sound in which pauses are sought."""
STRETCH = 0.01
"""Seconds over which the power is measured."""
PAUSE = 0.2
"""Seconds of a pause: the cut is in the middle of the softest stretch of this length."""


def pauses(recording: Media, longest: float) -> list[float]:
    """Returns the seconds at which to cut a recording so that no part is longer than `longest` seconds and SLACK.

    A part ends at the softest place of the second half of its window. Only one window is in memory. The recording is
    a sound, or a video with a sound track. Raises WeftError without the source; the caller adds it.
    """
    sound = recording.of_kind("audio")
    seconds = sound_facts(sound).seconds
    found: list[float] = []
    place = 0.0
    while seconds - place > longest + SLACK:
        span = min(longest, 0.75 * (seconds - place))  # so that the last part is not tiny
        window_S = read_sound(sound, RATE, offset=place, seconds=span)
        if len(window_S) < 0.99 * span * RATE:  # the header says more than there is
            break
        place += _softest(window_S) / RATE
        found.append(place)
    return found


def parts_of(recording: Media, cuts: Sequence[float]) -> list[Media]:
    """Returns the parts between the cuts, in their order; without cuts the recording itself. cuts: seconds from its start."""
    starts = [recording.start, *(recording.start + cut for cut in cuts)]
    ends = [*starts[1:], recording.end]
    return [recording.part(start, end) for start, end in zip(starts, ends, strict=True)]


def _softest(window_S: Samples) -> int:
    """Returns the middle sample of the softest pause in the second half; of equally soft ones, the last."""
    half, size = len(window_S) // 2, round(STRETCH * RATE)
    count = max(1, min(round(PAUSE / STRETCH), (len(window_S) - half) // size))
    second_S = window_S[half:]
    power_T = np.square(second_S[: len(second_S) // size * size].reshape(-1, size)).mean(1)
    power_T = np.convolve(power_T, np.full(count, 1 / count), "valid")
    last = len(power_T) - 1 - int(power_T[::-1].argmin())
    return half + (2 * last + count) * size // 2
