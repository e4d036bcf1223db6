"""Clip -> frames: each is a scene of the objects that are there at its time."""

import numpy as np

from weft.worlds.clips.world import SECONDS, TURN, Clip
from weft.worlds.scenes import drawing
from weft.worlds.scenes.world import Description, Scene


def draw(clip: Clip, time: float, size: int, noise: int) -> np.ndarray:
    """(size, size, 3) uint8: what is seen at that time, in seconds. noise: see `weft.worlds.scenes.drawing.draw`."""
    # Each picture begins at another place of the noise.
    grain = (clip.grain + 0.618 * time) % 1.0
    objects = tuple(clip.objects_at(time))
    scene = Scene(objects, clip.tint, clip.pattern, Description(), 0, None, grain)
    return drawing.draw(scene, size, noise)


def times_of(frames: int) -> list[float]:
    """When each of so many frames is seen: the middles of equal parts of the clip, in seconds."""
    return [(number + 0.5) * SECONDS / frames for number in range(frames)]


def video(clip: Clip, frames: int, size: int, noise: int) -> np.ndarray:
    """(frames, size, size, 3) uint8."""
    return np.stack([draw(clip, time, size, noise) for time in times_of(frames)])


def video_of_turn(clip: Clip, start: float, frames: int, size: int, noise: int) -> np.ndarray:
    """(frames, size, size, 3) uint8: evenly spaced over the turn of an event. start: of the turn, in seconds."""
    times = [start + (number + 0.5) * TURN / frames for number in range(frames)]
    return np.stack([draw(clip, time, size, noise) for time in times])
