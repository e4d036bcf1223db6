"""Ask a run about an input of yours: the prediction of one of its heads, with probabilities.

weft ask RUN --image FILE --text "How many red stars are there?"

Of a run of dialogs several --text are asked one after another: what was asked and answered is what was said before.
"""

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
    """Head of the model that answers; the first if not given."""
    k: int = 5
    """Number of answers to print."""
    image: Path | None = None
    """A picture, for the first stream of pictures."""
    audio: Path | None = None
    """A sound, for the first stream of sounds."""
    video: Path | None = None
    """A video, for the first stream of videos."""
    array: Path | None = None
    """A .npy file, for the first stream of arrays."""
    text: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A sentence or a question, for the first stream of texts; several are the questions of a dialog, in order."""


def main(words: list[str]) -> None:
    """Prints the most probable answers, the best first; a number or a text without a probability."""
    arguments = parse(Arguments, words, "weft ask")
    from weft.runs.dialogs import converse, streams_asked
    from weft.runs.run import load

    if arguments.k < 1:
        raise WeftError(f"--k is {arguments.k}, expected 1 or more")
    run = load(arguments.run, trust=arguments.trust)
    questions = arguments.text
    first = replace(arguments, text=questions[:1])
    values = first.values(run, streams_asked(run, arguments.head))
    answered = converse(run, values, questions[1:], arguments.head, arguments.k)
    for number, found in enumerate(answered):
        if len(questions) > 1:
            print(questions[number])
        for said, probability in found:
            print(said if probability is None else f"{probability:.3f}  {said}")
