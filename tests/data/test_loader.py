"""The loader: the batch at step n is a pure function of (seed, n)."""

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives, Media
from weft.core.records import Batch, Field
from weft.core.samples import Sample, group_key
from weft.data.columns import ModalitySource, TargetSource
from weft.data.formats import open_dataset
from weft.data.loader import Loader
from weft.data.policy import ErrorPolicy
from weft.data.sampler import ShuffledSampler
from weft.data.targets.classes import ClassesConfig


class Noisy:
    """A modality whose item is (row, random number or view); refuses what says "bad"."""

    views = 2

    def __init__(self) -> None:
        self.decoded = 0

    def decode(self, raw: Any) -> float:
        self.decoded += 1
        if raw == "bad":
            raise WeftError("is not a number")
        if raw == "absent":
            raise WeftError("no such file: /pictures/a.jpg")
        return float(raw)

    def transform(
        self, item: float, *, train: bool, generator: torch.Generator, view: int = 0
    ) -> Tensor:
        second = torch.rand((), generator=generator) if train else torch.tensor(float(view))
        return torch.stack([torch.tensor(item), second])

    def collate(self, items: Sequence[Tensor]) -> Field:
        return Field(torch.stack(list(items)))


def rows(count: int, bad: Mapping[int, str] | None = None) -> list[Sample]:
    return [
        Sample(f"s{n}", f"g{n // 2}", {"x": (bad or {}).get(n, str(n))}, f"data.jsonl:{n + 1}")
        for n in range(count)
    ]


def loader(dataset: list[Sample], **options: Any) -> Loader:
    modality = Noisy()
    sources = {
        "a": ModalitySource(dataset, "x", modality),
        "b": ModalitySource(dataset, "x", modality),
    }
    return Loader(dataset, sources, **{"batch_size": 4, "seed": 7, **options})


def content(batch: Batch) -> tuple[Any, ...]:
    values = {name: field.values.tolist() for name, field in batch.inputs.items()}
    return (tuple(batch.ids), batch.groups.tolist(), values)


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_batches_do_not_depend_on_the_number_of_workers(workers: int) -> None:
    dataset = rows(10)
    expected = [content(loader(dataset).batch(n)) for n in range(3, 11)]
    assert [content(b) for b in loader(dataset, workers=workers).batches(3, 11)] == expected


@pytest.mark.parametrize("world_size", [2, 4])
def test_ranks_together_see_what_one_would_have_seen(world_size: int) -> None:
    dataset = rows(10)
    for step in range(6):
        whole = loader(dataset).batch(step)
        parts = [
            loader(dataset, rank=rank, world_size=world_size).batch(step)
            for rank in range(world_size)
        ]
        assert [i for part in parts for i in part.ids] == list(whole.ids)
        assert torch.equal(
            torch.cat([p.inputs["a"].values for p in parts]), whole.inputs["a"].values
        )
        assert torch.equal(torch.cat([p.groups for p in parts]), whole.groups)


def test_resume_is_arithmetic_and_steps_before_do_not_matter() -> None:
    dataset = rows(10)
    through = [content(b) for b in loader(dataset).batches(0, 12)]
    resumed = [content(b) for b in loader(dataset).batches(7, 12)]
    assert through[7:] == resumed
    assert content(loader(dataset).batch(11)) == through[11]


def test_another_seed_or_epoch_draws_differently_and_streams_have_their_own_numbers() -> None:
    dataset = rows(8)
    first, second = loader(dataset, batch_size=8).batch(0), loader(dataset, batch_size=8).batch(1)
    other = loader(dataset, batch_size=8, seed=8).batch(0)
    numbers = [
        dict(zip(b.ids, b.inputs[stream].values[:, 1].tolist(), strict=True))
        for b, stream in ((first, "a"), (second, "a"), (other, "a"), (first, "b"))
    ]
    for n, one in enumerate(numbers):
        for two in numbers[n + 1 :]:
            assert all(one[i] != two[i] for i in one)
    assert first.ids != second.ids
    assert first.ids != other.ids


def test_a_stream_draws_the_same_with_and_without_the_other_streams() -> None:
    dataset = rows(8)
    alone = Loader(dataset, {"b": ModalitySource(dataset, "x", Noisy())}, batch_size=4, seed=7)
    assert torch.equal(
        alone.batch(3).inputs["b"].values, loader(dataset).batch(3).inputs["b"].values
    )


def test_groups_are_the_keys_of_the_samples_groups() -> None:
    dataset = rows(6)
    batch = loader(dataset).batch(0)
    named = {row.id: group_key(row.group) for row in dataset}
    assert batch.groups.tolist() == [named[name] for name in batch.ids]


@given(
    count=st.integers(1, 40), size=st.integers(1, 17), seed=st.integers(0, 2**40), epochs=st.just(3)
)
@settings(max_examples=60, deadline=None)
def test_every_epoch_of_the_stream_is_a_permutation(
    count: int, size: int, seed: int, epochs: int
) -> None:
    sampler = ShuffledSampler(count, size, seed)
    steps = -(-count * epochs // size)
    stream = [draw for step in range(steps) for draw in sampler.draws(step)]
    assert len(stream) == steps * size
    for epoch in range(epochs):
        seen = stream[epoch * count : (epoch + 1) * count]
        assert {draw.epoch for draw in seen} == {epoch}
        assert sorted(draw.row for draw in seen) == list(range(count))
    assert (sampler.steps_per_epoch - 1) * size < count <= sampler.steps_per_epoch * size


def test_orders_of_two_epochs_differ() -> None:
    sampler = ShuffledSampler(100, 100, 0)
    assert [d.row for d in sampler.draws(0)] != [d.row for d in sampler.draws(1)]
    with pytest.raises(ValueError, match="step is -1"):
        sampler.draws(-1)


@pytest.mark.parametrize("workers", [0, 2])
def test_raise_names_the_row(workers: int) -> None:
    expected = r"^data.jsonl:3: is not a number; --data.errors.mode skip leaves such rows out$"
    with pytest.raises(DataError, match=expected):
        list(loader(rows(8, {2: "bad"}), workers=workers).batches(0, 4))


def test_a_missing_file_and_a_missing_column_name_the_row() -> None:
    with pytest.raises(DataError, match=r"data.jsonl:1: no such file: /pictures/a.jpg"):
        loader(rows(1, {0: "absent"})).batch(0)
    dataset = rows(4)
    sources = {"a": ModalitySource(dataset, "image", Noisy())}
    with pytest.raises(DataError, match=r"data.jsonl:\d: has no 'image', it has: x"):
        Loader(dataset, sources, batch_size=2, seed=0).batch(0)


@pytest.mark.parametrize("workers", [0, 4])
def test_skip_replaces_a_bad_row_by_the_next_good_one(
    workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    bad = {3: "bad", 4: "absent"}
    dataset, clean = rows(12, bad), rows(12)
    skipping = loader(dataset, workers=workers, errors=ErrorPolicy("skip", limit=0.5))
    with caplog.at_level(logging.WARNING, "weft.data"):
        got = [batch.ids for batch in skipping.batches(0, 9)]
    replaced = {"s3": "s5", "s4": "s5"}
    plain = [batch.ids for batch in loader(clean).batches(0, 9)]
    assert got == [tuple(replaced.get(i, i) for i in ids) for ids in plain]
    assert sorted(row.id for row in skipping.bad) == ["s3", "s4"]
    assert {row.reason for row in skipping.bad} == {
        "is not a number",
        "no such file: /pictures/a.jpg",
    }
    assert len(caplog.records) == 2
    # What has been met before does not matter: a fresh loader gives the same batch.
    fresh = loader(dataset, errors=ErrorPolicy("skip", limit=0.5)).batch(8)
    assert content(fresh) == content(skipping.batch(8))
    halves = [
        loader(dataset, errors=ErrorPolicy("skip", limit=0.5), rank=r, world_size=2) for r in (0, 1)
    ]
    assert [i for half in halves for i in half.batch(8).ids] == list(fresh.ids)


def test_the_limit_stops_the_run() -> None:
    bad = dict.fromkeys(range(3), "bad")
    with pytest.raises(
        WeftError, match=r"3 of 20 rows are bad, more than the limit of 10.0%.*data"
    ):
        list(loader(rows(20, bad), errors=ErrorPolicy("skip", limit=0.1)).batches(0, 5))
    everything = loader(rows(3, bad), errors=ErrorPolicy("skip", limit=1.0))
    with pytest.raises(WeftError, match="none of the 3 rows can be read"):
        everything.batch(0)


def test_quarantine_keeps_a_copy_and_one_line_a_row(tmp_path: Path) -> None:
    picture = tmp_path / "in" / "a b.jpg"
    picture.parent.mkdir()
    picture.write_bytes(b"not a picture")
    dataset = [
        *rows(3),
        Sample(
            "a b.jpg",
            "g",
            {"x": "bad", "image": Media.file(picture), "split": "train"},
            "data.jsonl:9",
        ),
        Sample("raw", "g", {"x": "bad", "image": Media.encoded(b"\0", "image")}, "shard.tar:raw"),
    ]
    folder = tmp_path / "kept"
    policy = ErrorPolicy("quarantine", folder=folder, limit=0.5)
    for _ in range(2):  # a second run over the same data adds no line
        list(loader(dataset, errors=policy).batches(0, 4))
    lines = [json.loads(line) for line in (folder / "errors.jsonl").read_text().splitlines()]
    by_id = {line["id"]: line for line in lines}
    assert len(lines) == 2
    assert by_id["a b.jpg"]["source"] == "data.jsonl:9"
    assert by_id["a b.jpg"]["reason"] == "is not a number"
    assert (folder / "a_b.jpg.image.jpg").read_bytes() == b"not a picture"
    assert (folder / "raw.image").read_bytes() == b"\x00"
    assert json.loads((folder / "a_b.jpg.json").read_text())["split"] == "train"


def test_policy_and_loader_refuse_wrong_numbers() -> None:
    with pytest.raises(ValueError, match="quarantine needs a folder"):
        ErrorPolicy("quarantine")
    with pytest.raises(ValueError, match="limit is 2"):
        ErrorPolicy("skip", limit=2)
    for options, message in (
        ({"batch_size": 0}, "batch_size is 0, expected 1 or more"),
        ({"seed": -1}, "seed is -1, expected 0 or more"),
        ({"rank": 2, "world_size": 2}, "rank is 2, expected 0 to 1"),
        ({"world_size": 3}, "batch_size 4 is not a multiple of the 3 ranks"),
        ({"workers": -1}, "workers is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            loader(rows(4), **options)
    with pytest.raises(ValueError, match="number of rows is 0"):
        loader([])


def test_early_exit_and_errors_leave_no_thread_behind() -> None:
    before = threading.active_count()
    stream = loader(rows(50), workers=4).batches(0, 1000)
    next(stream)
    assert threading.active_count() > before
    stream.close()
    assert threading.active_count() == before
    with pytest.raises(DataError):
        list(loader(rows(50, {1: "bad"}), workers=4).batches(0, 100))
    assert threading.active_count() == before


def test_only_a_few_batches_are_read_ahead() -> None:
    modality = Noisy()
    dataset = rows(100)
    one = Loader(dataset, {"x": ModalitySource(dataset, "x", modality)}, batch_size=5, seed=0)
    stream = one.batches(0, 10**9)
    next(stream)
    stream.close()
    assert modality.decoded <= 5 * 4


def test_labels_become_targets() -> None:
    dataset = [
        Sample(str(n), str(n), {"x": str(n), "label": name}, f"d:{n}")
        for n, name in enumerate(("cat", "dog", "dgo"))
    ]
    sources = {
        "x": ModalitySource(dataset, "x", Noisy()),
        "label": TargetSource(dataset, ClassesConfig("label", ("dog", "cat")).build()),
    }
    batch = Loader(dataset[:2], sources, batch_size=2, seed=0).batch(0)
    label = {"0": 1, "1": 0}
    assert batch.targets["label"].tolist() == [label[name] for name in batch.ids]
    assert list(batch.inputs) == ["x"]
    with pytest.raises(DataError, match=r"^d:2: unknown label 'dgo': did you mean dog\?"):
        Loader(dataset, sources, batch_size=3, seed=0).batch(0)


def test_captions_have_one_view_each() -> None:
    dataset = [Sample("a", "a", {"text": Alternatives("123"), "x": "1"}, "d:1")]
    assert ModalitySource(dataset, "text", Noisy()).views(0) == 3
    assert ModalitySource(dataset, "x", Noisy()).views(0) == 2


def test_real_pictures_are_read_in_order_by_threads(shared_data: Callable[[str], Path]) -> None:
    """The bytes of Flickr8k pictures arrive, and arrive as the single thread reads them."""

    class Bytes(Noisy):
        def decode(self, raw: Media) -> float:
            return float(np.frombuffer(raw.read(), np.uint8).sum())

    dataset = open_dataset(shared_data("flickr8k"), split="dev")
    sources = {"image": ModalitySource(dataset, "image", Bytes())}
    both = [
        [content(b) for b in Loader(dataset, sources, workers=w, **options).batches(0, 3)]
        for w in (0, 3)
        for options in ({"batch_size": 16, "seed": 1},)
    ]
    assert both[0] == both[1]
    assert len({i for ids, *_ in both[0] for i in ids}) == 48
