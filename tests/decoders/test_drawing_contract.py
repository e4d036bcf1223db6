"""What every decoder that draws keeps, and every network of velocities, found by walking their folders."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
import torch
from bad_numbers import assert_refused_by_name
from tiny_decoders import WIDTH, built, configs_in, contexts
from tiny_drawing import DRAWN, PATCHES, SIDE, VELOCITIES, noise_for
from torch import Tensor, nn

import weft.decoders.velocity
from weft.core.config import Config, from_json, to_json
from weft.core.interfaces import Decoder
from weft.core.records import Features, Field
from weft.decoders.drawing import Drawer, DrawingConfig, Shaped
from weft.decoders.velocity.base import Velocity
from weft.decoders.velocity.frames import FrameVelocityConfig

WAY = DrawingConfig(steps=3)
GUIDED = WAY.replace(guidance=1.5, solver="heun")
every_drawer = pytest.mark.parametrize("config", DRAWN.values(), ids=DRAWN)
every_velocity = pytest.mark.parametrize("config", VELOCITIES.values(), ids=VELOCITIES)
every_way = pytest.mark.parametrize("way", [WAY, GUIDED], ids=["plain", "guided"])


def drawer(config: Config) -> Drawer:
    decoder = built(config)
    assert isinstance(decoder, Drawer)
    return decoder


def values(decoder: Drawer, context: Features, way: DrawingConfig = WAY) -> Tensor:
    return (
        decoder.draw(context, noise_for(decoder.noise, 3)[: len(context)], way)
        if (decoder.noise)
        else decoder.draw(context, None, way)
    )


def alone(context: Features, row: int) -> Features:
    """The row by itself, with no more places than it has tokens."""
    tokens = int(context.mask[row].sum())
    one = slice(row, row + 1)
    return Features(context.tokens[one, :tokens], context.mask[one, :tokens], context.pooled[one])


def wider(context: Features, value: float) -> Features:
    """Two more places that are padding, and in all of it that value."""
    tokens = torch.cat([context.tokens, torch.zeros(len(context), 2, WIDTH)], dim=1)
    mask = torch.cat([context.mask, torch.zeros(len(context), 2, dtype=torch.bool)], dim=1)
    return Features(tokens.masked_fill(~mask[..., None], value), mask, context.pooled)


def test_the_folder_holds_these_velocities_and_no_others() -> None:
    found = configs_in(weft.decoders.velocity)
    # FrameVelocity has a context for each frame: tests/decoders/test_spoken_flow.py.
    assert found == {FrameVelocityConfig, *(type(config) for config in VELOCITIES.values())}
    assert len(found) == 3


@pytest.mark.parametrize("config", [*DRAWN.values(), *VELOCITIES.values()])
def test_the_config_survives_json_and_its_numbers_are_checked(config: Config) -> None:
    assert from_json(to_json(config), Config, "here") == config
    assert_refused_by_name(config)


@pytest.mark.parametrize("config", [PATCHES, VELOCITIES["patches"]])
def test_no_layers_are_refused(config: Config) -> None:
    with pytest.raises(ValueError, match="depth is 0, expected at least 1"):
        config.replace(depth=0)


@every_drawer
@every_way
def test_shape_and_noise_are_as_declared(config: Config, way: DrawingConfig) -> None:
    decoder = drawer(config)
    assert isinstance(decoder, Decoder)
    assert isinstance(config, Shaped)
    assert config.shape == decoder.shape
    assert len(config.shape) == 2 or config.shape == (3, SIDE, SIDE)
    found = values(decoder, contexts(), way)
    assert found.shape == (3, *decoder.shape)
    assert found.dtype == torch.float32
    assert found.isfinite().all()
    assert found.std(dim=0).max() > 1e-3  # the context counts


@every_drawer
def test_noise_counts_where_there_is_some(config: Config) -> None:
    decoder, context = drawer(config), contexts()
    if not decoder.noise:
        return
    noise = cast(Tensor, noise_for(decoder.noise))
    found, other = decoder.draw(context, noise, WAY), decoder.draw(context, -noise, WAY)
    assert (found - other).flatten(1).abs().amax(1).min() > 1e-4
    torch.testing.assert_close(decoder.draw(context, noise, WAY), found, atol=0, rtol=0)


@every_drawer
def test_settings_that_are_named_have_an_effect_and_others_have_none(config: Config) -> None:
    decoder, context = drawer(config), contexts()
    plain = values(decoder, context)
    others = {"steps": 2, "guidance": 2.0, "shift": 3.0, "solver": "heun"}
    for name, value in others.items():
        found = values(decoder, context, WAY.replace(**{name: value}))
        assert torch.equal(found, plain) == (name not in decoder.settings), name
    assert ("seed" in decoder.settings) == bool(decoder.noise)


@every_drawer
def test_as_a_decoder_it_draws_from_the_prefix_with_default_settings(config: Config) -> None:
    decoder, context = drawer(config), contexts()
    noise = noise_for(decoder.noise)
    drawn = decoder.draw(context, noise, DrawingConfig())
    assert torch.equal(decoder(context, None if noise is None else Field(noise)), drawn)
    if noise is not None:
        of_zeros = decoder.draw(context, torch.zeros_like(noise), DrawingConfig())
        assert torch.equal(decoder(context), of_zeros)


@every_drawer
@every_way
def test_a_row_alone_is_drawn_as_in_a_batch(config: Config, way: DrawingConfig) -> None:
    decoder, context = drawer(config), contexts()
    noise = noise_for(decoder.noise)
    together = decoder.draw(context, noise, way)
    for row in range(3):
        own = None if noise is None else noise[row : row + 1]
        found = decoder.draw(alone(context, row), own, way)
        torch.testing.assert_close(found[0], together[row], atol=1e-5, rtol=0)
    order = torch.tensor([2, 0, 1])
    turned = decoder.draw(context.take(order), None if noise is None else noise[order], way)
    torch.testing.assert_close(turned, together[order], atol=1e-5, rtol=0)


@every_drawer
@every_way
def test_padding_of_the_context_is_never_read(config: Config, way: DrawingConfig) -> None:
    decoder = drawer(config)
    expected = values(decoder, contexts(), way)
    for value in (0.0, torch.nan):
        found = values(decoder, wider(contexts(), value), way)
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
        cast(nn.Module, decoder).zero_grad()
        found.square().sum().backward()
        for name, parameter in parameters(decoder):
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


@every_drawer
def test_gradients_of_all_parameters_and_of_the_context(config: Config) -> None:
    """Of flows also those of the context that stands for none: the last row has no token."""
    decoder, context = drawer(config), contexts()
    pooled = context.pooled.clone().requires_grad_()
    found = values(decoder, Features(context.tokens, context.mask, pooled))
    found.square().sum().backward()
    for name, parameter in parameters(decoder):
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any() or name == "no_context", name
    assert pooled.grad is not None
    assert pooled.grad[:2].any(dim=1).all()


@every_drawer
def test_gradients_of_rows_add_up_to_those_of_their_batch(config: Config) -> None:
    decoder, context = drawer(config), contexts()
    noise = noise_for(decoder.noise)
    found: list[dict[str, Tensor]] = []
    for cuts in ([slice(0, 3)], [slice(0, 1), slice(1, 3)]):
        cast(nn.Module, decoder).zero_grad()
        for rows in cuts:
            own = None if noise is None else noise[rows]
            decoder.draw(context.rows(rows), own, WAY).square().sum().backward()
        found.append({n: cast(Tensor, p.grad).clone() for n, p in parameters(decoder)})
    for name, whole in found[0].items():
        scale = max(1.0, float(whole.abs().max()))
        torch.testing.assert_close(
            found[1][name] / scale, whole / scale, atol=1e-5, rtol=0, msg=name
        )


@every_drawer
def test_no_rows_are_no_values(config: Config) -> None:
    """A rank may hold no row that has the context, and takes part in what the others compute."""
    decoder, nobody = drawer(config), contexts().rows(slice(0))
    found = values(decoder, nobody)
    assert found.shape == (0, *decoder.shape)
    found.sum().backward()
    for name, parameter in parameters(decoder):
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name


@every_drawer
def test_what_does_not_fit_is_refused(config: Config) -> None:
    decoder, context = drawer(config), contexts()
    noise = noise_for(decoder.noise)
    wide = Features(torch.zeros(3, 5, WIDTH + 1), context.mask, torch.zeros(3, WIDTH + 1))
    with pytest.raises(ValueError, match=f"D = {WIDTH}"):
        decoder.draw(wide, noise, WAY)
    if noise is None:
        return
    with pytest.raises(ValueError, match=r"noise has shape None, expected \(3, "):
        decoder.draw(context, None, WAY)
    for wrong in (noise[:2], torch.cat([noise, noise], dim=1)):
        with pytest.raises(ValueError, match=r"noise has shape .*, expected \(3, "):
            decoder(context, Field(wrong))
        with pytest.raises(ValueError, match=r"noise has shape .*, expected \(3, "):
            decoder.draw(context, wrong, WAY)


def parameters(decoder: Any) -> Iterator[tuple[str, nn.Parameter]]:
    """Those that take part in drawing, which are all but the codec's way from values to latents."""
    module: nn.Module = decoder
    return ((n, p) for n, p in module.named_parameters() if not n.startswith("codec.down"))


def moved(network: Velocity, context: Features, rows: slice = slice(0, 3)) -> Tensor:
    noisy = cast(Tensor, noise_for(network.shape))
    return network(noisy[rows], torch.tensor([0.0, 0.4, 1.0])[rows], context)


def velocity(config: Config) -> Velocity:
    network = built(config)
    assert isinstance(network, Velocity)
    return network


@every_velocity
def test_a_velocity_has_the_shape_of_what_moves_and_begins_as_nothing(config: Config) -> None:
    network = velocity(config)
    assert isinstance(config, Shaped)
    assert config.shape == network.shape
    assert network.context_dim == WIDTH
    assert moved(network, contexts()).shape == (3, *network.shape)
    fresh: Any = config.build()  # type: ignore[attr-defined]
    assert not moved(fresh.eval(), contexts()).any()


@every_velocity
def test_time_and_context_count(config: Config) -> None:
    network, context = velocity(config), contexts()
    noisy = cast(Tensor, noise_for(network.shape))
    found = [network(noisy, torch.full((3,), time), context) for time in (0.0, 0.01, 1.0)]
    assert not torch.allclose(found[0], found[1])
    assert not torch.allclose(found[0], found[2])
    other = Features(context.tokens, context.mask, -context.pooled)
    assert not torch.allclose(network(noisy, torch.zeros(3), other)[:2], found[0][:2])


@every_velocity
def test_a_row_alone_moves_as_in_a_batch_and_padding_is_never_read(config: Config) -> None:
    network, context = velocity(config), contexts()
    together = moved(network, context)
    for row in range(3):
        found = moved(network, alone(context, row), slice(row, row + 1))
        torch.testing.assert_close(found[0], together[row], atol=1e-5, rtol=0)
    spoiled = moved(network, wider(context, torch.nan))
    torch.testing.assert_close(spoiled, together, atol=1e-6, rtol=0)


@every_velocity
def test_every_parameter_of_a_velocity_has_a_gradient(config: Config) -> None:
    network = velocity(config)
    moved(network, contexts()).square().sum().backward()
    for name, parameter in parameters(network):
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@every_velocity
def test_values_and_contexts_of_another_size_are_refused(config: Config) -> None:
    network, context = velocity(config), contexts()
    with pytest.raises(ValueError, match=f"W = {SIDE}"):
        network(torch.zeros(3, 3, SIDE, 2 * SIDE), torch.zeros(3), context)
    wide = Features(torch.zeros(3, 5, WIDTH + 1), context.mask, torch.zeros(3, WIDTH + 1))
    with pytest.raises(ValueError, match=f"D = {WIDTH}"):
        network(torch.zeros(3, 3, SIDE, SIDE), torch.zeros(3), wide)
