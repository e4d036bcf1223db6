"""Mistakes in a recipe that are found before anything is read."""

import pytest

from weft.core.errors import WeftError
from weft.data.features import CacheConfig
from weft.objectives.masked import MaskedLanguageConfig
from weft.recipes import recipe
from weft.runs.check import check_names

MASKED = MaskedLanguageConfig(dim=16, vocab_size=300)


def test_a_cached_stream_cannot_be_masked() -> None:
    made = recipe("clip").replace(objectives={"words": MASKED}, weights={})
    check_names(made)
    cached = made.replace(data=made.data.replace(cache={"text": CacheConfig()}))
    with pytest.raises(
        WeftError, match=r"objectives\.words alters stream 'text' before it is encoded"
    ):
        check_names(cached)
    other = made.replace(objectives={"words": MASKED.replace(masked="speech")})
    with pytest.raises(WeftError, match=r"unknown stream of objectives\.words 'speech'"):
        check_names(other)


def test_a_metric_that_no_task_measures_is_refused_before_training() -> None:
    made = recipe("clip")
    assert "retrieval" in made.tasks

    def monitoring(name: str) -> None:
        check_names(made.replace(run=made.run.replace(monitor=name)))

    for name in (
        "retrieval/rsum",
        "retrieval/image_to_text/mean_rank",
        "retrieval/text_to_image/mAP",
    ):
        monitoring(name)
    with pytest.raises(
        WeftError, match="unknown metric in run.monitor.*did you mean retrieval/rsum"
    ):
        monitoring("retrieval/rsun")
    with pytest.raises(WeftError, match="unknown metric in run.monitor"):
        monitoring("retrieval/image_to_text/recall@7")
    with pytest.raises(WeftError, match="unknown task in run.monitor"):
        monitoring("rsum")
    asked = recipe("easy_vqa")
    check_names(asked.replace(run=asked.run.replace(monitor="vqa/type/n/a/accuracy")))
