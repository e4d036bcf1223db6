"""The map of embeddings: without a script, reached by keys, and showing what belongs to the point."""

import re

import numpy as np
import pytest

from weft.core.media import Alternatives, media_of
from weft.core.samples import Sample
from weft.report.embedding_map import (
    EmbeddingMap,
    MapPoint,
    Neighbours,
    embedding_map,
    neighbour_rows,
)
from weft.report.examples import Rows

NASTY = "<script>alert('x')</script>\" onfocus=\"y"


def rows(count: int = 4) -> Rows:
    picture = media_of(np.zeros((9, 9, 3), np.uint8), "image")
    samples = [
        Sample(
            f"folder/row{n}",
            "g",
            {"image": picture, "text": Alternatives([f"text {n} {NASTY}"]), "label": f"class{n}"},
            "made:1",
        )
        for n in range(count)
    ]
    return Rows(samples, {})


def drawn(groups: int = 2) -> str:
    names = [f"g{n}" for n in range(groups)]
    points = [
        MapPoint(row, stream, float(row), -float(row), names[row % groups])
        for row in range(4)
        for stream in ("image", "text")
    ]
    return embedding_map(EmbeddingMap(points, names, "how"), rows(), ["image", "text"], "map-0")


def test_points_are_one_group_of_buttons_with_names() -> None:
    page = drawn()
    assert len(re.findall('<input type="radio" name="map-0" aria-label="[^"]+"', page)) == 8
    assert page.count('class="card"') == 4
    assert page.count("<img") == 4  # a picture is there once, however many points its row has
    assert "row0" in page
    assert "folder/" not in page
    assert "how" in page


def test_texts_cannot_leave_their_place() -> None:
    page = drawn()
    assert "<script" not in page
    assert 'onfocus="' not in page
    assert "&lt;script&gt;" in page


def test_all_points_lie_on_the_map() -> None:
    places = re.findall(r"--x:([-\d.]+)%;--y:([-\d.]+)%", drawn())
    assert len(set(places)) == 4
    assert all(0 < float(x) < 100 and 0 < float(y) < 100 / 1.35 for x, y in places)
    alone = EmbeddingMap([MapPoint(0, "", 1.0, 2.0, "rows")], ["rows"])
    assert "--x:50.0%" in embedding_map(alone, rows(), ["text"], "m")


@pytest.mark.parametrize(("groups", "others"), [(1, False), (4, False), (9, True)])
def test_the_legend_names_the_colours(groups: int, others: bool) -> None:
    names = [f"class_{n}" for n in range(groups)]
    points = [MapPoint(n % 4, "", float(n), 0.0, name) for n, name in enumerate(names)]
    page = embedding_map(EmbeddingMap(points, names), rows(), ["text"], "m")
    assert page.count('class="spot"') == (0 if groups == 1 else min(groups, 5) + others)
    assert (">others<" in page) == others


def test_neighbours_stand_beside_their_row() -> None:
    found = neighbour_rows(
        [Neighbours(1, [(3, 0.987), (0, 0.5)])], rows(), rows(), ["text"], "label"
    )
    assert len(found) == 1
    order = [found[0].index(what) for what in ("class1", "class3", "class0")]
    assert order == sorted(order)
    assert "cosine 0.99" in found[0]
    assert "measured row" in found[0]
    assert "<script" not in found[0]
