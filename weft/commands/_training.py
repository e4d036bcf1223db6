"""From the words of `weft train` to a trained run."""

import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Annotated

import tyro

from weft.commands import _essentials
from weft.commands._parsing import Trusting, parse
from weft.core.config import apply, to_json
from weft.core.documents import read_mapping
from weft.core.errors import WeftError, brief, unknown_name
from weft.core.trust import import_file, trust_modules
from weft.data.formats import address_of
from weft.recipes import names, recipe
from weft.recipes._data import check_there
from weft.runs.recipe import Recipe
from weft.runs.run import on_files
from weft.runs.train import TrainResult, resume, train
from weft.training.config import Parallel


@dataclass(frozen=True)
class Arguments:
    """The run directory, the data, and every setting of the recipe."""

    recipe: Annotated[Recipe, tyro.conf.arg(name="")]
    out: Path | None = None
    """Run directory; runs/RECIPE if not given."""
    data: Path | None = None
    """Rows to train on instead of the recipe's own: a file or folder in any known format."""


@dataclass(frozen=True)
class ResumeArguments(Trusting):
    """The run to resume."""

    resume: Path
    """Run directory."""
    parallel: Parallel | None = None
    """ddp or fsdp on several ranks; the run's own setting if not given."""


def go_on(words: list[str]) -> None:
    """Resumes the run that --resume names."""
    given = parse(ResumeArguments, words, "weft train")
    show(resume(given.resume, given.parallel, trust=given.trust))


def begin(word: str, rest: list[str]) -> None:
    """Trains the recipe that `word` names, with the settings in the other words."""
    name, base = _base(word, rest)
    arguments = parse(Arguments, rest, f"weft train {word}", default=Arguments(base))
    _check_data(name, to_json(arguments.recipe))
    show(train(arguments.recipe, arguments.out or Path("runs") / name))


def essentials(word: str, rest: list[str]) -> dict[str, object]:
    """The settings that people change, as the recipe and the data that the words name have them."""
    return _essentials.of(_base(word, rest)[1])


def _base(word: str, rest: list[str]) -> tuple[str, Recipe]:
    """The recipe before the flags are laid over it, and its name."""
    name, base = starting_point(word)
    data = _value(rest, "--data")
    if data is not None:  # first, so that the settings of files are flags
        base = on_files(base, data)
    # Each objective's weight is a flag, also where the recipe leaves it at 1.
    weights = {**dict.fromkeys(base.objectives, 1.0), **base.weights}
    return name, base.replace(weights=weights)


def _value(words: list[str], flag: str) -> str | None:
    """The value of `flag` in the words, given as `flag value` or `flag=value`."""
    for word, following in itertools.zip_longest(words, words[1:]):
        if word == flag:
            return following
        if word.startswith(f"{flag}="):
            return word.removeprefix(f"{flag}=")
    return None


def starting_point(word: str) -> tuple[str, Recipe]:
    """A recipe by name, by a function of a Python file, or by a recipe file that names one.

    A recipe file is YAML or JSON. Paths in it (recipe: FILE.py:FUNCTION, data, init) are relative to its folder.
    """
    path = Path(word)
    if path.suffix not in (".yaml", ".yml", ".json"):
        return _named(word)
    values = read_mapping(path)
    base_word = values.pop("recipe", None)
    if not isinstance(base_word, str):
        raise WeftError(f"{path}: has no key 'recipe' with the name of one of {', '.join(names())}")
    if ".py" in base_word:
        base_word = str(path.parent / base_word)
    _, base = _named(base_word)
    data = values.get("data")
    files = (
        data
        if isinstance(data, str)
        else data.pop("path", None)
        if isinstance(data, dict)
        else None
    )
    if files is not None:
        base = on_files(base, _beside(path, files, "data: path"))
        values = values if isinstance(data, dict) else {**values, "data": {}}
    if values.get("init") is not None:
        values["init"] = str(_beside(path, values["init"], "init"))
    return path.stem if path.stem != "recipe" else path.absolute().parent.name, apply(
        base, values, str(path)
    )


def _beside(file: Path, value: object, key: str) -> Path | str:
    """The path or address that a key of a recipe file names."""
    if not isinstance(value, str):
        raise WeftError(f"{file}: {key}: got {brief(value)}, expected a path")
    return value if address_of(value) is not None else file.parent / value


def _named(word: str) -> tuple[str, Recipe]:
    """A recipe of weft by name, or FILE.py:FUNCTION; the file is imported."""
    file, _, name = word.rpartition(":")
    if not file.endswith(".py") and not word.endswith(".py"):
        return word, recipe(word)
    path = Path(file or word)
    trust_modules(str(path))
    module = import_file(path)
    made = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    }
    if not file:
        raise WeftError(f"{path}: name the function that gives the recipe, such as {path}:recipe")
    if name not in made:
        raise unknown_name(f"function in {path}", name, made)
    found = made[name]()
    if not isinstance(found, Recipe):
        raise WeftError(f"{word}: gives a {type(found).__name__}, expected a Recipe")
    return name, found


def _check_data(name: str, value: object) -> None:
    """Raises WeftError where the recipe reads a data set of weft's recipes that is not there."""
    if isinstance(value, str):
        check_there(Path(value), name)
    for inside in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        _check_data(name, inside)


def show(result: TrainResult) -> None:
    """Prints a summary of the training; of several ranks only rank 0 prints."""
    if os.environ.get("RANK", "0") != "0":
        return
    fit = result.fit
    if fit.resumed_at == fit.steps:
        done = f"nothing left to do: trained {fit.steps} steps before"
    elif fit.resumed_at:
        done = f"trained {fit.steps} steps, those after {fit.resumed_at} in {fit.seconds:.0f} s"
    else:
        done = f"trained {fit.steps} steps in {fit.seconds:.0f} s"
    print(f"{done}, best at step {fit.best_step}")
    for declared in result.metrics:
        for name, value in fit.metrics.items():
            metric = declared.called(name)
            if metric is not None and metric.headline:
                print(f"  validation {name}: {metric.shown(value)} {metric.axis}")
    print(f"run directory: {result.folder}")
