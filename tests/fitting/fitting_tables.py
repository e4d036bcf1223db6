"""Small tables whose answers are known."""

import csv
from pathlib import Path
from typing import Any

import numpy as np


def write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def people(rows: int = 120, groups: int = 30, seed: int = 0) -> list[dict[str, Any]]:
    """The text says the mood, the age adds to it, the rest is noise; several rows a person."""
    random = np.random.default_rng(seed)
    found = []
    for row in range(rows):
        good = random.random() < 0.5
        words = ["bright happy glad lovely" if good else "grey sad sorry awful"]
        words += random.choice(["the", "a", "one", "some", "day", "tree", "house"], 6).tolist()
        found.append(
            {
                "text": " ".join(words) if random.random() < 0.9 else " ".join(words[1:]),
                "age": round(float(random.normal(40 + 10 * good, 10)), 1),
                "colour": str(random.choice(["red", "green", "blue"])),
                "group": f"person {row % groups}",
                "mood": "good" if good else "bad",
                "score": round(float(random.normal(3 if good else -3, 1)), 2),
            }
        )
    return found


def without(rows: list[dict[str, Any]], *columns: str) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in columns} for row in rows]
