"""The settings of a recipe that people change, for its short help.

Their values are kept in a file beside the recipes, since a recipe is built of parts that need torch, and
help must not wait for it. `python -m weft.commands._essentials` writes the file.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType

import weft.recipes
from weft.commands._sources import summaries
from weft.commands._tables import print_rows
from weft.core.config import Settings
from weft.core.documents import read_json
from weft.core.files import write_text
from weft.core.language import say

FILE = Path(weft.recipes.__file__).parent / "settings.json"
SAID = {
    r"run\.steps": "Training steps.",
    r"run\.batch_size": "Rows in a step.",
    r"optim\.lr": "Learning rate at its highest.",
    r"run\.seed": "Seed of everything that is drawn.",
    r"run\.precision": "fp32, bf16, or auto: the faster one on this machine.",
    r"run\.workers": "Threads that read and decode rows ahead.",
    r"run\.evaluate_every": "Steps between evaluations on the validation split.",
    r"run\.monitor": "Validation metric that chooses the best weights; None: the first.",
    r"data\.streams\.(\w+)\.(?:image\.)?size": "Side of the pictures of stream '{}' in pixels.",
    r"model\.encoders\.(\w+)\.depth": "Layers of the encoder of stream '{}'.",
    r"model\.encoders\.(\w+)\.dim": "Width of the encoder of stream '{}'; its projection's in-dim is the same.",
    r"model\.fusion(?:\.\w+)*\.depth": "Layers of the fusion.",
}
"""Pattern of a setting's name -> what it is; in this order."""
OWN_DATA = [
    (
        "--columns image=Bild,text=Befund",
        "Columns of other names; also Preis=number, group=Patient.",
    ),
    ("--images-dir FOLDER", "Where the pictures lie that a table names."),
    ("--encoding NAME", "Of a table's text, such as cp1252 or gbk."),
]
Value = str | int | float | None


def of(recipe: Settings) -> dict[str, object]:
    """Name of a setting that people change -> its value in the recipe."""
    values = dict(_flat(recipe, ""))
    return {
        name: values[name] for pattern in SAID for name in values if re.fullmatch(pattern, name)
    }


def kept() -> Mapping[str, dict[str, object]]:
    """Recipe -> its settings as the file has them."""
    found: dict[str, dict[str, object]] = read_json(FILE)
    return found


def current() -> dict[str, dict[str, object]]:
    """Recipe -> its settings as the recipes are now."""
    return {name: of(make()) for name, make in weft.recipes.recipes().items()}


def print_help(
    word: str, settings: Mapping[str, object], arguments: Mapping[str, str] = MappingProxyType({})
) -> None:
    """The help of `weft train RECIPE`: what it is, its arguments, its settings with their values, two examples."""
    about = summaries(weft.recipes, of_function=True).get(word)
    print(say(f"usage: weft train {word} [--SETTING VALUE ...]"), end="\n\n")
    if about:
        print_rows([("", say(about))])
        print()
    rows = [
        *((f"--{name} {name.upper()}", say(said)) for name, said in arguments.items()),
        (
            "--data PATH",
            say("Your rows: a file or folder in any known format; else the recipe's own."),
        ),
        (
            "--out RUN",
            say(f"Run directory; runs/{Path(word).stem.partition(':')[0]} if not given."),
        ),
        ("--init RUN", say("Start from the weights of another run: fine-tuning.")),
    ]
    rows += [(name, say(line)) for name, line in OWN_DATA]
    explained = [(_flag(name, value), say(said(name))) for name, value in settings.items()]
    print_rows([*rows, *explained])
    word += "".join(f" --{name} {name.upper()}" for name in list(arguments)[:1])
    print()
    print(say("The values are the recipe's own. Examples:"))
    print(f"  weft train {word} --data my_photos --out runs/mine --run.steps 2000")
    changed = [f"--{name.replace('_', '-')} {value}" for name, value in _doubled(settings).items()]
    print(f"  weft train {word} --out runs/other --run.seed 1 {' '.join(changed)}".rstrip())
    print()
    print(say(f"All settings: weft train {word} --help-all"))


def _doubled(settings: Mapping[str, object]) -> dict[str, object]:
    """A change that the second example makes: the first size of the model, or the learning rate."""
    for name, value in settings.items():
        if name.endswith(".depth") and isinstance(value, int):
            return {name: 2 * value}
    return {"optim.lr": 3e-4}


def _flag(name: str, value: object) -> str:
    return f"--{name.replace('_', '-')} {value}"


def said(name: str) -> str:
    """What the setting is, as a sentence."""
    for pattern, sentence in SAID.items():
        found = re.fullmatch(pattern, name)
        if found:
            return sentence.format(*found.groups())
    raise KeyError(name)


def _flat(value: object, name: str) -> Iterator[tuple[str, Value]]:
    """The numbers, words and Nones inside a config, by their names with dots."""
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
    write_text(FILE, json.dumps(current(), indent=1) + "\n")
