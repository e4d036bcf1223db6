"""Shared by the recipes on the generated world."""

from weft.encoders.convnet import ConvNetConfig
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig
from weft.runs.recipe import DataConfig
from weft.training.config import RunConfig
from weft.worlds.scenes import ScenesConfig
from weft.worlds.scenes.source import GeneratedConfig

VOCABULARY, LENGTH, SIZE = 1000, 48, 64
FIT_CAPTIONS = 10_000
"""Number of captions for fitting the vocabulary: enough for every word of the world. Complete captions need a fifth."""
PICTURE = 128
"""Width of a picture's tokens."""
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
"""Scenes of three objects on a plain background. Every caption names all objects. They are learned in minutes."""


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
