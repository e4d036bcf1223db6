"""Create a starter folder: a commented recipe file, a Python file for your own parts, and example data.

weft new FOLDER [--recipe clip] [--data PATH]
weft new FOLDER --recipe classify --data TABLE --target COLUMN

The folder trains as it stands. Without --data it gets a few generated pictures, in place of which you put yours.
Arguments of the recipe, such as --target, are given as to `weft train`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._own_data import OwnData
from weft.commands._parsing import parse, wants_help
from weft.core.errors import WeftError
from weft.core.files import write_text

RECIPE, PARTS, DATA = "recipe.yaml", "my_parts.py", "data"


@dataclass(frozen=True)
class Arguments(OwnData):
    """The folder, the recipe and the data."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder to create. It must be empty or not exist."""
    recipe: str = "clip"
    """Recipe to start from. `weft list recipes` shows all."""
    data: Path | None = None
    """Your data: a file or folder in any known format. If not given, example data is generated."""


def main(words: list[str]) -> None:
    """Writes the files, and prints the next commands."""
    given, rest = ({}, words) if wants_help(words) else _recipe_arguments(words)
    arguments = parse(Arguments, rest, "weft new")
    folder, data = arguments.folder, arguments.data
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise WeftError(f"{folder}: is not empty, expected a new folder")
    if data is not None and not data.exists():
        raise WeftError(f"{data}: no such file or folder")
    from weft.commands import _new_files as files
    from weft.commands._starting_point import starting_point

    said = arguments.said(data)
    point = starting_point(arguments.recipe)
    base = point.recipe(given, data, said)
    if data is None:
        rows = files.write_examples(base, arguments.recipe, folder / DATA)
        print(f"{rows} generated examples: {folder / DATA}; put your own rows in their place")
    path = DATA if data is None else str(data.absolute())
    text = files.recipe_file(point, base, files.of_table(path, said), given)
    write_text(folder / RECIPE, text)
    print(f"settings, with comments: {folder / RECIPE}")
    if files.has_own_part(point, base):
        write_text(folder / PARTS, files.parts_file(arguments.recipe))
        print(f"a part of your own: {folder / PARTS}")
    run = Path("runs") / folder.absolute().name
    print("\nGo on with:")
    print(f"  weft train {folder / RECIPE}")
    print(f"  weft evaluate {run}")
    print(f"  weft report {run}")


def _recipe_arguments(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """The arguments of the recipe's function in the words, and the other words."""
    from weft.commands._training import taken, value_of
    from weft.recipes import arguments_of, function

    return taken(arguments_of(function(value_of(words, "--recipe") or Arguments.recipe)), words)
