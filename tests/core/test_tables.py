"""Tables of text fit the width, also where a character takes two cells."""

import pytest
from rich.cells import cell_len

from weft.core.tables import html_table, text_table

ROWS = [["红色的圆在蓝色的星星上面", "0.993"], ["a red circle above a blue star", "0.5"]]


@pytest.mark.parametrize("width", [24, 40, 80])
def test_columns_stand_under_each_other_and_fit(width: int) -> None:
    lines = text_table(["caption", "score"], ROWS, width).splitlines()
    assert max(map(cell_len, lines)) <= width
    places = {
        cell_len(line[: line.index(number)])
        for line, number in zip(lines[1:], ("0.9", "0.5"), strict=True)
    }
    assert places == {cell_len(lines[0][: lines[0].index("score")])}
    assert ("…" in lines[1]) == (width < 40)


def test_cells_are_one_line_and_escaped() -> None:
    assert text_table(["a"], [["two\nlines"]]).splitlines()[1] == "two lines"
    assert "<td>&lt;b&gt;</td>" in html_table(["a"], [["<b>"]])
