"""The leakage audit on made and on real splits."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.evaluation.leakage import Fingerprints, audit, nearest_hashes


def split(start, stop, **changes):
    rows = range(start, stop)
    values = {
        "ids": [f"row{n}" for n in rows],
        "groups": [f"image{n}" for n in rows],
        "contents": [f"hash{n}" for n in rows],
        "perceptual": np.random.default_rng(0).integers(0, 2**64, 100, dtype=np.uint64)[start:stop],
        "captions": [[f"Picture {n} ."] for n in rows],
    }
    return Fingerprints(**{**values, **changes})


def test_disjoint_splits_are_clean():
    leakage = audit(split(0, 60), split(60, 100))
    assert leakage.clean
    assert leakage.lines()[0] == "0 of 40 rows have an id that is also in training"
    assert leakage.to_json()["clean"] is True


def test_every_kind_of_leak_is_found():
    train = split(0, 60)
    hashes = np.array(split(60, 100).perceptual)
    hashes[7] = train.perceptual[11] ^ np.uint64(0b101)
    contents = [f"hash{n}" for n in range(60, 100)]
    contents[3] = "hash5"
    hashes[3] = train.perceptual[5]
    evaluated = split(
        60,
        100,
        ids=["row59", *(f"row{n}" for n in range(61, 100))],
        groups=["image1", "image1", *(f"image{n}" for n in range(62, 100))],
        contents=contents,
        perceptual=hashes,
        captions=[["picture  5 ."], *([f"Picture {n} ."] for n in range(61, 100))],
    )
    leakage = audit(train, evaluated)
    assert (leakage.ids.found, leakage.groups.found) == (1, 2)
    assert leakage.groups.examples[1] == ("row61", "row1")
    assert leakage.identical_pictures.examples == (("row63", "row5"),)
    assert leakage.near_duplicate_pictures.examples == (("row67", "row11"),)
    assert leakage.identical_captions.examples == (("row59", "row5"),)
    assert not leakage.clean


def test_what_was_not_looked_at_is_said():
    bare = Fingerprints(["a"], ["g"])
    leakage = audit(bare, Fingerprints(["b"], ["h"]))
    assert leakage.identical_pictures.found is None
    assert "not checked: pictures are near duplicates of a training picture" in leakage.lines()


def test_parts_that_disagree_are_refused():
    with pytest.raises(ValueError, match="captions has 1 entries, expected 2"):
        Fingerprints(["a", "b"], ["a", "b"], captions=[["x"]])


@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1), st.lists(st.integers(0, 2**64 - 1), min_size=1)
)
def test_nearest_hash_is_the_nearest(queries, others):
    nearest, bits = nearest_hashes(
        np.array(queries, dtype=np.uint64), np.array(others, dtype=np.uint64)
    )
    for query, place, differing in zip(queries, nearest, bits, strict=True):
        distances = [(query ^ other).bit_count() for other in others]
        assert differing == min(distances) == distances[place]


def test_flickr8k_splits_share_no_image(shared_data):
    text = (shared_data("flickr8k") / "captions.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    prints = {
        name: Fingerprints(
            [r["image"] for r in rows if r["split"] == name],
            [r["image"] for r in rows if r["split"] == name],
            captions=[r["captions"] for r in rows if r["split"] == name],
        )
        for name in ("train", "test")
    }
    leakage = audit(prints["train"], prints["test"])
    assert leakage.clean
    assert 0 < leakage.identical_captions.found < 100
