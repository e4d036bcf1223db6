"""The recipe that a word of the command line names, before the flags change its settings."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, MappingProxyType
from typing import Any

from weft.core.cells import merges_of
from weft.core.config import apply
from weft.core.documents import read_mapping
from weft.core.errors import WeftError, brief, unknown_name
from weft.core.trust import import_file, trust_modules
from weft.data.formats import NOTHING_SAID, Said, address_of
from weft.recipes import SCHEMA, arguments_of, function, made, names, reads_schema
from weft.runs.own_columns import on_files, schema_of
from weft.runs.parts import RECIPE
from weft.runs.recipe import Recipe


@dataclass(frozen=True)
class StartingPoint:
    """A recipe that a word names: its function, and the settings of the recipe file, if the word names one.

    given: arguments of the function in the file. data, said: rows that the file names, and its settings for
    reading them. settings: all other settings of the file. where: the source of the settings, for messages.
    """

    name: str
    make: Callable[..., Recipe]
    given: Mapping[str, str] = field(default_factory=dict)
    data: Path | str | None = None
    said: Said = NOTHING_SAID
    settings: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""

    @property
    def arguments(self) -> Iterable[str]:
        """The names of the function's arguments."""
        return arguments_of(self.make)

    def recipe(
        self,
        given: Mapping[str, str] = MappingProxyType({}),
        data: Path | str | None = None,
        said: Said = NOTHING_SAID,
    ) -> Recipe:
        """Builds the recipe, with these arguments in addition to those of the file.

        data, said: rows instead of those of the file, for a recipe that is built from their columns.
        """
        arguments: dict[str, Any] = {**self.given, **given}
        rows = self.data if data is None else data
        if reads_schema(self.make) and rows is not None:
            columns = self.said if said == NOTHING_SAID else said
            arguments[SCHEMA] = schema_of(rows, columns)
        recipe = made(self.make, self.name, arguments)
        if not isinstance(recipe, Recipe):
            raise WeftError(f"{self.name}: gives a {type(recipe).__name__}, expected a Recipe")
        if self.data is not None:
            recipe = on_files(recipe, self.data, self.said)
        return apply(recipe, dict(self.settings), self.where) if self.settings else recipe


def starting_point(word: str) -> StartingPoint:
    """A recipe by name, by a function of a Python file, or by a recipe file that names one.

    A recipe file is YAML or JSON. Paths in it (recipe: FILE.py:FUNCTION, data, init, a folder as an argument of
    the recipe's function) are relative to its folder.
    """
    path = Path(word)
    if word not in names() and (path / RECIPE).is_file():
        raise WeftError(
            f"{word}: is a run, expected a recipe; to compare two runs: weft evaluate RUN --against OTHER; to continue "
            "one: weft train --resume RUN"
        )
    if path.suffix not in (".yaml", ".yml", ".json"):
        return StartingPoint(*_named(word))
    values = read_mapping(path)
    base_word = values.pop("recipe", None)
    if not isinstance(base_word, str):
        raise WeftError(f"{path}: has no key 'recipe' with the name of one of {', '.join(names())}")
    if ".py" in base_word:
        base_word = str(path.parent / base_word)
    _, make = _named(base_word)
    given = {key: values.pop(key) for key in arguments_of(make) if isinstance(values.get(key), str)}
    given = {
        key: str(path.parent / value) if (path.parent / value).is_dir() else value
        for key, value in given.items()
    }
    data = values.get("data")
    files, said = data if isinstance(data, str) else None, NOTHING_SAID
    if isinstance(data, dict):
        files = data.pop("path", None)
        said = _said(path, data) if files is not None else said
    elif files is not None:
        values.pop("data")
    if values.get("init") is not None:
        values["init"] = str(_beside(path, values["init"], "init"))
    name = path.stem if path.stem != "recipe" else path.absolute().parent.name
    rows = None if files is None else _beside(path, files, "data: path")
    return StartingPoint(name, make, given, rows, said, values, str(path))


def _said(file: Path, data: dict[str, Any]) -> Said:
    """The settings for reading the table in a recipe file: `columns`, `images_dir`, `encoding` and `merge_labels`
    under `data`."""
    columns, images = data.pop("columns", None) or {}, data.pop("images_dir", None)
    if not isinstance(columns, dict):
        raise WeftError(
            f"{file}: data: columns: got {brief(columns)}, expected such as image: Bild"
        )
    folder = None if images is None else Path(_beside(file, images, "data: images_dir")).absolute()
    encoding = data.pop("encoding", None)
    merge = merges_of(str(data.pop("merge_labels", None) or ""))
    named = {str(k): str(v) for k, v in columns.items()}
    return Said(named, folder, encoding and str(encoding), merge)


def _beside(file: Path, value: object, key: str) -> Path | str:
    """The path or address that a key of a recipe file names."""
    if not isinstance(value, str):
        raise WeftError(f"{file}: {key}: got {brief(value)}, expected a path")
    return value if address_of(value) is not None else file.parent / value


def _named(word: str) -> tuple[str, Callable[..., Recipe]]:
    """A recipe of weft by name, or FILE.py:FUNCTION; the file is imported."""
    file, _, name = word.rpartition(":")
    if not file.endswith(".py") and not word.endswith(".py"):
        return word, function(word)
    path = Path(file or word)
    trust_modules(str(path))
    module = import_file(path)
    functions = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    }
    if not file:
        raise WeftError(f"{path}: name the function that gives the recipe, such as {path}:recipe")
    if name not in functions:
        raise unknown_name(f"function in {path}", name, functions)
    return name, functions[name]
