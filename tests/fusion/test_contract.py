"""What every fusion keeps, found by walking weft/fusion."""

import importlib
import inspect
import json
import pkgutil
from typing import cast

import pytest
import torch
from tiny_fusions import CASES, built, rows, streams, widths, without

import weft.fusion
from weft.core.config import Config, from_json, to_json
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT, Fusion, Recomputing
from weft.core.records import Features
from weft.fusion._streams import FusionConfig

every_fusion = pytest.mark.parametrize("config", CASES.values(), ids=CASES.keys())


def config_classes() -> set[type[Config]]:
    found: set[type[Config]] = set()
    for module_info in pkgutil.iter_modules(weft.fusion.__path__):
        module = importlib.import_module(f"weft.fusion.{module_info.name}")
        for _, member in inspect.getmembers(module, inspect.isclass):
            own = member.__module__ == module.__name__
            if own and issubclass(member, Config):
                found.add(member)
    return found


def test_every_config_is_in_the_suite() -> None:
    assert config_classes() == {type(config) for config in CASES.values()}
    assert len(config_classes()) == 11
    for kind in config_classes():
        sizes = {len(widths(config)) for config in CASES.values() if type(config) is kind}
        assert {2, 3} <= sizes, f"{kind.__name__} is tried with {sizes} streams, expected 2 and 3"


def assert_same_row(one: Features, row: int, other: Features, other_row: int) -> None:
    torch.testing.assert_close(one.pooled[row], other.pooled[other_row], atol=1e-5, rtol=0)
    torch.testing.assert_close(
        one.tokens[row][one.mask[row]],
        other.tokens[other_row][other.mask[other_row]],
        atol=1e-5,
        rtol=0,
    )


def backward(total: torch.Tensor) -> None:
    """Nothing, where neither the fusion nor its streams have anything that learns."""
    if total.requires_grad:
        total.backward()


@every_fusion
def test_features_have_the_promised_shapes(config: Config) -> None:
    fusion, given = built(config), streams(config)
    fused = fusion(given)
    assert isinstance(fusion, Fusion)
    assert isinstance(config, FusionConfig)
    assert fused.keys() == {*given, JOINT}
    assert fused[JOINT].pooled.shape == (4, fusion.dim)
    assert fusion.dim == config.dim
    assert fused[JOINT].pooled.isfinite().all()
    assert fused[JOINT].pooled.std(dim=0).max() > 0
    for stream, features in given.items():
        assert torch.equal(fused[stream].mask, features.mask)
        assert len(fused[stream].pooled) == 4
    for features in fused.values():
        assert features.tokens[features.mask].isfinite().all()
        assert features.mask.any(dim=1).all()


@every_fusion
def test_every_stream_counts(config: Config) -> None:
    fusion, given = built(config), streams(config)
    whole = fusion(given)[JOINT].pooled
    for stream, features in given.items():
        other = Features(-features.tokens, features.mask, -features.pooled)
        assert not torch.allclose(fusion({**given, stream: other})[JOINT].pooled[0], whole[0])


@every_fusion
def test_same_seed_same_features(config: Config) -> None:
    given = streams(config)
    assert torch.equal(built(config)(given)[JOINT].pooled, built(config)(given)[JOINT].pooled)


@every_fusion
def test_alone_padded_and_reordered_are_the_same(config: Config) -> None:
    fusion, given = built(config), streams(config)
    together = fusion(given)
    order = [2, 0, 3, 1]
    reordered = fusion(rows(given, order))
    for name, features in together.items():
        for place, row in enumerate(order):
            assert_same_row(reordered[name], place, features, row)
            assert_same_row(fusion(rows(given, [row]))[name], 0, features, row)


@every_fusion
def test_the_order_of_the_streams_is_not_that_of_the_keys(config: Config) -> None:
    fusion, given = built(config), streams(config)
    reverse = {stream: given[stream] for stream in reversed(given)}
    for name, features in fusion(given).items():
        again = fusion(reverse)[name]
        assert torch.equal(again.pooled, features.pooled)
        assert torch.equal(again.mask, features.mask)
        assert torch.equal(again.tokens[again.mask], features.tokens[features.mask])


@every_fusion
def test_a_batch_may_lack_any_stream(config: Config) -> None:
    fusion, given = built(config), streams(config)
    whole = fusion(given)[JOINT].pooled
    for stream in given:
        rest = {name: features for name, features in given.items() if name != stream}
        fused = fusion(rest)
        assert fused.keys() == {*rest, JOINT}
        assert fused[JOINT].pooled.shape == whole.shape
        assert fused[JOINT].pooled.isfinite().all()
        assert not torch.allclose(fused[JOINT].pooled, whole)


@every_fusion
def test_a_row_that_lacks_a_stream_is_as_in_a_batch_without_it(config: Config) -> None:
    fusion, given = built(config), streams(config)
    whole = fusion(given)
    for stream in given:
        fused = fusion({**given, stream: without(given[stream], 1)})
        rest = {name: features for name, features in given.items() if name != stream}
        alone = fusion(rows(rest, [1]))
        for name, features in alone.items():
            assert_same_row(fused[name], 1, features, 0)
        assert not fused[stream].mask[1].any()
        for row in (0, 2, 3):
            assert_same_row(fused[JOINT], row, whole[JOINT], row)


@every_fusion
def test_a_stream_without_tokens_is_as_a_batch_without_it(config: Config) -> None:
    """So is a batch in which no row has any stream, and one of no rows."""
    fusion, given = built(config), streams(config)
    for stream in given:
        rest = {name: features for name, features in given.items() if name != stream}
        absent = Features.absent(4, widths(config)[stream])
        found, expected = fusion({**given, stream: absent})[JOINT], fusion(rest)[JOINT]
        torch.testing.assert_close(found.pooled, expected.pooled, atol=1e-6, rtol=0)
        assert torch.equal(found.present, expected.present)
    for count in (0, 4):
        nothing = {name: Features.absent(count, width) for name, width in widths(config).items()}
        found = fusion(nothing)
        assert {name: len(features) for name, features in found.items()} == dict.fromkeys(
            (*nothing, JOINT), count
        )
        assert found[JOINT].pooled.shape == (count, fusion.dim)
        assert not found[JOINT].pooled.any()
        assert not found[JOINT].present.any()


@every_fusion
def test_a_row_that_lacks_all_streams_is_zero_and_disturbs_nobody(config: Config) -> None:
    fusion, given = built(config), streams(config)
    whole = fusion(given)[JOINT]
    given = {stream: without(features, 2) for stream, features in given.items()}
    tokens = {s: f.tokens.detach().requires_grad_() for s, f in given.items()}
    fused = fusion({s: Features(tokens[s], f.mask, f.pooled) for s, f in given.items()})[JOINT]
    assert not fused.pooled[2].any()
    assert not fused.mask[2].any()
    for row in (0, 1, 3):
        assert_same_row(fused, row, whole, row)
    backward(fused.pooled.square().sum() + fused.tokens[fused.mask].square().sum())
    for parameter in fusion.parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all()


@every_fusion
@pytest.mark.parametrize("count", [0, 4])
def test_a_rank_without_tokens_has_gradients_of_zero(config: Config, count: int) -> None:
    """For every parameter: the other ranks wait for them."""
    fusion = built(config).train()
    fused = fusion({name: Features.absent(count, width) for name, width in widths(config).items()})
    backward(cast(torch.Tensor, sum(f.tokens.sum() + f.pooled.sum() for f in fused.values())))
    for name, parameter in fusion.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name


@every_fusion
def test_gradient_reaches_every_parameter(config: Config) -> None:
    """Each stream is lacked by another row."""
    fusion = built(config).train()
    given = streams(config)
    fused = fusion({s: without(features, row) for row, (s, features) in enumerate(given.items())})
    loss = sum(f.tokens[f.mask].square().sum() + f.pooled.square().sum() for f in fused.values())
    backward(cast(torch.Tensor, loss))
    for name, parameter in fusion.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@every_fusion
def test_recomputed_layers_change_nothing(config: Config) -> None:
    found = []
    for recompute in (False, True):
        fusion = built(config).train()
        for module in fusion.modules():
            if recompute and isinstance(module, Recomputing):
                module.recompute_activations()
        torch.manual_seed(1)
        pooled = fusion(streams(config))[JOINT].pooled
        backward(pooled.square().sum())
        found.append([pooled, *(parameter.grad for parameter in fusion.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@every_fusion
def test_config_survives_json(config: Config) -> None:
    written = json.loads(json.dumps(to_json(config)))
    read = from_json(written, Config, "test")
    assert read == config
    given = streams(config)
    assert torch.equal(built(read)(given)[JOINT].pooled, built(config)(given)[JOINT].pooled)


@every_fusion
def test_wrong_streams_are_named(config: Config) -> None:
    fusion, given = built(config), streams(config)
    with pytest.raises(WeftError, match=r"unknown stream .*'video'.*known: .*text"):
        fusion({**given, "video": given["image"]})
    with pytest.raises(ValueError, match="got no stream"):
        fusion({})
    tokens = torch.zeros(4, 2, 3)
    narrow = Features(tokens, torch.ones(4, 2, dtype=torch.bool), tokens[:, 0])
    with pytest.raises(ValueError, match="'text' has shape"):
        fusion({**given, "text": narrow})
