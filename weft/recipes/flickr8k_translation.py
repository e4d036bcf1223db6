"""Flickr8k-CN: an English caption and its picture to Chinese, by an encoder and a decoder.

The picture is a second stream: its nine parts stand in one sequence with the English words, under one transformer, and
the decoder attends to all of them (compare Caglayan et al., NAACL 2019, arXiv:1903.08678, whose hidden words these are).
Two things make the model use it. Each stream by itself is to tell which characters the translation has, and a part of the
training rows is without the English text, so that only the picture can tell them.
"""

from typing import Annotated, Literal

from weft.architectures.model import ModelConfig
from weft.core.config import Config
from weft.core.interfaces import Encoder, Modality
from weft.data.bucketing import BucketingConfig
from weft.data.features import CacheConfig
from weft.data.sources import BETWEEN, FilesConfig
from weft.decoders.generation import GenerationConfig
from weft.decoders.text import TransformerDecoderConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.fusion.early import EarlyConfig
from weft.heads.head import HeadConfig
from weft.heads.texts import TextOutput
from weft.layers.transformer import TransformerConfig
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig
from weft.objectives.captioning import CaptioningConfig
from weft.objectives.word_prediction import WordPredictionConfig
from weft.recipes._data import folder
from weft.recipes._flickr8k import IMAGE_DIM, parts
from weft.recipes._hidden_words import CHINESE, ENGLISH
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.contrastive_translation import ContrastiveTranslationConfig
from weft.tasks.translation import TranslationTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

HEAD = "translation"
DIM, HEADS, MLP, DEPTH = 128, 4, 384, 2
WORDS, CHARACTERS, LONGEST = 4000, 3000, 40
LOST = {"image": 0.1}
"""Share of the training rows that lack the stream."""


def flickr8k_translation(
    without: Annotated[
        Literal["nothing", "image"],
        "Stream that the model does without, in training too: the blind baselines.",
    ] = "nothing",
    source: Annotated[
        Literal["whole", "hidden"],
        "hidden: colours, people, animals and vehicles of the English text are hidden.",
    ] = "whole",
) -> Recipe:
    """Flickr8k-CN: translates an English caption with its picture to Chinese; trained on machine translations."""
    texts = TextConfig(vocab_size=WORDS, max_length=LONGEST)
    streams: dict[str, Config[Modality]] = {
        "english": texts,
        "machine": texts.replace(vocab_size=CHARACTERS),
    }
    encoders: dict[str, Config[Encoder]] = {
        "english": TextTransformerConfig(
            WORDS, DIM, depth=0, heads=HEADS, max_length=LONGEST, last_norm=False
        )
    }
    widths = {"english": DIM}
    if without == "nothing":
        streams["image"] = ImageConfig(size=288, fit="squash")
        encoders["image"] = parts()
        widths["image"] = IMAGE_DIM
    seen = tuple(name for name in streams if name == "image")
    words = {f"{stream}_words": WordPredictionConfig(DIM, HEAD, stream=stream) for stream in widths}
    return Recipe(
        data=DataConfig(
            source=FilesConfig(
                folder() / "flickr8k" / "translations_zh.jsonl",
                images_dir=folder() / "flickr8k" / "images",
                aligned=("english", "machine", "human"),
                hidden={"english": BETWEEN.join(ENGLISH)} if source == "hidden" else {},
            ),
            streams=streams,
            optional=seen,
            cache={name: CacheConfig(precision="auto") for name in seen},
            modality_dropout=LOST if seen else {},
            bucketing=BucketingConfig("machine"),
        ),
        model=ModelConfig(
            encoders=encoders,
            fusion=EarlyConfig(
                widths,
                TransformerConfig(DIM, DEPTH, HEADS, MLP, dropout=0.1),
                input_norm=True,
                pooling="mean",
            ),
            heads={HEAD: HeadConfig(_decoder(), _output())},
        ),
        objectives={"translation": CaptioningConfig(HEAD, label_smoothing=0.1), **words},
        weights=dict.fromkeys(words, 0.5),
        tasks={
            "translation": TranslationTaskConfig(HEAD, references="human", tokenizer="zh"),
            "contrastive_translation": ContrastiveTranslationConfig(
                HEAD, references="human", words=CHINESE
            ),
        },
        optim=OptimConfig(lr=1.5e-3, weight_decay=0.05, warmup=0.1, ema=0.995),
        run=RunConfig(
            steps=2500,
            batch_size=64,
            evaluate_every=0,
            checkpoint_every=1000,
            monitor="translation/BLEU",
            precision="auto",
            workers=1,
        ),
    )


def _decoder() -> TransformerDecoderConfig:
    return TransformerDecoderConfig(
        CHARACTERS,
        DIM,
        dim=DIM,
        depth=DEPTH,
        heads=HEADS,
        mlp=MLP,
        max_length=LONGEST,
        dropout=0.1,
    )


def _output() -> TextOutput:
    return TextOutput("machine", GenerationConfig(max_length=LONGEST))
