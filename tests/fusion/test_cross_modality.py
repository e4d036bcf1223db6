import pytest
import torch
from plain_attention import cross, linear, norm, post_norm_block, self_attention
from torch import Tensor

from weft.core.interfaces import JOINT
from weft.core.records import Features
from weft.fusion.cross_modality import CrossModalityConfig
from weft.layers.transformer import TransformerConfig

BLOCKS = TransformerConfig(dim=12, depth=2, heads=3, norm="post")
CONFIG = CrossModalityConfig({"text": 12, "image": 8, "audio": 6}, BLOCKS)


def one_row(width: int, length: int) -> Features:
    mask = torch.ones(1, length, dtype=torch.bool)
    return Features(torch.randn(1, length, width), mask, torch.zeros(1, width))


def test_three_streams_share_one_cross_attention_and_add_up_what_it_brings() -> None:
    torch.manual_seed(0)
    fusion = CONFIG.build().eval()
    weights = fusion.state_dict()
    given = {"text": one_row(12, 4), "image": one_row(8, 3), "audio": one_row(6, 2)}
    with torch.no_grad():
        fused = fusion(given)
        x: dict[str, Tensor] = {
            s: linear(weights, f"maps.{s}", f.tokens[0]) for s, f in given.items()
        }
        for block in range(2):
            name = f"blocks.{block}"
            crossed = {}
            for stream, tokens in x.items():
                brought = [
                    cross(weights, f"{name}.attention", tokens, x[other], 3)
                    for other in x
                    if other != stream
                ]
                crossed[stream] = norm(weights, f"{name}.norm", tokens + sum(brought))
            for stream, tokens in crossed.items():
                part = f"{name}.streams.{stream}"
                own = self_attention(weights, f"{part}.attention", tokens, 3)
                x[stream] = post_norm_block(weights, part, tokens, own)
        pooled = linear(weights, "pooler", x["text"][0]).tanh()
    for stream, tokens in x.items():
        torch.testing.assert_close(fused[stream].tokens[0], tokens, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(fused[JOINT].pooled[0], pooled, atol=1e-5, rtol=1e-5)
    assert fused[JOINT].tokens.shape == (1, 9, 12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"transformer": BLOCKS.replace(norm="pre")}, "norm 'pre'"),
        ({"maps": False}, "maps is False and 'audio' is 6 wide, expected 12"),
        ({"widths": {"joint": 12}}, "a fusion returns it"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CONFIG.replace(**changes)
