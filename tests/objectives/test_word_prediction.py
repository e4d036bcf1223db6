"""Word prediction: which tokens count, and the cost against one written out."""

import math

import pytest
import torch
from tiny_captions import VOCABULARY, WIDTH, Given, batch_of, head_of, padded, pictures

from weft.architectures.model import Model
from weft.core.records import Field
from weft.decoders.text import TransformerDecoderConfig
from weft.objectives.word_prediction import WordPredictionConfig, words_said
from weft.training.streams import Streams

DECODER = TransformerDecoderConfig(VOCABULARY, WIDTH, dim=16, depth=1, heads=4, max_length=8)
TEXTS = [[2, 5, 6, 5, 3], [2, 3], [2, 8, 3, 2, 9, 8, 3]]
SAID = [{5, 6}, set(), {8, 9}]


def test_a_token_counts_once_and_beginnings_and_ends_do_not() -> None:
    said_BV = words_said(padded(TEXTS), VOCABULARY)
    assert [set(row.nonzero()[:, 0].tolist()) for row in said_BV] == SAID
    assert said_BV.max() == 1
    text = padded(TEXTS)
    spoiled = Field(text.values.where(text.real, 7), text.mask)
    assert torch.equal(words_said(spoiled, VOCABULARY), said_BV)


def test_the_cost_is_that_of_each_word_by_the_decoders_map() -> None:
    torch.manual_seed(0)
    model = Model({"image": Given()}, heads={"caption": head_of(DECODER)}).eval()
    objective = WordPredictionConfig(WIDTH, stream="image", out_dim=16).build()
    batch = batch_of(padded(TEXTS))
    loss = objective(model, batch, Streams(model, batch))
    mapped = objective.norm(objective.map(pictures().mean(1)))
    chances = model.head("caption").decoder.out(mapped).log_softmax(1)
    by_row = [-chances[row, sorted(SAID[row])].mean() for row in (0, 2)]  # 1 has no word
    assert loss.total.item() == pytest.approx(torch.stack(by_row).mean().item(), abs=1e-6)


def test_a_stream_comes_to_tell_its_words() -> None:
    torch.manual_seed(0)
    model = Model({"image": Given()}, heads={"caption": head_of(DECODER)})
    objective = WordPredictionConfig(WIDTH, stream="image", out_dim=16).build()
    batch = batch_of(padded(TEXTS))
    optimizer = torch.optim.Adam([*model.parameters(), *objective.parameters()], lr=0.03)
    for _ in range(100):
        loss = objective(model, batch, Streams(model, batch)).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # Two words a row, each with a chance of one half: that is the least it can cost.
    assert loss.item() == pytest.approx(math.log(2), abs=0.02)
