"""Flickr8k whose training pictures all show dogs; test pictures without a dog are the anomalous rows.

python examples/anomaly/dogs_alone.py CAPTIONS.jsonl OUT.jsonl
"""

import json
import sys
from pathlib import Path

DOGS = {"dog", "dogs", "puppy", "puppies"}
NAMING = 3
"""Of a picture's five captions: so many name a dog where one is in the picture."""


def main() -> None:
    captions, out = map(Path, sys.argv[1:])
    lines = []
    for line in captions.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        dog = sum(bool(DOGS & set(text.lower().split())) for text in row["captions"]) >= NAMING
        if dog or row["split"] == "test":
            made = {**row, "anomalous": "no" if dog else "yes"}
            lines.append(json.dumps(made, ensure_ascii=False))
    out.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
