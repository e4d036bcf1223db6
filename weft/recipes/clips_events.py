"""What happens first in a clip, from its video, its sound and its caption, of which any may be missing."""

from weft.architectures.model import ModelConfig
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.fusion.late import LateConfig
from weft.fusion.mask_tokens import MaskTokensConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.objectives.classification import ClassificationConfig
from weft.recipes._clips import DIM, data, encoders, run
from weft.runs.recipe import Recipe
from weft.tasks.classification import ClassificationTaskConfig
from weft.training.optim import OptimConfig
from weft.worlds.clips import KINDS

STREAMS = ("video", "audio", "text")
FIRST = "first"
DROPOUT = 0.3
"""Probability that a training row loses a stream."""


def clips_events() -> Recipe:
    """The kind of the first event of a clip, from video, sound and caption, trained with modality dropout."""
    found = encoders()
    return Recipe(
        data=data(*STREAMS).replace(
            targets={FIRST: ClassesConfig(FIRST)},
            optional=STREAMS,
            modality_dropout=dict.fromkeys(STREAMS, DROPOUT),
        ),
        model=ModelConfig(
            encoders={name: found[name] for name in STREAMS},
            fusion=MaskTokensConfig(LateConfig(dict.fromkeys(STREAMS, DIM), DIM, norm=True)),
            heads={
                FIRST: HeadConfig(
                    ClassifierConfig(DIM, len(KINDS), hidden=(DIM,)), ClassOutput(FIRST)
                )
            },
        ),
        objectives={FIRST: ClassificationConfig(FIRST)},
        tasks={"classification": ClassificationTaskConfig(FIRST)},
        optim=OptimConfig(lr=1e-3, weight_decay=0.1, warmup=0.1, ema=0.98),
        run=run(300).replace(monitor="classification/accuracy"),
    )
