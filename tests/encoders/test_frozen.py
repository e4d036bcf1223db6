import pytest
import torch
from torch import nn

from weft.architectures.model import ModelConfig
from weft.core.interfaces import CacheableEncoder
from weft.core.records import Features, Field
from weft.encoders.frozen import FrozenConfig, PartlyFrozenConfig
from weft.encoders.resnet import ResNetConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig

TEXT = TextTransformerConfig(vocab_size=30, dim=16, depth=3, heads=2, dropout=0.3)
VIT = ViTConfig(image_size=8, patch_size=4, dim=16, depth=3, heads=2)


def texts() -> Field:
    mask = torch.arange(5)[None] < torch.tensor([5, 2, 3])[:, None]
    generator = torch.Generator().manual_seed(0)
    return Field(torch.randint(0, 30, (3, 5), generator=generator), mask)


def images(size: int = 8) -> Field:
    generator = torch.Generator().manual_seed(0)
    return Field(torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8, generator=generator))


def test_frozen_never_trains_not_even_its_batch_statistics() -> None:
    encoder = FrozenConfig(ResNetConfig(width=8)).build()
    assert isinstance(encoder, CacheableEncoder)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    parent = nn.Sequential(encoder).train()
    assert encoder.training
    assert not encoder.encoder.training
    first, second = parent(images(64)), parent(images(64))
    assert torch.equal(first.pooled, second.pooled)
    assert not first.pooled.requires_grad
    assert not any(p.requires_grad for p in encoder.parameters())
    after = encoder.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    names = set(encoder.frozen_parameters())
    assert {"conv1.weight", "bn1.running_mean", "normalize.scale"} <= names


def test_frozen_can_keep_the_pooled_vector_only() -> None:
    encoder = FrozenConfig(TEXT, tokens=False).build()
    features = encoder(texts())
    assert features.tokens.shape == (3, 1, 16)
    assert torch.equal(features.tokens[:, 0], features.pooled)
    assert features.mask.all()


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("kind", ["text", "image"])
def test_partly_frozen_trains_its_top_layers_from_cached_states(layers: int, kind: str) -> None:
    torch.manual_seed(0)
    config, field = (TEXT, texts()) if kind == "text" else (VIT, images())
    encoder = PartlyFrozenConfig(config, trainable_layers=layers).build().eval()
    assert isinstance(encoder, CacheableEncoder)
    plain = config.build().eval()
    plain.load_state_dict(encoder.encoder.state_dict())
    whole = encoder(field)
    torch.testing.assert_close(whole.pooled, plain(field).pooled, atol=1e-6, rtol=0)
    cached = encoder.frozen(field)
    assert not cached.tokens.requires_grad
    assert torch.equal(encoder.trainable(cached).pooled, whole.pooled)
    encoder.train()
    whole.pooled.square().sum().backward()
    frozen = encoder.frozen_parameters()
    for name, parameter in encoder.encoder.named_parameters():
        assert parameter.requires_grad == (name not in frozen)
        assert (parameter.grad is not None) == (name not in frozen), name
    assert f"transformer.blocks.{3 - layers}.fc1.weight" not in frozen
    assert ("transformer.blocks.0.fc1.weight" in frozen) == (layers < 3)
    assert "positions" in frozen


def test_frozen_layers_have_no_dropout_in_training() -> None:
    encoder = PartlyFrozenConfig(TEXT, trainable_layers=1).build().train()
    assert torch.equal(encoder.frozen(texts()).tokens, encoder.frozen(texts()).tokens)
    assert not torch.equal(encoder(texts()).tokens, encoder(texts()).tokens)


def test_cached_features_stored_without_padding_give_the_same() -> None:
    encoder = PartlyFrozenConfig(TEXT, trainable_layers=2).build().eval()
    whole = encoder(texts())
    cached = encoder.frozen(texts())
    wider = torch.full((3, 9, 16), torch.nan)
    wider[:, :5][cached.mask] = cached.tokens[cached.mask]
    mask = torch.nn.functional.pad(cached.mask, (0, 4))
    again = encoder.trainable(Features(wider, mask, cached.pooled))
    torch.testing.assert_close(again.pooled, whole.pooled, atol=1e-5, rtol=0)


def test_a_model_takes_cached_features_for_a_frozen_tower() -> None:
    model = ModelConfig({"text": FrozenConfig(TEXT)}).build()
    field = texts()
    features = model.encode("text", field)
    assert torch.equal(model.encode("text", features).pooled, features.pooled)


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="ResNet cannot be cut into layers"):
        PartlyFrozenConfig(ResNetConfig(width=8)).build()
    with pytest.raises(ValueError, match="trainable_layers is 4, expected 1 to 3"):
        PartlyFrozenConfig(TEXT, trainable_layers=4).build()
