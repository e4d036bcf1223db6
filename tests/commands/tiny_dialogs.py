"""Own dialogs about plain pictures, and the words that train on them."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

TINY = (
    *("--run.steps", 2, "--run.batch-size", 4, "--run.workers", 0, "--run.evaluate-every", 0),
    *("--run.precision", "fp32", "--run.device", "cpu", "--tasks.dialog.resamples", 20),
)
SMALL_PICTURES = ("--data.streams.image.size", 32)
COLORS = {"red": (255, 0, 0), "blue": (0, 0, 255)}


def dialogs(folder: Path) -> Path:
    rows: list[dict[str, Any]] = []
    for n in range(20):
        color = list(COLORS)[n % 2]
        Image.fromarray(np.full((32, 32, 3), COLORS[color], np.uint8)).save(folder / f"{n}.png")
        turns = [["is it plain?", "yes"], ["what color is it?", color]][: 1 + (n % 10 > 0)]
        split = ("train", "train", "train", "validation", "test")[n % 5]
        rows.append({"image": f"{n}.png", "split": split, "dialog": turns})
    # One without picture, one whose answer no training row has.
    rows.append(
        {"image": None, "split": "test", "group": "none", "dialog": [["is it plain?", "no"]]}
    )
    path = folder / "dialogs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def turns(folder: Path) -> Path:
    """A row a turn, the last turn of each dialog first, with candidates and their relevance."""
    path = folder / "turns.csv"
    rows = []
    for line in dialogs(folder).read_text().splitlines():
        one = json.loads(line)
        for number, (question, answer) in reversed([*enumerate(one["dialog"], 1)]):
            candidates = ["yes", "no", *COLORS]
            relevance = [float(name == answer) for name in candidates]
            row = (one["image"], one["split"], len(rows) if one["image"] is None else one["image"])
            written = (json.dumps(candidates), json.dumps(relevance))
            rows.append((*row, number, question, answer, *written))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        header = "image,split,Dialog ID,Turn,question,answer,candidates,relevance"
        writer.writerow(header.split(","))
        writer.writerows(rows)
    return path
