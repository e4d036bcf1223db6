from typing import Any

import pytest
import torch

from weft.core.records import Field
from weft.encoders.recurrent import RecurrentConfig

LENGTHS = (4, 1, 6, 0)
CONFIG = RecurrentConfig(vocab_size=30, embedding=8, hidden=6)


def texts() -> Field:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 30, (4, 7), generator=generator)
    mask = torch.arange(7)[None] < torch.tensor(LENGTHS)[:, None]
    return Field(ids.masked_fill(~mask, 10**9), mask)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_parity_with_plain_recurrence_on_each_row(
    cell: Any, bidirectional: bool, layers: int
) -> None:
    torch.manual_seed(0)
    config = CONFIG.replace(cell=cell, bidirectional=bidirectional, layers=layers)
    encoder = config.build().eval()
    field = texts()
    got = encoder(field)
    for row, length in enumerate(LENGTHS):
        if not length:
            continue
        states, final = encoder.recurrence(encoder.embedding(field.values[row : row + 1, :length]))
        torch.testing.assert_close(got.tokens[row, :length], states[0], atol=1e-5, rtol=0)
        hidden = final[0] if cell == "lstm" else final
        last = hidden[-2:, 0].flatten() if bidirectional else hidden[-1, 0]
        torch.testing.assert_close(got.pooled[row], last, atol=1e-5, rtol=0)
    assert not got.tokens[~got.mask].any()
    assert not got.pooled[3].any()


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_padding_may_be_on_the_left_or_between(pooling: Any) -> None:
    torch.manual_seed(0)
    encoder = CONFIG.replace(pooling=pooling, bidirectional=True).build().eval()
    right = Field(torch.tensor([[5, 6, 7, 0, 0]]), torch.tensor([[True] * 3 + [False] * 2]))
    holes = Field(torch.tensor([[0, 5, 0, 6, 7]]), torch.tensor([[False, True, False, True, True]]))
    got, wanted = encoder(holes), encoder(right)
    torch.testing.assert_close(got.pooled, wanted.pooled, atol=1e-6, rtol=0)
    assert holes.mask is not None
    torch.testing.assert_close(got.tokens[holes.mask], wanted.tokens[0, :3], atol=1e-6, rtol=0)


def test_mean_is_of_real_states() -> None:
    encoder = CONFIG.replace(pooling="mean").build().eval()
    got = encoder(texts())
    torch.testing.assert_close(got.pooled[0], got.tokens[0, :4].mean(0))


def test_nothing_to_read() -> None:
    encoder = CONFIG.build()
    assert encoder(Field(torch.zeros(2, 0, dtype=torch.long))).pooled.shape == (2, 6)
    none = Field(torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, 3, dtype=torch.bool))
    assert not encoder(none).pooled.any()
    with pytest.raises(ValueError, match="hidden is 0"):
        CONFIG.replace(hidden=0)
