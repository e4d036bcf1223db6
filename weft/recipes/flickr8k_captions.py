"""Flickr8k captions: a transformer decoder over the grid of a frozen MobileNetV2."""

from weft.architectures.captioner import captioner
from weft.decoders.generation import GenerationConfig
from weft.heads.texts import TextOutput
from weft.modalities.text import TextConfig
from weft.objectives.captioning import CaptioningConfig
from weft.recipes._flickr8k import IMAGE_DIM, captions, grid, grid_photographs, run
from weft.runs.recipe import Recipe
from weft.tasks.captioning import CaptioningTaskConfig
from weft.training.optim import OptimConfig

VOCABULARY, LONGEST = 2600, 40
BEAM = TextOutput(
    generation=GenerationConfig(method="beam", beams=4, length_exponent=0.9, max_length=24)
)


def flickr8k_captions() -> Recipe:
    """Flickr8k captions: a transformer writes words from the grid of a frozen MobileNetV2."""
    return Recipe(
        data=captions(
            "captions.jsonl",
            {"text": TextConfig(kind="word", max_length=LONGEST, train_captions=5)},
            image=grid_photographs(),
            train_views=4,
        ),
        model=captioner(
            image=grid(),
            image_dim=IMAGE_DIM,
            vocab_size=VOCABULARY,
            max_length=LONGEST,
            encoder_dropout=0.1,
            decoder_dropout=0.2,
            output=BEAM,
            views=2,
        ),
        objectives={"captioning": CaptioningConfig(label_smoothing=0.1)},
        tasks={"captioning": CaptioningTaskConfig()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, ema=0.995, groups={"encoders.image": 0.1}),
        run=run(epochs=8, batch_size=32, evaluations=4, monitor="captioning/CIDEr-D"),
    )
