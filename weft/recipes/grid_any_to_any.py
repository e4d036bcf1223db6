"""GRID: the sound, the mouth and the words of a short video of a speaker in one space."""

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.data.sources import FilesConfig
from weft.data.splicing import SpliceConfig
from weft.data.targets.transcript import TranscriptConfig
from weft.data.targets.word_times import WordTimesConfig
from weft.decoders.ctc import CTCDecoderConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.heads.head import HeadConfig
from weft.heads.transcripts import TranscriptOutput
from weft.modalities.text import TextConfig
from weft.objectives.aligned_words import AlignedWordsConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.recipes._data import folder
from weft.recipes._grid import DIM, DROPOUT, RATE, TOKENS, UNITS, encoder, heard, seen
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

STREAMS = ("audio", "video", "text")
EMBEDDING = 128
VOCABULARY, LENGTH = 300, 24
RATES = {"audio": TOKENS, "video": RATE}
"""Tokens per second of each stream."""


def grid_any_to_any() -> Recipe:
    """GRID: sound, video and words in one space: contrast between all pairs, and word prediction at each moment."""
    return Recipe(
        data=DataConfig(
            source=FilesConfig(folder() / "grid_s1"),
            streams={
                "audio": heard(),
                "video": seen(),
                "text": TextConfig(vocab_size=VOCABULARY, max_length=LENGTH),
            },
            targets={
                "transcript": TranscriptConfig("text", unit="word"),
                "times": WordTimesConfig("words"),
            },
            splice=SpliceConfig(tuple(RATES), share=0.8, parts=6),
        ),
        model=ModelConfig(
            encoders={
                **{name: encoder(name) for name in RATES},
                "text": TextTransformerConfig(
                    VOCABULARY, dim=DIM, depth=2, heads=4, max_length=LENGTH
                ),
            },
            projections={name: ProjectionConfig(DIM, EMBEDDING) for name in STREAMS},
            heads={
                name: HeadConfig(
                    CTCDecoderConfig(DIM, UNITS, dropout=DROPOUT), TranscriptOutput(), name
                )
                for name in RATES
            },
        ),
        objectives={
            "contrastive": SoftmaxContrastiveConfig(STREAMS),
            **{name: AlignedWordsConfig(name, rate=rate) for name, rate in RATES.items()},
        },
        tasks={"retrieval": RetrievalConfig(streams=STREAMS)},
        optim=OptimConfig(lr=2e-3, weight_decay=0.01, warmup=0.1, ema=0.99),
        run=RunConfig(
            steps=1200,
            batch_size=32,
            evaluate_every=200,
            checkpoint_every=1200,
            workers=0,
        ),
    )
