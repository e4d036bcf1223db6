"""The report's building blocks: escaped, self-contained, well-formed."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from weft.core.media import Media
from weft.report import html

VOID = {"meta", "img", "br"}


class Balance(HTMLParser):
    """Fails on a tag that is closed out of order; collects text, tags and outside references."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(markup: str) -> Balance:
    balance = Balance()
    balance.feed(markup)
    balance.close()
    assert balance.open == []
    return balance


def picture(side: int = 300) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)


def whole_page() -> str:
    sections = [
        html.section(f"Part {i}", html.paragraph("words"), html.table(["a"], [[1]]))
        for i in range(4)
    ]
    sections.append(html.section("Pictures", html.grid([html.figure(picture(), "noise")])))
    return html.page("A run", sections, "below")


def test_page_is_well_formed_and_needs_nothing_from_outside() -> None:
    balance = parsed(whole_page())
    assert "script" not in balance.tags
    assert "link" not in balance.tags
    assert all(reference.startswith(("#", "data:image/")) for reference in balance.references)
    assert "#part-0" in balance.references
    assert "url(" not in html.STYLE
    assert "@import" not in html.STYLE


@given(st.text())
def test_every_block_escapes_its_text(nasty: str) -> None:
    marked = f"<script>{nasty}</script>\"'"
    blocks = [
        html.paragraph(marked),
        html.section(marked, marked),
        html.heading(marked),
        html.notice(marked, warning=True),
        html.code(marked),
        html.details(marked, marked),
        html.tiles({marked: marked}),
        html.table([marked], [[marked]], caption=marked),
        html.figure(b"", caption=marked),
    ]
    for markup in (*blocks, html.page(marked, [], marked)):
        assert "<script" not in markup
        assert marked not in markup


def test_html_passes_and_plain_text_does_not() -> None:
    inner = html.paragraph("a & b")
    assert html.join(inner) == "<p>a &amp; b</p>"
    assert html.join("<p>") == "&lt;p&gt;"
    assert html.table(["x"], [[inner]]).count("<p>a &amp; b</p>") == 1


def test_number_columns_are_right_aligned_and_text_columns_are_not() -> None:
    made = html.table(["name", "value"], [["a", 1], ["b", "12.5 %"], ["c", None]])
    assert made.count("class=n") == 4
    assert "<td>a</td><td class=n>1</td>" in made
    assert "<td class=n>–</td>" in made


def test_ragged_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="row 1 has 1 cells, expected 2"):
        html.table(["a", "b"], [[1, 2], [3]])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (8091, "8,091"),
        (27.31, "27.3"),
        (2.5, "2.50"),
        (0.00312, "0.00312"),
        (12345.6, "12,346"),
        (float("nan"), "–"),
        (None, "–"),
        (True, "yes"),
        (np.int64(1200), "1,200"),
        (0.0, "0.0"),
    ],
)
def test_numbers_are_written_for_people(value: html.Cell, shown: str) -> None:
    assert html.format_cell(value) == shown


def decoded(markup: str) -> Image.Image:
    found = re.search(r'src="data:image/\w+;base64,([^"]+)"', markup)
    assert found is not None
    return Image.open(io.BytesIO(base64.b64decode(found[1])))


def test_pictures_are_embedded_no_larger_than_they_are_shown() -> None:
    shown = decoded(html.figure(picture(1000), width=100))
    assert shown.format == "JPEG"
    assert shown.size == (200, 200)


def test_small_drawn_pictures_stay_lossless() -> None:
    drawn = np.zeros((64, 64, 3), np.uint8)
    drawn[10:40, 20:50] = (200, 30, 60)
    assert np.array_equal(np.asarray(decoded(html.figure(drawn))), drawn)
    textured = decoded(html.figure(picture(64)))
    assert (textured.format, textured.size) == ("JPEG", (64, 64))


def test_encoded_bytes_and_files_are_shown_alike(tmp_path) -> None:
    file = tmp_path / "a.png"
    Image.fromarray(picture()).save(file)
    assert html.figure(Media.file(file)) == html.figure(file.read_bytes())


@pytest.mark.parametrize("broken", [b"", b"not a picture", b"\xff\xd8\xff\xe0 cut"])
def test_a_broken_picture_is_a_frame_that_says_so(broken: bytes) -> None:
    assert "cannot be decoded" in html.figure(broken, "name.jpg")
    assert "name.jpg" in html.figure(broken, "name.jpg")
