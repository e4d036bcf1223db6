"""Shared by the recipes on the generated world."""

from weft.architectures.model import ModelConfig
from weft.encoders.convnet import ConvNetConfig
from weft.modalities.grid_regions import GridRegionsConfig
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig
from weft.objectives.masked import MaskedLanguageConfig
from weft.objectives.masked_regions import MaskedRegionsConfig
from weft.objectives.matching import MatchingConfig
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.matching import MatchingConfig as MatchingTask
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig
from weft.worlds.scenes import ScenesConfig
from weft.worlds.scenes.source import GeneratedConfig

VOCABULARY, LENGTH, SIZE = 1000, 48, 64
FIT_CAPTIONS = 10_000
"""Every word of the world occurs in so many captions; of a world whose captions are complete, in a fifth."""
PICTURE = 128
"""Width of a picture's tokens."""
REGIONS = GridRegionsConfig(ImageConfig(size=SIZE, crop_scale=None, flip=0.0), cells=8)
"""Regions from grid cells, without a detector."""
WORLD = ScenesConfig(size=SIZE)
"""Scenes of three to six objects; captions name some of them."""
SIMPLE = ScenesConfig(
    size=32,
    objects=(3, 3),
    scale=1.3,
    overlap=0.0,
    colors=("red", "yellow", "green", "blue", "purple", "brown", "black", "white"),
    shapes=("circle", "triangle", "star", "heart"),
    patterns=("plain",),
    complete=True,
    questions=("color", "shape"),
    outermost=False,
)
"""Scenes of three objects on a plain background, all of which every caption names: learned in minutes."""


def pictures() -> ConvNetConfig:
    """A small CNN, a token for 8 x 8 pixels, and position codes."""
    return ConvNetConfig(widths=(32, 64, PICTURE, PICTURE), halvings=3, positions=True)


def data(world: ScenesConfig = WORLD) -> DataConfig:
    """Scenes with English captions; no crops and no mirror images, since captions name positions."""
    return DataConfig(
        source=GeneratedConfig(scenes=world),
        streams={
            "image": ImageConfig(size=world.size, crop_scale=None, flip=0.0),
            "text": TextConfig(
                vocab_size=VOCABULARY,
                max_length=LENGTH,
                fit_captions=FIT_CAPTIONS // 5 if world.complete else FIT_CAPTIONS,
            ),
        },
    )


def region_data() -> DataConfig:
    """`data` with pictures as regions."""
    pictures = data()
    return pictures.replace(streams={**pictures.streams, "image": REGIONS})


def run(steps: int = 1000) -> RunConfig:
    """Settings of a run that takes minutes on two cores."""
    return RunConfig(
        steps=steps,
        batch_size=128,
        evaluate_every=250,
        checkpoint_every=250,
        monitor="retrieval/rsum",
        workers=2,
    )


def fusion_run(steps: int = 600) -> RunConfig:
    """Settings of a run that takes minutes on two cores, for a fusion model that is evaluated by matching."""
    return run(steps).replace(
        batch_size=32,
        evaluate_every=steps // 2,
        checkpoint_every=steps // 2,
        monitor="matching/accuracy",
        precision="auto",
    )


def region_pretraining(model: ModelConfig, width: int, *, lr: float) -> Recipe:
    """Pretraining on words and regions, fused to tokens of `width`: matching, masked words, masked regions."""
    return Recipe(
        data=region_data(),
        model=model,
        objectives={
            "masked": MaskedLanguageConfig(width, VOCABULARY),
            "matching": MatchingConfig(),
            "regions": MaskedRegionsConfig(width, REGIONS.feature_dim),
        },
        tasks={"matching": MatchingTask()},
        optim=OptimConfig(lr=lr, weight_decay=0.01, warmup=0.1, ema=0.99),
        run=fusion_run(),
    )
