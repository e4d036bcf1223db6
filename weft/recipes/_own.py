"""Shared by the recipes for own data: the predicted column, the handling of bad rows, and the settings of a run."""

from collections.abc import Sequence

from weft.core.errors import WeftError
from weft.core.naming import free_name
from weft.data.column_kinds import CLASS_NAMES, ColumnKind
from weft.data.policy import ErrorPolicy
from weft.data.schema import PROBED_ROWS, Column, Schema, target_column
from weft.inference.config import InferenceConfig
from weft.recipes._own_streams import MOST_CLASSES
from weft.training.config import RunConfig

SLICES = 6
"""Number of columns for which scores are given by slice, unless the user names others."""
SOME_BAD = 0.1
"""Share of rows that may be unreadable."""


def target_of(
    schema: Schema, target: str | None, kinds: Sequence[ColumnKind], recipe: str
) -> Column:
    """The column to predict: `target`, or the only column of these kinds, or the one of several that has a usual name
    of labels.

    Raises WeftError if the column cannot be learned, or if there are several or none.
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
    """The name of the head that predicts the column: the usual one, changed if another column has that name."""
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
    """Number of outputs for the classes. If only some of many rows were read, there are spare outputs."""
    seen = column.distinct
    return min(MOST_CLASSES, seen if schema.rows <= PROBED_ROWS else 2 * seen + 10)


def slices_of(schema: Schema, target: str) -> tuple[str, ...]:
    """The columns for sliced scores: categories first, then numbers and dates."""
    kinds: tuple[ColumnKind, ...] = ("category", "number", "date")
    found = [name for kind in kinds for name in schema.of(kind) if name != target]
    return tuple(found[:SLICES])


def lenient(schema: Schema, *texts: Column) -> ErrorPolicy:
    """Skips unreadable rows, up to a limit that also allows for rows without one of the required `texts`."""
    looked_at = max(1, min(schema.rows, PROBED_ROWS))
    lacking = sum(text.missing for text in texts) / looked_at
    return ErrorPolicy("skip", limit=min(1.0, lacking + SOME_BAD))


def inference(errors: ErrorPolicy) -> InferenceConfig:
    """Settings with which the tasks run the model."""
    return InferenceConfig(errors=errors)


def run(schema: Schema, monitor: str, *, most_steps: int = 1500, passes: int = 30) -> RunConfig:
    """Settings of a run of `passes` passes over the training rows, at most `most_steps` steps: minutes on two cores.

    schema: of the training rows. Many rows get larger batches, except with sounds or videos: 128 sounds of 10 s take
    2.2 GB in the recipes' encoder, 64 take 1.2 GB.
    """
    training = max(1, schema.rows)
    many = training >= 10_000 and not schema.of("audio", "video")
    batch = max(8, min(128 if many else 64, training // 8))
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
