"""Damage to files: what disks, editors, hasty scripts and attackers leave behind."""

import json
import random
from collections.abc import Callable
from typing import Any

WRONG_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**31,
    2**63,
    10**30,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x" * 10_000,
    "../../../etc/passwd",
    "\x00",
    "ไทย",
    [],
    {},
    [[]],
    {"class": "os.system"},
    {"class": "weft.core.config.Config"},
)
DEPTH = 5_000
"""Levels of a nested value; Python's own parsers give up at about a thousand."""
WRONG_WORDS = (b"NaN", b"-1", b"1e999", b"null", b"99999999999999999999", b"\xff\xfe", b"&a [*a]")


def mutated(data: bytes, draws: random.Random) -> bytes:
    """`data` with one kind of damage, a few places of it."""
    for _ in range(20):
        changed = draws.choice(MUTATIONS)(data, draws)
        if changed != data:
            return changed
    return data + b"\x00"


def _flip_bits(data: bytes, draws: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draws.choice((1, 1, 1, 4, 32))):
        changed[draws.randrange(len(changed))] ^= 1 << draws.randrange(8)
    return bytes(changed)


def _set_bytes(data: bytes, draws: random.Random) -> bytes:
    changed, start = bytearray(data), draws.randrange(len(data))
    length = draws.choice((1, 2, 4, 8, 64))
    changed[start : start + length] = draws.choice((b"\x00", b"\xff", b"\x7f", b"[")) * length
    return bytes(changed)


def _cut_off(data: bytes, draws: random.Random) -> bytes:
    return data[: draws.choice((0, 1, draws.randrange(len(data)), len(data) - 1))]


def _leave_out(data: bytes, draws: random.Random) -> bytes:
    start = draws.randrange(len(data))
    return data[:start] + data[start + draws.choice((1, 8, 512)) :]


def _repeat(data: bytes, draws: random.Random) -> bytes:
    start = draws.randrange(len(data))
    part = data[start : start + draws.choice((1, 16, 512))]
    return data[:start] + part * draws.choice((2, 3, 100)) + data[start:]


def _replace_a_word(data: bytes, draws: random.Random) -> bytes:
    start = draws.randrange(len(data))
    return data[:start] + draws.choice(WRONG_WORDS) + data[start + draws.choice((0, 1, 4)) :]


def _swap_blocks(data: bytes, draws: random.Random) -> bytes:
    a, b = sorted(draws.randrange(len(data)) for _ in range(2))
    size = draws.choice((4, 64, 512))
    return (
        data[:a] + data[b : b + size] + data[a + size : b] + data[a : a + size] + data[b + size :]
    )


def _of_other_kind(data: bytes, draws: random.Random) -> bytes:
    wrong = (b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"\x80\x04K\x01.", b"{" * DEPTH, b"[" * DEPTH)
    return draws.choice(wrong) + draws.choice((b"", data))


def _wrong_json(data: bytes, draws: random.Random) -> bytes:
    """One value of a JSON file, or of one line of JSONL, is replaced, dropped, renamed or nested."""
    lines = data.split(b"\n")
    at = draws.randrange(len(lines)) if len(lines) > 1 else 0
    for whole in (True, False):
        try:
            value = json.loads(data if whole else lines[at])
        except ValueError:
            continue
        if isinstance(value, dict | list) and value:
            _spoil(value, draws)
            text = json.dumps(value).encode()
            if draws.random() < 0.1:
                text = text[:-1] + b',"deep":' + b"[" * DEPTH + b"]" * DEPTH + text[-1:]
            return text if whole else b"\n".join([*lines[:at], text, *lines[at + 1 :]])
    return data


def _spoil(value: dict[str, Any] | list[Any], draws: random.Random) -> None:
    while True:
        place: Any = draws.choice(list(value) if isinstance(value, dict) else range(len(value)))
        inner = value[place]
        if isinstance(inner, dict | list) and inner and draws.random() < 0.8:
            value = inner
            continue
        if draws.random() < 0.15:
            value.pop(place)
        elif isinstance(value, dict) and draws.random() < 0.15:
            value[draws.choice(("", "class", "__class__", "x y", "1"))] = value.pop(place)
        else:
            value[place] = draws.choice(WRONG_VALUES)
        return


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip_bits,
    _set_bytes,
    _cut_off,
    _leave_out,
    _repeat,
    _replace_a_word,
    _swap_blocks,
    _of_other_kind,
    _wrong_json,
    _wrong_json,
    _wrong_json,
)
