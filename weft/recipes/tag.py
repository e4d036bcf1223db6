"""Several labels a row, from whatever columns a table has."""

from typing import Annotated

from weft.data.schema import Schema
from weft.data.targets.tags import TagsConfig
from weft.heads.tags import TagOutput
from weft.objectives.classification import ClassificationConfig
from weft.recipes._own import Towers, Tune, inference, inputs_of, lenient, slices_of, target_of
from weft.recipes._predicting import Predicted, predicting
from weft.runs.recipe import Recipe
from weft.tasks.tagging import TaggingConfig

HEAD = "tags"
MOST_TAGS = 200
"""Tags that are learned: their number is known only when the training rows are read."""


def tag(
    schema: Schema,
    target: Annotated[str | None, "Column of the tags; the only one if not given."] = None,
    image_model: Annotated[
        str | None, "Published model for pictures: a folder, package:NAME or a hub name."
    ] = None,
    text_model: Annotated[str | None, "Published model for texts."] = None,
    tune: Annotated[Tune, "What of a published model learns: frozen, lora or full."] = "frozen",
) -> Recipe:
    """Your table: several labels a row, from its pictures, texts, numbers, categories and dates."""
    column = target_of(schema, target, ("tags",), "tag")
    errors = lenient(schema, column)
    what = Predicted(
        head=HEAD,
        target=TagsConfig(column.name, max_classes=MOST_TAGS),
        output=TagOutput(HEAD),
        objective=ClassificationConfig(HEAD),
        tasks={
            "tagging": TaggingConfig(
                HEAD, slices=slices_of(schema, column.name), inference=inference(errors)
            )
        },
        monitor="tagging/mean_average_precision",
        outputs=MOST_TAGS,
    )
    inputs = inputs_of(schema, [column.name], Towers(image_model, text_model, tune))
    return predicting(schema, inputs, what, errors)
