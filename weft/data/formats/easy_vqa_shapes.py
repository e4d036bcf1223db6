"""easy-VQA's pictures, each with a description derived from its questions and answers: "a red circle".

The files are those of easy-VQA (`weft.data.formats.easy_vqa`). The user asks for this reading by name.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from weft.core.samples import Sample
from weft.data.formats import easy_vqa
from weft.data.formats._rows import OnError

NAME = "easy_vqa_shapes"
DESCRIPTION = "easy-VQA's pictures with descriptions made from its answers; never detected, name this format to use it"
COLORS = ("red", "green", "blue", "yellow", "brown", "teal", "gray", "black")
SHAPES = ("circle", "rectangle", "triangle")
_DENIED = re.compile(r"\b(no|not)\b")


def detect(path: Path) -> bool:  # noqa: ARG001
    """Never detects: without a name the same files are easy-VQA's questions."""
    return False


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a picture: image, text, color, shape, and kind, which combines both: "red circle".

    About one picture in five is left out, because no answer tells its colour or shape.
    """
    by_picture: dict[str, list[Sample]] = {}
    for sample in easy_vqa.read(path, on_error):
        by_picture.setdefault(sample.group, []).append(sample)
    return [
        _described(group, samples, told)
        for group, samples in by_picture.items()
        if len(told := told_by((s.items["question"], s.items["answer"]) for s in samples)) == 2
    ]


def told_by(answered: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Derives color and shape, as far as the questions and answers tell them."""
    found: dict[str, str] = {}
    for question, answer in answered:
        named = set(re.findall(r"[a-z]+", question.lower()))
        colors, shapes = (named.intersection(known) for known in (COLORS, SHAPES))
        if answer in ("yes", "no"):
            # The answer "no" to "is there not a red shape?" means that there is one.
            if (answer == "yes") == bool(_DENIED.search(question.lower())):
                continue
        elif answer in COLORS:
            colors = {answer}
        elif answer in SHAPES:
            shapes = {answer}
        for name, values in (("color", colors), ("shape", shapes)):
            found |= dict.fromkeys([name] * len(values), next(iter(values), ""))
    return found


def _described(group: str, samples: list[Sample], told: dict[str, str]) -> Sample:
    first, kind = samples[0], f"{told['color']} {told['shape']}"
    items: dict[str, Any] = {
        "image": first.items["image"],
        "text": f"a {kind}",
        "kind": kind,
        **told,
        "split": first.items["split"],
    }
    return Sample(group, group, items, first.source)
