"""Embed rows with a run and write the index that `weft search` reads."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._parsing import Trusting, parse
from weft.core.files import check_writable
from weft.core.language import say
from weft.core.text import counted

INDEX = "index"


@dataclass(frozen=True)
class Arguments(Trusting):
    """The run, the rows and the stream to embed."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    data: Path | None = None
    """Rows to embed; those of the recipe if not given."""
    split: str | None = None
    """Split to embed; the recipe's test split, or with --data all rows, if not given."""
    stream: str = "image"
    """Stream to embed: image for the pictures, text for each caption."""
    out: Path | None = None
    """Folder of the index; RUN/index if not given."""


def main(words: list[str]) -> None:
    """Writes the index: vectors as safetensors, ids and sources as JSON."""
    arguments = parse(Arguments, words, "weft embed")
    from weft.core.tensors import checksum_of
    from weft.index import DESCRIPTION, build_index
    from weft.runs.own_columns import on_files
    from weft.runs.parts import WEIGHTS, open_split
    from weft.runs.run import load

    folder = arguments.out or arguments.run / INDEX
    check_writable(
        folder / DESCRIPTION, "" if arguments.out else "--out FOLDER names another place"
    )
    run = load(arguments.run, trust=arguments.trust)
    recipe = run.recipe if arguments.data is None else on_files(run.recipe, arguments.data)
    split = arguments.split or (run.recipe.data.test if arguments.data is None else None)
    dataset = open_split(recipe, split)
    index = build_index(run.member(dataset), dataset, arguments.stream, device=run.device)
    replace(index, weights=checksum_of(arguments.run / WEIGHTS)).save(folder)
    entries = counted(len(index), "entry", "entries")
    print(say(f"{entries} of stream '{arguments.stream}' embedded: {folder}"))
