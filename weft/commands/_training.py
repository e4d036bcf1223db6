"""Trains a recipe with the arguments of `weft train`."""

import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands import _essentials
from weft.commands._own_data import OwnLabels
from weft.commands._parsing import Trusting, parse
from weft.commands._starting_point import starting_point
from weft.core.config import to_json
from weft.core.errors import WeftError
from weft.core.language import say
from weft.data.formats import NOTHING_SAID
from weft.recipes import arguments_of, reads_schema
from weft.recipes._data import check_there
from weft.runs.own_columns import on_files
from weft.runs.recipe import Recipe
from weft.runs.train import TrainResult, resume, train
from weft.training.config import Parallel


@dataclass(frozen=True)
class Arguments(OwnLabels):
    """The run directory, the data, and every setting of the recipe."""

    recipe: Annotated[Recipe, tyro.conf.arg(name="")]
    out: Path | None = None
    """Run directory. Default: runs/RECIPE."""
    data: Path | None = None
    """Training data to use instead of the recipe's own: a file or folder in any known format."""


@dataclass(frozen=True)
class ResumeArguments(Trusting):
    """The run to resume."""

    resume: Path
    """Run directory."""
    parallel: Parallel | None = None
    """How to train on several ranks: ddp or fsdp. Default: the setting of the run."""


def go_on(words: list[str]) -> None:
    """Resumes the run that --resume names."""
    given = parse(ResumeArguments, words, "weft train")
    show(resume(given.resume, given.parallel, trust=given.trust))


def begin(word: str, rest: list[str]) -> None:
    """Trains the recipe that `word` names, with the settings in the other words."""
    name, arguments = settings_of(word, rest, "weft train")
    _say_target(word, rest, arguments.recipe)
    show(train(arguments.recipe, arguments.out or Path("runs") / name))


def _say_target(word: str, rest: list[str], recipe: Recipe) -> None:
    """Prints which column a recipe for own rows predicts, if the recipe chose it."""
    found = starting_point(word)
    chooses = reads_schema(found.make) and "target" in arguments_of(found.make)
    if not chooses or "target" in found.given or value_of(rest, "--target") is not None:
        return
    columns = [target.build().column for target in recipe.data.targets.values()]
    if columns and os.environ.get("RANK", "0") == "0":
        print(say(f"the predicted column is {columns[0]}; --target COLUMN chooses another"))


def settings_of(word: str, rest: list[str], command: str) -> tuple[str, Arguments]:
    """The recipe's name, and the recipe with the settings in the other words."""
    name, base, rest = _base(word, rest)
    arguments = parse(Arguments, rest, f"{command} {word}", default=Arguments(base))
    _check_data(name, to_json(arguments.recipe))
    return name, arguments


def essentials(word: str, rest: list[str]) -> _essentials.Help:
    """The help of the recipe for the data in the words. It has no settings if a required argument or the rows are
    missing."""
    found = starting_point(word)
    known = arguments_of(found.make)
    own = reads_schema(found.make)
    missing = any(
        argument.required and name not in found.given and value_of(rest, f"--{name}") is None
        for name, argument in known.items()
    )
    missing |= own and found.data is None and value_of(rest, "--data") is None
    settings = {} if missing else _essentials.of(_base(word, rest)[1])
    return _essentials.Help(known, settings, own_rows=own and found.data is None)


def _base(word: str, words: list[str]) -> tuple[str, Recipe, list[str]]:
    """The recipe's name, the recipe before the flags change its settings, and the words with these settings."""
    found = starting_point(word)
    given, rest = taken(found.arguments, words)
    data = value_of(rest, "--data")
    images = value_of(rest, "--images-dir")
    own = OwnLabels(
        columns=value_of(rest, "--columns"),
        images_dir=None if images is None else Path(images),
        encoding=value_of(rest, "--encoding"),
        merge_labels=value_of(rest, "--merge-labels") or "",
    )
    said = own.said(None if data is None else Path(data))
    if said.merge and not reads_schema(found.make):
        raise WeftError(
            f"--merge-labels is for recipes that are made for own rows; recipe '{found.name}' sets `merge` of its "
            "targets and streams"
        )
    name, base = found.name, found.recipe(given, data, said)
    # Before parsing, so that the settings of the files become flags.
    if data is not None or said != NOTHING_SAID:
        base = on_files(base, data, said)
    # Every objective gets a flag for its weight, also if the recipe leaves the weight at 1.
    weights = {**dict.fromkeys(base.objectives, 1.0), **base.weights}
    return name, base.replace(weights=weights), rest


def taken(names: Iterable[str], words: list[str]) -> tuple[dict[str, str], list[str]]:
    """The values of the flags of these names, and the other words."""
    given: dict[str, str] = {}
    rest = list(words)
    for name in names:
        value = value_of(rest, f"--{name}")
        if value is not None:
            given[name] = value
            place = next(n for n, w in enumerate(rest) if _flag(w) == _flag(f"--{name}"))
            del rest[place : place + (1 if "=" in rest[place] else 2)]
    return given, rest


def value_of(words: list[str], flag: str) -> str | None:
    """The value of `flag` in the words, given as `flag value` or `flag=value`; None without the flag.

    Raises WeftError if the flag has no value.
    """
    for word, following in itertools.zip_longest(words, words[1:]):
        if _flag(word) == _flag(flag):
            found = word.partition("=")[2] if "=" in word else following
            if not found:
                raise WeftError(f"{flag}: got an empty value; is a variable of the shell not set?")
            return found
    return None


def _flag(word: str) -> str:
    """The flag of a word in normal form: --image_model becomes --image-model."""
    return word.partition("=")[0].replace("_", "-")


def _check_data(name: str, value: object) -> None:
    """Raises WeftError if the recipe reads a data set of weft's recipes that is not on this machine."""
    if isinstance(value, str):
        check_there(Path(value), name)
    for inside in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        _check_data(name, inside)


def show(result: TrainResult) -> None:
    """Prints a summary of the training, on rank 0 only."""
    if os.environ.get("RANK", "0") == "0":
        print(result)
