"""One reader of cells: the same number and the same label for streams, targets and the schema."""

import math
from collections import Counter

import numpy as np
import pytest

from weft.core.cells import Labels, is_number, label_of, labels_of, merged, number_of
from weft.core.errors import WeftError
from weft.data.targets.classes import ClassesConfig
from weft.data.targets.numbers import NumbersConfig
from weft.data.targets.tags import TagsConfig
from weft.modalities.cell import CellConfig
from weft.modalities.table import TableConfig


@pytest.mark.parametrize("raw", [7, 7.0, "7", " 7 ", "7.0", "70e-1", np.float32(7), np.int64(7)])
def test_a_number_is_one_in_streams_and_targets(raw: object) -> None:
    table = TableConfig(numbers=("n",)).build()
    assert is_number(raw)
    assert number_of(raw) == NumbersConfig("n").build().read(raw) == 7
    assert CellConfig("number").build().decode(raw) == table.decode({"n": raw})["n"] == 7


@pytest.mark.parametrize("raw", [True, b"7", "1_000", "seven", "inf", math.inf, 10**400, [7]])
def test_what_is_no_number_is_refused_in_streams_and_targets(raw: object) -> None:
    table = TableConfig(numbers=("n",)).build()
    for read in (number_of, NumbersConfig("n").build().read, CellConfig("number").build().decode):
        with pytest.raises(WeftError, match="expected a finite number"):
            read(raw)
    with pytest.raises(WeftError, match="^'n' is .*expected a finite number"):
        table.decode({"n": raw})


@pytest.mark.parametrize(
    ("raw", "name"),
    [("a  b ", "a b"), (3, "3"), (3.0, "3"), (True, "true"), (np.True_, "true"), ("03", "03")],
)
def test_a_label_is_one_in_streams_and_targets(raw: object, name: str) -> None:
    target = ClassesConfig("c").build()
    target.fit([raw])
    table = TableConfig(categories=("c",)).build()
    assert label_of(raw) == target.classes[0] == name
    assert table.decode({"c": raw})["c"] == name
    assert CellConfig("category").build().decode(raw) == (name,)
    assert labels_of([raw, raw]) == (name,)


def test_labels_that_differ_in_case_or_blanks_are_one_where_asked() -> None:
    counts = Counter({"Cat": 2, "cat": 5, "CAT": 1, "big dog": 1, "bigdog": 2, "Bigdog": 1})
    assert merged(counts) == counts
    assert merged(counts, ("case",)) == {"cat": 8, "bigdog": 3, "big dog": 1}
    assert merged(counts, ("case", "blanks")) == {"cat": 8, "bigdog": 4}
    labels = Labels(merge=("case", "blanks")).most_frequent(counts, most=1)
    assert labels.names == ("cat",)
    assert labels.place("C A T") == 0
    assert labels.spelled("CAT") == "cat"
    assert labels.place("dog") is None
    assert labels.spelled("Dog") == "Dog"


def test_streams_and_targets_merge_labels() -> None:
    raws = ["cat", "Cat", "cat", "dog", "Dog", "Dog"]
    classes = ClassesConfig("c", merge=("case",)).build()
    tags = TagsConfig("c", merge=("case",)).build()
    cell = CellConfig("category", merge=("case",)).build()
    table = TableConfig(categories=("c",), merge=("case",)).build()
    for learner in (classes, tags, cell):
        learner.fit(raws)
    table.fit([{"c": raw} for raw in raws])
    assert classes.classes == tags.classes == cell.names == ("Dog", "cat")
    assert [classes.read(raw) for raw in ("CAT", "dog", "cow")] == [1, 0, -1]
    assert classes.name("CAT") == "cat"
    assert tags.read(["CAT", "Cat", "DOG"]).tolist() == [1, 1]
    assert tags.names(["CAT", "Cat", "cow"]) == ("cat", "cow")
    one = table.transform(table.decode({"c": "CAT"}), train=False, generator=None)  # type: ignore[arg-type]
    assert table.names_of(one) == ["c cat"]
    again = ClassesConfig("c", merge=("case",)).build()
    again.restore(classes.state())
    assert again.read("DOG") == 0
    with pytest.raises(ValueError, match="names one twice"):
        ClassesConfig("c", classes=("cat", "Cat"), merge=("case",))
