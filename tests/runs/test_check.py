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
