from pathlib import Path

import pytest
import torch

from weft.core.errors import WeftError
from weft.core.records import Field
from weft.encoders.convert import convert, vision_config
from weft.encoders.frozen import Frozen, PartlyFrozen
from weft.encoders.vit import ViT, ViTConfig
from weft.encoders.weights import load_tensors

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": 16,
    "patch_size": 4,
}


def images(height: int = 16, width: int = 16) -> Field:
    generator = torch.Generator().manual_seed(1)
    shape = (2, 3, height, width)
    return Field(torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator))


def shake(model: torch.nn.Module) -> torch.nn.Module:
    """Random values everywhere, biases and norms too, so that none can be lost unseen."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, mean=0.1, std=0.2)
    return model.eval()


def ours(model: torch.nn.Module, folder: Path) -> ViT:
    from safetensors.torch import load_file

    model.save_pretrained(folder)  # type: ignore[operator]
    settings = model.config.to_dict()  # type: ignore[union-attr, operator]
    encoder = vision_config(settings).build()
    tensors = load_file(folder / "model.safetensors")
    load_tensors(encoder, convert(tensors, settings, "file"), where="file")
    return encoder.eval()


@pytest.mark.parametrize("size", [(16, 16), (24, 20)])
def test_parity_with_transformers_vit(size: tuple[int, int], tmp_path: Path) -> None:
    from transformers import ViTConfig as TheirConfig
    from transformers import ViTModel

    model = shake(ViTModel(TheirConfig(**SIZES), add_pooling_layer=False))
    field = images(*size)
    with torch.no_grad():
        wanted = model(
            pixel_values=field.values / 127.5 - 1, interpolate_pos_encoding=True
        ).last_hidden_state
        got = ours(model, tmp_path)(field)
    torch.testing.assert_close(got.tokens, wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(got.pooled, wanted[:, 0], atol=1e-5, rtol=1e-5)


def test_parity_with_transformers_clip_vision(tmp_path: Path) -> None:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    model = shake(CLIPVisionModel(CLIPVisionConfig(**SIZES)))
    field = images()
    with torch.no_grad():
        wanted = model(pixel_values=field.values / 127.5 - 1)
        got = ours(model, tmp_path)(field)
    # CLIP leaves its patches as they come from the last block; ours pass the last norm too.
    norm = dict(model.named_modules())["post_layernorm"]
    torch.testing.assert_close(got.tokens, norm(wanted.last_hidden_state), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(got.pooled, wanted.pooler_output, atol=1e-5, rtol=1e-5)


def test_patch_embedding_is_a_strided_convolution() -> None:
    encoder = ViTConfig(image_size=8, patch_size=4, dim=8, depth=1, heads=1).build()
    encoder.class_token.data.zero_()
    encoder.positions.data.zero_()
    field = images(8, 8)
    conv = torch.nn.functional.conv2d(
        field.values / 127.5 - 1, encoder.patch.weight.view(8, 3, 4, 4), encoder.patch.bias, 4
    )
    torch.testing.assert_close(
        encoder.embed(field)[:, 1:], conv.flatten(2).transpose(1, 2), atol=1e-5, rtol=1e-5
    )


def test_mean_pooling_leaves_the_class_token_out() -> None:
    config = ViTConfig(image_size=8, patch_size=4, dim=8, depth=1, heads=2, pooling="mean")
    features = config.build().eval()(images(8, 8))
    torch.testing.assert_close(features.pooled, features.tokens[:, 1:].mean(1))
    plain = config.replace(class_token=False).build().eval()(images(8, 8))
    assert plain.tokens.shape == (2, 4, 8)
    torch.testing.assert_close(plain.pooled, plain.tokens.mean(1))


DROPPING = ViTConfig(image_size=16, patch_size=4, dim=8, depth=2, heads=2, drop_patches=0.5)


def test_dropped_patches_leave_the_others_with_their_positions() -> None:
    encoder = DROPPING.build().train()
    embedded = encoder.embed(images())
    kept = encoder.drop_patches(embedded)
    assert kept.shape == (2, 1 + 8, 8)
    assert torch.equal(kept[:, 0], embedded[:, 0])
    places = [
        [next(i for i in range(1, 17) if torch.equal(token, embedded[row, i])) for token in tokens]
        for row, tokens in enumerate(kept[:, 1:])
    ]
    assert places[0] != places[1]
    for row in places:
        assert row == sorted(set(row))


def test_the_blocks_see_kept_patches_only_and_evaluation_sees_all() -> None:
    encoder = DROPPING.build()
    seen: list[int] = []
    encoder.transformer.blocks[0].fc1.register_forward_hook(
        lambda _, inputs, __: seen.append(len(inputs[0]))
    )
    assert encoder.train()(images()).tokens.shape == (2, 9, 8)
    assert encoder.eval()(images()).tokens.shape == (2, 17, 8)
    assert seen == [2 * 9, 2 * 17]
    plain = DROPPING.replace(drop_patches=0.0).build().eval()
    plain.load_state_dict(encoder.state_dict())
    assert torch.equal(plain(images()).tokens, encoder(images()).tokens)


def test_patches_are_dropped_at_random_and_from_the_global_seed() -> None:
    encoder = DROPPING.replace(pooling="mean", class_token=False).build().train()
    pooled = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        pooled.append(encoder(images()).pooled)
    assert torch.equal(pooled[0], pooled[1])
    assert not torch.allclose(pooled[0], pooled[2])
    few = DROPPING.replace(drop_patches=0.99).build().train()
    assert few(images()).tokens.shape == (2, 2, 8)
    with pytest.raises(ValueError, match="drop_patches is 1.0"):
        DROPPING.replace(drop_patches=1.0)


def test_behind_a_frozen_part_the_trained_blocks_drop() -> None:
    encoder = PartlyFrozen(DROPPING.build(), trainable_layers=1).train()
    assert encoder.frozen(images()).tokens.shape == (2, 17, 8)
    assert encoder(images()).tokens.shape == (2, 9, 8)
    assert Frozen(DROPPING.build()).train()(images()).tokens.shape == (2, 17, 8)


def test_wrong_sizes_are_named() -> None:
    encoder = ViTConfig(image_size=8, patch_size=4, dim=8, depth=1, heads=2).build()
    with pytest.raises(ValueError, match="images are 9 x 8 pixels, expected multiples"):
        encoder(images(9, 8))
    with pytest.raises(ValueError, match="image_size is 9, expected a multiple"):
        ViTConfig(image_size=9, patch_size=4)
    with pytest.raises(ValueError, match="without a class token"):
        ViTConfig(class_token=False)


def test_a_checkpoint_without_a_tensor_is_named() -> None:
    from transformers import ViTConfig as TheirConfig

    with pytest.raises(WeftError, match="file: has no tensor 'embeddings"):
        convert({}, TheirConfig(**SIZES).to_dict(), "file")
