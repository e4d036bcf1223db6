"""Filters by metadata, and the columns that they name."""

import pytest
from made_index import COLOURS, check, create, entry, expected, numbered, vector

from weft.core.errors import WeftError
from weft.index import live

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
        ({"colour": 3}, "the filter on column 'colour' is 3, expected a text"),
        ({"year": "2012"}, "the filter on column 'year' is '2012', expected a number"),
        ({"year": True}, "the filter on column 'year' is True, expected a number"),
        (
            {"year": {"from": 3}},
            r"the filter on column 'year' \(number\) is .*expected a value, a list",
        ),
        ({"year": {}}, "expected a value, a list"),
        ({"year": {"min": None}}, "column 'year' is None, expected a number"),
        ({"new": {"min": False}}, "expected a value, a list"),
        ({"colour": ["x"] * 1001}, "has 1,001 values, expected at most 1,000"),
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


def test_a_column_with_more_values_than_are_listed_says_how_many(tmp_path):
    many = [entry(f"e{n}", label=f"n{n % 60}", day=f"2024-03-{n % 20 + 1:02d}") for n in range(70)]
    with create(tmp_path, many) as index:
        day, label = sorted(index.columns(), key=lambda column: column.name)
        assert (len(label.values), label.distinct) == (50, 60)
        assert (len(day.values), day.distinct) == (20, 20)


def test_a_range_of_dates_needs_dates(tmp_path):
    days = [entry(f"e{n}", day=f"2024-03-{n + 1:02d}", note=f"n{n}") for n in range(9)]
    with create(tmp_path, days) as index:
        found = index.search(vector(0)[None], 9, where={"day": {"min": "2024-03-08"}})[0]
        assert {hit.metadata["day"] for hit in found} == {"2024-03-08", "2024-03-09"}
        for bound in ("2024-03-32", "2024-3-8", "tomorrow", "2024"):
            with pytest.raises(WeftError, match=f"'day' is '{bound}', expected a date such as"):
                index.search(vector(0)[None], 9, where={"day": {"max": bound}})
        assert len(index.search(vector(0)[None], 9, where={"note": {"min": "n5"}})[0]) == 4


def test_what_counts_as_no_value(tmp_path):
    with create(tmp_path, [entry("a", colour=None, size=float("nan"), year=3)]) as index:
        assert dict(index.entry("a").metadata) == {"year": 3}
        assert index.search(vector(0)[None], 1)[0][0].metadata == {"year": 3}


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


def test_columns_are_counted_again_only_when_something_was_written(index, monkeypatch):
    """Each of them is a look at every entry, which a page asks for whenever it is opened."""
    counted = []
    count = live.columns
    monkeypatch.setattr(live, "columns", lambda file: counted.append(1) or count(file))
    with create(index.folder, numbered(6)) as other:
        for _ in range(3):
            assert dict(index.columns()[0].values) == dict.fromkeys(COLOURS, 2)
        assert counted == [1]
        other.add([entry("more", colour="red")])
        assert dict(index.columns()[0].values)["red"] == 3
        other.remove(["more"])
        assert dict(index.columns()[0].values)["red"] == 2
    assert len(counted) == 3
