"""Several labels per row, from all columns of a table."""

from typing import Annotated

from weft.data.schema import Schema
from weft.data.targets.tags import TagsConfig
from weft.heads.tags import TagOutput
from weft.objectives.classification import ClassificationConfig
from weft.recipes._own import head_of, target_of
from weft.recipes._own_streams import ImageModel, TextModel, Towers, Tuned
from weft.recipes._predicting import Predicted, TaskSettings, predicting_column
from weft.runs.recipe import Recipe
from weft.tasks.tagging import TaggingConfig

HEAD = "tags"
MOST_TAGS = 200
"""Largest number of learned tags. Their actual number is known only after the training rows are read."""


def tag(
    schema: Schema,
    target: Annotated[str | None, "Column of the tags. Default: the only tag column."] = None,
    image_model: ImageModel = None,
    text_model: TextModel = None,
    tune: Tuned = "frozen",
) -> Recipe:
    """Your table: several labels per row, from pictures, sounds, videos, texts, tags, numbers, categories, dates."""
    column = target_of(schema, target, ("tags",), "tag")
    head = head_of(schema, column, HEAD)

    def what(measured: TaskSettings) -> Predicted:
        return Predicted(
            head=head,
            target=TagsConfig(column.name, max_classes=MOST_TAGS, merge=schema.merge),
            output=TagOutput(head),
            objective=ClassificationConfig(head),
            task=TaggingConfig(head, **measured),
            monitor="mean_average_precision",
            outputs=MOST_TAGS,
        )

    return predicting_column(schema, column, Towers(image_model, text_model, tune), what)
