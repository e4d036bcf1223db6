import pytest
import torch
import torch.nn.functional as F
from plain_attention import cross, linear, post_norm_block, self_attention
from torch import Tensor

from weft.core.interfaces import JOINT
from weft.core.records import Features
from weft.fusion.coattention import CoAttention, CoAttentionConfig
from weft.layers.recording import recording
from weft.layers.transformer import TransformerConfig

TEXT = TransformerConfig(dim=12, depth=1, heads=3, mlp=20, norm="post")
IMAGE = TransformerConfig(dim=8, depth=1, heads=2, mlp=10, norm="post")
CONFIG = CoAttentionConfig({"text": TEXT, "image": IMAGE}, dim=16, depth=2, heads=4)


def built(config: CoAttentionConfig) -> CoAttention:
    torch.manual_seed(0)
    return config.build().eval()


def features(lengths: list[int], width: int) -> Features:
    torch.manual_seed(width)
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    tokens = torch.randn(*mask.shape, width).masked_fill(~mask[:, :, None], torch.nan)
    return Features(tokens, mask, torch.zeros(len(lengths), width))


def vilbert(
    weights: dict[str, Tensor], text: Tensor, image: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Figure 2b of the paper for one pair, in plain PyTorch."""
    for block in range(2):
        name = f"blocks.{block}"
        across = f"{name}.across"
        to_image = cross(weights, f"{across}.text.attention.sources.image", text, image, 4)
        to_text = cross(weights, f"{across}.image.attention.sources.text", image, text, 4)
        text = post_norm_block(weights, f"{across}.text", text, to_image)
        image = post_norm_block(weights, f"{across}.image", image, to_text)
        name = f"{name}.within"
        own = self_attention(weights, f"{name}.text.blocks.0.attention", text, 3)
        text = post_norm_block(weights, f"{name}.text.blocks.0", text, own)
        own = self_attention(weights, f"{name}.image.blocks.0.attention", image, 2)
        image = post_norm_block(weights, f"{name}.image.blocks.0", image, own)
    pooled = F.relu(linear(weights, "poolers.text", text[0]))
    return text, image, pooled * F.relu(linear(weights, "poolers.image", image[0]))


def test_it_is_the_model_of_the_paper() -> None:
    fusion = built(CONFIG)
    text, image = features([4, 2, 3], 12), features([3, 5, 1], 8)
    with torch.no_grad():
        fused = fusion({"text": text, "image": image})
        for row in range(3):
            own_text, own_image = text.mask[row], image.mask[row]
            wanted_text, wanted_image, wanted = vilbert(
                fusion.state_dict(), text.tokens[row][own_text], image.tokens[row][own_image]
            )
            for got, wanted_part in (
                (fused["text"].tokens[row][own_text], wanted_text),
                (fused["image"].tokens[row][own_image], wanted_image),
                (fused[JOINT].pooled[row], wanted),
            ):
                torch.testing.assert_close(got, wanted_part, atol=1e-5, rtol=1e-5)


def test_a_missing_stream_leaves_the_product_to_the_others() -> None:
    fusion = built(CONFIG)
    text, image = features([4, 2, 3], 12), features([3, 5, 1], 8)
    image = image.where(torch.tensor([True, False, True]))
    fused = fusion({"text": text, "image": image})
    assert torch.equal(fused[JOINT].pooled[1], fused["text"].pooled[1])
    assert not torch.equal(fused[JOINT].pooled[0], fused["text"].pooled[0])


def test_recorded_attentions_say_which_stream_looks_at_which() -> None:
    fusion = built(CONFIG)
    with recording() as attentions:
        fusion({"text": features([4, 2], 12), "image": features([3, 5], 8)})
    block = [("text", "image"), ("image", "text"), ("text", "text"), ("image", "image")]
    assert [(a.queries.stream, a.keys.stream) for a in attentions] == 2 * block
    assert [a.kind for a in attentions] == 2 * ["cross", "cross", "self", "self"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 3}, "heads is 3, expected a divisor of dim, 16"),
        ({"depth": 0}, "depth is 0, expected at least 1"),
        ({"streams": {"text": TEXT.replace(norm="pre")}}, "norm 'pre' and causal False, expected"),
        ({"streams": {}}, "expected a stream or more"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CONFIG.replace(**changes)
