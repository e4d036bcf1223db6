"""Captioning: cross-entropy by hand, several texts of a row, padding, and what a step computes."""

import pytest
import torch
import torch.nn.functional as F
from tiny_captions import CAPTIONS, VOCABULARY, WIDTH, batch_of, joined, model_of, padded, pictures
from torch import Tensor

from weft.architectures.model import Model
from weft.core.records import Field
from weft.decoders.classifier import ClassifierConfig
from weft.decoders.recurrent import RecurrentDecoderConfig
from weft.heads.classes import MATCHING
from weft.heads.texts import TextOutput
from weft.objectives.captioning import CaptioningConfig, separate_texts
from weft.training.streams import Streams


def loss_of(model: Model, text: Field, config: CaptioningConfig | None = None):
    batch = batch_of(text)
    return (config or CaptioningConfig()).build()(model, batch, Streams(model, batch))


def by_hand(model: Model, captions, smoothing: float = 0.0) -> Tensor:
    """The mean over all tokens, each caption decoded alone."""
    costs = []
    for row, texts in enumerate(captions):
        context = model.encode("image", Field(pictures()[row : row + 1]))
        for ids in texts:
            logits = model.decode("caption", {"image": context}, Field(torch.tensor([ids[:-1]])))
            costs.append(
                F.cross_entropy(
                    logits[0], torch.tensor(ids[1:]), reduction="none", label_smoothing=smoothing
                )
            )
    return torch.cat(costs).mean()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(
    "config", [None, RecurrentDecoderConfig(VOCABULARY, WIDTH, embedding=8, hidden=8)]
)
def test_the_mean_over_all_real_tokens(config, smoothing: float) -> None:
    model = model_of(config)
    objective = CaptioningConfig(label_smoothing=smoothing)
    one = [[texts[0]] for texts in CAPTIONS]
    found = loss_of(model, padded([texts[0] for texts in CAPTIONS]), objective)
    torch.testing.assert_close(found.total, by_hand(model, one, smoothing))
    both = loss_of(model, padded([joined(texts) for texts in CAPTIONS]), objective)
    torch.testing.assert_close(both.total, by_hand(model, CAPTIONS, smoothing))
    assert both.terms["tokens"] == sum(len(ids) - 1 for texts in CAPTIONS for ids in texts)


def test_texts_of_a_row_are_told_apart_by_its_first_token() -> None:
    rows = [joined(CAPTIONS[0]), CAPTIONS[1][0], []]
    found = separate_texts(padded(rows))
    assert [ids[mask].tolist() for ids, mask in zip(found.values, found.mask, strict=True)] == [
        *CAPTIONS[0],
        CAPTIONS[1][0],
        [],
        [],
        [],
    ]
    single = padded([texts[0] for texts in CAPTIONS])
    assert separate_texts(single) is single


def test_the_picture_is_encoded_once_for_all_its_texts() -> None:
    model = model_of()
    calls = []
    model.encoders["image"].register_forward_hook(lambda *_: calls.append(1))
    model.heads["caption"].decoder.blocks[0].cross_attention.key_value.register_forward_hook(
        lambda _, inputs, __: calls.append(len(inputs[0]))
    )
    loss_of(model, padded([joined(texts) for texts in CAPTIONS]))
    assert calls == [1, 3 * 4]


def test_only_real_tokens_meet_the_vocabulary() -> None:
    model = model_of()
    seen = []
    model.heads["caption"].decoder.out.register_forward_hook(
        lambda _, inputs, __: seen.append(len(inputs[0]))
    )
    loss_of(model, padded([texts[0] for texts in CAPTIONS]))
    assert seen == [sum(len(texts[0]) - 1 for texts in CAPTIONS)]


def test_a_row_without_text_teaches_nothing_and_a_batch_without_any_is_no_nan() -> None:
    model = model_of()
    text = padded([texts[0] for texts in CAPTIONS])
    some = Field(text.values, text.mask, torch.tensor([True, False, True]))
    expected = by_hand(model, [[CAPTIONS[0][0]], [], [CAPTIONS[2][0]]])
    torch.testing.assert_close(loss_of(model, some).total, expected)
    none = Field(text.values, text.mask, torch.zeros(3, dtype=torch.bool))
    found = loss_of(model, none)
    assert found.total.item() == 0
    found.total.backward()


def test_what_does_not_fit_is_refused() -> None:
    text = padded([texts[0] for texts in CAPTIONS])
    with pytest.raises(
        ValueError, match="decoder of head 'caption' is a Classifier, expected one of text"
    ):
        loss_of(model_of(ClassifierConfig(WIDTH, 2)), text)
    model = model_of()
    model.heads["caption"].output = TextOutput("words")
    assert loss_of(model, text).total.item() == 0  # no row has such a text
    model.heads["caption"].output = MATCHING
    with pytest.raises(ValueError, match="head 'caption' has a ClassOutput, expected a TextOutput"):
        loss_of(model, text)
    with pytest.raises(ValueError, match="label_smoothing is 1"):
        CaptioningConfig(label_smoothing=1.0)
