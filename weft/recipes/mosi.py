"""CMU-MOSI: the sentiment of a sentence from its words, its sound and the sentences around it."""

from weft.architectures.model import ModelConfig
from weft.data.context import ContextConfig
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

SOUND = "audio_feat"
CONTEXT = ("text_before", "text_after")
LAYERS, WORDS, AROUND = 6, 128, 256
"""Layers of MiniLM that are trained (all; the embedding is frozen), and the most tokens of a sentence and of the sentences before or after it."""
DROPOUT = 0.3
TRAINED, BATCH, EPOCHS = 1284, 32, 6


def mosi() -> Recipe:
    """CMU-MOSI, the standard fold: sentiment by fine-tuned MiniLM, openSMILE sound features and the sentences around."""
    texts = ("text", *CONTEXT)
    tuned = PretrainedConfig(MINILM, mode="partial", trainable_layers=LAYERS)
    widths = {**dict.fromkeys(texts, TEXT_DIM), SOUND: WIDTHS[SOUND]}
    steps = EPOCHS * -(-TRAINED // BATCH)
    return Recipe(
        data=DataConfig(
            source=rows("fold").replace(context=ContextConfig(("text",), before=4, after=4)),
            streams={
                "text": _tokens(WORDS),
                **dict.fromkeys(CONTEXT, _tokens(AROUND)),
                SOUND: VectorsConfig(WIDTHS[SOUND]),
            },
            targets=TARGETS,
            optional=tuple(widths),
            cache=dict.fromkeys(texts, CacheConfig(precision="auto")),
            modality_dropout={"text": 0.1, **dict.fromkeys((*CONTEXT, SOUND), 0.3)},
        ),
        model=ModelConfig(
            encoders={"text": tuned, **dict.fromkeys(CONTEXT, minilm()), SOUND: vector(SOUND)},
            fusion=LateConfig(widths, DIM, activation="relu", norm=True, dropout=DROPOUT),
            heads={HEAD: score(DROPOUT)},
        ),
        objectives=OBJECTIVES,
        tasks=TASKS,
        optim=OptimConfig(
            lr=1e-3, weight_decay=0.01, warmup=0.1, groups={"encoders.text": 0.2}, ema=0.98
        ),
        run=RunConfig(
            steps=steps,
            batch_size=BATCH,
            evaluate_every=steps // 3,
            checkpoint_every=steps,
            monitor="regression/MAE",
            precision="auto",
        ),
    )


def _tokens(length: int) -> TextConfig:
    return TextConfig(kind="pretrained", pretrained=MINILM, max_length=length)
