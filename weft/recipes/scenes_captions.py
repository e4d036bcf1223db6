"""The demo's captions: a decoder on a pretrained picture encoder."""

from weft.architectures.captioner import captioner
from weft.decoders.generation import GenerationConfig
from weft.heads.texts import TextOutput
from weft.objectives.captioning import CaptioningConfig
from weft.recipes._scenes import LENGTH, PICTURE, SIMPLE, VOCABULARY, data, run
from weft.recipes.scenes import scenes
from weft.runs.recipe import Recipe
from weft.tasks.captioning import CaptioningTaskConfig
from weft.training.optim import OptimConfig

DIM = 128


def scenes_captions() -> Recipe:
    """Captions of the generated world, trained in a minute; --init RUN takes the picture encoder of `scenes_objects`."""
    pretraining = scenes()
    return pretraining.replace(
        data=data(SIMPLE),
        model=captioner(
            image=pretraining.model.encoders["image"],
            image_dim=PICTURE,
            vocab_size=VOCABULARY,
            dim=DIM,
            heads=4,
            decoder_depth=1,
            max_length=LENGTH,
            output=TextOutput(generation=GenerationConfig(max_length=LENGTH)),
        ),
        objectives={"captioning": CaptioningConfig()},
        tasks={"captioning": CaptioningTaskConfig(limit=100)},
        optim=OptimConfig(lr=3e-3, weight_decay=0.05, warmup=0.1, ema=0.95),
        run=run(300).replace(
            batch_size=64, evaluate_every=100, monitor="captioning/CIDEr-D", precision="auto"
        ),
    )
