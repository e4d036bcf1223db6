"""An index that is built again while it is open."""

import time

import pytest
import torch
from made_index import create, entry, numbered, vector

from weft.core.errors import WeftError
from weft.index import Cutoff, Index
from weft.index.database import IndexFileError


def test_a_failed_build_leaves_the_old_index(index):
    def entries():
        yield entry("new")
        raise WeftError("cannot be read")

    with pytest.raises(WeftError, match="cannot be read"):
        create(index.folder, entries())
    assert len(Index.open(index.folder)) == 60
    assert sorted(path.name for path in index.folder.iterdir() if path.name[0] == ".") == []


def test_an_open_index_sees_that_it_was_built_again(index):
    assert len(index) == 60
    create(index.folder, [entry("only")]).close()
    assert index.search(vector(0)[None], 9)[0][0].id == "only"
    assert (len(index), index.ids()) == (1, ["only"])
    assert index.add([entry("more")]) == (1, 0)
    assert index.verify().whole


OTHERS = [
    ({"dim": 4}, "dim 4 now, expected 8"),
    ({"stream": "text"}, "stream text now, expected image"),
    ({"weights": "v"}, "weights v now, expected w"),
]


@pytest.mark.parametrize(("other", "message"), OTHERS, ids=[message for _, message in OTHERS])
def test_what_other_weights_have_built_is_another_index(index, other, message):
    """Its scores would mean nothing, and what is added would spoil it."""
    dim = other.get("dim", 8)
    create(index.folder, [entry("only", dim=dim)], **other).close()
    for act in (
        lambda: index.search(vector(0)[None], 1),
        lambda: index.add([entry("new")]),
        lambda: index.set_cutoff("text", Cutoff(0.5, 1.0, torch.zeros(0, 8))),
        lambda: len(index),
        index.verify,
    ):
        with pytest.raises(IndexFileError, match=f"{message} as when it was opened; open it again"):
            act()
    with Index.open(index.folder) as again:
        assert again.search(vector(0, dim)[None], 5)[0][0].id == "only"
        assert again.verify().whole


@pytest.mark.parametrize("kind", ["flat", "int8"])
def test_built_again_in_the_middle_of_a_search(tmp_path, monkeypatch, kind):
    """Numbers of rows begin anew, so what was found must not be read of the new rows."""
    monkeypatch.setattr("weft.index.structure.LEAST_BEHIND", 10)
    with create(tmp_path, numbered(40), kind=kind) as index:
        seen = index._follower.seen

        def seen_once(where):
            found = seen(where)
            monkeypatch.setattr(index._follower, "seen", seen)
            create(tmp_path, [entry(f"new{n}", n + 7) for n in range(40)], kind=kind).close()
            return found

        monkeypatch.setattr(index._follower, "seen", seen_once)
        hits = index.search(vector(7)[None], 3)[0]
        assert (hits[0].id, hits[0].score) == ("new0", pytest.approx(1, abs=1e-6))
        assert {hit.id[:3] for hit in hits} == {"new"}


def test_a_structure_is_made_of_the_new_rows_alone(tmp_path, monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr("weft.index.structure.LEAST_BEHIND", 10)
    with create(tmp_path, numbered(40), kind="hnsw") as index:
        create(tmp_path, numbered(30, start=100), kind="hnsw").close()
        index.add(numbered(25, start=200))
        index.refresh()
        assert index._follower._structure.size == 55
        assert index.search(vector(205)[None], 1)[0][0].id == "id205"
        found = index.verify()
        assert (found.whole, found.behind) == (True, 0)


def test_a_structure_that_could_not_be_made_is_tried_again(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("weft.index.structure.LEAST_BEHIND", 10)
    monkeypatch.setattr("weft.index.following.FIRST_PAUSE", 0.2)
    with create(tmp_path, numbered(5), kind="int8") as index:
        index.add(numbered(40, start=100))
        follower, tries = index._follower, []
        made = follower._made

        def made_at_last(*given):
            tries.append(time.monotonic())
            if len(tries) < 3:
                raise IndexFileError("the disk is full") if len(tries) == 1 else OSError("is full")
            return made(*given)

        monkeypatch.setattr(follower, "_made", made_at_last)
        until = time.monotonic() + 30
        while follower._structure is None and time.monotonic() < until:
            assert index.search(vector(105)[None], 1)[0][0].id == "id105"
            time.sleep(0.01)
        assert follower._structure.size == 45
        first, second, third = tries
        assert second - first >= 0.2
        assert third - second >= 0.4
        assert caplog.messages == ["the disk is full", "is full"]


def test_the_log_of_a_build_does_not_stay(index):
    """While a server has the index open its log is not deleted, and would double what lies on the disk."""
    assert len(index) == 60
    create(index.folder, numbered(500)).close()
    assert (index.folder / "index.db-wal").stat().st_size == 0
    assert len(index) == 500
    with index._database.reading() as connection:
        connection.execute("SELECT count(*) FROM entries").fetchone()
        create(index.folder, numbered(600)).close()  # not held up for long
    assert len(index) == 600
