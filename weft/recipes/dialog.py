"""Dialogs about pictures, for your own table."""

import difflib
from collections.abc import Iterable
from typing import Annotated, Literal

from weft.core.errors import WeftError
from weft.data.schema import Schema
from weft.recipes._dialog import ANSWER, HISTORY, QUESTION, ROUND, Without, dialog_recipe, words
from weft.recipes._own import inference, lenient, run
from weft.recipes._own_streams import VOCABULARY, ImageModel, Towers, Tuned, inputs_of
from weft.runs.recipe import Recipe
from weft.training.optim import OptimConfig

Decoder = Annotated[
    Literal["generative", "discriminative"],
    "Way to answer. generative: a decoder writes the answer. discriminative: the answer is chosen among candidates.",
]


def dialog(
    schema: Schema,
    decoder: Decoder = "generative",
    target: Annotated[str, "Column of the answer."] = ANSWER,
    question: Annotated[str, "Column of the question."] = QUESTION,
    image_model: ImageModel = None,
    tune: Tuned = "frozen",
    without: Without = "nothing",
) -> Recipe:
    """Your dialogs: answers a question about a picture from the picture and the earlier turns."""
    _require_turns(schema, question, target)
    before = HISTORY in schema.columns and without != "history"
    inputs = words(VOCABULARY, question, history=before)
    pictures = () if without == "image" else schema.of("image", "images")
    if pictures:
        # A crop may cut off the object of the question.
        towers = Towers(image_model, None, tune, crop=None)
        others = [name for name in schema.columns if name not in pictures]
        seen = inputs_of(schema, others, towers, tokens=True)
        inputs.streams.update(seen.streams)
        inputs.encoders.update(seen.encoders)
        inputs.widths.update(seen.widths)
        inputs.cache.update(seen.cache)
    if len(inputs.widths) == 1:
        raise WeftError(
            f"there is no picture and no history to answer from; columns: {', '.join(schema.columns)}"
        )
    errors = lenient(schema, schema.columns[target])
    return dialog_recipe(
        inputs,
        inputs.data({}, errors),
        generative=decoder == "generative",
        question=question,
        answer=target,
        inference=inference(errors),
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, warmup=0.05, ema=0.98),
        run=run(schema, "dialog/MRR"),
    )


def _require_turns(schema: Schema, question: str, target: str) -> None:
    """Raises WeftError if there is no question or answer, or if a column looks like that of a dialog, although the
    rows were not read as its turns."""
    known = ", ".join(schema.columns)
    lacking = [name for name in (question, target) if name not in schema.columns]
    unread = not schema.columns.keys() & {HISTORY, ROUND}
    for name in (*lacking, *(("dialog",) if unread else ())):
        near = _near(name, [other for other in schema.columns if other not in (question, target)])
        if near and near != name:
            raise WeftError(
                f"no column '{name}', but '{near}'; rename it to '{name}', so that the turns of a dialog are read "
                "together"
            )
        if near:
            raise WeftError(
                f"column '{name}' holds neither lists of turns nor names that the turns of a dialog share; columns: "
                f"{known}"
            )
        if name in lacking:
            raise WeftError(
                f"no column '{name}'; a dialog is a list of turns in a column 'dialog', or a row a turn with the "
                f"columns dialog, question and answer; columns: {known}"
            )


def _near(name: str, columns: Iterable[str]) -> str:
    """The column whose name resembles `name`; empty if there is none. One of several numbered columns does not."""
    lower = {column.lower(): column for column in columns if not column[-1:].isdigit()}
    return "".join(lower[n] for n in difflib.get_close_matches(name, lower, n=1, cutoff=0.7))
