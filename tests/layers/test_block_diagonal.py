"""The kernel for packed sequences runs on CUDA alone: here a plain computation stands in its place."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from weft.layers import block_diagonal
from weft.layers.attention import SelfAttention
from weft.layers.packing import Packing

MASK = torch.arange(7) < torch.tensor([5, 2, 7, 0, 2])[:, None]


def plain(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    query_bounds: Tensor,
    key_bounds: Tensor,
    longest_query: int,
    longest_key: int,
    *,
    window_size: tuple[int, int],
) -> Tensor:
    """What the kernel promises: softmax within the bounds, one sequence after another."""
    assert query_bounds.dtype == key_bounds.dtype == torch.int32
    assert longest_query == longest_key == int(query_bounds.diff().max())
    mixed = []
    for start, stop in zip(query_bounds[:-1].tolist(), query_bounds[1:].tolist(), strict=True):
        parts = (tensor[start:stop].transpose(0, 1) for tensor in (query, key, value))
        one = F.scaled_dot_product_attention(*parts, is_causal=window_size == (-1, 0))
        mixed.append(one.transpose(0, 1))
    return torch.cat(mixed)


@pytest.mark.parametrize("causal", [False, True])
def test_the_kernel_is_given_what_it_needs(causal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer = SelfAttention(16, 2, causal=causal)
    packing = Packing.of(MASK)
    tokens = torch.randn(packing.count, 16)
    expected = layer(tokens, packing)
    calls = []

    def counted(*given: object, **settings: object) -> Tensor:
        calls.append(settings)
        return plain(*given, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(block_diagonal, "kernel", lambda: counted)
    monkeypatch.setattr(block_diagonal, "has_kernel", lambda *_: True)
    torch.testing.assert_close(layer(tokens, packing), expected)
    assert len(calls) == 1


def test_where_there_is_a_kernel() -> None:
    packing, dense = Packing.of(MASK), Packing.dense(3, 4, "cpu")

    def query(width: int = 8, dtype: torch.dtype = torch.bfloat16, device: str = "cuda") -> Tensor:
        return torch.empty(packing.count, 2, width, dtype=dtype, device=device)

    there = block_diagonal.kernel() is not None
    with FakeTensorMode():  # a tensor that says it lies on a GPU
        assert block_diagonal.has_kernel(query(), packing, 0.0) == there
        assert not block_diagonal.has_kernel(query(), dense, 0.0)
        assert not block_diagonal.has_kernel(query(), packing, 0.1)
        assert not block_diagonal.has_kernel(query(width=7), packing, 0.0)
        assert not block_diagonal.has_kernel(query(dtype=torch.float32), packing, 0.0)
        assert not block_diagonal.has_kernel(query(device="cpu"), packing, 0.0)


@pytest.mark.skipif(block_diagonal.kernel() is None, reason="this torch has no such kernel")
def test_torch_takes_the_call() -> None:
    """Shapes and types alone, without a device and without numbers; the backward pass included."""
    packing = Packing.of(MASK)
    packing = replace(packing, lengths=packing.lengths.to("meta"))
    query = torch.empty(packing.count, 2, 8, dtype=torch.bfloat16, device="meta")
    key_value = torch.empty(packing.count, 2, 2, 8, dtype=torch.bfloat16, device="meta")
    query.requires_grad_()
    key_value.requires_grad_()
    mixed = block_diagonal.attend_within(query, key_value, packing, causal=True)
    assert mixed.shape == (packing.count, 16)
    mixed.sum().backward()
    assert query.grad is not None
    assert key_value.grad is not None
    assert key_value.grad.shape == key_value.shape
