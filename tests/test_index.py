"""Exact search and an index that is whole or an error."""

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent / "tasks"))

from tiny_world import tiny_world

from weft import index as index_module
from weft.core.documents import read_mapping, write_checked
from weft.core.errors import WeftError
from weft.index import EmbeddingIndex, build_index


def made(number=50, width=8, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    vectors = F.normalize(torch.randn(number, width, generator=generator), dim=-1).to(dtype)
    names = tuple(f"id{n}" for n in range(number))
    return EmbeddingIndex(vectors, names, tuple(f"{n}.jpg" for n in names))


@settings(max_examples=30, deadline=None)
@given(k=st.integers(1, 60), chunk=st.sampled_from([8, 24, 80, 10_000]))
def test_chunks_find_what_sorting_finds(k, chunk):
    index = made()
    queries = torch.randn(4, 8, generator=torch.Generator().manual_seed(k))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "CHUNK_ELEMENTS", chunk)
        found = index.search(queries, k)
    scores = queries @ index.vectors.T
    for row, hits in enumerate(found):
        order = scores[row].argsort(descending=True)[:k].tolist()
        assert [hit.id for hit in hits] == [f"id{n}" for n in order]
        assert [hit.source for hit in hits] == [f"id{n}.jpg" for n in order]
        assert [hit.score for hit in hits] == pytest.approx(scores[row][order].tolist(), abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_saved_and_loaded_is_the_same(tmp_path, dtype):
    index = made(dtype=dtype)
    made(number=3).save(tmp_path)
    index.save(tmp_path)
    again = EmbeddingIndex.load(tmp_path)
    assert torch.equal(again.vectors, index.vectors)
    assert again.vectors.dtype == dtype
    assert (again.ids, again.sources, again.stream) == (index.ids, index.sources, index.stream)
    assert len(list(tmp_path.iterdir())) == 2


def break_json(folder):
    (folder / "index.json").write_text("{")


def other_format(folder):
    (folder / "index.json").write_text('{"format": 99}')


def lose_vectors(folder):
    next(folder.glob("*.safetensors")).unlink()


def cut_vectors(folder):
    path = next(folder.glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:100])


def lose_an_id(folder):
    path = folder / "index.json"
    described = read_mapping(path)
    described["ids"].pop()
    described["sources"].pop()
    write_checked(path, described)


def bad_ids(folder):
    path = folder / "index.json"
    write_checked(path, {**read_mapping(path), "ids": [1]})


def swap_ids(folder):
    path = folder / "index.json"
    path.write_text(path.read_text().replace("id11", "id12", 1))


def no_numbers(folder):
    index = EmbeddingIndex.load(folder)
    EmbeddingIndex(index.vectors * torch.nan, index.ids, index.sources).save(folder)


def change_vectors(folder):
    path = next(folder.glob("*.safetensors"))
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_json, "index.json:1: is not JSON"),
        (other_format, "has format 99, expected 1"),
        (lose_vectors, "no such file, but .*index.json names it"),
        (cut_vectors, "is damaged"),
        (change_vectors, "is damaged"),
        (swap_ids, r"index\.json: is damaged or was edited"),
        (no_numbers, "holds vectors that are not numbers"),
        (lose_an_id, "is not the index's vectors: .*N = 49"),
        (bad_ids, "'ids' is not a list of strings"),
    ],
)
def test_damage_is_named(tmp_path, damage, message):
    made().save(tmp_path)
    damage(tmp_path)
    with pytest.raises(WeftError, match=message):
        EmbeddingIndex.load(tmp_path)


def test_no_index_is_named(tmp_path):
    with pytest.raises(WeftError, match=r"index\.json: no such file"):
        EmbeddingIndex.load(tmp_path)


def test_caller_mistakes():
    with pytest.raises(ValueError, match="queries has shape"):
        made().search(torch.zeros(1, 9), 1)
    with pytest.raises(ValueError, match="k is 0"):
        made().search(torch.zeros(1, 8), 0)
    with pytest.raises(ValueError, match="expected float16 or float32"):
        EmbeddingIndex(torch.zeros(1, 2, dtype=torch.int64), ("a",), ("a",))


def test_pictures_are_found_by_their_captions():
    w = tiny_world(images=12, noise=0.0)
    member = w.member()
    index = build_index(member, w.rows, dtype="float16")
    captions = build_index(member, w.rows, "text", dtype="float32")
    assert len(captions) == 36
    assert captions.ids[:3] == ("row0", "row0#1", "row0#2")
    for hits, name in zip(index.search(captions.vectors[::3], 1), index.ids, strict=True):
        assert hits[0].id == name
        assert hits[0].source.startswith("made.jsonl:")
