"""Encoders of films against those of transformers, with random weights."""

from pathlib import Path

import pytest
import torch
from test_sound_parity import load, saved, shaken

from weft.core.errors import WeftError
from weft.core.records import Field
from weft.encoders.timesformer import TimeSformerConfig
from weft.encoders.vivit import ViViTConfig
from weft.encoders.weight_names import VIT_BLOCK, blocks, joined_layers, layer

FRAMES, SIDE, PATCH, DIM = 6, 16, 8, 16


def films() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (3, FRAMES, 3, SIDE, SIDE)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def test_timesformer(tmp_path: Path) -> None:
    from transformers import TimesformerConfig, TimesformerModel

    config = TimesformerConfig(
        image_size=SIDE,
        patch_size=PATCH,
        num_frames=FRAMES,
        hidden_size=DIM,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    model = shaken(TimesformerModel(config))
    theirs = saved(model, tmp_path)
    tensors = {
        "patch.weight": theirs["embeddings.patch_embeddings.projection.weight"].view(DIM, -1),
        "patch.bias": theirs["embeddings.patch_embeddings.projection.bias"],
        "class_token": theirs["embeddings.cls_token"].view(-1),
        "positions": theirs["embeddings.position_embeddings"][0],
        "times": theirs["embeddings.time_embeddings"][0],
        **layer(theirs, "layernorm", "norm"),
    }
    for number in range(2):
        their, our = f"encoder.layer.{number}", f"transformer.blocks.{number}"
        tensors |= {
            **joined_layers(
                theirs, their, ["attention.attention.qkv"], f"{our}.block.attention.qkv"
            ),
            **joined_layers(
                theirs, their, ["temporal_attention.attention.qkv"], f"{our}.time_attention.qkv"
            ),
            **layer(theirs, f"{their}.attention.output.dense", f"{our}.block.attention.out"),
            **layer(
                theirs, f"{their}.temporal_attention.output.dense", f"{our}.time_attention.out"
            ),
            **layer(theirs, f"{their}.temporal_dense", f"{our}.time_out"),
            **layer(theirs, f"{their}.temporal_layernorm", f"{our}.time_norm"),
            **layer(theirs, f"{their}.layernorm_before", f"{our}.block.norm1"),
            **layer(theirs, f"{their}.layernorm_after", f"{our}.block.norm2"),
            **layer(theirs, f"{their}.intermediate.dense", f"{our}.block.fc1"),
            **layer(theirs, f"{their}.output.dense", f"{our}.block.fc2"),
        }
    encoder = TimeSformerConfig(
        SIDE, PATCH, FRAMES, DIM, depth=2, heads=2, mlp=32, mean=(0.5,) * 3, std=(0.5,) * 3
    ).build()
    load(encoder, tensors)
    with torch.no_grad():
        wanted = model(films() / 127.5 - 1).last_hidden_state
        found = encoder(Field(films()))
    torch.testing.assert_close(found.pooled, wanted[:, 0], atol=1e-5, rtol=1e-4)
    by_frame = wanted[:, 1:].unflatten(1, (-1, FRAMES)).transpose(1, 2)
    torch.testing.assert_close(found.tokens[:, 1:], by_frame.flatten(1, 2), atol=1e-5, rtol=1e-4)


def test_vivit(tmp_path: Path) -> None:
    from transformers import VivitConfig, VivitModel

    config = VivitConfig(
        image_size=SIDE,
        num_frames=FRAMES,
        tubelet_size=[2, PATCH, PATCH],
        hidden_size=DIM,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    model = shaken(VivitModel(config, add_pooling_layer=False))
    theirs = saved(model, tmp_path)
    kernel = theirs["embeddings.patch_embeddings.projection.weight"]
    positions = theirs["embeddings.position_embeddings"][0]
    tensors = {
        "patch.weight": kernel.transpose(1, 2).reshape(DIM, -1),
        "patch.bias": theirs["embeddings.patch_embeddings.projection.bias"],
        "class_token": theirs["embeddings.cls_token"].view(-1),
        "class_position": positions[0],
        "positions": positions[1:].unflatten(0, (FRAMES // 2, -1)),
        **layer(theirs, "layernorm", "norm"),
        **blocks(theirs, VIT_BLOCK, 2),
    }
    encoder = ViViTConfig(SIDE, PATCH, FRAMES, DIM, tubelet=2, depth=2, heads=2, mlp=32).build()
    load(encoder, tensors)
    with torch.no_grad():
        wanted = model(films() / 127.5 - 1).last_hidden_state
        found = encoder(Field(films()))
    torch.testing.assert_close(found.pooled, wanted[:, 0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.tokens, wanted, atol=1e-5, rtol=1e-4)


def test_a_film_of_more_frames_than_the_encoder_reads_is_said() -> None:
    for config in (
        TimeSformerConfig(16, 8, 4, 16, 1, 2),
        ViViTConfig(16, 8, 4, 16, 1, 2, tubelet=2),
    ):
        with pytest.raises(WeftError, match="a video has 6 frames, expected at most 4"):
            config.build()(Field(films()))
