"""Queries without meaning, for each kind of stream, to calibrate a cut-off."""

import random
import string
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

WORDS, LETTERS = (1, 8), (2, 9)
MASHED = (4, 30)
KEYS = string.ascii_letters + string.digits + string.punctuation
SIDE = 96
"""Side of a picture in pixels."""
RATE, SECONDS = 16000, (0.5, 2.0)


def nonsense(kind: str, count: int, seed: int, known: Sequence[Any] = ()) -> list[Any]:
    """`count` values of a stream of that kind, the same for the same seed; empty for an unknown kind.

    known: real values; nonsense texts use their letters, too.
    """
    drawn = _DRAWN.get(kind)
    if drawn is None:
        return []
    chance = random.Random(f"{kind} {seed}")
    letters = sorted({c for text in known if isinstance(text, str) for c in text if c.isalpha()})
    return [drawn(chance, letters or list(string.ascii_lowercase)) for _ in range(count)]


def _text(chance: random.Random, letters: Sequence[str]) -> str:
    """Words of random letters, or random keys."""
    if chance.random() < 0.3:
        return _joined(chance, KEYS, MASHED)
    alphabet = string.ascii_lowercase if chance.random() < 0.5 else letters
    return " ".join(_joined(chance, alphabet, LETTERS) for _ in range(chance.randint(*WORDS)))


def _joined(chance: random.Random, letters: Sequence[str], length: tuple[int, int]) -> str:
    return "".join(chance.choice(letters) for _ in range(chance.randint(*length)))


def _picture(chance: random.Random, letters: Sequence[str]) -> Any:  # noqa: ARG001
    """Coarse or fine noise over one colour."""
    random_numbers = np.random.default_rng(chance.getrandbits(32))
    cells = chance.choice((2, 4, 8, 16, 32, SIDE))
    strength = chance.choice((0.0, 0.3, 1.0))
    colour = random_numbers.uniform(0, 255, 3)
    grain = random_numbers.uniform(0, 255, (cells, cells, 3))
    grain = grain.repeat(SIDE // cells, 0).repeat(SIDE // cells, 1)
    return ((1 - strength) * colour + strength * grain).astype(np.uint8)


def _sound(chance: random.Random, letters: Sequence[str]) -> Any:  # noqa: ARG001
    """White noise, or constant tones."""
    random_numbers = np.random.default_rng(chance.getrandbits(32))
    times = np.arange(int(RATE * chance.uniform(*SECONDS))) / RATE
    samples = random_numbers.normal(size=len(times)) * chance.choice((0.001, 0.02, 0.2))
    for _ in range(chance.randint(0, 3)):
        samples = samples + 0.2 * np.sin(2 * np.pi * chance.uniform(60, 4000) * times)
    return {"samples": samples.clip(-1, 1).astype(np.float32), "rate": RATE}


_DRAWN: dict[str, Callable[[random.Random, Sequence[str]], Any]] = {
    "text": _text,
    "image": _picture,
    "audio": _sound,
}
KINDS = tuple(_DRAWN)
"""Kinds of streams that have nonsense values."""
