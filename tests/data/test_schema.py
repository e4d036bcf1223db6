"""The kinds of columns."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.core.errors import WeftError
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.data.column_kinds import identity, is_group_name, is_id_name, is_missing, kind_of_column
from weft.data.schema import PROBED_ROWS, infer, target_column

PICTURE = Media.file(Path("a.jpg"))
SOUND = Media.file(Path("a.wav"))


def rows(*items: dict[str, Any]) -> list[Sample]:
    return [Sample(str(n), str(n), dict(each), f"t.csv:{n + 2}") for n, each in enumerate(items)]


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("a", [None, "", "  ", float("nan"), []], "empty"),
        ("a", [PICTURE, None, PICTURE], "image"),
        ("a", [[PICTURE, PICTURE], PICTURE], "images"),
        ("a", [SOUND], "audio"),
        ("a", [PICTURE, SOUND], "other"),
        ("a", ["x", "x", None], "constant"),
        ("a", ["x"], "text"),
        ("a", [Alternatives(["one", "two"]), Alternatives(["three"])], "text"),
        ("caption", ["one", "two"], "text"),
        ("text_de", ["1", "2"], "text"),
        ("a", [["red", "big"], ["red"]], "tags"),
        ("a", [True, False, True], "category"),
        ("plz", ["01067", "01069", "10115"], "id"),
        ("plz", ["01067", "01069"] * 9, "category"),
        ("a", list(range(12)), "id"),
        ("a", list(range(9)), "number"),
        ("image_id", [7, 3, 3, 9], "id"),
        ("ProductId", ["7", "3"], "id"),
        ("label", [1, 2, 3, 1], "category"),
        ("grade", ["0", "1"] * 10, "category"),
        ("price", ["0.5", "12", "-3.25"], "number"),
        ("price", [0.5, 12.0, 7], "number"),
        ("big", ["1e999", "2"], "number"),
        ("seen", ["2026-03-05", "2026-03-06T10:00:00"], "date"),
        ("seen", ["2026-03-05", "2026-13-06"], "id"),
        ("label", ["a long name of a class", "a long name of a class", "another one here too"], "category"),
        ("label", ["dog"], "category"),
        ("answer", ["because it rains in spring"], "text"),
        ("label", ["one", "two"], "text"),
        ("patient", ["P1", "P1", "P2"], "id"),
        ("Proband", ["Anna", "Anna", "Bert"], "id"),
        ("note", ["the lung is clear today", "no fluid to be seen"], "text"),
        ("note", ["the lung is clear", "no fluid is seen"] * 20, "category"),
        ("note", ["\u80ba\u90e8\u6e05\u6670\u65e0\u79ef\u6db2\u5f71", "\u53ef\u89c1\u5c11\u91cf\u80f8\u8154\u79ef\u6db2"], "text"),
        ("colour", ["red", "green", "red", "green"], "category"),
        ("colour", ["\u7ea2", "\u7eff", "\u7ea2", "\u7eff"], "category"),
        ("a", ["x-1", "x-2", "x-3"], "id"),
        ("a", ["Anna", "Bert", "Carl"], "text"),
        ("a", [{"b": 1}, {"b": 2}], "other"),
        ("a", ["x", 1], "other"),
        ("a", [np.zeros(2), np.ones(2)], "other"),
    ],
)  # fmt: skip
def test_rules(name: str, values: list[Any], kind: str) -> None:
    assert kind_of_column(name, values).kind == kind


@pytest.mark.parametrize(
    ("name", "group", "identifier"),
    [
        ("patient", True, True),
        ("PatientID", True, True),
        ("patient_id", True, True),
        ("subject-nr", True, True),
        ("Speaker", True, True),
        ("\u60a3\u8005", True, True),
        ("patients seen", False, False),
        ("patient age", False, False),
        ("image_id", False, True),
        ("video", False, False),
        ("", False, False),
    ],
)
def test_names_of_groups_and_ids(name: str, group: bool, identifier: bool) -> None:
    assert (is_group_name(name), is_id_name(name)) == (group, identifier)


def test_a_schema_says_what_each_column_holds() -> None:
    items = [
        {"image": PICTURE, "patient": f"P{n // 2}", "label": ("Cat", "cat", "dog")[n % 3], "split": "train"}
        for n in range(30)
    ]  # fmt: skip
    del items[3]["label"]
    schema = infer(rows(*items))
    assert {n: c.kind for n, c in schema.columns.items()} == {
        "image": "image",
        "patient": "id",
        "label": "category",
    }
    label = schema.columns["label"]
    assert (label.missing, label.distinct, label.examples) == (1, 3, ("Cat", "cat", "dog"))
    assert (
        label.notes[0].startswith("'cat' (10) and 'Cat' (9) differ")
        or "'Cat' (9)" in label.notes[0]
    )
    assert (schema.group, schema.split, schema.offered) == (None, "split", "patient")
    assert schema.of("image", "id") == ("image", "patient")
    assert "--columns group=patient" in str(schema)
    taken = infer(rows(*items), {"group": "patient"})
    assert (taken.group, taken.offered) == ("patient", None)


def test_what_the_user_says_goes_first() -> None:
    data = rows({"Grad": 1}, {"Grad": 2}, {"Grad": 2})
    assert infer(data).columns["Grad"].kind == "number"
    for said in ({"category": "Grad"}, {"Grad": "category"}):
        column = infer(data, said).columns["Grad"]
        assert (column.kind, column.said) == ("category", True)
    with pytest.raises(WeftError, match="unknown column 'Grat': did you mean Grad"):
        infer(data, {"Grat": "category"})


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("one", "target 'one' cannot be learned: every row has the same value, x"),
        ("code", "target 'code' cannot be learned: nearly every row has a value of its own"),
        ("lable", "unknown column 'lable': did you mean label"),
    ],
)
def test_a_target_that_cannot_be_learned(column: str, expected: str) -> None:
    data = rows(*({"one": "x", "code": f"c{n}", "label": "ab"[n % 2]} for n in range(6)))
    schema = infer(data)
    assert target_column(schema, "label").kind == "category"
    with pytest.raises(WeftError) as raised:
        target_column(schema, column)
    assert str(raised.value).startswith(expected)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["number", "category"])
def test_one_value_cannot_be_learned_whatever_its_kind(kind: str) -> None:
    schema = infer(rows(*({"score": 1.0} for _ in range(6))), {"score": kind})
    with pytest.raises(WeftError, match=r"'score' cannot be learned: every row has the same value"):
        target_column(schema, "score")


def test_the_table_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    data = rows(
        {"\u5f88\u957f\u7684\u5217\u540d" * 8: "\u957f" * 200, "b": "word " * 50}, {"b": "c"}
    )
    for line in str(infer(data)).splitlines():
        assert sum(2 if "\u2e80" < sign < "\uffff" else 1 for sign in line) <= 60


class Counted(list[Sample]):
    """Rows that count how many of them are read."""

    read = 0

    def __getitem__(self, index: Any) -> Any:
        self.read += 1
        return super().__getitem__(index)


def test_a_bounded_number_of_rows_is_read() -> None:
    data = Counted(rows(*({"n": n} for n in range(PROBED_ROWS + 1000))))
    schema = infer(data)
    assert data.read == PROBED_ROWS
    assert schema.rows == len(data)
    assert schema.columns["n"].kind == "id"


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.lists(st.text(max_size=3), max_size=3),
    st.just(PICTURE), st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)  # fmt: skip


@settings(max_examples=40)
@given(st.text(max_size=6), st.lists(VALUES, max_size=6))
def test_any_column_has_a_kind(name: str, values: list[Any]) -> None:
    judged = kind_of_column(name, values)
    present = [value for value in values if not is_missing(value)]
    assert (judged.kind == "empty") == (not present)
    assert judged.why
    # A row without a value changes nothing.
    assert kind_of_column(name, [None, *values, ""]) == judged
    if judged.kind == "constant":
        assert len({identity(value) for value in present}) == 1


@settings(max_examples=40)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=9))
def test_numbers_are_the_same_as_strings_and_as_values(numbers: list[float]) -> None:
    kinds = {"number", "category", "constant", "id"}
    found = kind_of_column("value", numbers).kind
    assert found in kinds
    assert kind_of_column("value", [repr(n) for n in numbers]).kind in kinds


def test_an_infinite_number_does_not_stop_the_schema() -> None:
    found = infer(rows(*({"x": x} for x in (0.5, 1.5, float("inf"))))).columns["x"]
    assert (found.kind, found.scale) == ("number", None)


@pytest.mark.parametrize("rare", ["yes", 7])
def test_a_target_with_one_rare_value_is_read_from_all_rows(rare: Any) -> None:
    often: Any = "no" if rare == "yes" else 0
    labels = [often] * (2 * PROBED_ROWS)
    labels[1:7:2] = [rare] * 3  # between the probed rows
    data = Counted(rows(*({"label": one, "same": "x", "none": None} for one in labels)))
    schema = infer(data)
    assert schema.columns["label"].kind == "constant"
    assert data.read == PROBED_ROWS
    column = target_column(schema, "label")
    assert (column.kind, column.distinct) == ("category", 2)
    assert data.read == PROBED_ROWS + len(data)
    for name in ("same", "none"):
        with pytest.raises(WeftError, match="cannot be learned: (every|no) row"):
            target_column(schema, name)


def test_dates_are_no_target() -> None:
    schema = infer(rows({"day": "2026-03-05"}, {"day": "2026-03-06"}))
    with pytest.raises(WeftError, match="it holds dates, which are not predicted"):
        target_column(schema, "day")


@pytest.mark.parametrize("values", ["AB", "12", ("01", "02")])
def test_few_values_are_classes_whatever_the_name(values: Any) -> None:
    assert kind_of_column("code", list(values) * 20).kind == "category"
    assert kind_of_column("patient", list(values) * 20).kind == "id"
    assert kind_of_column("code", list(values)).kind == "id"


def test_pictures_that_are_said_to_be_so_are_as_many_as_the_cells_name() -> None:
    several = rows({"image": [PICTURE, PICTURE]}, {"image": PICTURE})
    assert infer(several, {"image": "Bild"}).columns["image"].kind == "images"
    single = rows({"image": PICTURE}, {"image": PICTURE})
    assert infer(single, {"image": "Bild"}).columns["image"].kind == "image"
