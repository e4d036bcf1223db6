"""Write a folder to start from: a commented recipe file, a Python file for parts of your own, example data.

weft new FOLDER [--recipe clip] [--data PATH]

The folder trains as it stands. Without --data it gets a few generated pictures, in place of which you put yours.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._parsing import parse
from weft.core.errors import WeftError
from weft.core.files import write_text

RECIPE, PARTS, DATA = "recipe.yaml", "my_parts.py", "data"


@dataclass(frozen=True)
class Arguments:
    """The folder, the recipe and the data."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder to write; it must be empty or not there."""
    recipe: str = "clip"
    """Recipe to start from, one that `weft list recipes` shows."""
    data: Path | None = None
    """Your rows: a file or folder in any known format. Generated examples are written if not given."""


def main(words: list[str]) -> None:
    """Writes the files, and prints the commands to go on with."""
    arguments = parse(Arguments, words, "weft new")
    folder, data = arguments.folder, arguments.data
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise WeftError(f"{folder}: is not empty, expected a new folder")
    if data is not None and not data.exists():
        raise WeftError(f"{data}: no such file or folder")
    from weft.commands import _new_files as files
    from weft.recipes import recipe

    base = recipe(arguments.recipe)
    if data is None:
        rows = files.write_examples(base, arguments.recipe, folder / DATA)
        print(f"{rows} generated examples: {folder / DATA}; put your own rows in their place")
    path = DATA if data is None else str(data.absolute())
    write_text(folder / RECIPE, files.recipe_file(base, arguments.recipe, path))
    print(f"settings, with comments: {folder / RECIPE}")
    if "image" in base.model.encoders:
        write_text(folder / PARTS, files.parts_file(arguments.recipe))
        print(f"a part of your own: {folder / PARTS}")
    run = Path("runs") / folder.absolute().name
    print("\nGo on with:")
    print(f"  weft train {folder / RECIPE}")
    print(f"  weft evaluate {run}")
    print(f"  weft report {run}")
