"""Training rows that lose streams: a pure function of (seed, step), and never all of them."""

from typing import Any

import numpy as np
import pytest
import torch

from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.data.loader import Loader
from weft.data.modality_dropout import ModalityDropout
from weft.data.no_data import NoDataConfig
from weft.data.row_changes import RowChanges
from weft.modalities.audio import AudioConfig
from weft.runs.recipe import DataConfig

STREAMS = ("one", "two", "three")


def dropped(chances: dict[str, float], values: dict[str, Any], rows: int) -> list[dict[str, Any]]:
    drop = ModalityDropout(chances, STREAMS)
    generators = (torch.Generator().manual_seed(seed) for seed in range(rows))
    return [drop(values, generator) for generator in generators]


def test_streams_are_lost_as_often_as_asked_and_targets_never() -> None:
    values = {"one": 1, "two": 2, "three": 3, "label": 4}
    found = dropped({"one": 0.5, "two": 0.2}, values, 4000)
    for stream, chance in (("one", 0.5), ("two", 0.2), ("three", 0.0), ("label", 0.0)):
        lost = sum(row[stream] is None for row in found) / len(found)
        assert lost == pytest.approx(chance, abs=0.03 if chance else 0)
    assert sum(row["one"] is None and row["two"] is None for row in found) / len(
        found
    ) == pytest.approx(0.1, abs=0.03)


def test_a_row_keeps_one_of_the_streams_that_it_has() -> None:
    values = {"one": 1, "two": None, "three": 3, "label": 4}
    found = dropped(dict.fromkeys(STREAMS, 0.99), values, 500)
    kept = [[stream for stream in STREAMS if row[stream] is not None] for row in found]
    assert all(kept)
    assert all(row["label"] == 4 for row in found)
    alone = {tuple(names) for names in kept}
    assert {("one",), ("three",)} <= alone


def loader(**options: Any) -> Loader:
    items = dict.fromkeys(STREAMS, Media.sound(np.ones(400, np.float32), 8000))
    rows = [Sample(f"s{n}", f"g{n}", items, f"t.csv:{n}") for n in range(9)]
    audio = AudioConfig(rate=8000).build()
    sources = {name: ModalitySource(rows, name, audio) for name in STREAMS}
    dropout = ModalityDropout(dict.fromkeys(STREAMS, 0.5), STREAMS)
    return Loader(rows, sources, seed=3, changes=RowChanges(dropout=dropout), **options)


def present(batch: Any, rows: int) -> list[list[bool]]:
    every = torch.ones(rows, dtype=torch.bool)
    found = (batch.present((name,)) for name in STREAMS)
    return torch.stack([every if one is None else one for one in found]).T.tolist()


def test_the_step_alone_decides_on_any_number_of_ranks() -> None:
    whole = [present(loader(batch_size=6).batch(step), 6) for step in range(8)]
    again = [present(batch, 6) for batch in loader(batch_size=6, workers=3).batches(0, 8)]
    assert whole == again
    assert all(any(row) for batch in whole for row in batch)
    assert not all(all(row) for batch in whole for row in batch)
    parts = [
        present(loader(batch_size=6, rank=rank, world_size=2).batch(5), 3) for rank in range(2)
    ]
    assert parts[0] + parts[1] == whole[5]


def test_a_probability_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="modality_dropout of 'one' is 1, expected a probability"):
        DataConfig(source=NoDataConfig(), streams={}, modality_dropout={"one": 1})
