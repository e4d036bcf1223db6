"""Wrong captions put among the right ones, and how many of them were found again.

python examples/anomaly/shuffled_captions.py shuffle CAPTIONS.jsonl OUT.jsonl
python examples/anomaly/shuffled_captions.py judge CAPTIONS.jsonl OUT.jsonl MISMATCHES.csv CLEANED.jsonl

`shuffle` gives 30 % of the training captions to other training pictures. `judge` reads what `weft data check --mismatches`
wrote of that table, says how many of the named captions are wrong ones, and writes the table without those that are named.
"""

import csv
import json
import random
import sys
from pathlib import Path

SHARE = 0.3


def rows_of(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def write(file: Path, rows: list[dict]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")


def shuffle(captions: Path, out: Path) -> None:
    rows = rows_of(captions)
    places = [
        (n, k)
        for n, row in enumerate(rows)
        if row["split"] == "train"
        for k in range(len(row["captions"]))
    ]
    draws = random.Random(0)
    chosen = draws.sample(places, round(SHARE * len(places)))
    texts = [rows[n]["captions"][k] for n, k in chosen]
    for (n, k), text in zip(chosen, texts[1:] + texts[:1], strict=True):
        rows[n]["captions"][k] = text
    write(out, rows)
    print(f"{len(chosen):,} of {len(places):,} training captions are another picture's")


def judge(captions: Path, shuffled: Path, found: Path, cleaned: Path) -> None:
    right, rows = ({row["image"]: row for row in rows_of(file)} for file in (captions, shuffled))
    train = {image for image, row in rows.items() if row["split"] == "train"}
    with found.open(encoding="utf-8", newline="") as file:
        named = [row for row in csv.DictReader(file) if row["id"] in train]
    wrong = [row["text"] not in right[row["id"]]["captions"] for row in named]
    hits = 0
    for place, is_wrong in enumerate(wrong, 1):
        hits += is_wrong
        if hits == -(-8 * sum(wrong) // 10):
            print(f"precision at a recall of 80 %: {100 * hits / place:.1f} %")
            break
    alarms = [is_wrong for row, is_wrong in zip(named, wrong, strict=True) if row["alarm"] == "yes"]
    print(
        f"named: {len(alarms):,}, precision {100 * sum(alarms) / len(alarms):.1f} %, "
        f"recall {100 * sum(alarms) / sum(wrong):.1f} %"
    )
    left_out = {(row["id"], int(row["caption"])) for row in named if row["alarm"] == "yes"}
    kept = []
    for image, row in rows.items():
        texts = [t for k, t in enumerate(row["captions"]) if (image, k) not in left_out]
        kept += [{**row, "captions": texts}] if texts else []
    write(cleaned, kept)
    print(f"{cleaned}: {len(kept):,} of {len(rows):,} rows")


if __name__ == "__main__":
    actions = {"shuffle": shuffle, "judge": judge}
    actions[sys.argv[1]](*map(Path, sys.argv[2:]))
