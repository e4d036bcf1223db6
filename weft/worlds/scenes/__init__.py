"""The generated world that ships with the package: pictures, captions, boxes, questions, offline.

Any row is a pure function of (seed, split, index), on every machine and in every process.
"""

from weft.worlds.scenes.dataset import Scenes, ScenesConfig, write_scenes
from weft.worlds.scenes.questions import ANSWERS, QUESTION_TYPES
from weft.worlds.scenes.world import COLORS, HELD_OUT, SHAPES, SIZES, SPLITS

__all__ = [
    "ANSWERS",
    "COLORS",
    "HELD_OUT",
    "QUESTION_TYPES",
    "SHAPES",
    "SIZES",
    "SPLITS",
    "Scenes",
    "ScenesConfig",
    "write_scenes",
]
