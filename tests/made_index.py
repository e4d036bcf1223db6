"""Entries and indexes for the tests, and what a search of them finds."""

import pytest
import torch

from weft.index import Entry, Index, Preview

DIM = 8
COLOURS = ("red", "blue", "green")


def vector(seed, dim=DIM):
    return torch.nn.functional.normalize(
        torch.randn(dim, generator=torch.Generator().manual_seed(seed)), dim=0
    )


def entry(name, seed=None, item="", dim=DIM, **metadata):
    seed = hash_of(name) if seed is None else seed
    preview = Preview(f"picture of {name}".encode(), "image/jpeg")
    return Entry(name, vector(seed, dim), item, f"{name}.jpg", metadata, f"text of {name}", preview)


def hash_of(name):
    return sum((place + 1) * ord(letter) for place, letter in enumerate(name))


def numbered(count, start=0, dim=DIM):
    """Entries id0, id1, ... of three colours, ten years, and a truth."""
    return [
        entry(f"id{n}", n, dim=dim, colour=COLOURS[n % 3], year=2010 + n % 10, new=n % 2 == 0)
        for n in range(start, start + count)
    ]


def create(folder, entries=(), **given):
    return Index.create(
        folder, **{"dim": DIM, "stream": "image", "weights": "w", **given}, entries=entries
    )


def expected(entries, query, k):
    """(score, id) of the best entry of each item, best first."""
    scored = sorted(
        ((float(one.vector.double() @ query.double()), one) for one in entries), key=lambda p: -p[0]
    )
    best = {}
    for score, one in scored:
        best.setdefault(one.item or one.id, (score, one.id))
    return list(best.values())[:k]


def check(found, wanted):
    assert [hit.score for hit in found] == pytest.approx([score for score, _ in wanted], abs=1e-5)
    assert [hit.id for hit in found] == [name for _, name in wanted]
