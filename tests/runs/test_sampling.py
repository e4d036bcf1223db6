"""The kept lengths of a run are those of its rows."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from weft.core.errors import WeftError
from weft.core.samples import Sample
from weft.data.bucketing import BucketingConfig
from weft.data.sampler import BucketedSampler, GroupedSampler, ShuffledSampler
from weft.modalities.text import TextConfig
from weft.runs.sampling import LENGTHS, sampler_of


def asking(bucketing: BucketingConfig, *, by_group: bool = False) -> Any:
    """As much of a recipe as is looked at."""
    run = SimpleNamespace(batch_size=2, seed=0)
    return SimpleNamespace(data=SimpleNamespace(bucketing=bucketing, by_group=by_group), run=run)


def test_rows_are_shuffled_or_come_by_group(tmp_path: Path) -> None:
    rows = [Sample(f"r{n}", f"g{n % 2}", {}, f"x:{n}") for n in range(4)]
    plain = sampler_of(asking(BucketingConfig()), tmp_path, rows, {})
    assert isinstance(plain, ShuffledSampler)
    grouped = sampler_of(asking(BucketingConfig(), by_group=True), tmp_path, rows, {})
    assert isinstance(grouped, GroupedSampler)
    assert {rows[draw.row].group for draw in grouped.draws(0)} in ({"g0"}, {"g1"})


def test_lengths_of_edited_rows_are_refused(tmp_path: Path) -> None:
    texts = ["a dog", "a cat on a mat", "rain"]
    rows = [Sample(f"r{n}", f"r{n}", {"text": text}, f"x:{n}") for n, text in enumerate(texts)]
    text = TextConfig().build()
    text.fit(texts)
    recipe = asking(bucketing=BucketingConfig("text"))
    modalities = cast(Any, {"text": text})
    first = sampler_of(recipe, tmp_path, rows, modalities)
    again = sampler_of(recipe, tmp_path, rows, modalities)
    assert isinstance(first, BucketedSampler)
    assert isinstance(again, BucketedSampler)
    assert first.lengths.tolist() == again.lengths.tolist()
    edited = [*rows[:2], Sample("r2", "r2", {"text": "rain on the roof"}, "x:2")]
    for others in (edited, rows[:2]):
        with pytest.raises(WeftError, match=f"{LENGTHS}: .*the data changed after the run began"):
            sampler_of(recipe, tmp_path, others, modalities)
