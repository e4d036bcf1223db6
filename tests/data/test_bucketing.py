"""Batches of like lengths stay a pure function of (seed, n), and see every row once an epoch."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives
from weft.core.records import Field
from weft.core.samples import Sample
from weft.data.bucketing import BucketingConfig, row_lengths
from weft.data.formats import open_dataset
from weft.data.loader import Loader
from weft.data.sampler import BucketedSampler, Draw, ShuffledSampler
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig


class RowNumbers:
    """A source whose value is the row's number and the random number that it drew."""

    def load(
        self, index: int, *, train: bool, generator: torch.Generator, view: int
    ) -> torch.Tensor:
        return torch.stack([torch.tensor(float(index)), torch.rand((), generator=generator)])

    def collate(self, items: Sequence[torch.Tensor]) -> Field:
        return Field(torch.stack(list(items)))


def loader(count: int, **options: object) -> Loader:
    dataset = [Sample(f"s{n}", f"g{n}", {"x": n}, f"d:{n}") for n in range(count)]
    settings = {"batch_size": 4, "seed": 7, **options}
    return Loader(dataset, {"x": RowNumbers()}, **settings)  # type: ignore[arg-type]


@st.composite
def samplers(draw: st.DrawFn) -> BucketedSampler:
    lengths = draw(st.lists(st.integers(0, 9), min_size=1, max_size=60))
    sizes = [st.integers(1, 17), st.integers(0, 2**40), st.integers(1, 6)]
    return BucketedSampler(np.array(lengths), *(draw(size) for size in sizes))


def stream(sampler: BucketedSampler | ShuffledSampler, epochs: int) -> list[Draw]:
    steps = -(-sampler.rows * epochs // sampler.batch_size)
    return [draw for step in range(steps) for draw in sampler.draws(step)]


@given(samplers())
@settings(max_examples=100, deadline=None)
def test_every_epoch_is_a_permutation_and_batches_are_full(sampler: BucketedSampler) -> None:
    draws = stream(sampler, epochs=3)
    assert len(draws) % sampler.batch_size == 0
    for epoch in range(3):
        seen = draws[epoch * sampler.rows : (epoch + 1) * sampler.rows]
        assert {draw.epoch for draw in seen} == {epoch}
        assert sorted(draw.row for draw in seen) == list(range(sampler.rows))


@given(samplers())
@settings(max_examples=100, deadline=None)
def test_windows_hold_the_shuffled_rows_and_their_batches_do_not_overlap_in_length(
    sampler: BucketedSampler,
) -> None:
    size, count = sampler.batch_size, sampler.rows
    shuffled = ShuffledSampler(count, size, sampler.seed)
    whole = [
        n for n in range(3 * count // size) if n * size // count == ((n + 1) * size - 1) // count
    ]
    first_of = {}
    for step in whole:
        epoch = step * size // count
        first = min(n for n in whole if n * size // count == epoch)
        first_of.setdefault((epoch, (step - first) // sampler.window), []).append(step)
    for (epoch, _), steps in first_of.items():
        found = [sampler.draws(step) for step in steps]
        expected = [draw for step in steps for draw in shuffled.draws(step)]
        assert sorted(d for batch in found for d in batch) == sorted(expected)
        spans = sorted(
            (min(lengths), max(lengths))
            for lengths in ([int(sampler.lengths[d.row]) for d in batch] for batch in found)
        )
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(spans))
        assert {d.epoch for batch in found for d in batch} == {epoch}
    for step in set(range(3 * count // size)) - set(whole):
        assert sampler.draws(step) == shuffled.draws(step)


@given(samplers(), st.integers(0, 40))
@settings(max_examples=50, deadline=None)
def test_a_batch_depends_on_seed_and_step_alone(sampler: BucketedSampler, step: int) -> None:
    fresh = BucketedSampler(
        sampler.lengths.copy(), sampler.batch_size, sampler.seed, sampler.window
    )
    stream(sampler, epochs=2)
    assert fresh.draws(step) == sampler.draws(step)


def test_the_order_of_batches_and_of_their_rows_says_nothing_of_length() -> None:
    lengths = np.arange(1000)
    sampler = BucketedSampler(lengths, batch_size=20, seed=1, window=50)
    batches = np.array([[d.row for d in sampler.draws(n)] for n in range(50)])
    assert np.ptp(batches, axis=1).tolist() == [19] * 50
    assert abs(np.corrcoef(batches.mean(1), np.arange(50))[0, 1]) < 0.4
    halves = batches[:, :10].mean(1) - batches[:, 10:].mean(1)  # the two ranks' shares
    assert (halves > 0).any()
    assert (halves < 0).any()
    again = BucketedSampler(lengths, batch_size=20, seed=2, window=50)
    assert again.draws(0) != sampler.draws(0)
    assert {d.row for d in sampler.draws(50)} != {d.row for d in sampler.draws(0)}
    with pytest.raises(ValueError, match="step is -1"):
        sampler.draws(-1)


@pytest.mark.parametrize("workers", [0, 3])
def test_the_loader_gives_equal_shares_to_ranks_and_resumes(workers: int) -> None:
    sampler = BucketedSampler(np.arange(30) % 7, batch_size=4, seed=7, window=3)
    options = {"sampler": sampler, "workers": workers}
    through = list(loader(30, **options).batches(0, 16))
    for expected, found in zip(through[9:], loader(30, **options).batches(9, 16), strict=True):
        assert torch.equal(found.inputs["x"].values, expected.inputs["x"].values)
    halves = [loader(30, rank=r, world_size=2, **options) for r in (0, 1)]
    for n, whole in enumerate(through):
        parts = [half.batch(n).ids for half in halves]
        assert [len(part) for part in parts] == [2, 2]
        assert parts[0] + parts[1] == whole.ids


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="window is 0, expected at least 1 batch"):
        BucketingConfig("text", window=0)


def test_lengths_are_tokens_and_rows_that_cannot_be_used_have_none() -> None:
    texts = ["a dog", Alternatives(["a dog runs", "a b c d e f g"]), None, "", "a " * 99]
    text = TextConfig(max_length=20).build()
    text.fit(["a dog runs", "a b c d e f g"])

    class Rows(list[Sample]):
        def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
            if index == len(texts):
                raise DataError("is damaged", source="d:7")
            items = {} if texts[index] is None else {"text": texts[index]}
            return Sample(str(index), str(index), items, f"d:{index}")

        def __len__(self) -> int:
            return len(texts) + 1

    one, two, three = (len(text.encode(c)) for c in ("a dog", "a dog runs", "a b c d e f g"))
    expected = [one, round((two + three) / 2), 0, 0, 20, 0]
    assert row_lengths(Rows(), "text", text).tolist() == expected
    assert len(set(expected)) == 4
    with pytest.raises(WeftError, match="stream is 'image', but a Image cannot measure lengths"):
        row_lengths(Rows(), "image", ImageConfig().build())


def test_less_padding_of_real_captions(shared_data: Callable[[str], Path]) -> None:
    dataset = open_dataset(shared_data("flickr8k"), split="train")
    captions = [c for n in range(1500) for c in dataset[n].items["text"]]
    lengths = np.array([len(caption.split()) for caption in captions])

    def padded(sampler: BucketedSampler | ShuffledSampler) -> float:
        batches = [lengths[[d.row for d in sampler.draws(n)]] for n in range(len(captions) // 64)]
        return sum(64 * b.max() for b in batches) / sum(b.sum() for b in batches)

    assert padded(ShuffledSampler(len(captions), 64, 0)) > 1.7
    assert padded(BucketedSampler(lengths, 64, 0, 50)) < 1.1
