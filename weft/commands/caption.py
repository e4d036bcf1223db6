"""Write captions of pictures with a run that was trained for it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from weft.commands._parsing import Trusting, parse
from weft.core.errors import WeftError
from weft.heads.texts import TextOutput
from weft.modalities.text import Text
from weft.runs.run import load


@dataclass(frozen=True)
class Arguments(Trusting):
    """The run, its head and the pictures."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    image: tuple[Path, ...] = ()
    """One picture or more."""
    head: str | None = None
    """Head of the model that writes the captions; the first with text output if not given."""


def main(words: list[str]) -> None:
    """Prints one line for each picture: its file, a tab and the caption."""
    arguments = parse(Arguments, words, "weft caption")
    if not arguments.image:
        raise WeftError("weft caption needs --image FILE, one or more")
    run = load(arguments.run, trust=arguments.trust)
    head = run.head(arguments.head, TextOutput)
    pictures = [s for s in run.model.streams_of(head) if not isinstance(run.modalities[s], Text)]
    if not pictures:
        raise WeftError(f"{run.folder}: head '{head}' reads no pictures")
    values: dict[str, Any] = {pictures[0]: list(arguments.image)}
    found = run.predict(head, **values)
    for image, text in zip(arguments.image, found.said, strict=True):
        print(f"{image}\t{text}")
