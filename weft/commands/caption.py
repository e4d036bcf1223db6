"""Write captions of pictures, or of other inputs, with a run that was trained for it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._own_input import OwnInputs
from weft.commands._parsing import Trusting, parse


@dataclass(frozen=True)
class Arguments(OwnInputs, Trusting):
    """The run, its head and the pictures."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    head: str | None = None
    """Name of the head that writes the captions. Default: the first head with text output."""


def main(words: list[str]) -> None:
    """Prints one line for each picture: its file, a tab and the caption."""
    arguments = parse(Arguments, words, "weft caption")
    from weft.heads.texts import TextOutput
    from weft.runs.run import load

    run = load(arguments.run, trust=arguments.trust)
    head = run.head(arguments.head, TextOutput)
    values = arguments.values(run, run.model.streams_of(head))
    found = run.predict(head=head, **values)
    lists = [value for value in values.values() if isinstance(value, list)]
    names = lists[0] if lists else [next(iter(values.values()))]
    for row, text in zip(found.rows, found.said, strict=True):
        print(f"{names[row]}\t{text}")
