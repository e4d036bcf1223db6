"""Embed rows with a run and write the index that `weft search` reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from weft.commands._outputs import check_kept, check_output, files_of
from weft.commands._parsing import Trusting, parse
from weft.core.language import say
from weft.core.text import counted

if TYPE_CHECKING:
    from weft.data.formats import Dataset
    from weft.runs.run import Run


@dataclass(frozen=True)
class Arguments(Trusting):
    """The run, the rows and the stream to embed."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    data: Path | None = None
    """Rows to embed; those of the recipe if not given."""
    split: str | None = None
    """Split to embed; the recipe's test split, or with --data all rows, if not given."""
    stream: str | None = None
    """Stream to embed, such as image or text; the first one of pictures if not given."""
    out: Path | None = None
    """Folder of the index; RUN/index if not given."""


def main(words: list[str]) -> None:
    """Writes the index: vectors, metadata and previews in one file."""
    arguments = parse(Arguments, words, "weft embed")
    from weft.index.database import FILE
    from weft.runs.own_columns import on_files
    from weft.runs.parts import open_split
    from weft.runs.run import load
    from weft.runs.searching import INDEX

    folder = arguments.out or arguments.run / INDEX
    otherwise = "" if arguments.out else "--out FOLDER names another place"
    check_output(folder / FILE, [arguments.data], otherwise)
    run = load(arguments.run, trust=arguments.trust)
    check_kept(folder / FILE, files_of(run.recipe))
    recipe = run.recipe if arguments.data is None else on_files(run.recipe, arguments.data)
    split = arguments.split or (run.recipe.data.test if arguments.data is None else None)
    write_index(run, open_split(recipe, split), folder, arguments.stream)


def write_index(run: "Run", dataset: "Dataset", folder: Path, stream: str | None = None) -> None:
    """Embeds the rows, writes the index into the folder, and says so. stream: the first one of pictures, or the first
    of all, if None."""
    from weft.core.tensors import checksum_of
    from weft.index import build_index
    from weft.modalities.stream_kinds import kind_of_stream
    from weft.runs.parts import WEIGHTS

    pictures = [name for name in run.streams if kind_of_stream(run.modalities[name]) == "image"]
    chosen = stream or (pictures or list(run.streams) or ["image"])[0]
    weights = checksum_of(run.folder / WEIGHTS)
    with build_index(
        folder, run.member(dataset), dataset, chosen, weights=weights, device=run.device
    ) as index:
        entries = counted(len(index), "entry", "entries")
    print(say(f"{entries} of stream '{chosen}' embedded: {folder}"))
