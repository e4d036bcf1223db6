"""What a calibrated cut-off answers and hides: python -m benchmarks.nonsense RUN

RUN: a trained run of pictures and texts whose test rows are at hand. Its index of them is made in a temporary folder, and
calibrated twice: by the best cosine alone, and with known queries, as `weft index build` does. Queries that the cut-off
was not made of are then asked, and the captions of the test rows, whose own picture is the right one.
"""

import argparse
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from weft.data.formats import Dataset
from weft.index import Cutoff, Index
from weft.index.nonsense import nonsense
from weft.runs.cutoffs import TEXTS, calibration
from weft.runs.indexing import index_rows
from weft.runs.parts import open_split
from weft.runs.run import Run, load

SEED = 1
"""Another one than that of the nonsense by which a cut-off is made."""
ELSEWHERE = (
    *("interest rates rose again this quarter", "the court dismissed the appeal on Monday"),
    *("install the driver before you connect the printer", "the enzyme binds to the receptor"),
    *("her novel was translated into twelve languages", "taxes are due at the end of April"),
    *("the theorem follows by induction on n", "please reset my password"),
    *("the bond yields four percent a year", "this medicine may cause drowsiness"),
    *("parliament passed the budget after a long debate", "the symphony is in D minor"),
    *("quarterly revenue fell short of the forecast", "the flight to Lisbon was cancelled"),
    *("an electron has a negative charge", "the lease ends in September"),
    *("she graduated with honours in economics", "the warranty does not cover damage by water"),
    *("their first album sold a million copies", "the treaty was signed in 1648"),
)
"""Sentences that mean something, and nothing that a photograph shows."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nonsense", description=__doc__)
    parser.add_argument("run", type=Path)
    options = parser.parse_args()
    run = load(options.run, "cpu")
    rows = open_split(run.recipe, run.recipe.data.test)
    with tempfile.TemporaryDirectory() as folder, index_rows(run, rows, Path(folder)) as index:
        captions, own = captions_of(rows)
        asked = {name: embedded(run, texts) for name, texts in queries(captions).items()}
        wanted = embedded(run, captions)
        for name, known in (("best cosine alone", 0), ("with known captions", TEXTS.known)):
            counts = TEXTS._replace(known=known)
            found = calibration(run, index, "text", counts, most=1.0)  # whatever it refuses
            assert found.cutoff is not None
            print(f"{name}: {found.refused:.1%} of real queries refused")
            for what, vectors in asked.items():
                print(f"  {what}: {answered(index, vectors, found.cutoff)} of {len(vectors):,}")
            for k in (1, 10):
                print(f"  recall@{k} lost: {lost(index, wanted, own, found.cutoff, k):.1f} points")


def queries(captions: Sequence[str]) -> dict[str, list[str]]:
    """Of several kinds of nonsense, the same at every call."""
    chance = random.Random(SEED)
    words = sorted({word for text in captions for word in text.split()})
    return {
        "strings of letters and keys": nonsense("text", 1000, SEED, captions),
        "letters of another form": [pronounceable(chance) for _ in range(300)],
        "sentences about other matters": list(ELSEWHERE),
        "words in random order": [" ".join(chance.choices(words, k=8)) for _ in range(100)],
    }


def pronounceable(chance: random.Random) -> str:
    """Consonants and vowels in turn, unlike the strings of `weft.index.nonsense`."""
    syllables = (chance.choice("bdfgklmnprstvz") + chance.choice("aeiou") for _ in range(12))
    return "".join(one + " " * (chance.random() < 0.4) for one in syllables).strip()


def captions_of(rows: Dataset) -> tuple[list[str], list[str]]:
    """All captions, and the id of the row of each."""
    pairs = [
        (str(text), row.id)
        for row in map(rows.__getitem__, range(len(rows)))
        for text in row.items["text"]
    ]
    return [text for text, _ in pairs], [name for _, name in pairs]


def embedded(run: Run, texts: Sequence[str]) -> Tensor:
    found = run.embed(text=list(texts))
    assert isinstance(found, Tensor)
    return found


def answered(index: Index, queries_QE: Tensor, cutoff: Cutoff) -> int:
    """How many have a hit."""
    best_Q = torch.tensor([hits[0].score for hits in index.search(queries_QE, 1)])
    return int((best_Q >= cutoff.of(queries_QE)).sum())


def lost(index: Index, queries_QE: Tensor, own: Sequence[str], cutoff: Cutoff, k: int) -> float:
    """Of 100 queries, those whose own picture is among the k best and is hidden."""
    found = index.search(queries_QE, k)
    hidden = 0
    for hits, name, least in zip(found, own, cutoff.of(queries_QE).tolist(), strict=True):
        hidden += any(hit.id == name and hit.score < least for hit in hits)
    return 100 * hidden / len(own)


if __name__ == "__main__":
    main()
