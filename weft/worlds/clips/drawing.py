"""Clip -> frames. Each frame is a scene of the objects that are visible at its time."""

import numpy as np

from weft.worlds.clips.world import SECONDS, TURN, Clip
from weft.worlds.scenes import drawing
from weft.worlds.scenes.world import Description, Scene


def draw(clip: Clip, time: float, size: int, noise: int) -> np.ndarray:
    """(size, size, 3) uint8: the frame at that time, in seconds. noise: see `weft.worlds.scenes.drawing.draw`."""
    # Each frame starts at a different position of the noise.
    grain = (clip.grain + 0.618 * time) % 1.0
    objects = tuple(clip.objects_at(time))
    scene = Scene(objects, clip.tint, clip.pattern, Description(), 0, None, grain)
    return drawing.draw(scene, size, noise)


def times_of(frames: int) -> list[float]:
    """Times of `frames` frames in seconds: the middles of equal parts of the clip."""
    return [(number + 0.5) * SECONDS / frames for number in range(frames)]


def video(clip: Clip, frames: int, size: int, noise: int) -> np.ndarray:
    """(frames, size, size, 3) uint8."""
    return np.stack([draw(clip, time, size, noise) for time in times_of(frames)])


def video_of_turn(clip: Clip, start: float, frames: int, size: int, noise: int) -> np.ndarray:
    """(frames, size, size, 3) uint8: evenly spaced over an event's turn, which starts at `start` seconds."""
    times = [start + (number + 0.5) * TURN / frames for number in range(frames)]
    return np.stack([draw(clip, time, size, noise) for time in times])
