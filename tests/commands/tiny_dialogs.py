"""Own dialogs about plain pictures, and the words that train on them."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

TINY = (
    *("--run.steps", 2, "--run.batch-size", 4, "--run.workers", 0, "--run.evaluate-every", 0),
    *("--run.precision", "fp32", "--run.device", "cpu", "--tasks.dialog.resamples", 20),
    *("--data.streams.image.size", 32),
)
COLORS = {"red": (255, 0, 0), "blue": (0, 0, 255)}


def dialogs(folder: Path) -> Path:
    rows = []
    for n in range(20):
        color = list(COLORS)[n % 2]
        Image.fromarray(np.full((32, 32, 3), COLORS[color], np.uint8)).save(folder / f"{n}.png")
        turns = [["is it plain?", "yes"], ["what color is it?", color]]
        split = ("train", "train", "train", "validation", "test")[n % 5]
        rows.append({"image": f"{n}.png", "split": split, "dialog": turns})
    # One without picture, one whose answer no training row has.
    rows.append(
        {"image": None, "split": "test", "group": "none", "dialog": [["is it plain?", "no"]]}
    )
    path = folder / "dialogs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path
