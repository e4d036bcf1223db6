"""Mismatch detection: `scenes_objects`, measured on captions of other scenes and on captions with one wrong word."""

from weft.recipes._scenes import SIMPLE, data
from weft.recipes.scenes_objects import scenes_objects
from weft.runs.recipe import Recipe
from weft.tasks.mismatch import MismatchConfig

ALTERED = "altered"
"""The column of captions with one wrong colour or shape."""


def scenes_mismatch() -> Recipe:
    """Mismatch detection on the generated world: captions of other scenes and captions with one wrong word."""
    plain = scenes_objects()
    source = data(SIMPLE.replace(altered=True)).source
    return plain.replace(
        data=plain.data.replace(source=source),
        tasks={**plain.tasks, "mismatch": MismatchConfig(partners=("random", ALTERED))},
        run=plain.run.replace(steps=700, evaluate_every=350),
    )
