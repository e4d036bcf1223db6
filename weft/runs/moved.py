"""Finds data that were moved together with the run."""

import logging
from pathlib import Path
from typing import Any

from weft.data.formats import address_of
from weft.data.sources import DataSource
from weft.runs.recipe import Recipe

log = logging.getLogger("weft.runs")
SHORTEST = 2
"""Number of names at the end of a path that must match: a folder and a file, such as data/rows.csv."""


def with_moved_data(recipe: Recipe, run: Path) -> Recipe:
    """Returns the recipe with missing data paths replaced by those found near the folder `run`.

    A missing path is sought by its last names in the folders above the run, the nearest folder first. A found path is
    logged. A path that is not found stays.
    """
    source = _found(recipe.data.source, run)
    if source is recipe.data.source:
        return recipe
    return recipe.replace(data=recipe.data.replace(source=source))


def _found(value: Any, run: Path) -> Any:
    if isinstance(value, DataSource):  # a source may contain another
        changes = {name: _found(inner, run) for name, inner in vars(value).items()}
        changed = {name: new for name, new in changes.items() if new != vars(value)[name]}
        return value.replace(**changed) if changed else value
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
