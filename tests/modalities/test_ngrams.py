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
    assert shown.words == (Word("apple…", 1.0),)


def test_a_text_is_displayed_in_its_order_with_the_parts_of_unknown_words() -> None:
    modality = NgramsConfig().build()
    texts = ("a dog is sitting by a river", "a dog is eating bread", "she sees a cat bend")
    modality.fit(texts * 2)
    said = "a dog is seating by a bending cat"
    ids = modality.transform(modality.decode(said), train=False, generator=torch.Generator())
    weights = torch.tensor([float(n == "end~") for n in modality.names_of(ids)])
    shown = modality.weighed(modality.collate([ids]), weights)
    expected = "a dog is se… …eating by a bend… …ing cat"
    assert " ".join(word.text for word in shown.words) == expected
    assert [word.text for word in shown.words if word.weight] == ["bend…"]
