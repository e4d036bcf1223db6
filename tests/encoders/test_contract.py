"""What every encoder keeps, found by walking weft/encoders."""

import importlib
import inspect
import json
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

import weft.encoders
from weft.architectures.model import Model
from weft.core.config import Config, from_json, to_json
from weft.core.interfaces import CacheableEncoder, Encoder, Recomputing
from weft.core.records import Features, Field
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.extended import ExtendedConfig
from weft.encoders.frozen import FrozenConfig, PartlyFrozenConfig
from weft.encoders.mobilenet import MobileNetV2Config
from weft.encoders.points import Points, PointsConfig
from weft.encoders.pretrained import PretrainedConfig
from weft.encoders.recurrent import RecurrentConfig
from weft.encoders.regions import RegionsConfig
from weft.encoders.resnet import ResNetConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.encoders.weights import architecture
from weft.encoders.word_vectors import WordVectorsConfig
from weft.layers.transformer import TransformerConfig

VOCABULARY = 40
FEATURES = 6
LENGTHS = (5, 2, 7, 1)
TEXT = TextTransformerConfig(vocab_size=VOCABULARY, dim=16, depth=2, heads=2)
BLOCKS = TransformerConfig(dim=12, depth=1, heads=2)
VIT = ViTConfig(image_size=16, patch_size=8, dim=16, depth=2, heads=2)
BERT = json.dumps(
    {
        "model_type": "bert",
        "vocab_size": VOCABULARY,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "hidden_act": "gelu",
        "max_position_embeddings": 12,
        "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
    }
)


@dataclass(frozen=True)
class Case:
    kind: Literal["image", "text", "regions", "panels"]
    config: Config


CASES = {
    "resnet18": Case("image", ResNetConfig(width=8)),
    "resnet26": Case("image", ResNetConfig(depth=26, width=8)),
    "convnet": Case("image", ConvNetConfig(widths=(4, 8))),
    "convnet-coordinates": Case(
        "image", ConvNetConfig(widths=(4, 8, 8), halvings=2, coordinates=True, pooling="max")
    ),
    "convnet-positions": Case("image", ConvNetConfig(widths=(4, 8), positions=True)),
    "mobilenet": Case("image", MobileNetV2Config(width=0.35, classes="logits")),
    "mobilenet-batchnorm": Case("image", MobileNetV2Config(form="batchnorm", width=0.35)),
    "vit": Case("image", VIT),
    "vit-mean": Case("image", VIT.replace(class_token=False, pooling="mean")),
    "vit-patches": Case("image", VIT.replace(depth=0, last_norm=False, pooling="mean")),
    "text": Case("text", TEXT),
    "text-words": Case("text", TEXT.replace(depth=0, last_norm=False)),
    "text-bert": Case("text", TEXT.replace(norm="post", pooling="cls", pooler=True)),
    "text-clip": Case("text", TEXT.replace(causal=True, pooling="eos", eos_id=39)),
    "points": Case("panels", PointsConfig(5, dim=16, size=32, max_objects=4, prior=0.5)),
    "regions": Case("regions", RegionsConfig(FEATURES, dim=16, position="box_area")),
    "regions-only": Case("regions", RegionsConfig(FEATURES, dim=16, position="none", norm="none")),
    "regions-lxmert": Case(
        "regions",
        RegionsConfig(
            FEATURES,
            dim=16,
            norm="each",
            transformer=TransformerConfig(dim=16, depth=2, heads=2, norm="post"),
        ),
    ),
    "gru": Case("text", RecurrentConfig(VOCABULARY, embedding=8, hidden=8)),
    "lstm": Case("text", RecurrentConfig(VOCABULARY, 8, 8, cell="lstm", bidirectional=True)),
    "words": Case("text", WordVectorsConfig(VOCABULARY, 8, ignored_ids=(0,))),
    "frozen-words": Case("text", WordVectorsConfig(VOCABULARY, 8, frozen=True)),
    "frozen": Case("image", FrozenConfig(ResNetConfig(width=8))),
    "frozen-pooled": Case("text", FrozenConfig(TEXT, tokens=False)),
    "partly-frozen": Case("text", PartlyFrozenConfig(TEXT)),
    "partly-frozen-vit": Case("image", PartlyFrozenConfig(VIT)),
    "extended": Case("image", ExtendedConfig(FrozenConfig(VIT), BLOCKS)),
    "extended-text": Case(
        "text", ExtendedConfig(PartlyFrozenConfig(TEXT), BLOCKS, pooling="first")
    ),
    "pretrained": Case("text", PretrainedConfig("none", definition=BERT)),
    "pretrained-partial": Case(
        "text", PretrainedConfig("none", definition=BERT, mode="partial", trainable_layers=1)
    ),
    "pretrained-lora": Case("text", PretrainedConfig("none", definition=BERT, mode="lora")),
}
every_encoder = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def config_classes() -> set[type[Config]]:
    found: set[type[Config]] = set()
    for module_info in pkgutil.iter_modules(weft.encoders.__path__):
        module = importlib.import_module(f"weft.encoders.{module_info.name}")
        for _, member in inspect.getmembers(module, inspect.isclass):
            own = member.__module__ == module.__name__
            if own and issubclass(member, Config):
                found.add(member)
    return found


def test_every_config_is_in_the_suite() -> None:
    assert config_classes() == {type(case.config) for case in CASES.values()}
    assert len(config_classes()) == 13


def built(case: Case) -> nn.Module:
    torch.manual_seed(0)
    encoder: nn.Module = case.config.build()  # type: ignore[attr-defined]
    return encoder.eval()


def inputs(kind: str) -> Field:
    generator = torch.Generator().manual_seed(3)
    if kind == "image":
        shape = (4, 3, 32, 32)
        return Field(torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator))
    if kind == "panels":
        return Field(
            torch.randint(0, 256, (4, 3, 3, 32, 32), dtype=torch.uint8, generator=generator)
        )
    mask = torch.arange(7)[None] < torch.tensor(LENGTHS)[:, None]
    if kind == "regions":
        values = torch.rand(4, 7, 4 + FEATURES, generator=generator)
        return Field(values.masked_fill(~mask[:, :, None], torch.nan), mask)
    ids = torch.randint(1, VOCABULARY, (4, 7), generator=generator)
    # Where there is no text there is an id that no table has: whoever reads it fails.
    return Field(ids.masked_fill(~mask, 10**9), mask)


def widened(field: Field, columns: int) -> Field:
    """More padding, which holds what nobody may read: NaN, or ids that no table has."""
    if field.mask is None:
        return field
    poison = torch.nan if field.values.is_floating_point() else 10**9
    after = (*(0, 0) * (field.values.ndim - 2), 0, columns)
    return Field(F.pad(field.values, after, value=poison), F.pad(field.mask, (0, columns)))


def gradients(encoder: nn.Module, field: Field) -> dict[str, torch.Tensor]:
    """Of a sum over rows and real tokens, so that those of rows add up to those of their batch."""
    encoder.zero_grad()
    features = encoder(field)
    # Real tokens alone: what an encoder leaves out of a single row is zero in a batch.
    total = features.pooled.square().sum() + features.tokens[features.mask].sin().sum()
    if total.requires_grad:
        total.backward()
    named = encoder.named_parameters()
    return {name: p.grad.clone() for name, p in named if p.grad is not None}


def rows(field: Field, chosen: list[int]) -> Field:
    return Field(field.values[chosen], None if field.mask is None else field.mask[chosen])


@every_encoder
def test_features_have_the_promised_shapes(case: Case) -> None:
    encoder = built(case)
    features = encoder(inputs(case.kind))
    assert isinstance(encoder, Encoder)
    assert isinstance(features, Features)
    assert features.pooled.shape == (4, encoder.dim)
    assert features.tokens.shape[0] == 4
    assert features.tokens.shape[2] == encoder.dim
    assert features.tokens.isfinite().all()
    assert features.pooled.isfinite().all()
    assert not features.tokens[~features.mask].any()
    if case.kind == "image":
        assert features.mask.all()
    assert features.pooled.std(dim=0).max() > 0


@every_encoder
def test_same_seed_same_features(case: Case) -> None:
    field = inputs(case.kind)
    first, second = built(case), built(case)
    assert torch.equal(first(field).pooled, second(field).pooled)
    assert torch.equal(first(field).tokens, first(field).tokens)


@every_encoder
def test_alone_padded_and_reordered_are_the_same(case: Case) -> None:
    encoder = built(case)
    field = inputs(case.kind)
    together = encoder(field)
    order = [2, 0, 3, 1]
    reordered = encoder(rows(field, order))
    torch.testing.assert_close(reordered.pooled, together.pooled[order], atol=1e-5, rtol=0)
    torch.testing.assert_close(reordered.tokens, together.tokens[order], atol=1e-5, rtol=0)
    for row, length in enumerate(LENGTHS):
        alone = rows(field, [row])
        if alone.mask is not None:
            alone = Field(alone.values[:, :length])
        features = encoder(alone)
        torch.testing.assert_close(features.pooled[0], together.pooled[row], atol=1e-5, rtol=0)
        count = features.tokens.shape[1]
        torch.testing.assert_close(
            features.tokens[0], together.tokens[row, :count], atol=1e-5, rtol=0
        )


@every_encoder
@pytest.mark.parametrize("train", [False, True])
def test_no_rows_are_no_features(case: Case, train: bool) -> None:
    """A rank may hold no row that has the stream, and takes part in what the others compute."""
    encoder = built(case).train(train)
    features = encoder(rows(inputs(case.kind), []))
    assert len(features) == 0
    assert features.pooled.shape == (0, encoder.dim)
    assert features.tokens.shape[2] == encoder.dim


@every_encoder
def test_rows_that_lack_the_stream_change_nothing(case: Case) -> None:
    """While training, so with batch norm and dropout: features, gradients and running statistics."""
    field, there = inputs(case.kind), [0, 2, 3]
    present = torch.tensor([True, False, True, True])
    alone, among = (Model({"it": built(case).train()}) for _ in range(2))
    torch.manual_seed(1)
    expected = alone.encode("it", rows(field, there))
    torch.manual_seed(1)
    found = among.encode("it", Field(field.values, field.mask, present))
    torch.testing.assert_close(found.pooled[present], expected.pooled, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.tokens[present], expected.tokens, atol=1e-6, rtol=0)
    assert found.present.tolist() == present.tolist()
    assert not found.pooled[1].any()
    assert not found.tokens[1].any()
    for (name, one), other in zip(alone.named_buffers(), among.buffers(), strict=True):
        torch.testing.assert_close(other, one, msg=name)


@every_encoder
def test_more_padding_changes_nothing(case: Case) -> None:
    encoder = built(case)
    field = inputs(case.kind)
    narrow, wide = encoder(field), encoder(widened(field, 3))
    torch.testing.assert_close(wide.pooled, narrow.pooled, atol=1e-5, rtol=0)
    columns = narrow.tokens.shape[1]
    torch.testing.assert_close(wide.tokens[:, :columns], narrow.tokens, atol=1e-5, rtol=0)
    assert not wide.tokens[:, columns:].any()


@every_encoder
def test_gradients_are_those_of_the_rows_alone(case: Case) -> None:
    """Padding gives no gradient and takes none: the sum over single rows is that of the batch."""
    encoder = built(case)
    field = inputs(case.kind)
    together = gradients(encoder, field)
    summed: dict[str, torch.Tensor] = {}
    for row, length in enumerate(LENGTHS):
        alone = rows(field, [row])
        if alone.mask is not None:
            alone = Field(alone.values[:, :length])
        for name, gradient in gradients(encoder, alone).items():
            summed[name] = summed[name] + gradient if name in summed else gradient
    assert together.keys() == summed.keys()
    for name, gradient in together.items():
        scale = max(1.0, float(gradient.abs().max()))
        torch.testing.assert_close(gradient / scale, summed[name] / scale, atol=1e-5, rtol=0)


@every_encoder
def test_gradient_reaches_what_trains_and_nothing_else(case: Case) -> None:
    encoder = built(case).train()
    features = encoder(inputs(case.kind))
    if not features.pooled.requires_grad:
        assert not any(parameter.requires_grad for parameter in encoder.parameters())
        return
    total = features.tokens.square().sum() + features.pooled.square().sum()
    if isinstance(encoder, Points):  # what finds objects learns from being asked for them alone
        cells_BTC, heat_BT = encoder.look(inputs(case.kind))
        total = total + heat_BT.sum() + encoder.classify(cells_BTC.flatten(0, 1)).sum()
    total.backward()
    for name, parameter in encoder.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name


@every_encoder
def test_recomputed_layers_change_nothing(case: Case) -> None:
    found = []
    for recompute in (False, True):
        encoder = built(case).train()
        for module in encoder.modules():
            if recompute and isinstance(module, Recomputing):
                module.recompute_activations()
        torch.manual_seed(1)
        features = encoder(inputs(case.kind))
        if features.pooled.requires_grad:
            features.pooled.square().sum().backward()
        found.append([features.pooled, *(parameter.grad for parameter in encoder.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_convolutions_work_pixel_by_pixel() -> None:
    """In the layout in which convolutions train twice as fast on CPUs."""
    outputs: dict[str, list[torch.Tensor]] = {}
    for name, case in CASES.items():
        encoder = built(case)
        for module in encoder.modules():
            if isinstance(module, nn.Conv2d):
                assert module.weight.is_contiguous(memory_format=torch.channels_last)
                kept = outputs.setdefault(name, [])
                module.register_forward_hook(lambda _, __, output, kept=kept: kept.append(output))
        if name in outputs:
            shape = (2, 3, 3, 32, 32) if case.kind == "panels" else (2, 3, 64, 64)
            encoder(Field(torch.zeros(shape, dtype=torch.uint8)))
    assert len(outputs) == 9
    for made in outputs.values():
        assert all(output.is_contiguous(memory_format=torch.channels_last) for output in made)


@every_encoder
def test_caching_the_frozen_part_changes_nothing(case: Case) -> None:
    encoder = built(case)
    field = inputs(case.kind)
    if not isinstance(encoder, CacheableEncoder):
        assert not hasattr(encoder, "frozen_parameters")
        return
    whole, cached = encoder(field), encoder.frozen(field)
    assert torch.equal(encoder.trainable(cached).pooled, whole.pooled)
    dirty = cached.tokens.masked_fill(~cached.mask[:, :, None], torch.nan)
    again = encoder.trainable(Features(dirty, cached.mask, cached.pooled))
    assert torch.equal(again.pooled, whole.pooled)
    frozen = encoder.frozen_parameters()
    assert frozen
    assert not any(tensor.requires_grad for tensor in frozen.values())
    # A change in any of them that matters changes what is cached.
    with torch.no_grad():
        for tensor in frozen.values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor))
    assert not torch.equal(encoder.frozen(field).tokens, cached.tokens)


@every_encoder
def test_config_survives_json(case: Case) -> None:
    written = json.loads(json.dumps(to_json(case.config)))
    assert from_json(written, Config, "test") == case.config


@every_encoder
def test_a_trained_encoder_is_rebuilt_without_its_sources(case: Case, tmp_path: Path) -> None:
    encoder = built(case)
    config: Any = case.config
    if hasattr(config, "weights") and not isinstance(config, WordVectorsConfig):
        path = tmp_path / "weights.safetensors"
        save_file({k: v.contiguous() for k, v in encoder.state_dict().items()}, path)
        config = config.replace(weights=str(path))
        field = inputs(case.kind)
        torch.manual_seed(1)
        encoder = config.build().eval()
        assert torch.equal(encoder(field).pooled, built(case)(field).pooled)
        path.unlink()
    torch.manual_seed(2)
    rebuilt = architecture(config).build()
    rebuilt.load_state_dict(encoder.state_dict())
    field = inputs(case.kind)
    assert torch.equal(rebuilt.eval()(field).pooled, encoder(field).pooled)
