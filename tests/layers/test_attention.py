import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from weft.layers import attention
from weft.layers.attention import CrossAttention, SelfAttention, attend
from weft.layers.packing import Packing
from weft.layers.pairing import Pairing, by_group


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize(("queries", "keys"), [(9, 9), (4, 9), (1, 9)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_both_ways_to_attend_agree_with_float64(
    causal: bool,
    padded: bool,
    queries: int,
    keys: int,
    dtype: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    parts = torch.randn(3, 2, 4, keys, 8, dtype=torch.float64)
    query, key, value = parts[0, :, :, -queries:], parts[1], parts[2]
    mask = torch.arange(keys)[None] >= torch.tensor([0, 3])[:, None] if padded else None
    scores = query @ key.transpose(2, 3) / 8**0.5
    for place in range(queries):
        sees = torch.arange(keys) <= keys - queries + place if causal else torch.ones(keys).bool()
        for row in range(2):
            allowed = sees if mask is None else sees & mask[row]
            scores[row, :, place, ~allowed] = -torch.inf
    wanted = scores.softmax(dim=3) @ value
    # A query before the first real key has nothing to see; nobody asks such a thing.
    defined = wanted.isfinite()
    for longest in (0, 9):
        monkeypatch.setattr(attention, "LONGEST_MATMUL", longest)
        got = attend(query.to(dtype), key.to(dtype), value.to(dtype), mask=mask, causal=causal)
        assert got.dtype == dtype
        tolerance = 1e-5 if dtype == torch.float32 else 3e-2
        torch.testing.assert_close(got.double()[defined], wanted[defined], atol=tolerance, rtol=0)


def test_queries_one_by_one_with_a_cache_are_those_all_at_once() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, 6, 8)
    together = attend(query, key, value, causal=True)
    for start, stop in ((0, 2), (2, 3), (3, 6)):
        part = attend(query[:, :, start:stop], key[:, :, :stop], value[:, :, :stop], causal=True)
        torch.testing.assert_close(part, together[:, :, start:stop], atol=1e-6, rtol=0)


def test_dropout_drops_attention_weights() -> None:
    torch.manual_seed(0)
    packing = Packing.dense(1, 6, "cpu")
    tokens = torch.randn(6, 8)
    cross = CrossAttention(8, 2, dropout=0.5)
    for layer, inputs in (
        (SelfAttention(8, 2, dropout=0.5), (tokens, packing)),
        (cross, (tokens, tokens, Pairing.within(packing))),
    ):
        assert not torch.equal(layer(*inputs), layer(*inputs))
        layer.eval()
        assert torch.equal(layer(*inputs), layer(*inputs))


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="heads is 3, expected a divisor of dim, which is 8"):
        SelfAttention(8, 3)
    with pytest.raises(ValueError, match="heads is 3, expected a divisor of dim, which is 8"):
        CrossAttention(9, 3, width=8)


def reference(layer: CrossAttention, dim: int, context_dim: int) -> nn.MultiheadAttention:
    """torch's own attention with the same weights."""
    made = nn.MultiheadAttention(dim, layer.heads, kdim=context_dim, vdim=context_dim)
    made.batch_first = True
    key, value = layer.key_value.weight.chunk(2)
    state = {"out_proj.weight": layer.out.weight, "out_proj.bias": layer.out.bias}
    if context_dim == dim:
        state["in_proj_weight"] = torch.cat([layer.query.weight, key, value])
    else:
        state |= {"q_proj_weight": layer.query.weight, "k_proj_weight": key, "v_proj_weight": value}
    made.load_state_dict(
        {**state, "in_proj_bias": torch.cat([layer.query.bias, layer.key_value.bias])}
    )
    return made


lengths = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), min_size=1, max_size=5)


@given(lengths, st.booleans())
@settings(deadline=None, max_examples=60)
def test_cross_attention_is_that_of_torch_row_by_row(
    sizes: list[tuple[int, int]], narrow: bool
) -> None:
    torch.manual_seed(0)
    context_dim = 4 if narrow else 8
    layer = CrossAttention(8, 2, context_dim=context_dim)
    theirs = reference(layer, 8, context_dim)
    rows = torch.tensor(sizes)
    query_mask = torch.arange(4)[None] < rows[:, :1]
    key_mask = torch.arange(5)[None].flip(1) < rows[:, 1:]  # padded on the left
    tokens = torch.randn(len(sizes), 4, 8).masked_fill(~query_mask[:, :, None], torch.nan)
    context = torch.randn(len(sizes), 5, context_dim).masked_fill(~key_mask[:, :, None], torch.nan)
    queries, keys = Packing.of(query_mask), Packing.of(key_mask)
    packed, packed_context = queries.pack(tokens), keys.pack(context)
    got = queries.unpack(layer(packed, packed_context, Pairing.of(queries, keys)))
    assert got.isfinite().all()
    for row, (asked, known) in enumerate(sizes):
        assert not got[row, asked:].any()
        if not known:
            assert not got[row].any()
        elif asked:
            own = context[row : row + 1, 5 - known :]
            wanted, _ = theirs(tokens[row : row + 1, :asked], own, own)
            torch.testing.assert_close(got[row, :asked], wanted[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_of_ragged_rows_are_those_of_each_row_alone(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = CrossAttention(8, 2).to(dtype)
    query_mask = torch.arange(4)[None] < torch.tensor([4, 2, 3, 2])[:, None]
    key_mask = torch.arange(5)[None] < torch.tensor([5, 0, 2, 3])[:, None]
    tokens = torch.randn(4, 4, 8, dtype=dtype, requires_grad=True)
    context = torch.randn(4, 5, 8, dtype=dtype, requires_grad=True)

    def gradients(rows: slice) -> list[torch.Tensor]:
        queries, keys = Packing.of(query_mask[rows]), Packing.of(key_mask[rows])
        pairing = Pairing.of(queries, keys)
        output = layer(queries.pack(tokens[rows]), keys.pack(context[rows]), pairing)
        loss = output.float().pow(3).sum()
        return list(torch.autograd.grad(loss, [tokens, context, *layer.parameters()]))

    together = gradients(slice(None))
    alone = [gradients(slice(row, row + 1)) for row in range(4)]
    tolerance = 1e-5 if dtype == torch.float32 else 0.1
    for whole, *parts in zip(together, *alone, strict=True):
        wanted = torch.stack(parts).float().sum(0)
        torch.testing.assert_close(whole.float(), wanted, atol=tolerance, rtol=tolerance)
    assert not together[1][1].any()


def test_a_bad_row_does_not_spoil_its_neighbours() -> None:
    layer = CrossAttention(8, 2)
    queries, keys = (
        Packing.dense(3, 2, "cpu"),
        Packing.of(torch.tensor([[1, 1], [0, 1], [0, 0]]) > 0),
    )
    context = torch.randn(3, 2, 8)
    context[0] = torch.nan
    output = queries.unpack(layer(torch.randn(6, 8), keys.pack(context), Pairing.of(queries, keys)))
    assert output[0].isnan().all()
    assert output[1:].isfinite().all()


def test_dense_streams_are_paired_without_a_copy() -> None:
    keys = Packing.dense(3, 5, "cpu")
    pairing = Pairing.of(Packing.dense(3, 2, "cpu"), keys)
    values = torch.randn(15, 4)
    (taken,) = by_group(pairing.key_groups, pairing.with_padding(values))
    assert taken.shape == (3, 5, 4)
    assert taken.data_ptr() == values.data_ptr()


def test_packings_of_other_batches_are_refused() -> None:
    with pytest.raises(ValueError, match="queries have 2 rows and keys 3, expected as many"):
        Pairing.of(Packing.dense(2, 1, "cpu"), Packing.dense(3, 1, "cpu"))


def test_plain_attention_of_torch_agrees_on_queries_of_their_own_width() -> None:
    torch.manual_seed(0)
    layer = CrossAttention(6, 2, context_dim=4, width=8)
    tokens, context = torch.randn(5, 6), torch.randn(7, 4)
    pairing = Pairing.of(Packing.dense(1, 5, "cpu"), Packing.dense(1, 7, "cpu"))
    key, value = layer.key_value(context).view(7, 2, 2, 4).unbind(1)
    query = layer.query(tokens).view(5, 2, 4)
    mixed = F.scaled_dot_product_attention(*(x.transpose(0, 1) for x in (query, key, value)))
    wanted = layer.out(mixed.transpose(0, 1).reshape(5, 8))
    torch.testing.assert_close(layer(tokens, context, pairing), wanted, atol=1e-6, rtol=0)
