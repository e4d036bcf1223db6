"""A number for each row, from all columns of a table."""

from typing import Annotated

from weft.data.schema import Schema
from weft.data.targets.numbers import NumbersConfig
from weft.heads.numbers import NumberOutput
from weft.objectives.classification import RegressionConfig
from weft.recipes._own import head_of, target_of
from weft.recipes._own_streams import ImageModel, TextModel, Towers, Tuned
from weft.recipes._predicting import Predicted, TaskSettings, predicting_column
from weft.runs.recipe import Recipe
from weft.tasks.regression import RegressionTaskConfig

HEAD = "score"


def regress(
    schema: Schema,
    target: Annotated[str | None, "Column of the number. Default: the only number column."] = None,
    image_model: ImageModel = None,
    text_model: TextModel = None,
    tune: Tuned = "frozen",
) -> Recipe:
    """Your table: a number per row, from pictures, sounds, videos, texts, tags, numbers, categories, dates."""
    column = target_of(schema, target, ("number",), "regress")
    head = head_of(schema, column, HEAD)

    def what(measured: TaskSettings) -> Predicted:
        return Predicted(
            head=head,
            target=NumbersConfig(column.name, unit=column.unit),
            output=NumberOutput(head, unit=column.unit),
            objective=RegressionConfig(head),
            task=RegressionTaskConfig(head, **measured),
            monitor="MAE",
            outputs=1,
            scale=column.scale or (0.0, 1.0),
        )

    return predicting_column(schema, column, Towers(image_model, text_model, tune), what)
