"""One label per row, from all columns of a table."""

from typing import Annotated

from weft.data.schema import Schema
from weft.data.targets.classes import ClassesConfig
from weft.heads.classes import ClassOutput
from weft.objectives.classification import ClassificationConfig
from weft.recipes._own import classes_of, head_of, target_of
from weft.recipes._own_streams import ImageModel, TextModel, Towers, Tuned
from weft.recipes._predicting import Predicted, TaskSettings, predicting_column
from weft.runs.recipe import Recipe
from weft.tasks.classification import ClassificationTaskConfig

HEAD = "label"


def classify(
    schema: Schema,
    target: Annotated[str | None, "Column of the label. Default: the only category column."] = None,
    image_model: ImageModel = None,
    text_model: TextModel = None,
    tune: Tuned = "frozen",
) -> Recipe:
    """Your table: one label per row, from pictures, sounds, videos, texts, tags, numbers, categories, dates."""
    column = target_of(schema, target, ("category",), "classify")
    classes = classes_of(schema, column)
    head = head_of(schema, column, HEAD)

    def what(measured: TaskSettings) -> Predicted:
        return Predicted(
            head=head,
            target=ClassesConfig(column.name, max_classes=classes, merge=schema.merge),
            output=ClassOutput(head),
            objective=ClassificationConfig(head),
            task=ClassificationTaskConfig(head, **measured),
            monitor="accuracy",
            outputs=classes,
        )

    return predicting_column(schema, column, Towers(image_model, text_model, tune), what)
