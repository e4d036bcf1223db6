"""Ask a run about an input of yours: the prediction of one of its heads, with probabilities.

weft ask RUN --image FILE --text "How many red stars are there?"
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._own_input import OwnInput
from weft.commands._parsing import Trusting, parse
from weft.core.errors import WeftError


@dataclass(frozen=True)
class Arguments(OwnInput, Trusting):
    """The run, its head and the number of answers."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    head: str | None = None
    """Head of the model that answers; the first if not given."""
    k: int = 5
    """Number of answers to print."""


def main(words: list[str]) -> None:
    """Prints the most probable answers, the best first; a number or a text without a probability."""
    arguments = parse(Arguments, words, "weft ask")
    from weft.runs.run import load

    if arguments.k < 1:
        raise WeftError(f"--k is {arguments.k}, expected 1 or more")
    run = load(arguments.run, trust=arguments.trust)
    head = run.head(arguments.head)
    found = run.predict(head=head, **arguments.values(run, run.model.streams_of(head)))
    for said, probability in found.values.best(0, arguments.k):
        print(said if probability is None else f"{probability:.3f}  {said}")
