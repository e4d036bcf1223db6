"""A cache of decoded video frames, for epochs that read the same frames again: decoding takes longest."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weft.core.media import Media
from weft.core.recent import RecentBytes
from weft.modalities.moving_part import MovingPart
from weft.modalities.video_decoding import read_frames

KEPT_BYTES = 128 << 20
_KEPT: RecentBytes[NDArray[np.uint8]] = RecentBytes(KEPT_BYTES)


def frames_of(
    video: Media, times: Sequence[float], *, min_side: int, part: MovingPart | None, keep: bool
) -> NDArray[np.uint8]:
    """(F, H, W, 3) the frames at these times, or the moving part of each.

    keep: whether the next epoch reads the same frames. Raises WeftError without the source.
    """
    key = None
    if keep and video.place.changed():
        moving = None if part is None else part.key
        key = (video.stamp(times=True), tuple(times), min_side, moving)
        if (kept := _KEPT.get(key)) is not None:
            return kept
    pixels = read_frames(video, times, min_side=min_side)
    if part is not None:
        pixels = part.cut(pixels)
    if key is not None:
        _KEPT.put(key, pixels, pixels.nbytes)
    return pixels
