"""Ask a run about a picture: its answers with their probabilities.

weft ask RUN --image FILE --text "How many red stars are there?"
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._own_input import own_values
from weft.commands._parsing import parse
from weft.core.errors import WeftError
from weft.runs.answering import answer
from weft.runs.run import load


@dataclass(frozen=True)
class Arguments:
    """What is asked."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    image: Path | None = None
    """The picture."""
    text: str | None = None
    """The question, or the sentence that is to be judged."""
    k: int = 5
    """How many answers are shown."""


def main(words: list[str]) -> None:
    """Prints the most probable answers, the best first."""
    arguments = parse(Arguments, words, "weft ask")
    if arguments.k < 1:
        raise WeftError(f"--k is {arguments.k}, expected 1 or more")
    run = load(arguments.run)
    values = own_values(run, image=arguments.image, text=arguments.text)
    for name, probability in answer(run, arguments.k, **values):
        print(f"{probability:.3f}  {name}")
