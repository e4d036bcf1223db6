"""Tables for `weft fit` and the recipes for own tables: CMU-MOSI with its sounds' features, Flickr8k pictures with and
without a dog, and Flickr8k pictures with one caption, of which the other four say what is shown (a class, or tags).

python examples/fit/tables.py FOLDER_OF_THE_DATA_SETS
"""

import csv
import json
import random
import re
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


WORDS = {
    "dog": "dog dogs puppy",
    "child": "boy girl child children kid kids baby",
    "man": "man men",
    "woman": "woman women",
    "water": "water ocean lake river pool sea",
    "snow": "snow snowy",
    "grass": "grass grassy field",
    "beach": "beach sand",
    "ball": "ball football basketball soccer tennis baseball",
    "bicycle": "bike bicycle bikes",
    "jump": "jumping jumps jump leaps leaping",
    "run": "running runs run",
}
"""Tag -> words of a caption that name it."""

CLASSES = {
    "dog": {"dog", "dogs", "puppy"},
    "child": {"boy", "girl", "child", "children", "kid", "kids", "baby", "toddler"},
    "adult": {"man", "woman", "men", "women", "people", "person"},
}
"""Class -> words that name it; of several the first that two captions name."""
ROWS = {"train": 1200, "dev": 200, "test": 500}
"""Pictures of each split of Flickr8k, the first ones."""


def photos(folder: Path, column: str) -> list[dict[str, object]]:
    """Pictures with their first caption; two of the other four captions say the class `what`, or a tag of `tags`."""
    rows = map(json.loads, (folder / "captions.jsonl").read_text(encoding="utf-8").splitlines())
    found: list[dict[str, object]] = []
    seen = dict.fromkeys(ROWS, 0)
    for row in rows:
        split = row["split"]
        if seen.get(split, 0) >= ROWS.get(split, 0):
            continue
        seen[split] += 1
        said = [set(re.findall("[a-z]+", caption.lower())) for caption in row["captions"][1:]]
        tags = [t for t, w in WORDS.items() if sum(bool(one & set(w.split())) for one in said) > 1]
        named = (c for c, words in CLASSES.items() if sum(bool(one & words) for one in said) > 1)
        found.append(
            {
                "image": str((folder / "images" / row["image"]).resolve()),
                "caption": row["captions"][0],
                column: next(named, "other") if column == "what" else tags,
                "split": {"dev": "validation"}.get(split, split),
            }
        )
    return found


def main() -> None:
    data = Path(sys.argv[1])
    for name, rows in (("mosi", mosi(data / "cmu_mosi")), ("dogs", dogs(data / "flickr8k"))):
        with Path(f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    for column in ("what", "tags"):  # a list may be empty, which a cell of CSV cannot say
        lines = [json.dumps(row, ensure_ascii=False) for row in photos(data / "flickr8k", column)]
        Path(f"photos_{column}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
