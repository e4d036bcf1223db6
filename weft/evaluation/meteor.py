"""METEOR 1.5 (M. Denkowski and A. Lavie, WMT 2014). Needs Java and the package pycocoevalcap.

The published Java program, which the package contains, aligns the words by exact forms, stems, synonyms and
paraphrases. The score is computed here from its counts, so that a bootstrap can resample them.
"""

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weft.core.errors import MissingExtraError, WeftError

Floats = NDArray[np.float64]

COUNTS = 23
"""Words of the candidate and of the reference; function words of both; for each kind of match, content words of both
and function words of both; chunks; matched words of both."""
KINDS = (1.0, 0.6, 0.8, 0.6)
"""Weights of exact matches, stems, synonyms and paraphrases (table 1 of the paper, English)."""
ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75


def available() -> bool:
    """Whether METEOR can be computed here."""
    return _jar() is not None and shutil.which("java") is not None


def counts(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> Floats:
    """(N, 23) the program's counts for each candidate against its best reference.

    Raises MissingExtraError without the package, WeftError without Java or if the program fails.
    """
    jar, java = _jar(), shutil.which("java")
    if jar is None:
        raise MissingExtraError("pycocoevalcap", extra="meteor", purpose="METEOR")
    if java is None:
        raise WeftError("METEOR needs the command java, which is not installed")
    lines = [
        " ||| ".join(["SCORE", *map(_plain, texts), _plain(candidate)])
        for candidate, texts in zip(candidates, references, strict=True)
    ]
    done = subprocess.run(
        [java, "-Xmx2G", "-jar", str(jar), "-", "-", "-stdio", "-l", "en", "-norm"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    if done.returncode or [len(row) for row in rows] != [COUNTS] * len(lines):
        said = done.stderr.strip().splitlines()
        raise WeftError(f"METEOR's program failed: {said[-1] if said else 'it said nothing'}")
    return np.array(rows, dtype=float)


def meteor(counts: Floats) -> Floats:
    """Maps counts (..., 23) of a candidate, or their sum over many, to the score (...)."""
    words, function = counts[..., 0:2], counts[..., 2:4]
    kinds = counts[..., 4:20].reshape(*counts.shape[:-1], len(KINDS), 4)
    matched = np.tensordot(
        DELTA * kinds[..., 0:2] + (1 - DELTA) * kinds[..., 2:4], KINDS, axes=((-2,), (0,))
    )
    whole = DELTA * (words - function) + (1 - DELTA) * function
    share = matched / np.maximum(whole, 1e-12)
    precision, recall = share[..., 0], share[..., 1]
    mean = precision * recall / np.maximum(ALPHA * precision + (1 - ALPHA) * recall, 1e-12)
    chunks, matches = counts[..., 20], counts[..., 21:23].mean(-1)
    # Two equal texts form one chunk, for which the program charges no penalty.
    equal = (chunks == 1) & (words == matches[..., None]).all(-1)
    penalty = GAMMA * (np.where(equal, 0, chunks) / np.maximum(matches, 1)) ** BETA
    scores: Floats = mean * (1 - penalty)
    return scores


def _plain(text: str) -> str:
    """Removes characters that have a meaning in the program's protocol."""
    return " ".join(text.replace("|||", " ").split())


def _jar() -> Path | None:
    spec = importlib.util.find_spec("pycocoevalcap")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "meteor" / "meteor-1.5.jar"
        if path.is_file():
            return path
    return None
