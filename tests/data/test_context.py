"""Context of a row: the values of its neighbours in the group, in the order of the data."""

import json
from pathlib import Path

import numpy as np
import pytest

from weft.core.errors import WeftError
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.context import ContextConfig, InContext
from weft.data.sources import FilesConfig


def said(*groups: str) -> list[Sample]:
    """A row for each letter: what is said, and a vector that counts the rows."""
    return [
        Sample(
            str(n),
            group,
            {"text": f"{group}{n}", "vector": Media.array_of(np.array([n]))},
            f"made:{n}",
        )
        for n, group in enumerate(groups)
    ]


def test_texts_are_joined_in_their_order_within_the_group() -> None:
    rows = InContext(said(*"abaaba"), ContextConfig(("text",), before=2, after=1), "made")
    assert [row.items.get("text_before") for row in rows] == [
        *(None, None, "a0", "a0 a2", "b1", "a2 a3")
    ]
    assert [row.items.get("text_after") for row in rows] == ["a2", "b4", "a3", "a5", None, None]
    assert rows[3].items["text"] == "a3"
    assert {"text_before", "text_after"} <= set(rows.known_columns.items)


def test_of_arrays_the_nearest_is_the_last() -> None:
    rows = InContext(said(*"aaaa"), ContextConfig(("vector",), before=2, after=3), "made")
    read = [[int(one.array()[0]) for one in rows[0].items["vector_after"]]]
    read.append([int(one.array()[0]) for one in rows[3].items["vector_before"]])
    assert read == [[3, 2, 1], [1, 2]]


def test_a_table_has_its_context_in_each_split(tmp_path: Path) -> None:
    lines = [
        {"id": str(n), "group": str(n // 3), "text": f"t{n}", "split": ("train", "test")[n // 3]}
        for n in range(6)
    ]
    table = tmp_path / "rows.jsonl"
    table.write_text("".join(json.dumps(line) + "\n" for line in lines))
    source = FilesConfig(table, context=ContextConfig(("text",), before=5))
    assert [row.items.get("text_before") for row in source.open("test")] == [None, "t3", "t3 t4"]
    with pytest.raises(WeftError, match="context names column 'txt', which no row has"):
        FilesConfig(table, context=ContextConfig(("txt",), before=1)).open("test")


def test_a_context_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a column and a row before or after"):
        ContextConfig(("text",))
