"""One label a row, from whatever columns a table has."""

from typing import Annotated

from weft.data.schema import Schema
from weft.data.targets.classes import ClassesConfig
from weft.heads.classes import ClassOutput
from weft.objectives.classification import ClassificationConfig
from weft.recipes._own import (
    Towers,
    Tune,
    classes_of,
    inference,
    inputs_of,
    lenient,
    slices_of,
    target_of,
)
from weft.recipes._predicting import Predicted, predicting
from weft.runs.recipe import Recipe
from weft.tasks.classification import ClassificationTaskConfig

HEAD = "label"


def classify(
    schema: Schema,
    target: Annotated[str | None, "Column of the label; the only category if not given."] = None,
    image_model: Annotated[
        str | None, "Published model for pictures: a folder, package:NAME or a hub name."
    ] = None,
    text_model: Annotated[str | None, "Published model for texts."] = None,
    tune: Annotated[Tune, "What of a published model learns: frozen, lora or full."] = "frozen",
) -> Recipe:
    """Your table: one label a row, from its pictures, texts, numbers, categories and dates."""
    column = target_of(schema, target, ("category",), "classify")
    errors = lenient(schema, column)
    classes = classes_of(schema, column)
    what = Predicted(
        head=HEAD,
        target=ClassesConfig(column.name, max_classes=classes),
        output=ClassOutput(HEAD),
        objective=ClassificationConfig(HEAD),
        tasks={
            "classification": ClassificationTaskConfig(
                HEAD, slices=slices_of(schema, column.name), inference=inference(errors)
            )
        },
        monitor="classification/accuracy",
        outputs=classes,
    )
    inputs = inputs_of(schema, [column.name], Towers(image_model, text_model, tune))
    return predicting(schema, inputs, what, errors)
