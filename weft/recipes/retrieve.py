"""Retrieval of pictures, videos or sounds by text, and of texts by them, for your own table."""

from itertools import chain
from typing import Annotated

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.core.errors import WeftError, unknown_name
from weft.core.kinds import NOUNS, Kind
from weft.data.column_kinds import ColumnKind
from weft.data.schema import Schema
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.recipes._own import inference, lenient, run
from weft.recipes._own_streams import ImageModel, TextModel, Towers, Tuned, inputs_of
from weft.runs.recipe import Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig

EMBEDDING = 256
FOUND: dict[Kind, tuple[ColumnKind, ...]] = {
    "image": ("image", "images"),
    "video": ("video",),
    "audio": ("audio",),
}
"""What is found by text -> kinds of columns that hold it. If a table has several, the first is used."""
Find = Annotated[
    str | None,
    "Column that the texts describe. Default: the pictures, or else the videos, or else the sounds.",
]


def retrieve(
    schema: Schema,
    target: Annotated[str | None, "Column of the texts. Default: the only text column."] = None,
    find: Find = None,
    image_model: ImageModel = None,
    text_model: TextModel = None,
    tune: Tuned = "frozen",
) -> Recipe:
    """Your table: search pictures by text and texts by picture, with a small CLIP; or its videos, or its sounds."""
    found, text = recording_and_text(schema, target, "retrieve", find)
    return finding(schema, found, text, Towers(image_model, text_model, tune))


def finding(schema: Schema, first: str, second: str, towers: Towers) -> Recipe:
    """A recipe for retrieval in both directions between two columns of pictures, videos, sounds or texts."""
    others = [name for name in schema.columns if name not in (first, second)]
    inputs = inputs_of(schema, others, towers)
    errors = lenient(schema)
    return Recipe(
        data=inputs.data({}, errors),
        model=ModelConfig(
            encoders=inputs.encoders,
            projections={
                stream: ProjectionConfig(width, EMBEDDING, norm=True)
                for stream, width in inputs.widths.items()
            },
        ),
        objectives={"contrastive": SoftmaxContrastiveConfig(streams=(first, second))},
        tasks={"retrieval": RetrievalConfig(first, second, inference=inference(errors))},
        optim=OptimConfig(lr=1e-3, weight_decay=0.1, warmup=0.1, ema=0.98),
        run=run(schema, "retrieval/rsum", most_steps=1000),
    )


def recording_and_text(
    schema: Schema, target: str | None, recipe: str, named: str | None
) -> tuple[str, str]:
    """The column of recordings and the column of texts. Recordings: `named`, otherwise pictures, videos or sounds, in
    this order.

    Raises WeftError if there is none, and the errors of `pair_of`.
    """
    if named is not None and named not in (known := schema.of(*chain(*FOUND.values()))):
        raise unknown_name("column of pictures, videos or sounds", named, known)
    there = [kind for kind in FOUND if schema.of(*FOUND[kind])]
    return pair_of(schema, target, recipe, there[0] if there else "image", named)


def pair_of(
    schema: Schema,
    target: str | None,
    recipe: str,
    kind: Kind = "image",
    named: str | None = None,
) -> tuple[str, str]:
    """The column of pictures (or of another `kind`, or `named`), and the column of texts.

    Raises WeftError if there is no column of the kind, or several of it or of texts.
    """
    found, texts = (named,) if named else schema.of(*FOUND[kind]), schema.of("text")
    if target is not None:
        if target not in texts:
            known = ", ".join(texts) or "none"
            raise WeftError(f"target '{target}' is no column of texts, the texts are: {known}")
        texts = (target,)
    if len(found) != 1:
        known, nouns = ", ".join(found) or "none", f"{NOUNS[kind]}s"
        raise WeftError(
            f"recipe '{recipe}' reads one column of {nouns}, the table has: {known}; name one with "
            f"--columns {kind}=COLUMN"
        )
    if not texts:
        known = ", ".join(f"{name} ({column.kind})" for name, column in schema.columns.items())
        raise WeftError(
            f"recipe '{recipe}' reads a column of texts, the table has: {known}; name one with --columns text=COLUMN"
        )
    if len(texts) != 1:
        known = ", ".join(texts)
        raise WeftError(f"which column holds the texts? Name it with --target COLUMN: {known}")
    return found[0], texts[0]
