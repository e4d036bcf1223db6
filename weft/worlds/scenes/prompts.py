"""Scenes with prompts of six kinds, from one object to two colours bound to two shapes. Every prompt is exactly true.

The kinds are those of GenEval (Ghosh et al. 2023, arXiv:2310.11513, section 3): single object, two objects, count,
colour, position, and binding, which GenEval calls attribute binding.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from weft.core.config import Config
from weft.core.media import Media
from weft.core.ranges import COUNT, at_least, require
from weft.core.samples import Sample
from weft.data.formats import Dataset
from weft.worlds.drawn import DrawnRows, DrawnSource
from weft.worlds.scenes import world
from weft.worlds.scenes.dataset import attributes
from weft.worlds.scenes.drawing import draw
from weft.worlds.scenes.world import (
    SPLITS,
    TURNS,
    Description,
    Draws,
    Object,
    Scene,
    Split,
    pairs_of,
)

KINDS = ("single object", "two objects", "count", "color", "position", "binding")
NAMED_PAIRS = ("color", "binding")
"""Kinds whose prompts name colour and shape of an object. The split with held-out pairs has only these kinds."""
COLORS = ("red", "yellow", "green", "blue", "purple", "brown", "black", "white")
SHAPES = ("circle", "triangle", "star", "heart")
NUMBERS = ("one", "two", "three")
RELATIONS = {
    "left": "to the left of",
    "right": "to the right of",
    "above": "above",
    "below": "below",
}
APART = 0.25
"""Least distance of two centres along the axis of their relation."""
_STREAM = 7
"""Number of the stream of random numbers; the data set of scenes uses smaller ones."""


@dataclass(frozen=True)
class PromptedScenesConfig(Config["PromptedScenes"]):
    """Pictures of one to three objects on a plain background, each with a prompt and the facts that it asks for."""

    count: int = 1000
    """Number of pictures."""
    split: Split = "train"
    """test_heldout has prompts that name a colour-shape pair that no other split ever shows."""
    size: int = 64
    """Side of the pictures in pixels."""
    seed: int = 0
    """Another seed generates another world."""
    noise: int = 4
    """Largest change of a pixel by noise, in grey levels out of 255."""

    def __post_init__(self) -> None:
        require(self, count=COUNT, size=at_least(16, 4096), seed=at_least(0), noise=at_least(0, 24))

    def build(self) -> "PromptedScenes":
        return PromptedScenes(self)


class PromptedScenes(DrawnRows):
    """Items: image, text (the prompt), kind (of `KINDS`), asked (the facts in the prompt: objects, count, relation),
    objects, split."""

    what = "scenes"

    def __init__(self, config: PromptedScenesConfig) -> None:
        super().__init__(config)
        self.config = config

    def __len__(self) -> int:
        return self.config.count

    def _draw_row(self, index: int) -> Sample:
        config = self.config
        draws = Draws(config.seed, SPLITS.index(config.split), index, _STREAM)
        held_out = config.split == "test_heldout"
        kind = draws.pick(NAMED_PAIRS if held_out else KINDS)
        looks, relation = _looks(draws, kind, held_out)
        objects = _placed(draws, looks, relation)
        scene = Scene(
            tuple(objects), draws.pick(world.TINTS), "plain", Description(), 0, None, draws.unit(), COLORS, SHAPES,
        )  # fmt: skip
        text, asked = _prompt(kind, looks, relation)
        items: dict[str, Any] = {
            "image": Media.array_of(lambda: self._picture(scene), "image"),
            "text": text,
            "kind": kind,
            "asked": asked,
            "objects": [attributes(thing) for thing in objects],
            "split": config.split,
        }
        name = f"{config.split}-{index:06d}"
        return Sample(name, name, items, f"prompts:{config.split}/{index}")

    def _picture(self, scene: Scene) -> np.ndarray:
        return draw(scene, self.config.size, self.config.noise)


@dataclass(frozen=True)
class PromptsConfig(DrawnSource):
    """Rows of prompted scenes, generated on access."""

    scenes: PromptedScenesConfig = field(default_factory=PromptedScenesConfig)
    """Settings of pictures and prompts. Its split and count are not used."""

    @property
    def words(self) -> str:
        return "prompted scenes"

    def rows_of(self, split: str, count: int) -> Dataset:
        return self.scenes.replace(split=split, count=count).build()


def _looks(draws: Draws, kind: str, held_out: bool) -> tuple[list[tuple[str, str]], str | None]:
    """Colour and shape of each object, and the relation of the first to the second."""
    seen = pairs_of(COLORS, SHAPES, False)
    pairs = pairs_of(COLORS, SHAPES, True) if held_out else seen
    first = draws.pick(pairs)
    if kind in ("single object", "color"):
        return [first], None
    if kind == "count":
        number = 1 + draws.below(len(NUMBERS))
        return [
            first,
            *[draws.pick([p for p in seen if p[1] == first[1]]) for _ in range(number - 1)],
        ], None
    # Shapes and colours of the two differ, so that each names one object.
    second = draws.pick([p for p in seen if p[0] != first[0] and p[1] != first[1]])
    both = [first, second]
    if held_out and draws.below(2):
        both.reverse()
    return both, draws.pick(tuple(RELATIONS)) if kind == "position" else None


def _placed(draws: Draws, looks: list[tuple[str, str]], relation: str | None) -> list[Object]:
    """Places the objects so that none covers another and the relation holds."""
    while True:
        placed: list[Object] = []
        for color, shape in looks:
            size = draws.pick(world.SIZES)
            radius = draws.pick(world.RADII[size])
            for _ in range(24):
                x, y = draws.between(radius, 1 - radius), draws.between(radius, 1 - radius)
                apart = (
                    (x - o.x) ** 2 + (y - o.y) ** 2 > (radius + o.radius + 0.02) ** 2
                    for o in placed
                )
                if all(apart):
                    placed.append(world.place(shape, color, size, x, y, radius, draws.below(TURNS)))
                    break
        if len(placed) == len(looks) and (
            relation is None or holds(relation, placed[0].center, placed[1].center, APART)
        ):
            return placed


def holds(
    relation: str, one: tuple[float, float], other: tuple[float, float], apart: float = 0.0
) -> bool:
    """Whether a centre (x to the right, y down) lies left of, right of, above or below another by more than `apart`."""
    across, down = one[0] - other[0], one[1] - other[1]
    return {"left": -across, "right": across, "above": -down, "below": down}[relation] > apart


def _prompt(
    kind: str, looks: list[tuple[str, str]], relation: str | None
) -> tuple[str, dict[str, Any]]:
    """The prompt and its facts: objects with shape and perhaps colour, their number, their relation."""
    pairs = [{"color": color, "shape": shape} for color, shape in looks]
    shapes = [{"shape": shape} for _, shape in looks]
    named = [f"a {color} {shape}" for color, shape in looks]
    plain = [f"a {shape}" for _, shape in looks]
    if kind == "count":
        number, shape = len(looks), looks[0][1]
        text = f"{NUMBERS[number - 1]} {shape}{'s' if number > 1 else ''}"
        return text, {"objects": shapes[:1], "count": number}
    if kind == "position" and relation is not None:
        return f"{plain[0]} {RELATIONS[relation]} {plain[1]}", {
            "objects": shapes,
            "relation": relation,
        }
    by_color = kind in NAMED_PAIRS
    return " and ".join(named if by_color else plain), {"objects": pairs if by_color else shapes}
