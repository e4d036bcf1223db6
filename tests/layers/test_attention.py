import pytest
import torch
import torch.nn.functional as F

from weft.layers import attention
from weft.layers.attention import SelfAttention, attend
from weft.layers.packing import Packing


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_both_ways_to_attend_agree_with_float64(
    causal: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    parts = torch.randn(3, 2, 4, 9, 8, dtype=torch.float64)
    wanted = F.scaled_dot_product_attention(*parts, is_causal=causal)
    for longest in (0, 9):
        monkeypatch.setattr(attention, "LONGEST_MATMUL", longest)
        got = attend(*parts.to(dtype), causal=causal, dropout=0.0)
        assert got.dtype == dtype
        tolerance = 1e-5 if dtype == torch.float32 else 3e-2
        torch.testing.assert_close(got.double(), wanted, atol=tolerance, rtol=0)


def test_dropout_drops_attention_weights() -> None:
    torch.manual_seed(0)
    layer = SelfAttention(8, 2, dropout=0.5)
    packing = Packing.dense(1, 6, "cpu")
    tokens = torch.randn(6, 8)
    assert not torch.equal(layer(tokens, packing), layer(tokens, packing))
    layer.eval()
    assert torch.equal(layer(tokens, packing), layer(tokens, packing))


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="heads is 3, expected a divisor of dim, which is 8"):
        SelfAttention(8, 3)
