"""Columns of a table: from rows to tokens, and what the mask leaves out."""

import json

import pytest
import torch

from weft.core.errors import WeftError
from weft.core.records import Field
from weft.encoders.table import TableEncoderConfig
from weft.modalities.table import TableConfig

CONFIG = TableConfig(("age",), ("ward",), ("seen",))
ROWS = [
    {"age": 20, "ward": "north", "seen": "2026-01-01"},
    {"age": "40", "ward": "south", "seen": "2026-01-03"},
    {"age": 60, "ward": "north"},
    {"ward": "east"},
]


def field(rows: list[dict]) -> Field:
    table = CONFIG.build()
    table.fit(ROWS[:3])
    generator = torch.Generator()
    items = [table.transform(table.decode(row), train=False, generator=generator) for row in rows]
    return table.collate(items)


def test_values_are_scaled_by_the_training_rows() -> None:
    values = field(ROWS).values
    assert values[:, 0, 0].tolist() == [1, 1, 1, 0]
    assert values[:3, 0, 1].tolist() == pytest.approx([-1.2247, 0, 1.2247], abs=1e-3)
    assert values[:, 1, 1].tolist() == [1, 2, 1, 0]  # east is none of those that were learned
    assert values[:2, 2, 1].tolist() == pytest.approx([-1, 1])
    assert not values[2:, 2].any()
    sine, cosine = values[:2, 2, 2:5], values[:2, 2, 5:]
    assert torch.allclose(sine.square() + cosine.square(), torch.ones(2, 3))
    assert sine[:, 2].tolist() == pytest.approx([0, 0], abs=1e-6)  # both at midnight
    week = torch.atan2(sine[:, 1], cosine[:, 1])
    assert float((week[1] - week[0]) % (2 * torch.pi)) == pytest.approx(
        2 * torch.pi * 2 / 7, abs=1e-4
    )


def test_parts_are_called_by_their_columns() -> None:
    table = CONFIG.build()
    table.fit(ROWS[:3])
    table.restore(json.loads(json.dumps(table.state())))
    assert table.names_of(field(ROWS).values[1]) == ["age 40", "ward south", "seen 2026-01-03"]
    assert table.names_of(field(ROWS).values[3]) == [
        "age missing",
        "ward (unknown)",
        "seen missing",
    ]
    assert table.show(ROWS[2]).text == "age: 60 ward: north"


def test_what_is_learned_is_checked() -> None:
    with pytest.raises(WeftError, match="no training row has a value in its column 'seen'"):
        CONFIG.build().fit(ROWS[2:])
    table = CONFIG.build()
    table.fit(ROWS)
    for wrong in (
        {"scales": {}, "categories": {}},
        {**table.state(), "scales": {"age": [0, 0], "seen": [0, 1]}},
        {**table.state(), "scales": {"age": [0], "seen": [0, 1]}},
    ):
        with pytest.raises(WeftError):
            CONFIG.build().restore(wrong)


def test_a_missing_value_is_a_state_and_a_masked_column_is_nothing() -> None:
    torch.manual_seed(0)
    encoder = TableEncoderConfig(1, 1, 1, dim=16).build().eval()
    rows = field(ROWS)
    whole = encoder(rows)
    assert whole.mask.all()
    assert not torch.allclose(whole.tokens[2, 2], whole.tokens[3, 0])
    mask = torch.ones(4, 3, dtype=torch.bool)
    mask[:, 0] = False
    other = rows.values.clone()
    other[:, 0] = torch.nan
    one, two = encoder(Field(rows.values, mask)), encoder(Field(other, mask))
    assert torch.equal(one.tokens, two.tokens)
    assert torch.equal(one.pooled, two.pooled)
    assert not one.tokens[:, 0].any()
    with pytest.raises(ValueError, match="values of columns"):
        encoder(Field(rows.values[:, :2]))
