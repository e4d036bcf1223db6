"""What every encoder keeps, found by walking weft/encoders."""

import importlib
import inspect
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tiny_encoders import CASES, LENGTHS, Case, built, inputs, rows, widened
from torch import nn

import weft.encoders
from weft.architectures.model import Model
from weft.core.config import Config, from_json, to_json
from weft.core.interfaces import CacheableEncoder, Encoder, Recomputing
from weft.core.records import Features, Field
from weft.encoders.picture_critic import PictureCriticConfig
from weft.encoders.points import Points
from weft.encoders.weights import architecture
from weft.encoders.word_vectors import WordVectorsConfig

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
    assert len(config_classes()) == 37


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


def test_sounds_are_encoded_in_the_precision_of_the_weights() -> None:
    field = inputs("frames")
    for name in ("spectrogram-cnn", "spectrogram-transformer", "speech-transformer", "conformer"):
        encoder = built(CASES[name]).to(torch.bfloat16)
        assert encoder(field).pooled.dtype == torch.bfloat16


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
        torch.testing.assert_close(gradient / scale, summed[name] / scale, atol=3e-5, rtol=0)


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
            # One channel lies the same way in both layouts.
            if isinstance(module, nn.Conv2d) and module.in_channels > 1:
                assert module.weight.is_contiguous(memory_format=torch.channels_last)
                kept = outputs.setdefault(name, [])
                module.register_forward_hook(lambda _, __, output, kept=kept: kept.append(output))
        if name in outputs:
            several = case.kind in ("panels", "pictures")
            side = case.config.size if isinstance(case.config, PictureCriticConfig) else 64
            shape = (2, 3, 3, 32, 32) if several else (2, 3, side, side)
            pixels = Field(torch.zeros(shape, dtype=torch.uint8))
            encoder(inputs("frames") if case.kind == "frames" else pixels)
    assert len(outputs) == 25
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
