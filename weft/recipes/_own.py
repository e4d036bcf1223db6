"""Shared by the recipes for own data: from the columns of a table to streams, towers and a run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, cast

import torch

from weft.core.building import build
from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Encoder, Modality, Target
from weft.core.naming import free_name
from weft.data.column_kinds import CLASS_NAMES, ColumnKind
from weft.data.features import CacheConfig
from weft.data.no_data import NoDataConfig
from weft.data.policy import ErrorPolicy
from weft.data.schema import PROBED_ROWS, Column, Schema, target_column
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.pictures import PicturesEncoderConfig
from weft.encoders.pretrained import PretrainedConfig
from weft.encoders.table import TableEncoderConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.weights import architecture
from weft.inference.config import InferenceConfig
from weft.modalities.image import ImageConfig
from weft.modalities.pictures import PicturesConfig
from weft.modalities.processor import image_of
from weft.modalities.table import TableConfig
from weft.modalities.text import TextConfig
from weft.recipes._own_media import films, sounds, tags
from weft.runs.recipe import DataConfig
from weft.training.config import RunConfig

Tune = Literal["frozen", "lora", "full"]
ImageModel = Annotated[
    str | None, "Published model for pictures: a folder, package:NAME or a hub name."
]
TextModel = Annotated[str | None, "Published model for texts."]
Tuned = Annotated[Tune, "What of a published model learns: frozen, lora or full."]
SIZE, VOCABULARY, LENGTH = 64, 4000, 64
WIDTHS, DIM = (32, 64, 128, 128), 128
"""Channels of the small CNN, and the width of texts, tables and fusions."""
TABLE = "table"
"""The stream of all numbers, categories and dates, where no column is called so."""
MOST_PICTURES = 4
MOST_CLASSES = 3000
SLICES = 6
"""Columns by which errors are given unless others are named."""
SOME_BAD = 0.1
"""Share of rows that may be unreadable."""


@dataclass(frozen=True)
class Towers:
    """Published models that pictures and texts start from, or None for small towers from scratch, and what
    of the published ones learns. crop: shares of a picture that training sees of it, None all of it."""

    image: str | None = None
    text: str | None = None
    tune: Tune = "frozen"
    crop: tuple[float, float] | None = (0.6, 1.0)


@dataclass(frozen=True)
class Inputs:
    """The streams of a table, how each is encoded, and the width of its features."""

    streams: dict[str, Config[Modality]] = field(default_factory=dict)
    encoders: dict[str, Config[Encoder]] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)
    cache: dict[str, CacheConfig] = field(default_factory=dict)

    def data(self, targets: dict[str, Config[Target]], errors: ErrorPolicy) -> DataConfig:
        """A row may lack any of the streams."""
        return DataConfig(
            source=NoDataConfig(),
            streams=self.streams,
            targets=targets,
            optional=tuple(self.streams),
            cache=self.cache,
            errors=errors,
        )


def inputs_of(
    schema: Schema,
    leave_out: Sequence[str],
    towers: Towers,
    *,
    tokens: bool = False,
    texts: Sequence[str] = (),
) -> Inputs:
    """Pictures, sounds, films, texts, tags, numbers, categories and dates of the table, without the columns in
    `leave_out`.

    tokens: pictures keep their grid, for a fusion or decoder that attends to it. texts: columns that are read
    as texts whatever they look like. Raises WeftError where nothing is left.
    """
    roles = (schema.group, schema.match, schema.split)
    used = [n for n in schema.columns if n not in leave_out and n not in roles]
    found = Inputs()
    for name in used:
        kind = schema.columns[name].kind
        if kind in ("image", "images"):
            _add(found, name, *_pictures(kind == "images", towers, tokens))
        elif kind == "text" or name in texts:
            _add(found, name, *_texts(towers))
        elif kind == "audio":
            _add(found, name, *sounds())
        elif kind == "video":
            picture, encoder, _, cache = _pictures(False, towers, tokens=False)
            frames = films(cast(ImageConfig, picture), encoder, DIM, cached=cache is not None)
            _add(found, name, *frames)
        elif kind == "tags":
            _add(found, name, *tags(DIM, schema.columns[name].distinct))
    table = _table(schema, [name for name in used if name not in texts])
    if table is not None:
        _add(found, free_name(TABLE, schema.columns), *table, None)
    if not found.streams:
        kinds = ", ".join(f"{name} ({column.kind})" for name, column in schema.columns.items())
        raise WeftError(f"there is nothing to learn from: the columns are {kinds}")
    return found


def _add(
    found: Inputs,
    stream: str,
    modality: Config[Modality],
    encoder: Config[Encoder],
    width: int,
    cache: CacheConfig | None,
) -> None:
    found.streams[stream], found.encoders[stream] = modality, encoder
    found.widths[stream] = width
    if cache is not None:
        found.cache[stream] = cache


def _pictures(
    several: bool, towers: Towers, tokens: bool
) -> tuple[Config[Modality], Config[Encoder], int, CacheConfig | None]:
    base = ImageConfig(size=SIZE, fit="squash", crop_scale=towers.crop, flip=0.0)
    encoder: Config[Encoder]
    if towers.image is None:
        modality, width, cache = base, WIDTHS[-1], None
        encoder = ConvNetConfig(
            widths=WIDTHS, halvings=3 if tokens else 4, positions=tokens, pooling="max"
        )
    else:
        modality = image_of(towers.image, base)
        encoder = PretrainedConfig(
            towers.image, tower="vision", mode=towers.tune, tokens=tokens and not several
        )
        width = _width(encoder)
        cache = CacheConfig() if towers.tune == "frozen" else None
    if not several:
        return modality, encoder, width, cache
    many = PicturesConfig(modality, most=MOST_PICTURES)
    return many, PicturesEncoderConfig(encoder, tokens=tokens), width, cache


def _texts(
    towers: Towers,
) -> tuple[Config[Modality], Config[Encoder], int, CacheConfig | None]:
    if towers.text is None:
        encoder = TextTransformerConfig(VOCABULARY, DIM, depth=1, heads=4, max_length=LENGTH)
        return TextConfig(vocab_size=VOCABULARY, max_length=LENGTH), encoder, DIM, None
    pretrained = PretrainedConfig(towers.text, tower="text", mode=towers.tune, tokens=False)
    text = TextConfig(kind="pretrained", pretrained=towers.text, max_length=LENGTH)
    cache = CacheConfig() if towers.tune == "frozen" else None
    return text, pretrained, _width(pretrained), cache


def _width(encoder: PretrainedConfig) -> int:
    """Of its features; no weights are read."""
    with torch.device("meta"):
        tower = build(architecture(encoder))
    return int(tower.dim)  # type: ignore[arg-type]


def _table(
    schema: Schema, used: Sequence[str]
) -> tuple[Config[Modality], Config[Encoder], int] | None:
    """The stream of numbers, categories and dates; None where there are none."""

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
    return modality, encoder, DIM


def target_of(
    schema: Schema, target: str | None, kinds: Sequence[ColumnKind], recipe: str
) -> Column:
    """The column to be predicted: the one that is named, or the only one of these kinds, or the one of
    several that is called as labels are.

    Raises WeftError where that is no column that can be learned, or there are several or none.
    """
    if target is not None:
        column = target_column(schema, target)
        if column.kind in kinds:
            return column
        why = "; ".join(column.notes) or _instead(column.kind, recipe)
        raise WeftError(f"target '{target}' is {_a(column.kind)}: {why}")
    fitting = [schema.columns[name] for name in schema.of(*kinds)]
    named = [column for column in fitting if column.name.lower() in CLASS_NAMES]
    if len(fitting) == 1 or len(named) == 1:
        return target_column(schema, (named or fitting)[0].name)
    if not fitting:
        has = ", ".join(f"{name} ({column.kind})" for name, column in schema.columns.items())
        raise WeftError(
            f"no column is {' or '.join(_a(kind) for kind in kinds)}, which recipe '{recipe}' predicts; "
            f"name one with --target COLUMN: {has}"
        )
    known = ", ".join(f"{column.name} ({column.distinct:,} different)" for column in fitting)
    raise WeftError(f"which column is to be predicted? Name it with --target COLUMN: {known}")


def head_of(schema: Schema, column: Column, usual: str) -> str:
    """The name of the head that predicts the column, which no other column has: the usual one if it is free."""
    return free_name(usual, schema.columns.keys() - {column.name})


RECIPE_OF: dict[ColumnKind, str] = {
    "category": "classify",
    "number": "regress",
    "tags": "tag",
    "text": "caption",
}


def _instead(kind: ColumnKind, recipe: str) -> str:
    other = RECIPE_OF.get(kind)
    if other is None or other == recipe:
        return f"recipe '{recipe}' does not predict that; if it holds something else, say so: --columns"
    return f"weft train {other} predicts that"


def _a(kind: ColumnKind) -> str:
    names = {"tags": "tags", "image": "a picture", "images": "pictures", "id": "an id"}
    return names.get(kind, f"a {kind}")


def classes_of(schema: Schema, column: Column) -> int:
    """How many outputs its classes need: of many rows only some were looked at, and others may have more."""
    seen = column.distinct
    return min(MOST_CLASSES, seen if schema.rows <= PROBED_ROWS else 2 * seen + 10)


def slices_of(schema: Schema, target: str) -> tuple[str, ...]:
    """The columns by which errors are given: categories first, then numbers and dates."""
    kinds: tuple[ColumnKind, ...] = ("category", "number", "date")
    found = [name for kind in kinds for name in schema.of(kind) if name != target]
    return tuple(found[:SLICES])


def lenient(schema: Schema, text: Column | None = None) -> ErrorPolicy:
    """Some rows that cannot be read are left out, and those without a text, where that is what is learned."""
    looked_at = max(1, min(schema.rows, PROBED_ROWS))
    lacking = 0.0 if text is None else text.missing / looked_at
    return ErrorPolicy("skip", limit=min(1.0, lacking + SOME_BAD))


def inference(errors: ErrorPolicy) -> InferenceConfig:
    """How the tasks run the model."""
    return InferenceConfig(errors=errors)


def run(schema: Schema, monitor: str, *, most_steps: int = 1500, passes: int = 30) -> RunConfig:
    """Some passes over the training rows, at most so many steps: minutes on two cores.

    schema: of the training rows.
    """
    training = max(1, schema.rows)
    batch = max(8, min(64 if training < 10_000 else 128, training // 8))
    steps = min(most_steps, max(150, passes * training // batch))
    return RunConfig(
        steps=steps,
        batch_size=batch,
        evaluate_every=max(1, steps // 5),
        checkpoint_every=max(1, steps // 2),
        monitor=monitor,
        precision="auto",
        workers=2,
    )
