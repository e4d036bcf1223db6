"""The short help of recipes: arguments, and the settings that people change.

They are stored in a file beside the recipes. Building a recipe imports torch, and help must not wait for that.
`python -m weft.commands._essentials` writes the file.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import weft.recipes
from weft.commands._named import print_named
from weft.core.config import Settings
from weft.core.documents import read_json, read_mapping
from weft.core.files import write_text
from weft.core.language import say
from weft.recipes import Argument

if TYPE_CHECKING:
    from weft.runs.recipe import Recipe

FILE = Path(weft.recipes.__file__).parent / "settings.json"
SAID = {
    r"run\.steps": "Number of training steps.",
    r"run\.batch_size": "Batch size: number of rows in a step.",
    r"optim\.lr": "Peak learning rate.",
    r"run\.seed": "Seed of all random numbers.",
    r"run\.precision": "Precision: fp32, bf16, or auto (the faster one on this machine).",
    r"run\.workers": "Number of threads that read and decode rows ahead.",
    r"run\.evaluate_every": "Number of steps between evaluations on the validation split.",
    r"run\.monitor": "Validation metric that chooses the best weights. None takes the first metric.",
    r"data\.streams\.(\w+)\.(?:image\.)?size": "Side of the pictures of stream '{}' in pixels.",
    r"model\.encoders\.(\w+)\.depth": "Layers of the encoder of stream '{}'.",
    r"model\.encoders\.(\w+)\.dim": "Width of the encoder of stream '{}'; its projection's in-dim is the same.",
    r"model\.fusion(?:\.\w+)*\.depth": "Number of layers of the fusion.",
}
"""Pattern of a setting's name -> its description, in the order of the help."""
OWN_DATA = [
    (
        "--columns image=Bild,text=Befund",
        "Meaning of columns with other names, also Preis=number or group=Patient.",
    ),
    ("--images-dir FOLDER", "Folder of the pictures, sounds or videos that a table names."),
    ("--encoding NAME", "Text encoding of a table, such as cp1252 or gbk."),
    ("--merge-labels case,blanks", "Merges labels that differ only in capital letters or spaces."),
]
Value = str | int | float | None


BY_ROWS = "N"
"""Placeholder for a value that a recipe for own data chooses by the number of rows."""
NUMBERS_OF_ROWS = (400, 100_000)
"""Numbers of rows of two example tables. Settings that differ between them are shown as BY_ROWS."""


@dataclass(frozen=True)
class Help:
    """Content of a recipe's short help. own_rows: whether the recipe is built from the user's own rows."""

    arguments: Mapping[str, Argument] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    own_rows: bool = False


def of(recipe: Settings) -> dict[str, object]:
    """Name of a setting that people change -> its value in the recipe."""
    values = dict(_flat(recipe, ""))
    return {
        name: values[name] for pattern in SAID for name in values if re.fullmatch(pattern, name)
    }


def kept() -> dict[str, Help]:
    """Recipe -> its help, from the file."""
    return {
        name: Help(
            {
                key: Argument(value["about"], value["required"], tuple(value["choices"]))
                for key, value in one["arguments"].items()
            },
            one["settings"],
            one["own_rows"],
        )
        for name, one in read_json(FILE).items()
    }


def of_file(path: Path) -> Help | None:
    """The help of a recipe file that only changes values of one of weft's recipes.

    None if the recipe must be built to know its settings: the file replaces parts, has rows of a recipe for own
    data, or names a recipe of the user's own.
    """
    values = read_mapping(path)
    base = kept().get(str(values.pop("recipe", None)))
    if base is None or base.own_rows or not all(isinstance(key, str) for key in values):
        return None
    data = values.pop("data", None)
    values |= {"data": data} if isinstance(data, dict) else {}
    changed = dict(_flat(values, ""))
    parts = {name.rpartition(".")[0] for name in base.settings}
    if any(
        value is None or name in parts or name in base.arguments for name, value in changed.items()
    ):
        return None
    return replace(
        base, settings={**base.settings, **{n: changed[n] for n in base.settings if n in changed}}
    )


def current() -> dict[str, Help]:
    """Recipe -> its help, computed from the current recipes."""
    return {name: _current(name) for name in weft.recipes.names()}


def _current(name: str) -> Help:
    make = weft.recipes.function(name)
    arguments = weft.recipes.arguments_of(make)
    if any(argument.required for argument in arguments.values()):
        return Help(arguments)
    if not weft.recipes.reads_schema(make):
        return Help(arguments, of(make()))
    small, large = (of(_on_example(make, name, rows)) for rows in NUMBERS_OF_ROWS)
    settings = {key: BY_ROWS if value != large[key] else value for key, value in small.items()}
    return Help(arguments, settings, own_rows=True)


def _on_example(make: Any, name: str, rows: int) -> "Recipe":
    """A recipe for own data, built for an example table of pictures, texts and its target."""
    from weft.data.schema import Column, Schema

    target = {"tag": "tags", "regress": "number", "caption": "text", "retrieve": "text"}.get(name)
    kinds: dict[str, Any] = {"image": "image", "text": "text", "target": target or "category"}
    if target == "text":
        del kinds["target"]
    if name == "dialog":
        kinds = {"image": "image", "question": "text", "history": "other", "answer": "category"}
    if name == "translate":
        kinds |= {"target": "text"}
    columns = {key: Column(key, kind, True, "", 0, 9, ()) for key, kind in kinds.items()}
    schema: Schema = Schema(columns, None, None, None, rows)
    made: Recipe = make(schema, "target") if name == "translate" else make(schema)
    return made


def print_help(word: str, about: str, found: Help) -> None:
    """Prints the help of `weft train RECIPE`: description, arguments, settings with their values, two examples."""
    print(say(f"usage: weft train {word} [--SETTING VALUE ...]"), end="\n\n")
    if about:
        print_named([("", say(about))])
        print()
    own = say("Your rows: a file or folder in any known format.")
    rows = [
        *((flag(name), say(one.about)) for name, one in found.arguments.items()),
        (
            "--data PATH",
            own
            if found.own_rows
            else say("Your rows: a file or folder in any known format; else the recipe's own."),
        ),
        (
            "--out RUN",
            say(f"Run directory; runs/{Path(word).stem.partition(':')[0]} if not given."),
        ),
        ("--init RUN", say("Start from the weights of another run: fine-tuning.")),
    ]
    rows += [(name, say(line)) for name, line in OWN_DATA]
    explained = [
        (f"--{name.replace('_', '-')} {value}", say(said(name)))
        for name, value in found.settings.items()
    ]
    print_named([*rows, *explained])
    print()
    if BY_ROWS in found.settings.values():
        print(say(f"N is chosen by the number of rows: weft train {word} --data PATH --help"))
    print(say("The values are the recipe's own. Examples:"))
    for line in _examples(word, found):
        print(f"  weft train {line}")
    print()
    needed = [word, *_required(found), *(["--data PATH"] if found.own_rows else [])]
    print(say(f"All settings: weft train {' '.join(needed)} --help-all"))


def _examples(word: str, found: Help) -> list[str]:
    """Two example commands: own rows and a number of steps; another seed and another setting."""
    data = "--data table.csv" if found.own_rows else "--data my_photos"
    needed = [word, *_required(found)]
    own = [*needed, data, *(["--target COLUMN"] if "target" in found.arguments else [])]
    changed = [f"--{n.replace('_', '-')} {v}" for n, v in _doubled(found.settings).items()]
    return [
        " ".join([*own, "--out runs/mine --run.steps 2000"]),
        " ".join([*(own if found.own_rows else needed), "--out runs/other --run.seed 1", *changed]),
    ]


def _required(found: Help) -> list[str]:
    return [flag(name) for name, argument in found.arguments.items() if argument.required]


def flag(argument: str) -> str:
    """The flag of an argument of a recipe's function, with a placeholder for its value."""
    return f"--{argument.replace('_', '-')} {argument.upper()}"


def _doubled(settings: Mapping[str, object]) -> dict[str, object]:
    """The change in the second example: twice the first depth in the model, otherwise another learning rate."""
    for name, value in settings.items():
        if name.endswith(".depth") and isinstance(value, int):
            return {name: 2 * value}
    return {"optim.lr": 3e-4}


def said(name: str) -> str:
    """The description of a setting, as a sentence."""
    for pattern, sentence in SAID.items():
        found = re.fullmatch(pattern, name)
        if found:
            return sentence.format(*found.groups())
    raise KeyError(name)


def _flat(value: object, name: str) -> Iterator[tuple[str, Value]]:
    """The numbers, strings and Nones inside a config, by their dotted names."""
    inside: Mapping[str, object] | None = value if isinstance(value, dict) else None
    if isinstance(value, Settings):
        inside = {one.name: getattr(value, one.name) for one in fields(value)}
    if inside is None:
        if value is None or isinstance(value, str | int | float):
            yield name, value
        return
    for key, item in inside.items():
        yield from _flat(item, f"{name}.{key}" if name else key)


if __name__ == "__main__":
    write_text(FILE, json.dumps({k: asdict(v) for k, v in current().items()}, indent=1) + "\n")
