"""Encoded rows that are kept in a file are the rows that were given."""

import errno

import pytest
import torch

from weft.core.errors import WeftError
from weft.core.records import Features
from weft.inference.encoded import KeptFeatures


def features(lengths: list[int], dtype: torch.dtype, seed: int = 0) -> Features:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    tokens = torch.randn(*mask.shape, 3, generator=generator).to(dtype)
    pooled = torch.randn(len(lengths), 3, generator=generator).to(dtype)
    return Features(tokens.masked_fill(~mask[..., None], 0), mask, pooled)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_are_taken_as_they_were_added(dtype: torch.dtype) -> None:
    first, second = features([2, 0, 5], dtype), features([1, 3], dtype, seed=1)
    kept = KeptFeatures()
    kept.add(first)
    assert torch.equal(kept.take(torch.tensor([2])).tokens, first.tokens[2:])
    kept.add(second)
    assert len(kept) == 5
    both = Features.join([first, second])
    index = torch.tensor([4, 0, 4, 1, 3])
    found, expected = kept.take(index), both.take(index)
    assert found.tokens.shape == (5, 3, 3)  # padded to the longest of these
    assert found.tokens.dtype == dtype
    assert torch.equal(found.tokens, expected.tokens[:, :3])
    assert torch.equal(found.mask, expected.mask[:, :3])
    assert torch.equal(found.pooled, expected.pooled)
    assert kept.take(torch.tensor([1])).tokens.shape == (1, 0, 3)


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptFeatures()

    class Full:
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(kept, "_file", Full())
    with pytest.raises(WeftError, match="cannot be kept here: No space left on device; set TMPDIR"):
        kept.add(features([1], torch.float32))
