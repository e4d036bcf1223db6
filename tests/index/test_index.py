"""An index against a dict, its filters, and what is refused."""

import shutil
import sqlite3
import tempfile
from contextlib import closing

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_index import COLOURS, DIM, create, entry, numbered, vector

from weft.core.errors import WeftError
from weft.index import Entry, Index, flat


@pytest.fixture
def index(tmp_path):
    with create(tmp_path / "index", numbered(60)) as made:
        yield made


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
                    model |= {one.id: one for one in new}
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


FILTERS = [
    ({"colour": "red"}, lambda m: m["colour"] == "red"),
    ({"colour": ["red", "blue"]}, lambda m: m["colour"] in ("red", "blue")),
    ({"colour": []}, lambda m: False),
    ({"colour": "purple"}, lambda m: False),
    ({"year": {"min": 2012, "max": 2013}}, lambda m: 2012 <= m["year"] <= 2013),
    ({"year": {"min": 2018.5}}, lambda m: m["year"] >= 2019),
    ({"year": 2012.0}, lambda m: m["year"] == 2012),
    ({"colour": {"min": "c"}}, lambda m: m["colour"] >= "c"),
    ({"new": True}, lambda m: m["new"]),
    (
        {"colour": "red", "year": {"max": 2014}, "new": False},
        lambda m: m["colour"] == "red" and m["year"] <= 2014 and not m["new"],
    ),
    ({}, lambda m: True),
]


@pytest.mark.parametrize(("where", "holds"), FILTERS, ids=[str(where) for where, _ in FILTERS])
def test_filters(index, where, holds):
    query = vector(1000)
    entries = [one for one in numbered(60) if holds(one.metadata)]
    check(index.search(query[None], 60, where=where)[0], expected(entries, query, 60))


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"color": "red"}, "unknown column 'color': did you mean colour"),
        ({"colour": 3}, "column 'colour' is to be 3, expected a text"),
        ({"year": "2012"}, "column 'year' is to be '2012', expected a number"),
        ({"year": True}, "column 'year' is to be True, expected a number"),
        ({"year": {"from": 3}}, r"column 'year' \(number\) is to be .*expected a value, a list"),
        ({"year": {}}, "expected a value, a list"),
        ({"year": {"min": None}}, "is to be None, expected a number"),
        ({"new": {"min": False}}, "expected a value, a list"),
        ({"colour": ["x"] * 1001}, "one of 1,001 values, expected at most 1,000"),
        ({"year": float("inf")}, "is inf, expected text, a finite number"),
        ({"colour": [["red"]]}, "expected text, a finite number"),
    ],
)
def test_filters_that_do_not_fit(index, where, message):
    with pytest.raises(WeftError, match=message):
        index.search(vector(0)[None], 1, where=where)


def test_columns(index):
    colour, year, new = index.columns()
    assert (colour.name, colour.type, dict(colour.values)) == (
        "colour",
        "text",
        dict.fromkeys(COLOURS, 20),
    )
    assert (year.type, year.least, year.most, len(year.values)) == ("number", 2010, 2019, 10)
    assert (new.type, dict(new.values)) == ("bool", {True: 30, False: 30})
    index.remove([f"id{n}" for n in range(60) if n % 3 == 0])
    assert [value for value, _ in index.columns()[0].values] == ["blue", "green"]


def test_what_counts_as_no_value(tmp_path):
    with create(tmp_path, [entry("a", colour=None, size=float("nan"), year=3)]) as index:
        assert dict(index.entry("a").metadata) == {"year": 3}
        assert index.search(vector(0)[None], 1)[0][0].metadata == {"year": 3}


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


def test_a_failed_build_leaves_the_old_index(index):
    def entries():
        yield entry("new")
        raise WeftError("cannot be read")

    with pytest.raises(WeftError, match="cannot be read"):
        create(index.folder, entries())
    assert len(Index.open(index.folder)) == 60
    assert sorted(path.name for path in index.folder.iterdir() if path.name[0] == ".") == []


def test_an_open_index_sees_that_it_was_replaced(index):
    create(index.folder, [entry("only", dim=4)], dim=4, weights="other", stream="text").close()
    with pytest.raises(WeftError, match="vectors of 4 numbers now"):
        index.search(vector(0)[None], 1)
    assert (index.dim, index.weights, index.stream, len(index)) == (4, "other", "text", 1)
    assert index.search(vector(0, 4)[None], 1)[0][0].id == "only"


def sql(folder, *statements):
    with closing(sqlite3.connect(folder / "index.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


DAMAGE = [
    (lambda f: (f / "index.db").unlink(), "holds no index; build it again with: weft index build"),
    (lambda f: (f / "index.db").write_bytes(b""), "holds no index"),
    (
        lambda f: (f / "index.db").write_bytes(b"no database " * 1000),
        "is damaged: file is not a database",
    ),
    (
        lambda f: sql(f, "UPDATE about SET value = 99 WHERE name = 'format'"),
        "has format '99', expected '1'",
    ),
    (lambda f: sql(f, "DELETE FROM about WHERE name = 'dim'"), "does not say what it holds"),
    (lambda f: sql(f, "DROP TABLE about"), "is damaged or no index"),
    (
        lambda f: sql(f, "UPDATE about SET value = 'text' WHERE name = 'stream'"),
        "does not say what",
    ),
    (lambda f: sql(f, "UPDATE entries SET id = 'x' WHERE number = 1"), "row 1 is not as it was"),
    (
        lambda f: sql(f, "UPDATE cells SET value = 'grey' WHERE number = 1 AND column = 1"),
        "row 1 is not as it was",
    ),
    (lambda f: sql(f, "DROP TABLE vectors"), "is damaged or no index"),
    (
        lambda f: sql(f, "UPDATE vectors SET vector = zeroblob(32) WHERE number = 7"),
        "is damaged: row 7 is not as it was written",
    ),
    (
        lambda f: sql(f, "UPDATE vectors SET vector = x'00' WHERE number = 7"),
        "is damaged: row 7 is not as it was written",
    ),
    (lambda f: (f / "index.db").write_bytes((f / "index.db").read_bytes()[:20_000]), "is damaged"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE, ids=[message for _, message in DAMAGE])
def test_damage_is_named_and_building_again_repairs_it(index, damage, message):
    index.close()
    damage(index.folder)
    with pytest.raises(WeftError, match=message):
        Index.open(index.folder).search(vector(0)[None], 1)
    with create(index.folder, numbered(3)) as again:
        assert len(again) == 3


def test_kinds_and_sizes_that_are_refused(tmp_path):
    with pytest.raises(WeftError, match="kind is 'tree', expected one of flat"):
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


def test_a_whole_index_is_verified(index):
    index.remove(["id1"])
    index.add([entry("id2"), entry("more", item="id2")])
    found = index.verify()
    assert found.whole
    assert (found.entries, found.items) == (60, 59)
    assert str(found) == "60 entries, 59 items\n0 lost, 0 ghosts, 0 damaged"


@pytest.mark.parametrize(
    ("statement", "lost", "ghosts", "damaged"),
    [
        ("DELETE FROM vectors WHERE number = 3", ("id2",), (), ()),
        ("DELETE FROM entries WHERE number = 3", (), (3,), ()),
        ("INSERT INTO cells VALUES (99, 1, 'red')", (), (99,), ()),
        ("UPDATE vectors SET vector = zeroblob(32) WHERE number = 3", (), (), ("id2",)),
        ("UPDATE entries SET text = 'other' WHERE number = 3", (), (), ("id2",)),
        ("UPDATE previews SET data = x'00' WHERE number = 3", (), (), ("id2",)),
        ("DELETE FROM cells WHERE number = 3 AND column = 1", (), (), ("id2",)),
    ],
)
def test_what_verify_finds(index, statement, lost, ghosts, damaged):
    index.close()
    sql(index.folder, statement)
    found = Index.open(index.folder).verify()
    assert not found.whole
    assert (found.lost, found.ghosts, found.damaged) == (lost, ghosts, damaged)


def test_a_lost_vector_is_noticed_by_a_search(index):
    index.close()
    sql(index.folder, "DELETE FROM vectors WHERE number = 3")
    with pytest.raises(WeftError, match="is damaged: has 59 entries, expected 60"):
        Index.open(index.folder).search(vector(0)[None], 1)


def test_a_filter_that_is_asked_again_sees_what_was_written(index):
    query, where = vector(1000)[None], {"colour": "red"}
    before = index.search(query, 60, where=where)[0]
    assert index.search(query, 60, where=where)[0] == before
    index.remove([before[0].id])
    index.add([entry("more", colour="red")])
    after = {hit.id for hit in index.search(query, 60, where=where)[0]}
    assert after == {hit.id for hit in before[1:]} | {"more"}
    for n in range(40):
        index.search(query, 1, where={"year": {"min": n}})
    assert len(index._follower._filters) == 16
    new = 30 - before[0].metadata["new"]
    assert len(index.search(query, 60, where={"new": True})[0]) == new
    assert index.search(query, 60, where={"year": 1})[0] == []
