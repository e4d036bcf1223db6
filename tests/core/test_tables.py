"""Tables of text fit the width, also where a character takes two cells."""

import pytest
from rich.cells import cell_len

from weft.core.tables import TableColumn, TextTable

CAPTIONS = TextTable(
    [TableColumn("caption"), TableColumn("score", right=True)],
    [["红色的圆在蓝色的星星上面", "0.993"], ["a red circle above a blue star", "10.5"]],
)
NUMBERS = TextTable(
    [
        TableColumn("metric", long="whole"),
        *(TableColumn(n, right=True) for n in ("majority class", "chance")),
    ],
    [["image_to_text/recall@10", "33.3", "1.5"]],
    title="scores",
    note="in percent",
)
NAMED = TextTable(
    [TableColumn(long="whole"), TableColumn(long="wrap")],
    [
        ["--steps 500", "Number of optimizer steps, each of which takes one batch."],
        ["--seed 0", "一" * 40],
    ],
)


@pytest.mark.parametrize("width", [24, 40, 80])
def test_text_is_cut_and_numbers_end_under_each_other(width: int) -> None:
    lines = CAPTIONS.text(width).splitlines()
    assert len(lines) == 3
    assert {cell_len(line) for line in lines} == {cell_len(lines[0])}
    assert cell_len(lines[0]) <= width
    assert [line.split()[-1] for line in lines] == ["score", "0.993", "10.5"]
    assert ("…" in lines[1]) == (width < 30)


def test_names_of_columns_are_wrapped_before_anything_else() -> None:
    assert NUMBERS.text(60).splitlines() == [
        "scores",
        "metric                   majority class  chance",
        "image_to_text/recall@10            33.3     1.5",
        "in percent",
    ]
    assert NUMBERS.text(41).splitlines() == [
        "scores",
        "metric                   majority  chance",
        "                            class",
        "image_to_text/recall@10      33.3     1.5",
        "in percent",
    ]


def test_a_row_is_a_block_where_columns_do_not_fit() -> None:
    assert NUMBERS.text(30).splitlines() == [
        "scores",
        "image_to_text/recall@10",
        "    majority class: 33.3",
        "    chance: 1.5",
        "in percent",
    ]


@pytest.mark.parametrize("width", [30, 44, 60, 100])
def test_descriptions_are_wrapped_and_nothing_is_lost(width: int) -> None:
    text = NAMED.text(width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert text.count("一") == 40
    words = text.replace("一", "").split()
    assert [w for w in words if w not in ("--steps", "500", "--seed", "0")] == (
        ["Number", "of", "optimizer", "steps,", "each", "of", "which", "takes", "one", "batch."]
    )


def test_cells_are_one_line_and_escaped() -> None:
    assert TextTable([TableColumn("a")], [["two\nlines"]]).text(80).splitlines()[1] == "two lines"
    assert "<td>&lt;b&gt;</td>" in TextTable([TableColumn("a")], [["<b>"]]).html()


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="row 0 has 2 cells, expected 1"):
        TextTable([TableColumn("a")], [["1", "2"]])
