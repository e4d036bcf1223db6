"""Captions of generated videos: a decoder attends to the frames."""

from weft.architectures.model import ModelConfig
from weft.decoders.generation import GenerationConfig
from weft.decoders.text import TransformerDecoderConfig
from weft.heads.head import HeadConfig
from weft.heads.texts import TextOutput
from weft.objectives.captioning import CaptioningConfig
from weft.recipes._clips import DIM, LENGTH, VOCABULARY, data, encoders, run
from weft.runs.recipe import Recipe
from weft.tasks.captioning import CaptioningTaskConfig
from weft.training.optim import OptimConfig


def clips_captions() -> Recipe:
    """Captions of generated clips, all events in order; --init RUN takes the video encoder of `clips_any_to_any`."""
    known = data("video", "text")
    text = known.streams["text"].replace(train_captions=2)
    return Recipe(
        data=known.replace(streams={**known.streams, "text": text}),
        model=ModelConfig(
            encoders={"video": encoders()["video"]},
            heads={
                "caption": HeadConfig(
                    TransformerDecoderConfig(
                        VOCABULARY, DIM, dim=DIM, depth=2, heads=4, max_length=LENGTH
                    ),
                    TextOutput(generation=GenerationConfig(max_length=LENGTH)),
                    context="video",
                )
            },
        ),
        objectives={"captioning": CaptioningConfig()},
        tasks={"captioning": CaptioningTaskConfig(limit=100)},
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, warmup=0.1, ema=0.99),
        run=run(600).replace(monitor="captioning/CIDEr-D"),
    )
