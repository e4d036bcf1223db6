"""Say what is in a picture, by a run that was trained to write captions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._parsing import parse
from weft.core.errors import WeftError
from weft.runs.captioning import caption
from weft.runs.run import load


@dataclass(frozen=True)
class Arguments:
    """Who writes, and about what."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    image: tuple[Path, ...] = ()
    """One picture or more."""


def main(words: list[str]) -> None:
    """Prints a line for each picture: its file, and the caption after a tab."""
    arguments = parse(Arguments, words, "weft caption")
    if not arguments.image:
        raise WeftError("weft caption needs --image FILE, one or more")
    for image, text in zip(
        arguments.image, caption(load(arguments.run), arguments.image), strict=True
    ):
        print(f"{image}\t{text}")
