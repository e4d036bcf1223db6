"""An index against a dict, and what is refused."""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_index import COLOURS, DIM, check, create, entry, expected, numbered, vector

from weft.core.errors import WeftError
from weft.index import Entry, Index, flat

names = st.integers(0, 11).map("id{}".format)
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("add"),
            st.lists(
                st.tuples(names, st.integers(0, 10**6), st.integers(0, 3)), min_size=1, max_size=4
            ),
        ),
        st.tuples(st.just("remove"), st.lists(names, max_size=3)),
        st.tuples(
            st.just("search"), st.tuples(st.integers(1, 8), st.sampled_from([None, *COLOURS]))
        ),
        st.tuples(st.just("rebuild"), st.none()),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(steps=steps)
def test_it_does_what_a_dict_does(steps):
    model = {}
    folder = tempfile.mkdtemp()
    try:
        with create(folder) as index, Index.open(folder) as other:
            for action, what in steps:
                if action == "add":
                    new = [
                        entry(name, seed, f"item{item}" if item else "", colour=COLOURS[seed % 3])
                        for name, seed, item in what
                    ]
                    before = set(model)
                    for one in new:  # a replaced entry counts as written now, which decides ties
                        model.pop(one.id, None)
                        model[one.id] = one
                    changed = index.add(new)
                    assert changed.added == len(set(model) - before)
                    assert changed.added + changed.replaced == len(new)
                elif action == "remove":
                    assert index.remove(what) == len(model.keys() & set(what))
                    model = {name: one for name, one in model.items() if name not in what}
                elif action == "rebuild":
                    create(folder, model.values()).close()
                else:
                    _search(index, model, *what)
            for one in (index, other):
                _search(one, model, 5, None)
                assert len(one) == len(model)
                assert one.items == len({e.item or e.id for e in model.values()})
                assert set(one.ids()) == set(model)
                for name, kept in model.items():
                    _same(one.entry(name), kept)
    finally:
        shutil.rmtree(folder)


def _search(index, model, k, colour):
    query = vector(10**6 + k)
    entries = list(model.values())
    if colour is not None:
        if colour not in {one.metadata["colour"] for one in entries}:
            return
        entries = [one for one in entries if one.metadata["colour"] == colour]
    where = None if colour is None else {"colour": colour}
    check(index.search(query[None], k, where=where)[0], expected(entries, query, k))


def _same(found, kept):
    assert found.id == kept.id
    assert found.item == (kept.item or kept.id)
    assert (found.source, found.text, found.preview) == (kept.source, kept.text, kept.preview)
    assert dict(found.metadata) == dict(kept.metadata)
    torch.testing.assert_close(found.vector, kept.vector)


@settings(max_examples=20, deadline=None)
@given(k=st.integers(1, 80), chunk=st.sampled_from([1, 100, 10_000]))
def test_chunks_find_what_sorting_finds(k, chunk):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(flat, "CHUNK", chunk)
        patch.setattr(flat, "LEAST_CHUNK", 7)
        with create(folder, numbered(60)) as index:
            queries = torch.stack([vector(seed) for seed in range(100, 104)])
            for query, hits in zip(queries, index.search(queries, k), strict=True):
                check(hits, expected(numbered(60), query, k))


def test_vectors_and_previews(index):
    found = index.vectors(["id7", "id3", "id7"])
    torch.testing.assert_close(found, torch.stack([vector(7), vector(3), vector(7)]))
    assert index.vectors([]).shape == (0, DIM)
    assert index.preview("id7").data == b"picture of id7"
    assert index.preview("nothing") is None
    assert index.entry("nothing") is None
    with pytest.raises(WeftError, match="holds no entry 'nothing'"):
        index.vectors(["id7", "nothing"])


def test_vectors_of_any_length_are_kept_at_unit_length(tmp_path):
    with create(tmp_path, [Entry("a", 5 * vector(1)), Entry("b", vector(2).half())]) as index:
        assert index.search(3 * vector(1)[None], 1)[0][0].score == pytest.approx(1, abs=1e-6)
        torch.testing.assert_close(index.vectors(["b"])[0], vector(2), atol=1e-3, rtol=0)


BAD = [
    (lambda: Entry("", vector(0)), "has an empty id"),
    (lambda: Entry("x" * 1001, vector(0)), "its id has 1,001 characters"),
    (lambda: Entry("\udcff", vector(0)), "not Unicode"),
    (lambda: Entry("a", vector(0), metadata={"c": "\ud800"}), "not Unicode"),
    (lambda: Entry("a", vector(0), metadata={"c": [1]}), r"column 'c' is \[1\], expected text"),
    (lambda: Entry("a", vector(0), metadata={"c": 2**70}), "expected text, a finite number"),
    (lambda: Entry("a", vector(0), metadata={"c": "x" * 10_001}), "has 10,001 characters"),
    (lambda: Entry("a", vector(0), metadata={"c" * 1001: 1}), "has 1,001 characters"),
    (lambda: Entry("a", vector(0, 9)), r"entry 'a': its vector has shape \(9,\), expected \(8,\)"),
    (lambda: Entry("a", torch.zeros(DIM)), "holds a vector of zeros"),
    (lambda: Entry("a", torch.full((DIM,), torch.nan)), "not numbers"),
    (lambda: entry("a", colour=3), "entry 'a': column 'colour' is 3, expected a text"),
    (lambda: entry("a", year="3"), "column 'year' is '3', expected a number"),
]


@pytest.mark.parametrize(("make", "message"), BAD, ids=[message for _, message in BAD])
def test_entries_that_are_refused(index, make, message):
    with pytest.raises(WeftError, match=message):
        index.add([entry("new"), make()])
    assert len(index) == 60
    assert index.entry("new") is None


def test_queries_that_are_refused(index):
    with pytest.raises(ValueError, match="queries has shape"):
        index.search(torch.zeros(1, 9), 1)
    with pytest.raises(ValueError, match="k is 0"):
        index.search(vector(0)[None], 0)
    for bad in (torch.zeros(1, DIM), torch.full((1, DIM), torch.inf)):
        with pytest.raises(WeftError, match="all zeros, or not numbers"):
            index.search(bad, 1)
    assert index.search(torch.zeros(0, DIM), 3) == []


def test_an_empty_index(tmp_path):
    with create(tmp_path) as index:
        assert index.search(vector(0)[None], 3) == [[]]
        assert (len(index), index.items, index.columns(), index.ids()) == (0, 0, (), [])
        assert index.add([]) == (0, 0)
        assert index.remove(["a"]) == 0


def test_kinds_and_sizes_that_are_refused(tmp_path):
    with pytest.raises(WeftError, match="unknown kind of index 'tree': known: flat"):
        create(tmp_path, kind="tree")
    with pytest.raises(WeftError, match="dim is 0"):
        create(tmp_path, dim=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(WeftError, match="cannot be written"):
        create(tmp_path / "file" / "index")


def test_rows_that_were_removed_go_from_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("weft.index.rows.CHUNK", 10)
    with create(tmp_path, numbered(60)) as index:
        assert len(index.search(vector(0)[None], 60)[0]) == 60
        index.remove([f"id{n}" for n in range(40)])
        index.add(numbered(5, start=100))
        query = vector(5)
        check(
            index.search(query[None], 30)[0],
            expected([*numbered(20, 40), *numbered(5, 100)], query, 30),
        )
        assert len(index._follower._rows) == 25
        assert np.all(np.diff(index._follower._rows.numbers) > 0)


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_folder_whose_name_is_not_unicode(tmp_path):
    try:
        folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/in\xffdex %20?#"))
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes no such name")
    with create(folder, numbered(3)) as index:
        assert len(index) == 3
    assert [path.name for path in folder.iterdir()] == ["index.db"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked there")
def test_a_forked_process_has_connections_of_its_own(tmp_path):
    with create(tmp_path, numbered(3)) as index:
        parent = index._database._reader._connection
        child = os.fork()
        if not child:
            index.add([entry("of the child")])
            len(index)
            kept = index._database._reader._inherited == [parent]
            index.close()
            os._exit(0 if kept and parent.execute("SELECT 1").fetchone() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert index.search(vector(0)[None], 5)[0][0].id == "id0"
        assert len(index) == 4
