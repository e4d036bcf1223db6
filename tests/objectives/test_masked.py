"""Masked language modelling: what is hidden, how, and what it costs."""

from dataclasses import replace
from typing import cast

import pytest
import tiny_objectives as tiny
import torch
import torch.nn.functional as F
from torch import nn

from weft.core.errors import WeftError
from weft.core.interfaces import NeedsModalities, Objective
from weft.core.records import Field
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig
from weft.modalities.vocabulary import Vocabulary
from weft.objectives.masked import MaskedLanguage, MaskedLanguageConfig

MLM = MaskedLanguageConfig(dim=tiny.DIM, vocab_size=tiny.WORDS, hidden=12)


def objective(config: MaskedLanguageConfig = MLM) -> MaskedLanguage:
    torch.manual_seed(0)
    built = config.build()
    built.use(tiny.VOCABULARY)
    return built


def long_text(rows: int = 400, words: int = 50) -> Field:
    torch.manual_seed(3)
    return Field(torch.randint(tiny.WORDS, (rows, words)), torch.rand(rows, words) < 0.9)


def chosen_of(built: MaskedLanguage, field: Field) -> torch.Tensor:
    return built.choose(field, torch.rand(field.values.shape[:2]))


def corrupted(built: MaskedLanguage, ids: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    return built.corrupt(ids, chosen, torch.rand(ids.shape), torch.rand(ids.shape))


def test_only_ordinary_words_are_chosen_at_the_share_asked_for() -> None:
    built, field = objective(), long_text()
    chosen = chosen_of(built, field)
    assert field.mask is not None
    possible = field.mask & (field.values > 4)
    assert not (chosen & ~possible).any()
    assert chosen.sum() / possible.sum() == pytest.approx(0.15, abs=0.01)
    assert chosen_of(objective(MLM.replace(mask_ratio=1.0)), field).equal(possible)


def test_every_row_with_a_word_has_one_chosen() -> None:
    rows = tiny.batch()
    field = rows.inputs["text"]
    built = objective(MLM.replace(mask_ratio=1e-6))
    assert chosen_of(built, field).sum(dim=1).tolist() == [1, 1, 1, 0, 1, 1]
    absent = tiny.without(rows, "text", [0]).inputs["text"]
    assert chosen_of(built, absent).sum(dim=1).tolist() == [0, 1, 1, 0, 1, 1]


def test_whole_words_are_chosen_with_all_their_pieces() -> None:
    built = objective(MLM.replace(whole_words=True, mask_ratio=0.3))
    field = long_text()
    values = field.values.clone()
    values[:, 0] = 2  # no text begins inside a word
    whole = Field(values)
    chosen = chosen_of(built, whole)
    continues = torch.isin(values, torch.tensor([20, 21]))
    before_special = values[:, :-1] <= 4
    same = chosen[:, 1:] == chosen[:, :-1]
    assert same[continues[:, 1:] & ~before_special].all()
    assert not same[~continues[:, 1:] & ~before_special & (values[:, 1:] > 4)].all()
    pieces = chosen_of(objective(MLM.replace(mask_ratio=0.3)), whole)
    assert not (pieces[:, 1:] == pieces[:, :-1])[continues[:, 1:] & ~before_special].all()


def test_chosen_words_are_masked_random_or_kept_as_in_bert() -> None:
    built = objective()
    ids = torch.full((1000, 20), 7)
    chosen = torch.rand(ids.shape) < 0.5
    altered = corrupted(built, ids, chosen)
    assert (altered[~chosen] == 7).all()
    now = altered[chosen]
    assert (now == 4).float().mean() == pytest.approx(0.8, abs=0.02)
    others = now[(now != 4) & (now != 7)]
    assert len(others) / len(now) == pytest.approx(0.1 * 24 / 25, abs=0.02)
    assert others.min() >= 5
    assert len(others.unique()) == 24


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "encoder alone"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "own"])
def test_the_loss_is_the_cross_entropy_at_the_chosen_places(fused: bool, tied: bool) -> None:
    model, rows = tiny.model(fused=fused), tiny.batch()
    built = objective(MLM.replace(dim=tiny.DIM if fused else 12, tied=tied))
    if tied:
        nn.init.normal_(built.bias)
    assert isinstance(built, Objective)
    rows = replace(rows, seeds=torch.arange(6))
    loss = built(model, rows, tiny.streams(model, rows))
    field = rows.inputs["text"]
    draws = (rows.uniform(f"masked text: {what}", 9) for what in ("score", "fate", "word"))
    chosen = built.choose(field, next(draws))
    ids = built.corrupt(field.values, chosen, *draws)
    features = {"text": model.encode("text", Field(ids, field.mask))}
    if fused:
        features["image"] = model.encode("image", rows.inputs["image"])
    tokens = model.fuse(features)["text"].tokens
    costs, hits = [], []
    for row, place in chosen.nonzero().tolist():
        hidden = built.head.norm(F.gelu(built.head.dense(tokens[row, place])))
        if tied:
            logits = model.encoder("text").embedding.weight @ hidden + built.bias
        else:
            logits = built.out(hidden)
        target = field.values[row, place]
        costs.append(-logits.log_softmax(0)[target])
        hits.append(float(logits.argmax() == target))
    torch.testing.assert_close(loss.total, torch.stack(costs).mean())
    assert loss.terms["accuracy"].item() == pytest.approx(sum(hits) / len(hits))


def test_the_head_is_that_of_bert() -> None:
    transformers = pytest.importorskip("transformers")
    settings = transformers.BertConfig(
        vocab_size=30, hidden_size=12, num_attention_heads=2, num_hidden_layers=1
    )
    theirs = transformers.BertForMaskedLM(settings).eval()
    model, built = tiny.model(fused=False), objective(MLM.replace(dim=12))
    with torch.no_grad():
        table = model.encoder("text").embedding.weight
        table.copy_(theirs.bert.embeddings.word_embeddings.weight)
        transform = theirs.cls.predictions.transform
        built.head.dense.load_state_dict(transform.dense.state_dict())
        built.head.norm.load_state_dict(transform.LayerNorm.state_dict())
        # Small hidden values would show nothing but the epsilons of the norms.
        nn.init.normal_(transform.dense.weight)
        built.head.dense.load_state_dict(transform.dense.state_dict())
        built.bias.copy_(theirs.cls.predictions.bias.normal_())
    hidden = torch.randn(7, 12)
    found = built.logits(hidden, model)
    torch.testing.assert_close(found, theirs.cls(hidden), atol=1e-4, rtol=1e-4)


def test_the_ids_come_from_the_text_modality() -> None:
    texts = ["a red ball", "two blue balls and a reddish cube", "blueish cubes"] * 3
    for kind in ("wordpiece", "bpe"):
        text = TextConfig(kind=kind, vocab_size=300).build()
        text.fit(texts)
        found = text.vocabulary()
        assert found.special_ids == (0, 1, 2, 3, 4)
        assert found.mask_id == 4
        assert found.size == text.vocab_size
        ids = text.encode("blueish reddish cubes")[1:-1]
        begins = [i not in found.continuing_ids for i in ids]
        assert begins[0]
        assert sum(begins) == 3
        built = MLM.replace(vocab_size=400, whole_words=True).build()
        assert isinstance(built, NeedsModalities)
        built.prepare({"text": text})
        assert cast(Vocabulary, built._vocabulary) == found
        with pytest.raises(WeftError, match="vocab_size of masked language modelling is 30"):
            MLM.build().prepare({"text": text})
    words = TextConfig(kind="word", vocab_size=300, min_frequency=1).build()
    words.fit(texts)
    assert words.vocabulary().continuing_ids == ()
    with pytest.raises(WeftError, match="is a Image, expected a text"):
        MLM.replace(masked="image").build().prepare({"image": ImageConfig().build()})
    with pytest.raises(WeftError, match="unknown stream to mask 'text'"):
        MLM.build().prepare({})


def test_what_cannot_be_masked_is_refused() -> None:
    model, rows = tiny.model(), tiny.batch()
    built = objective()
    kept = rows.with_inputs(text=tiny.cached(rows.inputs["text"]))
    with pytest.raises(ValueError, match=r"'text' comes from the feature cache.*data\.cache"):
        built(model, kept, tiny.streams(model, kept))
    with pytest.raises(
        ValueError, match="encodes no stream 'speech' to mask, it encodes: text, image"
    ):
        objective(MLM.replace(masked="speech"))(model, rows, tiny.streams(model, rows))
    with pytest.raises(ValueError, match="knows no ids yet"):
        MLM.build()(model, rows, tiny.streams(model, rows))
    with pytest.raises(ValueError, match=r"tables of so many words: 30.*tied to False"):
        objective(MLM.replace(vocab_size=31))(model, rows, tiny.streams(model, rows))
    with pytest.raises(ValueError, match="mask_ratio is 0"):
        MLM.replace(mask_ratio=0.0)
