"""What the part that moves costs, such as a mouth, beside decoding: milliseconds a clip.

Every clip is decoded as the recipe `grid_lips` does it, the same frames at the same size; then the part is found and cut, and its
change made. Both are processor time of the process; a clip has the median over the rounds, and printed are the median and
the quartiles over the clips. Clips are those of GRID where the folder of data is there, and made ones otherwise
(see `media_decoding`).
"""

import math
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.lines.media_decoding import made_video, processor_seconds, recordings
from benchmarks.measure import Comparison, Setting, faster, value
from weft.core.media import Media
from weft.modalities.moving_part import Frames, MovingPart, Seen
from weft.modalities.video_decoding import read_frames, video_facts
from weft.recipes._grid import seen

CLIPS = 64


def measure(setting: Setting) -> list[Comparison]:
    with tempfile.TemporaryDirectory() as folder:
        clips, what = recordings("grid_s1/clips", CLIPS, Path(folder), made_video, "mp4")
        part = learned(clips)
        found = [of_clip(path, part, setting.rounds) for path in clips]
    decoding, cutting = ([1000 * seconds for seconds in one] for one in zip(*found, strict=True))
    return [
        spread("decoding a clip", decoding, what),
        spread("finding and cutting its part that moves", cutting, what),
        faster("the part that moves, decoding", cutting, decoding, unit="ms", note=what),
    ]


def frames_of(path: Path) -> Frames:
    """Those that the recipe reads."""
    config = seen()
    assert config.part is not None
    media = Media.file(path)
    side = math.ceil(config.image.decoded_side() / config.part.share)
    times = config.sampling.times(video_facts(media).seconds, 0.0, None)
    return read_frames(media, times, min_side=side)


def learned(clips: Sequence[Path]) -> MovingPart:
    """The part, whose look is learned from the clips."""
    config = seen().part
    assert config is not None
    part = config.build()
    part.learn([Seen.of(frames_of(path), config.window) for path in clips])
    return part


def of_clip(path: Path, part: MovingPart, rounds: int) -> tuple[float, float]:
    """Seconds for decoding the clip, and for finding and cutting the part."""
    read: list[Frames] = []
    decoding, cutting = [], []
    for _ in range(rounds + 1):
        decoding.append(processor_seconds(lambda: read.append(frames_of(path))))
        frames = read.pop()
        cutting.append(processor_seconds(lambda frames=frames: part.cut(frames)))  # type: ignore[misc]
    # The first round warms the caches up.
    return statistics.median(decoding[1:]), statistics.median(cutting[1:])


def spread(what: str, milliseconds: list[float], note: str) -> Comparison:
    """The median over the clips, and their quartiles."""
    low, middle, high = statistics.quantiles(milliseconds, n=4, method="inclusive")
    return value(what, middle, [low, high], unit="ms", note=f"{note}, quartiles over them")
