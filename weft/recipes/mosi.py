"""CMU-MOSI: the sentiment of a sentence from its words, its sound and the sentences around it."""

from typing import Annotated, Literal

from weft.architectures.model import ModelConfig
from weft.core.config import Config
from weft.core.interfaces import Encoder, Modality
from weft.data.context import AFTER, BEFORE, ContextConfig
from weft.data.features import CacheConfig
from weft.encoders.pretrained import PretrainedConfig
from weft.fusion.late import LateConfig
from weft.modalities.text import TextConfig
from weft.modalities.vectors import VectorsConfig
from weft.recipes._flickr8k import MINILM, TEXT_DIM, minilm
from weft.recipes._mosi import DIM, HEAD, OBJECTIVES, TARGETS, TASKS, WIDTHS, rows, score, vector
from weft.runs.recipe import DataConfig, Recipe
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

Read = Annotated[
    Literal["all", "words", "sound"],
    "Input streams: words and sound, or only one of them for comparison.",
]

TEXT, SOUND = "text", "audio_feat"
CONTEXT = (BEFORE.format(TEXT), AFTER.format(TEXT))
LAYERS, WORDS, AROUND = 6, 128, 256
"""Number of trained layers of MiniLM (all; the embedding is frozen); largest number of tokens of a sentence, and of the
sentences before or after it."""
DROPOUT = 0.3
LOST = {TEXT: 0.1, **dict.fromkeys((*CONTEXT, SOUND), 0.3)}
"""Probability that a training row loses a stream."""
TRAINED, BATCH, EPOCHS = 1284, 32, 10


def mosi(read: Read = "all") -> Recipe:
    """CMU-MOSI, standard fold: sentiment from fine-tuned MiniLM, openSMILE features and neighbouring sentences."""
    texts = () if read == "sound" else (TEXT, *CONTEXT)
    sounds = () if read == "words" else (SOUND,)
    streams: dict[str, Config[Modality]] = {}
    encoders: dict[str, Config[Encoder]] = {}
    for name in texts:
        own = name == TEXT
        streams[name] = _tokens(WORDS if own else AROUND)
        encoders[name] = (
            PretrainedConfig(MINILM, mode="partial", trainable_layers=LAYERS) if own else minilm()
        )
    for name in sounds:
        streams[name], encoders[name] = VectorsConfig(WIDTHS[name]), vector(name)
    widths = {**dict.fromkeys(texts, TEXT_DIM), **{name: WIDTHS[name] for name in sounds}}
    steps = EPOCHS * -(-TRAINED // BATCH)
    return Recipe(
        data=DataConfig(
            source=rows("fold").replace(context=ContextConfig((TEXT,), before=4, after=4)),
            streams=streams,
            targets=TARGETS,
            optional=tuple(streams),
            cache=dict.fromkeys(texts, CacheConfig(precision="auto")),
            modality_dropout={name: LOST[name] for name in streams},
        ),
        model=ModelConfig(
            encoders=encoders,
            fusion=LateConfig(
                widths, DIM, combine="gated", activation="relu", norm=True, dropout=DROPOUT
            ),
            heads={HEAD: score(DROPOUT)},
        ),
        objectives=OBJECTIVES,
        tasks=TASKS,
        optim=OptimConfig(
            lr=1e-3,
            weight_decay=0.01,
            warmup=0.1,
            groups={f"encoders.{TEXT}": 0.2} if texts else {},
            ema=0.98,
        ),
        run=RunConfig(
            steps=steps,
            batch_size=BATCH,
            evaluate_every=steps // 5,
            checkpoint_every=steps,
            monitor="regression/MAE",
            precision="auto",
        ),
    )


def _tokens(length: int) -> TextConfig:
    return TextConfig(kind="pretrained", pretrained=MINILM, max_length=length)
