"""A number of each row, from whatever columns a table has."""

from typing import Annotated

from weft.data.schema import Schema
from weft.data.targets.numbers import NumbersConfig
from weft.heads.numbers import NumberOutput
from weft.objectives.classification import RegressionConfig
from weft.recipes._own import Towers, Tune, inference, inputs_of, lenient, slices_of, target_of
from weft.recipes._predicting import Predicted, predicting
from weft.runs.recipe import Recipe
from weft.tasks.regression import RegressionTaskConfig

HEAD = "score"


def regress(
    schema: Schema,
    target: Annotated[str | None, "Column of the number; the only one if not given."] = None,
    image_model: Annotated[
        str | None, "Published model for pictures: a folder, package:NAME or a hub name."
    ] = None,
    text_model: Annotated[str | None, "Published model for texts."] = None,
    tune: Annotated[Tune, "What of a published model learns: frozen, lora or full."] = "frozen",
) -> Recipe:
    """Your table: a number of each row, from its pictures, texts, numbers, categories and dates."""
    column = target_of(schema, target, ("number",), "regress")
    errors = lenient(schema, column)
    what = Predicted(
        head=HEAD,
        target=NumbersConfig(column.name),
        output=NumberOutput(HEAD),
        objective=RegressionConfig(HEAD),
        tasks={
            "regression": RegressionTaskConfig(
                HEAD, slices=slices_of(schema, column.name), inference=inference(errors)
            )
        },
        monitor="regression/MAE",
        outputs=1,
        scale=column.scale or (0.0, 1.0),
    )
    inputs = inputs_of(schema, [column.name], Towers(image_model, text_model, tune))
    return predicting(schema, inputs, what, errors)
