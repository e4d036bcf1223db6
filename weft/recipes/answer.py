"""Answers to questions about pictures, sounds or videos, for your own table."""

from itertools import chain
from typing import Annotated

from weft.core.errors import WeftError
from weft.data.schema import Schema
from weft.data.targets.classes import ClassesConfig
from weft.heads.classes import ClassOutput
from weft.objectives.classification import ClassificationConfig
from weft.recipes._own import classes_of, head_of, inference, lenient, target_of
from weft.recipes._own_streams import ImageModel, TextModel, Towers, Tuned, inputs_of
from weft.recipes._predicting import Predicted, predicting
from weft.recipes.retrieve import FOUND
from weft.runs.recipe import Recipe
from weft.tasks.vqa import VQAConfig

HEAD = "answer"
QUESTIONS = ("question", "frage", "问题")


def answer(
    schema: Schema,
    target: Annotated[
        str | None, "Column of the answer. Default: the only category column."
    ] = None,
    question: Annotated[
        str | None, "Column of the question. Default: the only text column."
    ] = None,
    image_model: ImageModel = None,
    text_model: TextModel = None,
    tune: Tuned = "frozen",
) -> Recipe:
    """Your table: answers a question about a picture, sound or video with one of the answers in the training rows."""
    column = target_of(schema, target, ("category",), "answer")
    head = head_of(schema, column, HEAD)
    asked = _question(schema, question)
    errors = lenient(schema)
    classes = classes_of(schema, column)
    # Other columns may be about the answer, so only the question and what it is about are read.
    seen = schema.of(*chain(*FOUND.values()))
    others = [name for name in schema.columns if name not in (asked, *seen)]
    # A crop may cut off the object of the question.
    towers = Towers(image_model, text_model, tune, crop=None)
    inputs = inputs_of(schema, others, towers, texts=[asked])
    what = Predicted(
        head=head,
        target=ClassesConfig(column.name, max_classes=classes, merge=schema.merge),
        output=ClassOutput(head),
        objective=ClassificationConfig(head),
        task=VQAConfig(head, question=asked, answer=column.name, inference=inference(errors)),
        monitor="accuracy",
        outputs=classes,
    )
    return predicting(schema, inputs, what, errors, combine="product")


def _question(schema: Schema, question: str | None) -> str:
    """The column of the questions. With few different questions it may look like a category."""
    if question is not None:
        if question not in schema.columns:
            raise WeftError(f"unknown column '{question}', known: {', '.join(schema.columns)}")
        return question
    named = [name for name in schema.columns if name.lower() in QUESTIONS]
    texts = named or list(schema.of("text"))
    if len(texts) != 1:
        known = ", ".join(texts) or "none"
        raise WeftError(f"which column holds the question? Name it with --question; texts: {known}")
    return texts[0]
