"""Flickr8k-CN: an English caption and its picture to Chinese, by an encoder and a decoder.

The picture is a second stream. Its nine parts and the English words form one sequence, which a transformer encodes, and
the decoder attends to all of them. The hidden words follow Caglayan et al., NAACL 2019, arXiv:1903.08678.
The model uses the picture, because an auxiliary loss makes each stream alone predict the translation's characters.
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
LOST = 0.1
"""Share of the training rows that lack the picture."""
WIDTHS = {"english": DIM, "image": IMAGE_DIM}
"""Width of each stream."""


def flickr8k_translation(
    without: Annotated[
        Literal["nothing", "image"],
        "Stream that is removed from the model, also in training. Use it for blind baselines.",
    ] = "nothing",
    source: Annotated[
        Literal["whole", "hidden"],
        "Words of the English text. hidden: colours, people, animals and vehicles are masked.",
    ] = "whole",
) -> Recipe:
    """Flickr8k-CN: translates an English caption with its picture to Chinese; trained on machine translations."""
    read = tuple(stream for stream in WIDTHS if stream != without)
    words = {f"{stream}_words": WordPredictionConfig(DIM, HEAD, stream=stream) for stream in read}
    return Recipe(
        data=_data(read, ENGLISH if source == "hidden" else ()),
        model=_model(read),
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
            steps=4000,
            batch_size=64,
            evaluate_every=0,
            checkpoint_every=1000,
            monitor="translation/BLEU",
            precision="auto",
            workers=1,
        ),
    )


def _model(read: tuple[str, ...]) -> ModelConfig:
    encoders: dict[str, Config[Encoder]] = {
        "english": TextTransformerConfig(
            WORDS, DIM, depth=0, heads=HEADS, max_length=LONGEST, last_norm=False
        ),
        "image": parts(),
    }
    decoder = TransformerDecoderConfig(
        CHARACTERS,
        DIM,
        dim=DIM,
        depth=DEPTH,
        heads=HEADS,
        mlp=MLP,
        max_length=LONGEST,
        dropout=0.1,
    )
    return ModelConfig(
        encoders={stream: encoders[stream] for stream in read},
        fusion=EarlyConfig(
            {stream: WIDTHS[stream] for stream in read},
            TransformerConfig(DIM, DEPTH, HEADS, MLP, dropout=0.1),
            input_norm=True,
            pooling="mean",
        ),
        heads={
            HEAD: HeadConfig(decoder, TextOutput("machine", GenerationConfig(max_length=LONGEST)))
        },
    )


def _data(read: tuple[str, ...], hidden: tuple[str, ...]) -> DataConfig:
    """The streams in `read`, and the machine translations. hidden: words of the English texts that are masked."""
    texts = TextConfig(vocab_size=WORDS, max_length=LONGEST)
    streams: dict[str, Config[Modality]] = {
        "english": texts,
        "machine": texts.replace(vocab_size=CHARACTERS),
        "image": ImageConfig(size=288, fit="squash"),
    }
    pictures = tuple(stream for stream in read if stream == "image")
    return DataConfig(
        source=FilesConfig(
            folder() / "flickr8k" / "translations_zh.jsonl",
            images_dir=folder() / "flickr8k" / "images",
            aligned=("english", "machine", "human"),
            hidden={"english": BETWEEN.join(hidden)} if hidden else {},
        ),
        streams={name: one for name, one in streams.items() if name in (*read, "machine")},
        optional=pictures,
        cache={name: CacheConfig(precision="auto") for name in pictures},
        modality_dropout=dict.fromkeys(pictures, LOST),
        bucketing=BucketingConfig("machine"),
    )
