"""The streams of a table's columns, for the recipes for own data: modality and encoder of each kind."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple

import torch

from weft.core.building import build
from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Encoder, Modality, Target
from weft.core.naming import free_name
from weft.data.column_kinds import ColumnKind
from weft.data.features import CacheConfig
from weft.data.no_data import NoDataConfig
from weft.data.policy import ErrorPolicy
from weft.data.schema import Column, Schema
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.over_time import OverTimeConfig
from weft.encoders.pictures import PicturesEncoderConfig
from weft.encoders.pretrained import PretrainedConfig
from weft.encoders.spectrogram_cnn import SpectrogramCNNConfig
from weft.encoders.table import TableEncoderConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.weights import architecture
from weft.encoders.word_vectors import WordVectorsConfig
from weft.modalities.audio import AudioConfig
from weft.modalities.audio_transforms import SoundChangesConfig, SpecAugmentConfig
from weft.modalities.frame_sampling import FrameSamplingConfig
from weft.modalities.image import ImageConfig
from weft.modalities.pictures import PicturesConfig
from weft.modalities.processor import image_of
from weft.modalities.spectrogram import SpectrogramConfig
from weft.modalities.table import TableConfig
from weft.modalities.tags import TagsInputConfig
from weft.modalities.text import TextConfig
from weft.modalities.video import VideoConfig
from weft.runs.recipe import DataConfig

Tune = Literal["frozen", "lora", "full"]
ImageModel = Annotated[
    str | None, "Published model for pictures: a folder, package:NAME or a hub name."
]
TextModel = Annotated[str | None, "Published model for texts."]
Tuned = Annotated[Tune, "Trainable part of a published model: frozen (nothing), lora or full."]
SIZE, VOCABULARY, LENGTH = 64, 4000, 64
WIDTHS, DIM = (32, 64, 128, 128), 128
"""Channels of the small CNN, and the width of texts, tables and fusions."""
TABLE = "table"
"""Name of the stream of all numbers, categories and dates, unless a column has this name."""
MOST_PICTURES = 4
MOST_CLASSES = 3000
RATE, SECONDS, MELS, CNN = 16_000, 10.0, 64, (16, 32, 64, 128, 128)
FRAMES = 8


@dataclass(frozen=True)
class Towers:
    """Published models for pictures and texts, or None for small towers from scratch. tune: which part of published
    models is trained. crop: range of the share of a picture in a training crop; None: no crops."""

    image: str | None = None
    text: str | None = None
    tune: Tune = "frozen"
    crop: tuple[float, float] | None = (0.6, 1.0)


@dataclass(frozen=True)
class Inputs:
    """The streams of a table, their encoders, and the widths of their features."""

    streams: dict[str, Config[Modality]] = field(default_factory=dict)
    encoders: dict[str, Config[Encoder]] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)
    cache: dict[str, CacheConfig] = field(default_factory=dict)

    def add(self, name: str, stream: "Stream") -> None:
        """Adds a stream."""
        self.streams[name], self.encoders[name] = stream.modality, stream.encoder
        self.widths[name] = stream.width
        if stream.cache is not None:
            self.cache[name] = stream.cache

    def data(self, targets: dict[str, Config[Target]], errors: ErrorPolicy) -> DataConfig:
        """The data settings. A row may lack any of the streams."""
        return DataConfig(
            source=NoDataConfig(),
            streams=self.streams,
            targets=targets,
            optional=tuple(self.streams),
            cache=self.cache,
            errors=errors,
        )


class Stream(NamedTuple):
    """Modality and encoder of a column, the width of its features, and the cache of a frozen part."""

    modality: Config[Modality]
    encoder: Config[Encoder]
    width: int
    cache: CacheConfig | None = None


def inputs_of(
    schema: Schema,
    leave_out: Sequence[str],
    towers: Towers,
    *,
    tokens: bool = False,
    texts: Sequence[str] = (),
) -> Inputs:
    """The streams of pictures, sounds, videos, texts, tags, numbers, categories and dates of the table, without the
    columns in `leave_out`.

    tokens: pictures keep their grid, for a fusion or decoder that attends to it. texts: columns that are read as texts
    in any case. Raises WeftError if no column is left.
    """
    roles = (schema.group, schema.match, schema.split)
    used = [n for n in schema.columns if n not in leave_out and n not in roles]
    found = Inputs()
    for name in used:
        column = schema.columns[name]
        stream = _texts(towers) if name in texts else stream_of(column, towers, tokens)
        if stream is not None:
            found.add(name, stream)
    table = _table(schema, [name for name in used if name not in texts])
    if table is not None:
        found.add(free_name(TABLE, schema.columns), table)
    if not found.streams:
        kinds = ", ".join(f"{name} ({column.kind})" for name, column in schema.columns.items())
        raise WeftError(f"there is nothing to learn from: the columns are {kinds}")
    return found


def stream_of(column: Column, towers: Towers, tokens: bool) -> Stream | None:
    """The stream of a column by its kind; None for a number, category, date or id, which has no separate stream."""
    match column.kind:
        case "image":
            return Stream(*_picture(towers, tokens))
        case "images":
            return _several_pictures(towers, tokens)
        case "text":
            return _texts(towers)
        case "audio":
            return _sounds()
        case "video":
            return _videos(towers)
        case "tags":
            return _tags(column.distinct)
        case _:
            return None


def _picture(
    towers: Towers, tokens: bool
) -> tuple[ImageConfig, Config[Encoder], int, CacheConfig | None]:
    """The fields of a Stream."""
    base = ImageConfig(size=SIZE, fit="squash", crop_scale=towers.crop, flip=0.0)
    if towers.image is None:
        encoder = ConvNetConfig(
            widths=WIDTHS, halvings=3 if tokens else 4, positions=tokens, pooling="max"
        )
        return base, encoder, WIDTHS[-1], None
    pretrained = PretrainedConfig(towers.image, tower="vision", mode=towers.tune, tokens=tokens)
    cache = CacheConfig() if towers.tune == "frozen" else None
    return image_of(towers.image, base), pretrained, _width(pretrained), cache


def _several_pictures(towers: Towers, tokens: bool) -> Stream:
    """Several pictures, each through the same encoder. With tokens, a published model gives one vector per picture."""
    one = _picture(towers, tokens and towers.image is None)
    encoder = PicturesEncoderConfig(one[1], tokens=tokens)
    return Stream(PicturesConfig(one[0], most=MOST_PICTURES), encoder, *one[2:])


def _texts(towers: Towers) -> Stream:
    if towers.text is None:
        encoder = TextTransformerConfig(VOCABULARY, DIM, depth=1, heads=4, max_length=LENGTH)
        return Stream(TextConfig(vocab_size=VOCABULARY, max_length=LENGTH), encoder, DIM)
    pretrained = PretrainedConfig(towers.text, tower="text", mode=towers.tune, tokens=False)
    text = TextConfig(kind="pretrained", pretrained=towers.text, max_length=LENGTH)
    cache = CacheConfig() if towers.tune == "frozen" else None
    return Stream(text, pretrained, _width(pretrained), cache)


def _sounds() -> Stream:
    """Windows of 10 s as log-mel frames, encoded by a small CNN."""
    modality = AudioConfig(
        rate=RATE,
        seconds=SECONDS,
        level="peak",
        spectrogram=SpectrogramConfig(mels=MELS, window=0.04, hop=0.02),
        changes=SoundChangesConfig(gain=6.0, shift=0.5),
        masks=SpecAugmentConfig(bands=1, times=2),
    )
    return Stream(modality, SpectrogramCNNConfig(MELS, CNN, convolutions=1), CNN[-1])


def _videos(towers: Towers) -> Stream:
    """Evenly spaced frames, each through the encoder of pictures, and a transformer over time."""
    picture, encoder, _, cache = _picture(towers, tokens=False)
    sampling = FrameSamplingConfig("random" if cache is None else "uniform", frames=FRAMES)
    over_time = OverTimeConfig(PicturesEncoderConfig(encoder), dim=DIM)
    return Stream(VideoConfig(sampling, picture), over_time, DIM, cache)


def _tags(different: int) -> Stream:
    """A learned vector for each tag; the mean over the tags of a row."""
    modality = TagsInputConfig(most=max(16, min(256, different)))
    return Stream(modality, WordVectorsConfig(modality.vocab_size, dim=DIM), DIM)


def _width(encoder: PretrainedConfig) -> int:
    """Width of its features, computed without reading weights."""
    with torch.device("meta"):
        tower = build(architecture(encoder))
    return int(tower.dim)  # type: ignore[arg-type]


def _table(schema: Schema, used: Sequence[str]) -> Stream | None:
    """The stream of numbers, categories and dates; None if there are none."""

    def of(kind: ColumnKind) -> tuple[str, ...]:
        return tuple(name for name in used if schema.columns[name].kind == kind)

    numbers, categories, dates = of("number"), of("category"), of("date")
    if not (numbers or categories or dates):
        return None
    most = max([100, *(schema.columns[name].distinct for name in categories)])
    modality = TableConfig(
        numbers, categories, dates, max_categories=min(most, MOST_CLASSES), merge=schema.merge
    )
    encoder = TableEncoderConfig(
        len(numbers), len(categories), len(dates), modality.max_categories, dim=DIM
    )
    return Stream(modality, encoder, DIM)
