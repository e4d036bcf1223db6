"""CMU-MOSI with the published vectors of words and sound (and face), in the context of the video."""

from typing import Annotated, Literal

from weft.architectures.model import ModelConfig
from weft.core.config import Config
from weft.core.interfaces import Encoder, Modality
from weft.data.context import AFTER, BEFORE, ContextConfig
from weft.encoders.over_time import OverTimeConfig
from weft.fusion.late import LateConfig
from weft.modalities.vectors import VectorsConfig
from weft.recipes._mosi import DIM, HEAD, OBJECTIVES, TARGETS, TASKS, WIDTHS, rows, score, vector
from weft.runs.recipe import DataConfig, Recipe
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

Read = Annotated[
    Literal["words_sound", "words", "sound", "face", "all"],
    "Precomputed feature vectors to read. The face vectors contain the training labels and little else.",
]

TEXT, SOUND, FACE = WIDTHS
READ: dict[str, tuple[str, ...]] = {
    "words_sound": (TEXT, SOUND),
    "words": (TEXT,),
    "sound": (SOUND,),
    "face": (FACE,),
    "all": (TEXT, SOUND, FACE),
}
AROUND, STATE = 8, 64
"""Number of sentences before and after whose words are read, and the width of a GRU over them."""
DROPOUT = 0.5
TRAINED, BATCH, EPOCHS = 1182, 32, 15


def mosi_features(read: Read = "words_sound") -> Recipe:
    """CMU-MOSI as in Poria et al. 2017 (ACL): precomputed vectors of words and sound, and a GRU over utterances.

    The vectors of words and face were learned with the labels of the training and validation rows. So validation is not
    informative: it is measured once, at the end, and the last weights are kept. The vectors of the face reach only 53 %
    alone on the test split. They are not read by default, because a model that fits them trusts them too much.
    """
    streams: dict[str, Config[Modality]] = {}
    encoders: dict[str, Config[Encoder]] = {}
    widths: dict[str, int] = {}
    for name in READ[read]:
        near = (BEFORE.format(name), AFTER.format(name)) if name == TEXT else ()
        gru = OverTimeConfig(
            vector(name), STATE, kind="gru", depth=1, bidirectional=False, dropout=DROPOUT
        )
        streams |= dict.fromkeys((name, *near), VectorsConfig(WIDTHS[name]))
        encoders |= {name: vector(name), **dict.fromkeys(near, gru)}
        widths |= {name: WIDTHS[name], **dict.fromkeys(near, STATE)}
    steps = EPOCHS * -(-TRAINED // BATCH)
    context = ContextConfig((TEXT,), before=AROUND, after=AROUND)
    return Recipe(
        data=DataConfig(
            source=rows("split").replace(context=context),
            streams=streams,
            targets=TARGETS,
            optional=tuple(streams),
            modality_dropout=dict.fromkeys(streams, 0.2),
        ),
        model=ModelConfig(
            encoders=encoders,
            fusion=LateConfig(widths, DIM, activation="relu", dropout=DROPOUT),
            heads={HEAD: score(DROPOUT)},
        ),
        objectives=OBJECTIVES,
        tasks=TASKS,
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, warmup=0.1, ema=0.98),
        run=RunConfig(
            steps=steps,
            batch_size=BATCH,
            evaluate_every=steps,
            checkpoint_every=steps,
            monitor="regression/MAE",
            precision="auto",
        ),
    )
