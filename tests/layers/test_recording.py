import threading

import pytest
import torch

from weft.layers.attention import CrossAttention, SelfAttention
from weft.layers.packing import Packing
from weft.layers.pairing import Pairing
from weft.layers.recording import active_records, recording
from weft.layers.transformer import TransformerConfig

MASK = torch.tensor([[True, True, False], [False, True, True], [False, False, False]])


@pytest.mark.parametrize("causal", [False, True])
def test_recorded_self_attention_computes_the_same_and_keeps_weights(causal: bool) -> None:
    torch.manual_seed(0)
    stack = TransformerConfig(dim=8, depth=2, heads=2, causal=causal).build()
    packing = Packing.of(MASK, stream="text")
    tokens = packing.pack(torch.randn(3, 3, 8))
    plain = stack(tokens, packing)
    with recording() as attentions:
        recorded = stack(tokens, packing)
    torch.testing.assert_close(recorded, plain, atol=1e-6, rtol=0)
    assert [a.layer for a in attentions] == [block.attention for block in stack.blocks]
    for attention in attentions:
        assert attention.kind == "self"
        assert attention.queries.stream == "text"
        pairs = MASK[:, :, None] & MASK[:, None, :]
        pairs = pairs.tril() if causal else pairs
        assert attention.weights.shape == (3, 2, 3, 3)
        assert not attention.weights[~pairs[:, None].expand(-1, 2, -1, -1)].any()
        sums = attention.weights.sum(3)
        torch.testing.assert_close(sums, MASK[:, None].float().expand(-1, 2, -1))


def test_gradients_reach_recorded_weights() -> None:
    torch.manual_seed(0)
    layer = CrossAttention(8, 2)
    queries, keys = Packing.of(MASK, "text"), Packing.of(MASK.roll(-1, 0), "image")
    tokens, context = queries.pack(torch.randn(3, 3, 8)), keys.pack(torch.randn(3, 3, 8))
    pairing = Pairing.of(queries, keys)
    plain = layer(tokens, context, pairing)
    with recording() as attentions:
        recorded = layer(tokens, context, pairing)
    torch.testing.assert_close(recorded, plain, atol=1e-6, rtol=0)
    recorded[0].sum().backward()
    (attention,) = attentions
    assert attention.kind == "cross"
    assert (attention.queries.stream, attention.keys.stream) == ("text", "image")
    weights, gradient = attention.weights, attention.weights.grad
    assert gradient is not None
    assert gradient.isfinite().all()
    assert gradient.any()
    # The output is a sum of weight times value, so that the gradient is the value, mapped.
    value = keys.unpack(layer.key_value(context)[:, 8:]).view(3, 3, 2, 4)
    row = int(queries.rows[queries.lengths > 0][0])
    first = int(queries.mask[row].int().argmax())
    wanted = torch.einsum("lnk,nk->nl", value[row], layer.out.weight.sum(0).view(2, 4))
    real = keys.mask[row]
    torch.testing.assert_close(gradient[row, :, first][:, real], wanted[:, real], atol=1e-5, rtol=0)
    assert weights[row, :, first].sum(1).tolist() == pytest.approx([1.0, 1.0])


def test_nothing_is_kept_outside_in_other_threads_or_without_gradients() -> None:
    layer, packing = SelfAttention(8, 2), Packing.dense(1, 3, "cpu")
    tokens = torch.randn(3, 8)
    with recording() as outer:
        with recording() as inner, torch.no_grad():
            layer(tokens, packing)
        seen: list[object] = []
        thread = threading.Thread(target=lambda: seen.append(active_records()))
        thread.start()
        thread.join()
        assert seen == [None]
        layer(tokens, packing)
    layer(tokens, packing)
    assert (len(outer), len(inner)) == (1, 1)
    assert not inner[0].weights.requires_grad
    with pytest.raises(RuntimeError, match="stop"), recording():
        raise RuntimeError("stop")
    assert active_records() is None
