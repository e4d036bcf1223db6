"""The kept lengths of a run are those of its rows."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from weft.runs.bucketing import LENGTHS, buckets

from weft.core.errors import WeftError
from weft.core.samples import Sample
from weft.data.bucketing import BucketingConfig
from weft.modalities.text import TextConfig


def test_lengths_of_edited_rows_are_refused(tmp_path: Path) -> None:
    texts = ["a dog", "a cat on a mat", "rain"]
    rows = [Sample(f"r{n}", f"r{n}", {"text": text}, f"x:{n}") for n, text in enumerate(texts)]
    text = TextConfig().build()
    text.fit(texts)
    data = SimpleNamespace(bucketing=BucketingConfig("text"))
    recipe = cast(Any, SimpleNamespace(data=data))
    modalities = cast(Any, {"text": text})
    first = buckets(recipe, tmp_path, rows, modalities)
    again = buckets(recipe, tmp_path, rows, modalities)
    assert first is not None
    assert again is not None
    assert first.lengths.tolist() == again.lengths.tolist()
    edited = [*rows[:2], Sample("r2", "r2", {"text": "rain on the roof"}, "x:2")]
    for others in (edited, rows[:2]):
        with pytest.raises(WeftError, match=f"{LENGTHS}: .*not what it was when the run began"):
            buckets(recipe, tmp_path, others, modalities)
