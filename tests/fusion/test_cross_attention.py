import pytest
import torch
from plain_attention import cross, mlp, norm, self_attention
from torch import Tensor

from weft.core.interfaces import JOINT
from weft.core.records import Features
from weft.fusion.cross_attention import CrossAttentionConfig
from weft.layers.packing import Packing
from weft.layers.transformer import TransformerConfig

BLOCKS = TransformerConfig(dim=12, depth=2, heads=3, norm="post")
CONFIG = CrossAttentionConfig({"text": 12, "image": 8}, BLOCKS, first=1)


def features(lengths: list[int], width: int) -> Features:
    torch.manual_seed(width)
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    tokens = torch.randn(*mask.shape, width).masked_fill(~mask[:, :, None], torch.nan)
    return Features(tokens, mask, torch.zeros(len(lengths), width))


def albef(weights: dict[str, Tensor], text: Tensor, image: Tensor) -> Tensor:
    """A BERT layer, then one with cross-attention between, in plain PyTorch."""
    for name in ("lower.blocks.0", "upper.0.block"):
        own = self_attention(weights, f"{name}.attention", text, 3)
        text = norm(weights, f"{name}.norm1", text + own)
        if name.startswith("upper"):
            grounded = cross(weights, "upper.0.across.sources.image", text, image, 3)
            text = norm(weights, "upper.0.norm", text + grounded)
        text = norm(weights, f"{name}.norm2", text + mlp(weights, name, text))
    return text


def test_it_is_the_model_of_the_paper() -> None:
    torch.manual_seed(0)
    fusion = CONFIG.build().eval()
    text, image = features([4, 2, 3], 12), features([3, 5, 1], 8)
    with torch.no_grad():
        fused = fusion({"image": image, "text": text})
        for row in range(3):
            own = text.mask[row]
            wanted = albef(
                fusion.state_dict(), text.tokens[row][own], image.tokens[row][image.mask[row]]
            )
            torch.testing.assert_close(fused["text"].tokens[row][own], wanted, atol=1e-5, rtol=0)
            torch.testing.assert_close(fused[JOINT].pooled[row], wanted[0], atol=1e-5, rtol=0)
    assert fused["image"] is image


def test_a_row_without_context_is_read_by_the_text_encoder_alone() -> None:
    torch.manual_seed(0)
    fusion = CONFIG.replace(first=0).build().eval()
    text, image = features([4, 2], 12), features([3, 5], 8)
    fused = fusion({"text": text, "image": image.where(torch.tensor([True, False]))})
    plain = BLOCKS.build().eval()
    names = {f"blocks.{n}.": f"upper.{n}.block." for n in range(2)}
    weights = fusion.state_dict()
    plain.load_state_dict(
        {
            ours + key: weights[f"{theirs}{key}"]
            for ours, theirs in names.items()
            for key in plain.blocks[0].state_dict()
        }
    )
    packing = Packing.of(text.mask[1:])
    wanted = packing.unpack(plain(packing.pack(text.tokens[1:]), packing))
    torch.testing.assert_close(fused["text"].tokens[1], wanted[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"queries": "question"}, "queries is 'question' and widths are"),
        ({"widths": {"text": 12}}, "expected one of at least two streams"),
        ({"first": 2}, "first is 2, expected 0 to below 2, the depth"),
        ({"transformer": BLOCKS.replace(causal=True)}, "causal True"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CONFIG.replace(**changes)
