"""Rows as several models read them: in order, each once, in the evaluation views that are asked for."""

from collections import Counter
from typing import Any

import pytest
import torch

from weft.core.errors import DataError, WeftError
from weft.core.records import Field
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.data.policy import ErrorPolicy
from weft.inference.config import InferenceConfig
from weft.inference.rows import Reading, Selection, read_rows


class Numbers:
    """A modality whose item is (number, view); counts what it decodes, refuses what says "bad"."""

    views = 2

    def __init__(self) -> None:
        self.decoded: Counter[str] = Counter()

    def decode(self, raw: str) -> float:
        self.decoded[raw] += 1
        if raw == "bad":
            raise WeftError("is not a number")
        return float(raw)

    def transform(
        self, item: float, *, train: bool, generator: torch.Generator, view: int = 0
    ) -> torch.Tensor:
        del generator
        assert not train
        return torch.tensor([item, float(view)])

    def collate(self, items: Any) -> Field:
        return Field(torch.stack(list(items)))


def rows(count: int, bad: tuple[int, ...] = ()) -> list[Sample]:
    return [
        Sample(f"s{n}", f"g{n}", {"x": "bad" if n in bad else str(n)}, f"data.jsonl:{n + 1}")
        for n in range(count)
    ]


def source(dataset: list[Sample], modality: Numbers | None = None) -> ModalitySource:
    return ModalitySource(dataset, "x", modality or Numbers())


def values(field: Any, column: int = 0) -> list[float]:
    return [row[column] for row in field.values.tolist()]


@pytest.mark.parametrize("workers", [0, 3])
def test_every_row_once_in_order_in_its_view(workers: int) -> None:
    dataset = rows(10)
    config = InferenceConfig(batch_size=4, workers=workers)
    read = list(read_rows([Reading({"x": source(dataset)}, view=1)], dataset, config))
    assert [list(one.numbers) for one in read] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert [i for one in read for i in one.batches[0].ids] == [f"s{n}" for n in range(10)]
    assert {v for one in read for v in values(one.batches[0].inputs["x"], 1)} == {1.0}
    beyond = next(read_rows([Reading({"x": source(dataset)}, view=5)], dataset, config))
    assert values(beyond.batches[0].inputs["x"], 1) == [0.0] * 4


def test_of_each_list_of_rows_the_first_that_can_be_read_and_has_something() -> None:
    dataset = rows(10, bad=(2, 3))
    dataset[5].items["x"] = None
    config = InferenceConfig(batch_size=2, workers=0, errors=ErrorPolicy("skip", limit=0.2))
    modality = Numbers()
    reading = Reading({"x": ModalitySource(dataset, "x", modality, optional=True)})
    chosen = Selection(rows=[(7, 8), (2, 1), (3,), (5, 4), (5,)])
    read = list(read_rows([reading], dataset, config, chosen))
    assert [list(one.numbers) for one in read] == [[7, 1], [4], [5]]
    assert [values(one.batches[0].inputs["x"]) for one in read[:2]] == [[7, 1], [4]]
    assert not read[2].batches[0].inputs
    assert modality.decoded == Counter({"7": 1, "bad": 2, "1": 1, "4": 1})


def test_what_readings_share_is_decoded_once() -> None:
    dataset, shared, own = rows(6), Numbers(), Numbers()
    readings = [Reading({"x": source(dataset, shared)}, view) for view in (0, 1)]
    readings += [Reading({"x": source(dataset, one)}) for one in (shared, own)]
    read = list(read_rows(readings, dataset, InferenceConfig(batch_size=4)))
    assert shared.decoded == own.decoded == Counter({str(n): 1 for n in range(6)})
    for one in read:
        assert [values(b.inputs["x"], 1)[0] for b in one.batches] == [0, 1, 0, 0]
        for batch in one.batches:
            assert values(batch.inputs["x"]) == list(map(float, one.numbers))


def test_a_row_that_one_of_them_cannot_read_is_left_out_of_all() -> None:
    dataset, other = rows(6, bad=(1, 4, 5)), rows(6)
    readings = [Reading({"x": source(one)}) for one in (other, dataset)]
    lenient = InferenceConfig(batch_size=4, errors=ErrorPolicy("skip", limit=1.0))
    read = list(read_rows(readings, other, lenient))
    assert [list(one.numbers) for one in read] == [[0, 2, 3]]
    assert {batch.ids for batch in read[0].batches} == {("s0", "s2", "s3")}
    with pytest.raises(DataError, match=r"^data.jsonl:2: is not a number$"):
        list(read_rows(readings, other, InferenceConfig(batch_size=4)))
    strict = InferenceConfig(batch_size=4, workers=0, errors=ErrorPolicy("skip", limit=0.2))
    with pytest.raises(WeftError, match=r"2 of 6 rows are bad, more than the limit of 20.0%"):
        list(read_rows(readings, other, strict))
