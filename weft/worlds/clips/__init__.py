"""The generated world in motion: short videos, their sounds, one of their pictures and captions of the same events.

Any row is a pure function of (seed, split, index), on every machine and in every process.
"""

from weft.worlds.clips.dataset import Clips, ClipsConfig
from weft.worlds.clips.files import write_clips
from weft.worlds.clips.questions import ANSWERS, QUESTION_TYPES, TIMES
from weft.worlds.clips.world import DIRECTIONS, KINDS, SECONDS

__all__ = [
    "ANSWERS",
    "DIRECTIONS",
    "KINDS",
    "QUESTION_TYPES",
    "SECONDS",
    "TIMES",
    "Clips",
    "ClipsConfig",
    "write_clips",
]
