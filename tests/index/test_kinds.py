"""Every kind of index against an exact search, and what becomes of its search structure."""

import threading
import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from limits import LIMIT_S

from weft.core.errors import MissingExtraError, WeftError
from weft.index import KINDS, Entry, Index, cache_file, structure
from weft.index.faiss_structure import FaissStructure

DIM, COUNT = 32, 3000
DERIVED = tuple(kind for kind in KINDS if kind != "flat")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Structures of few rows already."""
    monkeypatch.setattr(structure, "LEAST_BEHIND", 200)


def vectors(count, seed=0):
    """Near a curved surface of 8 dimensions, as embeddings are."""
    pytest.importorskip("faiss")
    generator = torch.Generator().manual_seed(0)
    first, second = (
        torch.randn(8, 64, generator=generator),
        torch.randn(64, DIM, generator=generator),
    )
    drawn = torch.randn(count, 8, generator=torch.Generator().manual_seed(seed))
    return F.normalize(torch.tanh(drawn @ first) @ second, dim=1)


def entries(count, start=0, seed=0):
    found = vectors(count, seed)
    return [
        Entry(f"id{start + n}", found[n], metadata={"part": n % 3, "rare": n % 40})
        for n in range(count)
    ]


def made(folder, kind, count=COUNT, **given):
    return Index.create(folder, dim=DIM, stream="image", kind=kind, entries=entries(count), **given)


@pytest.fixture(params=DERIVED)
def index(request, tmp_path):
    with made(tmp_path / "index", request.param) as found:
        yield found


def recall(index, exact, k=10, where=None, count=100):
    queries = vectors(100, seed=7)[:count]
    ours, theirs = (one.search(queries, k, where=where) for one in (index, exact))
    shared = 0
    for found, right in zip(ours, theirs, strict=True):
        scores = {hit.id: hit.score for hit in right}
        shared += len(scores.keys() & {hit.id for hit in found})
        assert [hit.score for hit in found if hit.id in scores] == pytest.approx(
            [scores[hit.id] for hit in found if hit.id in scores], abs=1e-12
        )
        assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    return shared / sum(map(len, theirs))


@pytest.fixture
def exact(tmp_path):
    with made(tmp_path / "exact", "flat") as found:
        yield found


WHERES = (None, {"part": 1}, {"rare": 3})


@pytest.mark.parametrize("where", WHERES, ids=str)
def test_recall(index, exact, where):
    assert recall(index, exact, where=where) >= 0.99
    assert index._follower._structure is not None
    assert recall(index, exact, k=800, where=where, count=10) >= 0.99


def test_it_follows_what_is_written(index, exact):
    before = index._follower._structure
    for one in (index, exact):
        one.add(entries(150, start=2900, seed=3))  # 100 are replaced, 50 are new
        one.remove([f"id{n}" for n in range(0, 300, 3)])
    assert recall(index, exact) >= 0.99
    assert index._follower._structure is before
    assert len(index) == len(exact) == 2950
    found = index.verify()
    assert found.whole
    assert found.behind == 150
    assert "150 not in the search structure yet" in str(found)


def test_a_stale_structure_is_made_anew_beside_the_searches(index, exact):
    for one in (index, exact):
        one.add(entries(1500, start=5000, seed=4))
        one.remove([f"id{n}" for n in range(100)])
    first = index._follower._structure
    assert recall(index, exact) >= 0.99
    until = time.monotonic() + LIMIT_S
    while index._follower._structure is first and time.monotonic() < until:
        time.sleep(0.05)
    assert index._follower._structure is not first
    assert recall(index, exact) >= 0.99
    assert index.verify().behind == 0
    with Index.open(index.folder) as again:
        assert recall(again, exact) >= 0.99
        assert again._follower._structure.size == index._follower._structure.size


def test_it_is_kept_in_its_file(index, exact, monkeypatch):
    monkeypatch.setattr(FaissStructure, "save", None)  # nothing is made again
    with Index.open(index.folder) as again:
        assert again._follower._structure is not None
        assert recall(again, exact) >= 0.99


@pytest.mark.parametrize("damage", ["cut", "changed", "header", "none", "text", "other"])
def test_a_damaged_structure_is_none(index, exact, damage):
    path = index.folder / structure.CACHE
    index.close()
    whole = path.read_bytes()
    spoiled = bytearray(whole)
    spoiled[cache_file.HEADER + 5] ^= 1
    header = whole.replace(b'"generation"', b'"generatiom"')
    wrong = {
        "cut": whole[:5000],
        "changed": spoiled,
        "header": header,
        "none": b"",
        "text": b"{}" * 9000,
    }
    path.write_bytes(wrong.get(damage, whole))
    if damage == "other":
        made(index.folder, index.kind, 1000).close()
        path.write_bytes(whole)
        exact.remove([f"id{n}" for n in range(1000, 3000)])
    with Index.open(index.folder) as again:
        assert recall(again, exact) >= 0.99
        assert again.verify().whole


def test_another_process_builds_it_anew(index, exact):
    made(index.folder, index.kind, 1000).close()
    exact.remove([f"id{n}" for n in range(1000, 3000)])
    assert len(index) == 1000
    assert recall(index, exact) >= 0.99


def test_searches_in_many_threads(index, exact):
    """While entries are added and removed; those that stay are found by all."""
    queries = vectors(20)
    failed = []

    def searches():
        try:
            for _ in range(10):
                for n, hits in enumerate(index.search(queries, 3)):
                    assert hits[0].id == f"id{n}"
                    assert hits[0].score == pytest.approx(1, abs=1e-6)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=searches) for _ in range(4)]
    for thread in threads:
        thread.start()
    for round_ in range(5):
        index.add(entries(300, start=10_000 + 300 * round_, seed=10 + round_))
        index.remove([f"id{n}" for n in range(1000 + 100 * round_, 1100 + 100 * round_)])
    for thread in threads:
        thread.join(60)
    assert not failed
    assert len(index) == COUNT + 1500 - 500


def test_all_that_a_structure_holds_is_replaced(index, exact, monkeypatch):
    """Its rows go from memory, and a filter must not look for them there."""
    monkeypatch.setattr("weft.index.rows.CHUNK", 100)
    monkeypatch.setattr(structure, "LEAST_BEHIND", 10_000)  # nothing is made anew
    for one in (index, exact):
        one.add(entries(COUNT, seed=5))
    for where in (None, {"part": 1}):
        assert recall(index, exact, where=where) >= 0.99


def test_codes_are_read_from_the_file(tmp_path):
    with made(tmp_path, "int8") as index:
        assert index._follower.seen().rows.vectors.shape == (0, DIM)
        assert isinstance(index._follower._structure.codes, np.memmap)


def test_the_kind_fits_the_number(tmp_path, monkeypatch):
    monkeypatch.setattr("weft.index.creation.MANY", 500)
    assert made(tmp_path / "few", None, 100).kind == "flat"
    with made(tmp_path / "many", None, 600) as index:
        assert index.kind == "hnsw"


def test_without_faiss(tmp_path, monkeypatch):
    made(tmp_path, "hnsw", 500).close()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(
        MissingExtraError, match=r"an index of kind ivf needs .* pip install 'weft\[index\]'"
    ):
        made(tmp_path / "other", "ivf", 10)
    with Index.open(tmp_path) as index:  # exactly, then
        assert index.search(vectors(20)[:1], 1)[0][0].id == "id0"


def test_vectors_without_structure_are_searched_exactly(tmp_path, monkeypatch):
    """Of random numbers no neighbours are near, so no effort finds them."""
    monkeypatch.setattr("weft.index.faiss_structure.EFFORTS", {"hnsw": (1,), "ivf": (1,)})
    with made(tmp_path / "a", "ivf") as index, made(tmp_path / "b", "flat") as exact:
        assert index._follower._structure.effort is None
        assert recall(index, exact) == 1.0


def test_a_file_of_arrays(tmp_path):
    path = tmp_path / "arrays"
    with cache_file.written(path, {"n": 1}, {"a": ("<i8", (3,)), "b": ("<f4", (0, 4))}) as arrays:
        arrays["a"][:] = [1, 2, 3]
    said, found = cache_file.read(path, {"n": 1})
    assert (said, found["a"].tolist(), found["b"].shape) == ({"n": 1}, [1, 2, 3], (0, 4))
    assert cache_file.read(path, {"n": 2}) is None
    assert cache_file.read(tmp_path / "absent", {}) is None
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(WeftError, match="cannot be written"),
        cache_file.written(tmp_path / "file" / "arrays", {}, {}),
    ):
        pass
