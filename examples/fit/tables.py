"""Tables for `weft fit`: CMU-MOSI with its sounds' features, and Flickr8k pictures with and without a dog.

python examples/fit/tables.py FOLDER_OF_THE_DATA_SETS
"""

import csv
import json
import random
import sys
from pathlib import Path

import numpy as np


def mosi(folder: Path) -> list[dict[str, object]]:
    """The words, the duration and 73 acoustic features of each utterance; the speaker's video is its group."""
    sounds = np.load(folder / "mosi_utterances.npz")["audio_feat"]
    lines = (folder / "utterances.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        {
            "text": row["text"],
            "group": row["video"],
            "duration": round(row["end"] - row["start"], 2),
            "split": row["fold"],
            "score": row["score"],
            **{f"audio_{n}": f"{float(value):.5g}" for n, value in enumerate(sound)},
        }
        for row, sound in zip(map(json.loads, lines), sounds, strict=True)
    ]


def dogs(folder: Path) -> list[dict[str, object]]:
    """800 training and 400 test pictures; a dog is in a picture if three of its five captions name one."""
    rows = map(json.loads, (folder / "captions.jsonl").read_text(encoding="utf-8").splitlines())
    found = []
    for row in rows:
        named = sum(bool({"dog", "dogs"} & set(c.lower().split())) for c in row["captions"])
        image = str((folder / "images" / row["image"]).resolve())
        label = "dog" if named >= 3 else "other"
        found.append({"image": image, "label": label, "split": row["split"]})
    training = [{**row, "split": "train"} for row in found if row["split"] in ("train", "dev")]
    test = [row for row in found if row["split"] == "test"]
    random.seed(0)
    random.shuffle(training)
    random.shuffle(test)
    return training[:800] + test[:400]


def main() -> None:
    data = Path(sys.argv[1])
    for name, rows in (("mosi", mosi(data / "cmu_mosi")), ("dogs", dogs(data / "flickr8k"))):
        with Path(f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)


if __name__ == "__main__":
    main()
