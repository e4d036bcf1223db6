"""Ask a run about your own input and print the prediction of one head with probabilities.

weft ask RUN --image FILE --text "How many red stars are there?"

If the run was trained on dialogs, several --text are the questions of one dialog. They are asked in order, and each
is answered with the earlier questions and answers as history.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._own_input import NamedInput
from weft.commands._parsing import Trusting, parse
from weft.core.errors import WeftError


@dataclass(frozen=True, kw_only=True)
class Arguments(NamedInput, Trusting):
    """The run, its head and the number of answers."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    head: str | None = None
    """Name of the head that answers. Default: the first head."""
    k: int = 5
    """Number of answers to print."""
    image: Path | None = None
    """Picture file for the first image stream."""
    audio: Path | None = None
    """Sound file for the first audio stream."""
    video: Path | None = None
    """Video file for the first video stream."""
    array: Path | None = None
    """Array file (.npy) for the first array stream."""
    text: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Sentence or question for the first text stream. Several are read as the questions of a dialog, in order."""


def main(words: list[str]) -> None:
    """Prints the most probable answers, the best first. A number or a text has no probability."""
    arguments = parse(Arguments, words, "weft ask")
    from weft.runs.dialogs import converse, streams_asked
    from weft.runs.run import load

    if arguments.k < 1:
        raise WeftError(f"--k is {arguments.k}, expected 1 or more")
    run = load(arguments.run, trust=arguments.trust)
    questions = arguments.text
    first = replace(arguments, text=questions[:1])
    streams = streams_asked(run, arguments.head)
    values = first.values(run, streams)
    if note := first.without(run, streams, values):
        print(note, file=sys.stderr)
    answered = converse(run, values, questions[1:], arguments.head, arguments.k)
    for number, found in enumerate(answered):
        if len(questions) > 1:
            print(questions[number])
        for said, probability in found:
            print(said if probability is None else f"{probability:.3f}  {said}")
