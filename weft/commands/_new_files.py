"""The files that `weft new` writes."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from weft.commands import _essentials
from weft.commands._starting_point import StartingPoint
from weft.core.errors import WeftError
from weft.core.files import write_bytes, write_text
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.data.formats import Dataset, Said
from weft.recipes import reads_schema
from weft.runs.recipe import Recipe
from weft.worlds.clips import write_clips
from weft.worlds.clips.source import GeneratedClipsConfig
from weft.worlds.scenes.source import GeneratedConfig
from weft.worlds.scenes.world import Split

EXAMPLES = 60
"""Number of generated pictures. There may be several questions about each."""
START = {"run.steps": 200, "run.batch_size": 16, "run.evaluate_every": 100}
"""Settings for a first run on few rows, instead of those of the recipe."""

HEAD = """\
# The recipe {name} with settings of your own. Train it: weft train {file}
# Every setting is described by: weft train {file} --help-all
# A part is named as `weft list parts` prints it (image: encoders.ResNet); null removes an entry.
recipe: {name}{own}{given}
"""
OWN = """
# recipe: my_parts.py:recipe  # use this line instead for the encoder in my_parts.py; then also add
#                             # --trust my_parts.py to weft evaluate, weft report, ...
"""
SAID = {
    "data.path": "Your rows: a folder of pictures with a .txt of captions beside each, a table, or another format.",
    "data.columns": "Meaning of the columns: a meaning and its column (image: Bild), or a column and its kind (Preis: number).",
    "data.images_dir": "Folder of the pictures, sounds or videos that the table names.",
    "data.encoding": "Text encoding of the table.",
}
"""Setting of the rows -> its description."""

PARTS = '''\
"""A part of your own. recipe.yaml uses it where it says `recipe: my_parts.py:recipe`."""

from dataclasses import dataclass

import torch
from torch import nn

import weft
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.records import Features, Field
from weft.runs.recipe import Recipe


class Small(nn.Module):
    """Pictures (B, 3, H, W) uint8 -> a grid of 8 x 8 tokens of width dim."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.layers = nn.Sequential(
            nn.Conv2d(3, dim, kernel_size=4, stride=4), nn.GELU(), nn.AdaptiveAvgPool2d(8)
        )

    def forward(self, field: Field) -> Features:
        tokens_BTD = self.layers(field.values.float() / 255).flatten(2).transpose(1, 2)
        mask_BT = torch.ones(tokens_BTD.shape[:2], dtype=torch.bool, device=tokens_BTD.device)
        return Features(tokens_BTD, mask_BT, tokens_BTD.mean(dim=1))


@dataclass(frozen=True)
class SmallConfig(Config[Encoder]):
    """Settings of Small; every field is a setting in recipe.yaml and on the command line."""

    dim: int = 128

    def build(self) -> Small:
        return Small(self.dim)


def recipe() -> Recipe:
    """The recipe {name} with this encoder of pictures."""
    base = weft.recipe("{name}")
    dim = base.model.encoders["image"].build().dim
    encoders = {{**base.model.encoders, "image": SmallConfig(dim)}}
    return base.replace(model=base.model.replace(encoders=encoders))
'''


def of_table(path: str, said: Said) -> dict[str, object]:
    """The settings that name the rows, and the user's settings of the table (`said`)."""
    images = None if said.images_dir is None else str(said.images_dir)
    told = {"columns": dict(said.columns), "images_dir": images, "encoding": said.encoding}
    return {"data.path": path, **{f"data.{name}": one for name, one in told.items() if one}}


def has_own_part(point: StartingPoint, recipe: Recipe) -> bool:
    """Whether my_parts.py is written: for a recipe with an encoder of `image` that is built without rows."""
    return "image" in recipe.model.encoders and not reads_schema(point.make)


def recipe_file(
    point: StartingPoint, recipe: Recipe, data: Mapping[str, object], given: Mapping[str, str]
) -> str:
    """The content of recipe.yaml: the settings that people change, each with its description.

    Settings of the model are commented out, because the user's own part may not have them. data: see `of_table`.
    given: the arguments of the recipe's function.
    """
    own = OWN if has_own_part(point, recipe) else ""
    # A recipe for own rows chooses its number of steps by the number of rows.
    settings = {**_essentials.of(recipe), **({} if reads_schema(point.make) else START)}
    active = {**data, **{k: v for k, v in settings.items() if not k.startswith("model.")}}
    model = {k: v for k, v in settings.items() if k.startswith("model.")}
    arguments = (f"\n{name}: {json.dumps(one, ensure_ascii=False)}" for name, one in given.items())
    head = HEAD.format(
        name=point.name, file="recipe.yaml", own=own.rstrip("\n"), given="".join(arguments)
    )
    sections = [head, *_lines(_nested(active), "")]
    if model:
        sections += [
            "# The size of the model:",
            *(f"# {line}" for line in _lines(_nested(model), "")),
        ]
    return "\n".join(sections) + "\n"


def parts_file(name: str) -> str:
    """The content of my_parts.py: an encoder of pictures, and a recipe that uses it."""
    return PARTS.format(name=name)


def write_examples(recipe: Recipe, name: str, folder: Path) -> int:
    """Writes rows of the generated world as files like a user's own. Returns the number of rows.

    Captions alone become .txt files beside the pictures; anything else becomes a table. Raises WeftError if
    the recipe reads files.
    """
    source = recipe.data.source
    if isinstance(source, GeneratedClipsConfig) and source.rows == "clips":
        counts: dict[Split, int] = {"train": EXAMPLES, "validation": 10, "test": 10}
        for split, count in counts.items():
            write_clips(source.clips.replace(count=count, split=split), folder)
        return sum(counts.values())
    if not isinstance(source, GeneratedConfig):
        raise WeftError(
            f"recipe {name} reads files and no generated examples: name yours with --data"
        )
    dataset = source.replace(train=EXAMPLES).open("train")
    columns = {
        *recipe.data.streams,
        *(config.build().column for config in recipe.data.targets.values()),
    }
    folder.mkdir(parents=True, exist_ok=True)
    if columns <= {"image", "text"}:
        return _write_folder(dataset, folder)
    lines = [
        json.dumps(_row(dataset[n], columns, folder), ensure_ascii=False)
        for n in range(len(dataset))
    ]
    write_text(folder / "rows.jsonl", "\n".join(lines) + "\n")
    return len(lines)


def _write_folder(dataset: Dataset, folder: Path) -> int:
    for number in range(len(dataset)):
        sample = dataset[number]
        _save(sample.items["image"], folder / f"{sample.id}.png")
        write_text(folder / f"{sample.id}.txt", "\n".join(sample.items["text"]) + "\n")
    return len(dataset)


def _row(sample: Sample, columns: set[str], folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"id": sample.id}
    for column in sorted(columns & sample.items.keys()):
        value = sample.items[column]
        if isinstance(value, Media):
            row[column] = f"{sample.group}.png"
            _save(value, folder / row[column])
        else:
            row[column] = list(value) if isinstance(value, Alternatives) else value
    return row


def _save(picture: Media, path: Path) -> None:
    if not path.exists():
        encoded = io.BytesIO()
        Image.fromarray(picture.array()).save(encoded, "PNG")
        write_bytes(path, encoded.getvalue())


def _nested(settings: Mapping[str, object]) -> dict[str, Any]:
    """Dotted names -> nested mappings. A leaf is (value, description of the setting)."""
    nested: dict[str, Any] = {}
    for name, value in settings.items():
        *path, last = name.split(".")
        place = nested
        for part in path:
            place = place.setdefault(part, {})
        place[last] = (value, SAID.get(name) or _essentials.said(name))
    return nested


def _lines(nested: Mapping[str, Any], indent: str) -> list[str]:
    found: list[str] = []
    for name, value in nested.items():
        if isinstance(value, dict):
            found += [f"{indent}{name}:", *_lines(value, f"{indent}  ")]
        else:
            found.append(
                f"{indent}{name}: {json.dumps(value[0], ensure_ascii=False)}  # {value[1]}"
            )
    return found
