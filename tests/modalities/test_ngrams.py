"""What a person is shown of the n-grams of a text."""

import pytest
import torch

from weft.core.display import Word
from weft.modalities.ngrams import Ngrams, NgramsConfig


@pytest.fixture
def ngrams() -> Ngrams:
    modality = NgramsConfig(characters=3).build()
    modality.fit(["a red dog", "a red dog", "a doghouse", "a doghouse", "an apple", "apples"])
    return modality


def test_a_word_weighs_what_the_strongest_of_its_ngrams_weighs(ngrams: Ngrams) -> None:
    generator = torch.Generator()
    ids = ngrams.transform(ngrams.decode("a red dog"), train=False, generator=generator)
    field = ngrams.collate([ids])
    names = ngrams.names_of(ids)
    weights = torch.tensor(
        [{"dog": 0.2, "red dog": 0.5, "_do~": 0.9}.get(n or "", 0.0) for n in names]
    )
    shown = ngrams.weighed(field, weights)
    assert [word.text for word in shown.words] == ["a", "red", "dog"]
    assert [word.weight for word in shown.words] == pytest.approx([0.0, 0.5, 0.9])


def test_runs_of_characters_of_an_unknown_word_have_no_marks(ngrams: Ngrams) -> None:
    ids = ngrams.transform(ngrams.decode("apple"), train=False, generator=torch.Generator())
    shown = ngrams.weighed(ngrams.collate([ids]), torch.ones(len(ids)))
    assert shown.words == tuple(Word(run, 1.0) for run in ("ap…", "…app…", "…ppl…", "…ple…"))
