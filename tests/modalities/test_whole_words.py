"""Tokens become words again, without the marks of any kind of tokenizer."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from weft.core.records import Field
from weft.modalities.text import TextConfig
from weft.modalities.whole_words import whole_words

CAPTIONS = ["a dog plays in the playground", "dogs are playing", "一只狗在跑", "a dog's ball"] * 4


def clip_tokenizer() -> Tokenizer:
    """As CLIP's: what ends a word is marked."""
    vocabulary = {"p": 0, "l": 1, "y</w>": 2, "pl": 3, "a": 4, "a</w>": 5, "<e>": 6}
    model = models.BPE(vocabulary, [("p", "l")], end_of_word_suffix="</w>")
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.BPEDecoder("</w>")
    return tokenizer


@pytest.mark.parametrize("kind", ["bpe", "wordpiece", "word"])
@pytest.mark.parametrize("caption", ["dogs are playing in the playground", "一只狗在跑"])
def test_words_are_those_of_the_text(kind, caption):
    text = TextConfig(kind=kind, vocab_size=400, max_length=64, min_frequency=1).build()
    text.fit(CAPTIONS)
    ids = torch.tensor([[*text.encode(caption), text.pad_id]])
    mask = torch.ones_like(ids, dtype=torch.bool)
    mask[0, -1] = False
    weights = torch.arange(ids.shape[1]) / ids.shape[1]
    shown = text.weighed(Field(ids, mask), weights)
    if "dogs" in caption:
        assert shown.text == caption
    assert "".join(shown.text.split()) == "".join(caption.split())
    assert not any("##" in word.text or "</w>" in word.text for word in shown.words)
    found = [word.weight for word in shown.words]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(float(weights[-3]))  # before the end and the padding


def test_ends_of_words_are_read_from_their_marks():
    tokenizer = clip_tokenizer()
    ids = tokenizer.encode("play a").ids
    assert len(ids) == 4
    found = whole_words(tokenizer, ids, [False] * 4)
    assert found == [("play", [0, 1, 2]), ("a", [3])]
    assert whole_words(tokenizer, ids, [True] * 4) == []
