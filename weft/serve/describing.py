"""Describes what a run can do, for the page and other programs."""

from typing import Any

from weft.core.interfaces import ReadsColumns
from weft.heads.cells import CellsOutput
from weft.heads.classes import ClassOutput
from weft.heads.drawn import DrawnOutput
from weft.heads.numbers import NumberOutput
from weft.heads.output import Output, Scored
from weft.heads.pictures import PictureOutput
from weft.heads.tags import TagOutput
from weft.heads.texts import TextOutput
from weft.heads.transcripts import TranscriptOutput
from weft.inference.generation_settings import settings_of
from weft.modalities.stream_kinds import kind_of_stream
from weft.runs.dialogs import history_stream, question_stream, ranks, streams_asked
from weft.runs.run import Run

_NOUNS: tuple[tuple[type[Output], str], ...] = (
    (TagOutput, "tags"),
    (ClassOutput, "classes"),
    (NumberOutput, "number"),
    (TranscriptOutput, "transcript"),
    (TextOutput, "text"),
    (PictureOutput, "picture"),
    (DrawnOutput, "sound"),
    (CellsOutput, "cells"),
)


def describe(run: Run, name: str) -> dict[str, Any]:
    """Describes the streams, heads and operations of a run."""
    return {
        "name": name,
        "streams": [_stream(run, stream) for stream in run.modalities],
        "embeds": list(run.streams),
        "heads": [
            {
                "name": head,
                "output": output_of(run, head),
                "streams": list(run.model.streams_of(head)),
                "explains": scored(run, head),
                "settings": sorted(settings_of(run.model, head)),
            }
            for head in run.model.heads
        ],
        "can": abilities(run),
        "dialog": _dialog(run),
        "optional": list(run.optional),
    }


def output_of(run: Run, head: str) -> str:
    """Returns the kind of the head's output in one word."""
    output = run.model.head(head).output
    return next((noun for kind, noun in _NOUNS if isinstance(output, kind)), "other")


def abilities(run: Run) -> list[str]:
    """Returns the operations of the run by their names in the interface."""
    outputs = [run.model.head(head).output for head in run.model.heads]
    found = ["embed"] if run.streams else []
    found += ["predict"] if outputs else []
    found += ["ask"] if _asks(run) else []
    for name, kind in (
        ("caption", TextOutput),
        ("transcribe", TranscriptOutput),
        ("generate", DrawnOutput),
    ):
        found += [name] if any(isinstance(one, kind) for one in outputs) else []
    return found + (["explain"] if _explains(run) else [])


def _stream(run: Run, stream: str) -> dict[str, Any]:
    modality = run.modalities[stream]
    columns = list(modality.columns) if isinstance(modality, ReadsColumns) else []
    kind = kind_of_stream(modality) or ("table" if columns else "json")
    return {"name": stream, "kind": kind, **({"columns": columns} if columns else {})}


def _asks(run: Run) -> bool:
    """Whether the model reads a question and something that the question is about."""
    if ranks(run):
        return True
    return any(_answers(run, head) for head in run.model.heads)


def _answers(run: Run, head: str) -> bool:
    """Whether the head answers a question, that is, neither generates media nor writes the text that it reads."""
    streams, output = run.model.streams_of(head), run.model.head(head).output
    question = question_stream(run, streams)
    again = isinstance(output, TextOutput) and output.stream == question
    drawn = isinstance(output, DrawnOutput)
    return question is not None and len(streams) > 1 and not again and not drawn


def scored(run: Run, head: str) -> bool:
    """Whether the head's output has a score, so that it can be explained."""
    return isinstance(run.model.head(head).output, Scored)


def _explains(run: Run) -> bool:
    """Whether an answer, or the similarity of two streams, can be explained."""
    return len(run.streams) > 1 or ranks(run) or any(scored(run, head) for head in run.model.heads)


def _dialog(run: Run) -> dict[str, Any] | None:
    """Returns the streams of question and history, and the others that an answer reads; None if the run answers no questions."""
    if not _asks(run):
        return None
    answering = [head for head in run.model.heads if _answers(run, head)]
    head = None if ranks(run) else answering[0]
    streams = streams_asked(run, head)
    question, history = question_stream(run, streams), history_stream(run)
    others = [stream for stream in streams if stream not in (question, history)]
    return {"question": question, "history": history, "streams": others, "head": head}
