"""Logits from a pooled vector."""

import pytest
import torch

from weft.core.records import Features, Field
from weft.decoders.classifier import ClassifierConfig


def context(width: int = 6) -> Features:
    torch.manual_seed(0)
    tokens = torch.randn(3, 4, width)
    return Features(tokens, torch.ones(3, 4, dtype=torch.bool), tokens.mean(1))


def test_one_linear_map_without_hidden_layers() -> None:
    decoder = ClassifierConfig(6, 5).build()
    expected = context().pooled @ decoder.out.weight.T + decoder.out.bias
    torch.testing.assert_close(decoder(context()), expected)


def test_a_perceptron_is_each_row_by_itself() -> None:
    decoder = (
        ClassifierConfig(6, 5, hidden=(8, 7), hidden_norm=True, norm=True, dropout=0.5)
        .build()
        .eval()
    )
    logits = decoder(context())
    assert logits.shape == (3, 5)
    torch.testing.assert_close(decoder(context().take(torch.tensor([2, 0]))), logits[[2, 0]])
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in decoder.parameters())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="D = 6"):
        ClassifierConfig(6, 5).build()(context(4))
    with pytest.raises(ValueError, match="expected none"):
        ClassifierConfig(6, 5).build()(context(), Field(torch.zeros(3, 1)))
    with pytest.raises(ValueError, match="classes is 0, expected at least 1"):
        ClassifierConfig(6, 0)
