"""Early fusion beside the padded computation of torch's own transformer."""

import pytest
import torch
from torch import nn

from weft.core.interfaces import JOINT
from weft.core.records import Features
from weft.fusion.early import Early, EarlyConfig
from weft.layers.transformer import TransformerConfig

BLOCKS = TransformerConfig(dim=8, depth=2, heads=2)


def ragged(rows: int, length: int, width: int, lengths: list[int]) -> Features:
    generator = torch.Generator().manual_seed(length)
    tokens = torch.randn(rows, length, width, generator=generator)
    mask = torch.arange(length) < torch.tensor(lengths)[:, None]
    return Features(tokens, mask, torch.zeros(rows, width))


def torch_layers(fusion: Early) -> list[nn.TransformerEncoderLayer]:
    """The same blocks with the same weights."""
    config = fusion.config.transformer
    layers = []
    for block in fusion.transformer.blocks:
        layer = nn.TransformerEncoderLayer(
            config.dim,
            config.heads,
            config.hidden,
            activation="gelu",
            batch_first=True,
            norm_first=config.norm == "pre",
        )
        layer.load_state_dict(
            {
                "self_attn.in_proj_weight": block.attention.qkv.weight,
                "self_attn.in_proj_bias": block.attention.qkv.bias,
                "self_attn.out_proj.weight": block.attention.out.weight,
                "self_attn.out_proj.bias": block.attention.out.bias,
                "linear1.weight": block.fc1.weight,
                "linear1.bias": block.fc1.bias,
                "linear2.weight": block.fc2.weight,
                "linear2.bias": block.fc2.bias,
                "norm1.weight": block.norm1.weight,
                "norm1.bias": block.norm1.bias,
                "norm2.weight": block.norm2.weight,
                "norm2.bias": block.norm2.bias,
            }
        )
        layers.append(layer.eval())
    return layers


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_parity_with_torch_on_the_padded_joint_sequence(norm: str) -> None:
    config = EarlyConfig(
        {"text": 6, "image": 8},
        BLOCKS.replace(norm=norm),
        input_norm=norm == "post",
        pooling="first",
        pooler=True,
    )
    fusion = config.build().eval()
    for parameter in fusion.parameters():
        nn.init.normal_(parameter, std=0.3)
    text, image = ragged(3, 5, 6, [5, 2, 1]), ragged(3, 4, 8, [4, 4, 3])
    fused = fusion({"text": text, "image": image})
    hidden = torch.cat(
        [
            fusion.maps["text"](text.tokens) + fusion.types[0],
            fusion.maps["image"](image.tokens) + fusion.types[1],
        ],
        dim=1,
    )
    hidden = fusion.input_norm(hidden)
    mask = torch.cat([text.mask, image.mask], dim=1)
    for layer in torch_layers(fusion):
        hidden = layer(hidden, src_key_padding_mask=~mask)
    hidden = fusion.norm(hidden)
    torch.testing.assert_close(fused[JOINT].tokens[mask], hidden[mask], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(fused["image"].tokens[image.mask], hidden[:, 5:][image.mask])
    assert fusion.pooler is not None
    wanted = torch.tanh(fusion.pooler(hidden[:, 0]))
    torch.testing.assert_close(fused[JOINT].pooled, wanted, atol=1e-5, rtol=1e-5)


def test_only_real_tokens_are_computed() -> None:
    fusion = EarlyConfig({"text": 6, "image": 8}, BLOCKS).build()
    seen: list[int] = []
    for module in (fusion.maps["text"], fusion.transformer.blocks[0].fc1):
        module.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    fusion({"text": ragged(3, 50, 6, [5, 0, 1]), "image": ragged(3, 4, 8, [4, 0, 3])})
    # Of the row that has no token there is no class token either.
    assert seen == [6, 6 + 7 + 2]


def test_a_class_token_is_not_of_a_stream() -> None:
    fusion = EarlyConfig({"text": 6, "image": 8}, BLOCKS).build().eval()
    fused = fusion({"text": ragged(1, 2, 6, [2]), "image": ragged(1, 3, 8, [3])})
    assert fused[JOINT].tokens.shape == (1, 6, 8)
    assert torch.equal(fused[JOINT].pooled, fused[JOINT].tokens[:, 0])
    assert torch.equal(fused["text"].tokens, fused[JOINT].tokens[:, 1:3])
    torch.testing.assert_close(fused["image"].pooled, fused[JOINT].tokens[:, 3:].mean(1))


def test_settings_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="causal is True"):
        EarlyConfig({"text": 8}, BLOCKS.replace(causal=True))
    with pytest.raises(ValueError, match="'image' is 6 wide, expected 8"):
        EarlyConfig({"text": 8, "image": 6}, BLOCKS, maps=False)
    with pytest.raises(ValueError, match="a stream or more"):
        EarlyConfig({}, BLOCKS)
    with pytest.raises(ValueError, match="a stream 'joint'"):
        EarlyConfig({"joint": 8}, BLOCKS)


def test_a_class_token_needs_a_layer() -> None:
    config = EarlyConfig({"text": 8}, BLOCKS.replace(depth=0), pooling="mean")
    with pytest.raises(ValueError, match=r"transformer.depth is 0, expected at least 1"):
        config.replace(pooling="class")
