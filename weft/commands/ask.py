"""Ask a run about a picture: what a head of it says, with probabilities.

weft ask RUN --image FILE --text "How many red stars are there?"
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._own_input import named
from weft.commands._parsing import Trusting, parse
from weft.core.errors import WeftError
from weft.runs.run import load


@dataclass(frozen=True)
class Arguments(Trusting):
    """What is asked."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    image: Path | None = None
    """The picture."""
    text: str | None = None
    """The question, or the sentence that is to be judged."""
    head: str | None = None
    """Head of the model that answers; the first if not given."""
    k: int = 5
    """How many answers are shown."""


def main(words: list[str]) -> None:
    """Prints the most probable answers, the best first; a number or a text as it is."""
    arguments = parse(Arguments, words, "weft ask")
    if arguments.k < 1:
        raise WeftError(f"--k is {arguments.k}, expected 1 or more")
    run = load(arguments.run, trust=arguments.trust)
    head = run.head(arguments.head)
    found = run.predict(head, **named(run, image=arguments.image, text=arguments.text))
    for said, probability in found.values.best(0, arguments.k):
        print(said if probability is None else f"{probability:.3f}  {said}")
