"""Self-critical training: its gradient by hand, its rewards, and that rewarded captions become likelier."""

import json
from pathlib import Path

import pytest
import torch
from tiny_captions import (
    CAPTIONS,
    WIDTH,
    Given,
    batch_of,
    head_of,
    joined,
    padded,
    pictures,
    texts_of,
)
from tokenizers import Tokenizer, models, pre_tokenizers

from weft.architectures.model import Model
from weft.core.config import Config, from_json, to_json
from weft.core.errors import WeftError
from weft.core.precision import autocast
from weft.core.records import Features, Field
from weft.decoders.classifier import ClassifierConfig
from weft.decoders.text import TransformerDecoderConfig
from weft.evaluation.captions import Consensus
from weft.modalities.text import Text, TextConfig
from weft.objectives.self_critical import SelfCriticalConfig
from weft.training.streams import Streams

END, VOCABULARY = 3, 11
CONFIG = SelfCriticalConfig(captions=4, max_length=5)


def model_of(dropout: float = 0.0) -> Model:
    torch.manual_seed(0)
    decoder = TransformerDecoderConfig(
        VOCABULARY, WIDTH, dim=16, depth=1, heads=4, max_length=8, dropout=dropout
    )
    return Model({"image": Given()}, heads={"caption": head_of(decoder)})


def everything() -> Field:
    return padded([joined(texts) for texts in CAPTIONS])


def loss_of(
    model: Model,
    text: Field,
    config: SelfCriticalConfig = CONFIG,
    seed: int = 0,
    known: Text | None = None,
):
    batch = batch_of(text)
    torch.manual_seed(seed)
    objective = config.build()
    objective.prepare({"text": known or texts_of(VOCABULARY)})
    drawn = []
    own = objective._draw
    objective._draw = lambda *given: drawn.append(own(*given)) or drawn[-1]
    return objective(model, batch, Streams(model, batch)), drawn[0] if drawn else []


def test_the_total_is_advantage_times_log_likelihood() -> None:
    model = model_of()
    found, drawn = loss_of(model, everything())
    references = [[ids[1:] for ids in texts] for texts in CAPTIONS]
    consensus = Consensus(references)
    total, rewards = torch.zeros(()), []
    for row in range(3):
        own = drawn[4 * row : 4 * row + 4]
        ended = [[*ids, END] if len(ids) < 5 else ids for ids in own]
        reward = torch.tensor(consensus.scores(ended, references[row]))
        rewards.append(reward)
        tokens = pictures()[row : row + 1]
        context = Features(tokens, torch.ones(1, 4, dtype=torch.bool), tokens.mean(1))
        for place, ids in enumerate(own):
            said = torch.tensor([[2, *ids]])
            logits = model.decode("caption", {"image": context}, Field(said))[0]
            # What cannot be drawn has no probability: special tokens, and an end before any word.
            logits[:, [0, 1, 2, 4]] = -torch.inf
            logits[0, END] = -torch.inf
            drawn_ids = [*ids, END][:5]  # cut off, a caption has no end
            log = logits.log_softmax(1)
            likelihood = log[range(len(drawn_ids)), drawn_ids].sum()
            others = (reward.sum() - reward[place]) / 3
            total = total - (reward[place] - others) * likelihood / 12
    torch.testing.assert_close(found.total, total)
    torch.testing.assert_close(found.terms["reward"], torch.cat(rewards).mean())
    assert found.terms["length"] == sum(map(len, drawn)) / 12
    assert all(token >= 5 for ids in drawn for token in ids)


def test_the_step_decides_and_dropout_stays_out_of_the_draws() -> None:
    model = model_of(dropout=0.5).train()
    (_, first), (_, second), (_, third) = (
        loss_of(model, everything(), seed=seed) for seed in (0, 0, 1)
    )
    assert first == second != third
    assert first == loss_of(model.eval(), everything())[1]
    model.train()
    loss_of(model, everything())
    assert all(module.training for module in model.modules())


def test_all_weights_learn_under_autocast() -> None:
    """Weights that are cast without gradient must not be kept for the pass with one."""
    model = model_of().train()
    with autocast("bf16", "cpu"):
        found, _ = loss_of(model, everything())
    found.total.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_rewarded_captions_become_likelier() -> None:
    model = model_of()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    told = padded([[2, 5 + n, 8, 9, 3] for n in range(3)])
    rewards = []
    for step in range(60):
        found, _ = loss_of(model, told, CONFIG.replace(captions=8), seed=step)
        optimizer.zero_grad()
        found.total.backward()
        optimizer.step()
        rewards.append(found.terms["reward"].item())
    assert sum(rewards[-10:]) > 3 * sum(rewards[:10])


def test_a_row_without_text_teaches_nothing() -> None:
    model, text = model_of(), everything()
    some = Field(text.values, text.mask, torch.tensor([True, False, True]))
    found, drawn = loss_of(model, some)
    found.total.backward()
    assert found.total.isfinite()
    assert len(drawn) == 8  # nothing is drawn for a row without text
    none = Field(text.values, text.mask, torch.zeros(3, dtype=torch.bool))
    nothing, drawn = loss_of(model, none)
    nothing.total.backward()
    assert nothing.total.item() == 0
    assert not drawn


def pretrained(folder: Path) -> Text:
    """Texts of a pretrained tokenizer whose special tokens are not the first ones, as BERT's are not."""
    words = [*"abcde", "[CLS]", "[SEP]", "[UNK]", "[PAD]"]
    tokenizer = Tokenizer(models.WordLevel({w: n for n, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(words[5:])
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]", "pad_token": "[PAD]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    return TextConfig(kind="pretrained", pretrained=str(folder)).build()


def test_special_tokens_are_those_of_the_tokenizer(tmp_path: Path) -> None:
    """They need not be the first ones, and a decoder may have room for more tokens than there are."""
    text = pretrained(tmp_path)
    start, end = text.cls_id, text.sep_id
    assert (start, end) == (5, 6)
    references = padded([[start, 0, 1, end], [start, 2, 3, end], [start, 4, 4, end]])
    found, drawn = loss_of(model_of(), references, CONFIG.replace(captions=20), known=text)
    assert {token for ids in drawn for token in ids} == {0, 1, 2, 3, 4}
    assert found.total.isfinite()


def test_the_tokenizer_must_be_known() -> None:
    model, batch = model_of(), batch_of(everything())
    with pytest.raises(WeftError, match="there is no stream of texts 'text'"):
        CONFIG.build()(model, batch, Streams(model, batch))


def test_a_config_of_when_tokens_were_settings_is_read() -> None:
    written = {**to_json(CONFIG), "tokens": VOCABULARY, "special": 5}
    assert from_json(written, Config, "test") == CONFIG
    with pytest.raises(WeftError, match="unknown setting .* 'tokenz'"):
        from_json({**written, "tokenz": 3}, Config, "test")


def test_what_does_not_fit_is_refused() -> None:
    model = model_of()
    model.heads["caption"] = head_of(ClassifierConfig(WIDTH, 2))
    with pytest.raises(ValueError, match="'caption' is a Classifier, expected one of text"):
        CONFIG.build()(model, batch_of(everything()), Streams(model, batch_of(everything())))
    for change in ({"captions": 1}, {"max_length": 1}):
        with pytest.raises(ValueError, match="expected at least"):
            CONFIG.replace(**change)
