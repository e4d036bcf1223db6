"""Data that were moved together with the run."""

import logging
from pathlib import Path
from typing import Any

from weft.data.formats import address_of
from weft.runs.recipe import Recipe

log = logging.getLogger("weft.runs")
SHORTEST = 2
"""So many names at the end of a path must be the same: a folder and a file, such as data/rows.csv."""


def with_moved_data(recipe: Recipe, run: Path) -> Recipe:
    """The recipe with paths of data that are found near the folder `run`, where they are gone.

    A path that does not exist is looked for by its last names in the folders above the run, the nearest
    folder first, and a line says what was found. A path that is found nowhere stays.
    """
    source = recipe.data.source
    changes = {name: _found(value, run) for name, value in vars(source).items()}
    changed = {name: new for name, new in changes.items() if new != vars(source)[name]}
    if not changed:
        return recipe
    return recipe.replace(data=recipe.data.replace(source=source.replace(**changed)))


def _found(value: Any, run: Path) -> Any:
    if isinstance(value, dict):
        return {name: _found(inner, run) for name, inner in value.items()}
    if not isinstance(value, Path) or address_of(value) is not None or value.exists():
        return value
    names = [name for name in value.parts if name not in (value.anchor, "..")]
    for folder in run.absolute().parents:
        for start in range(len(names) - SHORTEST + 1):
            place = folder.joinpath(*names[start:])
            if place.exists():
                log.warning(f"{value}: was moved with the run to {place}")
                return place
    return value
