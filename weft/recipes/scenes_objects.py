"""The demo's pretraining: `scenes` with an auxiliary loss for the picture encoder."""

from weft.data.targets.cells import CellsConfig
from weft.objectives.grid_objects import GridObjectsConfig
from weft.recipes._scenes import PICTURE, SIMPLE
from weft.recipes.scenes import scenes
from weft.runs.recipe import Recipe
from weft.worlds.scenes import SIZES

CELLS = SIMPLE.size // 8
"""Cells along each side of the picture encoder's output grid."""
OBJECTS = GridObjectsConfig(PICTURE, (len(SIMPLE.shapes), len(SIMPLE.colors), len(SIZES)))


def scenes_objects() -> Recipe:
    """`scenes` with an auxiliary loss: predict the object in each grid cell. Rows need a list of objects.

    It teaches shapes in a hundred steps, which captions alone teach in several hundred.
    """
    plain = scenes()
    return plain.replace(
        data=plain.data.replace(targets={"objects": CellsConfig(cells=CELLS)}),
        objectives={**plain.objectives, "objects": OBJECTS},
        weights={"objects": 2.0},
        optim=plain.optim.replace(lr=6e-3),
    )
