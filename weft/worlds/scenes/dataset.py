"""The generated world as a data set, in memory or as files."""

import copy
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.files import write_text
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.worlds.drawn import DrawnRows, check_names, check_ranges
from weft.worlds.scenes import chinese, english
from weft.worlds.scenes.captions import Plan, altered, plan_captions
from weft.worlds.scenes.dialogs import dialog
from weft.worlds.scenes.drawing import MAX_NOISE, draw
from weft.worlds.scenes.questions import QUESTION_TYPES, questions
from weft.worlds.scenes.sampling import sample_scene
from weft.worlds.scenes.world import (
    COLORS,
    PATTERNS,
    SHAPES,
    SPLITS,
    Draws,
    Object,
    Scene,
    Split,
    is_balanced,
)

Language = Literal["en", "zh"]
_WORDS = {"en": english.caption, "zh": chinese.caption}
_SCENE, _QUESTIONS, _EN, _ZH, _DIALOG, _ALTERED = range(6)
"""Numbers of separate streams of random numbers: turning off one output changes no other."""
LARGEST_SCALE = 1.3
"""Largest factor of the sizes: with it, three objects fit in a picture, of which two may be large."""


@dataclass(frozen=True)
class ScenesConfig(Config["Scenes"]):
    """A split of the generated world."""

    count: int = 1000
    """Number of scenes."""
    split: Split = "train"
    """test_heldout shows a colour-shape pair in every scene that no other split ever shows."""
    size: int = 64
    """Side of the square pictures in pixels. Scenes are the same at every size."""
    seed: int = 0
    """Another seed generates another world."""
    languages: tuple[Language, ...] = ("en",)
    """Languages of the captions."""
    captions: int = 5
    """Captions of a scene in each language."""
    objects: tuple[int, int] = (3, 6)
    """Fewest and most objects in a scene."""
    scale: float = 1.0
    """Factor of the sizes of objects. It may be above 1 only if every scene has three objects."""
    overlap: float = 0.5
    """Share of the scenes in which two objects overlap."""
    colors: tuple[str, ...] = COLORS
    """Colours of the objects."""
    shapes: tuple[str, ...] = SHAPES
    """Shapes of the objects. Each shape and each colour must have the same number of held-out pairs."""
    patterns: tuple[str, ...] = PATTERNS
    """Patterns of the backdrops."""
    complete: bool = False
    """Whether each caption names every object with its size, and the background; otherwise most captions
    name some of the objects."""
    named: int | None = None
    """Each caption only lists this number of kinds of objects, such as "There is a small red star"; None: captions of
    all kinds."""
    questions: tuple[str, ...] = QUESTION_TYPES
    """Types of questions, one of each about every scene that allows it."""
    outermost: bool = True
    """Whether questions about a colour or a shape ask half of the time about the leftmost, rightmost, topmost
    or bottommost shape."""
    altered: bool = False
    """Whether rows also have, for each caption, the same one with a wrong colour or shape, in the column `altered`."""
    noise: int = 12
    """Largest change of a pixel by noise, in grey levels out of 255."""

    def __post_init__(self) -> None:
        largest = LARGEST_SCALE if self.objects[1] == 3 else 1.0
        ranges: dict[str, tuple[float, float, float]] = {
            "count": (self.count, 1, 2**31),
            **({} if self.named is None else {"named": (self.named, 1, 2**31)}),
            "size": (self.size, 16, 4096),
            "seed": (self.seed, 0, 2**63),
            "captions": (self.captions, 1, 100),
            "objects[0]": (self.objects[0], 3, self.objects[1]),
            "objects[1]": (self.objects[1], 3, 8),
            "noise": (self.noise, 0, MAX_NOISE),
            "scale": (self.scale, 0.5, largest),
            "overlap": (self.overlap, 0.0, 1.0),
        }
        check_ranges(ranges)
        if self.split not in SPLITS:
            raise ValueError(f"split is {self.split}, expected one of {', '.join(SPLITS)}")
        check_names(
            self,
            {
                "languages": tuple(_WORDS),
                "patterns": PATTERNS,
                "questions": QUESTION_TYPES,
                "colors": COLORS,
                "shapes": SHAPES,
            },
        )

        # One more than objects, so that every scene lacks some colour and shape for questions with the answer no.
        fewest = self.objects[1] + 1
        few = min(len(self.colors), len(self.shapes)) < fewest
        if few or not is_balanced(self.colors, self.shapes):
            raise ValueError(
                f"colors are {self.colors} and shapes {self.shapes}, expected {fewest} or more of each, "
                "and equally many held-out pairs of each colour and of each shape"
            )

    def build(self) -> "Scenes":
        return Scenes(self)


class Scenes(DrawnRows):
    """A sequence of samples that are generated on access.

    Items: image: uint8 (size, size, 3). text: captions in the first of the chosen languages; those in
    another language are text_zh or text_en. altered: false captions, if the config asks for them. boxes:
    (N, 4) float64, x0 y0 x1 y1 in [0, 1]. classes: N shapes. objects: N dicts of attributes. These three are
    in drawing order: a later object covers an earlier one. regions: the same, in the form of a detector's
    boxes, classes and attributes. questions: dicts with question, answer, type. split.
    """

    what = "scenes"
    # Generating a scene with its captions takes a millisecond, as long as a small model's step takes for one row, so
    # many are cached. Pictures are not cached; they are drawn on access.
    kept = 4096

    def __init__(self, config: ScenesConfig) -> None:
        super().__init__(config)
        self.config = config

    def __len__(self) -> int:
        return self.config.count

    def scene(self, index: int) -> Scene:
        """Generates the scene of that row, which its picture shows."""
        config, draws = self.config, self._draws(index, _SCENE)
        return sample_scene(
            draws,
            config.split,
            config.objects,
            config.scale,
            config.patterns,
            config.colors,
            config.shapes,
            config.overlap,
        )

    def image(self, scene: Scene) -> np.ndarray:
        """(size, size, 3) uint8."""
        return draw(scene, self.config.size, self.config.noise)

    def captions(
        self, scene: Scene, index: int, language: Language = "en"
    ) -> list[tuple[Plan, str]]:
        """Each caption with the facts that it states."""
        draws = self._draws(index, _EN if language == "en" else _ZH)
        plans = self._plans(scene, draws)
        return [(plan, _WORDS[language](plan, draws)) for plan in plans]

    def _plans(self, scene: Scene, draws: Draws) -> list[Plan]:
        config = self.config
        return plan_captions(scene, draws, config.captions, config.complete, config.named)

    def altered_captions(self, scene: Scene, index: int) -> list[str]:
        """Each caption in the first language with one colour or shape changed, so that it is false."""
        language, changes = self.config.languages[0], self._draws(index, _ALTERED)
        draws = self._draws(index, _EN if language == "en" else _ZH)
        plans = self._plans(scene, draws)
        found = []
        for plan in plans:
            found.append(_WORDS[language](altered(plan, scene, changes), copy.deepcopy(draws)))
            _WORDS[language](
                plan, draws
            )  # uses the random numbers of the true caption, so that the next captions get the same ones
        return found

    def questions(self, scene: Scene, index: int) -> list[dict[str, str]]:
        """Up to one question for each of the config's types."""
        config, draws = self.config, self._draws(index, _QUESTIONS)
        return questions(scene, draws, config.questions, config.outermost)

    def dialog(self, scene: Scene, index: int) -> list[dict[str, str]]:
        """The turns of a dialog about the scene."""
        return dialog(scene, self._draws(index, _DIALOG))

    def _draws(self, index: int, stream: int) -> Draws:
        return Draws(self.config.seed, SPLITS.index(self.config.split), index, stream)

    def _draw_row(self, index: int) -> Sample:
        scene = self.scene(index)
        texts = {
            language: Alternatives(text for _, text in self.captions(scene, index, language))
            for language in self.config.languages
        }
        items: dict[str, Any] = {
            "image": Media.array_of(lambda: self.image(scene), "image"),
            "text": texts.pop(self.config.languages[0]),
            "boxes": np.array([thing.box for thing in scene.objects]),
            "classes": [thing.shape for thing in scene.objects],
            "objects": [attributes(thing) for thing in scene.objects],
            "regions": regions_of(scene),
            "questions": self.questions(scene, index),
            "split": self.config.split,
        }
        if self.config.altered:
            items["altered"] = Alternatives(self.altered_captions(scene, index))
        items |= {f"text_{language}": texts[language] for language in texts}
        name = f"{self.config.split}-{index:06d}"
        return Sample(name, name, items, f"scenes:{self.config.split}/{index}")


def attributes(thing: Object) -> dict[str, Any]:
    """The attributes of an object in a row."""
    return {
        "shape": thing.shape,
        "color": thing.color,
        "size": thing.size,
        "box": _rounded(thing.box),
        "visible": thing.visible,
    }


def regions_of(scene: Scene) -> dict[str, Any]:
    """The objects in the form of a detector's output."""
    return {
        "boxes": [_rounded(thing.box) for thing in scene.objects],
        "classes": [thing.shape for thing in scene.objects],
        "attributes": [[thing.color, thing.size] for thing in scene.objects],
    }


def _rounded(box: tuple[float, ...]) -> list[float]:
    return [round(value, 4) for value in box]


def write_scenes(
    config: ScenesConfig,
    folder: Path | str,
    image_format: Literal["png", "jpeg"] = "png",
    columns: Sequence[str] | None = None,
) -> Path:
    """Writes a split as files: `folder`/images/<split>/*.png and the table `folder`/<split>.jsonl.

    Returns the path of the table. The folder may hold other splits. columns: columns of the table besides
    id, group, image and split; None for all.

    The table is removed first and written last, so all pictures of an existing table exist. Raises
    WeftError if the folder cannot be written.
    """
    folder = Path(folder)
    table = folder / f"{config.split}.jsonl"
    pictures = folder / "images" / config.split
    suffix = "png" if image_format == "png" else "jpg"
    try:
        table.unlink(missing_ok=True)
        shutil.rmtree(pictures, ignore_errors=True)
        pictures.mkdir(parents=True)
        lines = []
        for sample in config.build():
            name = f"{config.split}/{sample.id}.{suffix}"
            data = _encoded(sample.items["image"].array(), image_format)
            (folder / "images" / name).write_bytes(data)
            lines.append(json.dumps(_row(sample, name, columns), ensure_ascii=False))
    except OSError as error:
        raise WeftError(f"{folder}: cannot be written: {error.strerror or error}") from error
    write_text(table, "\n".join(lines) + "\n")
    return table


def _row(sample: Sample, image: str, columns: Sequence[str] | None) -> dict[str, Any]:
    boxes = [thing["box"] for thing in sample.items["objects"]]
    values = {k: v for k, v in sample.items.items() if k not in ("image", "boxes")} | {
        "boxes": boxes
    }
    if columns is not None:
        values = {k: v for k, v in values.items() if k in (*columns, "split")}
    return {"id": sample.id, "group": sample.group, "image": image, **values}


def _encoded(pixels_HWC: np.ndarray, image_format: str) -> bytes:
    buffer = io.BytesIO()
    options = {"compress_level": 1} if image_format == "png" else {"quality": 92}
    Image.fromarray(pixels_HWC).save(buffer, image_format, **options)
    return buffer.getvalue()
