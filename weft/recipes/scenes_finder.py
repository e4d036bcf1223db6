"""Finds the objects of prompted scenes with a CNN. It judges scenes that other runs generate."""

from weft.architectures.model import ModelConfig
from weft.data.targets.cells import CellsConfig
from weft.decoders.cells import CellClassifierConfig
from weft.encoders.convnet import ConvNetConfig
from weft.heads.cells import CellsOutput
from weft.heads.head import HeadConfig
from weft.modalities.image import ImageConfig
from weft.objectives.grid_objects import GridObjectsConfig
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.composition import CompositionTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig
from weft.worlds.scenes.prompts import COLORS, SHAPES, PromptsConfig

SIZE, CELLS, WIDTHS = 64, 8, (32, 64, 128, 128)


def scenes_finder() -> Recipe:
    """Shape and colour of the object in each cell of a scene, trained on real pictures only."""
    classes = (len(SHAPES), len(COLORS))
    return Recipe(
        data=DataConfig(
            source=PromptsConfig(),
            streams={"image": ImageConfig(size=SIZE, crop_scale=None, flip=0.0)},
            targets={"objects": CellsConfig(cells=CELLS, attributes=("shape", "color"))},
        ),
        model=ModelConfig(
            encoders={"image": ConvNetConfig(WIDTHS, halvings=3, positions=False)},
            heads={
                "objects": HeadConfig(
                    CellClassifierConfig(WIDTHS[-1], classes), CellsOutput(), "image"
                )
            },
        ),
        objectives={"objects": GridObjectsConfig(WIDTHS[-1], classes, head="objects", nothing=0.3)},
        tasks={"composition": CompositionTaskConfig()},
        optim=OptimConfig(lr=2e-3, weight_decay=0.05, ema=0.99),
        run=RunConfig(
            steps=2000,
            batch_size=64,
            evaluate_every=500,
            checkpoint_every=1000,
            monitor="composition/right",
            precision="auto",
            workers=1,
        ),
    )
