"""What every codec keeps, found by walking the folder, and a flow over its latents."""

import pytest
import torch
from bad_numbers import assert_refused_by_name
from tiny_codecs import CHANNELS, CODECS, CONVOLUTIONS, SIDE, over_latents
from tiny_decoders import built, configs_in, contexts
from torch import Tensor, nn

import weft.decoders.codecs
from weft.core.config import Config, from_json, to_json
from weft.decoders.codecs.base import Codec, Coded
from weft.decoders.drawing import DrawingConfig
from weft.decoders.flow import Flow

every_codec = pytest.mark.parametrize("config", CODECS.values(), ids=CODECS)


def pictures(rows: int = 5) -> Tensor:
    return torch.rand(rows, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1


def codec_of(config: Config) -> Codec:
    codec = built(config)
    assert isinstance(codec, Codec)
    return codec


def test_the_folder_holds_these_codecs_and_no_others() -> None:
    found = configs_in(weft.decoders.codecs)
    assert found == {type(config) for config in CODECS.values()}
    assert len(found) == 1


@every_codec
def test_the_config_survives_json_and_its_numbers_are_checked(config: Config) -> None:
    assert from_json(to_json(config), Config, "here") == config
    assert_refused_by_name(config)


def test_sides_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="size is 10, expected a multiple of 4: patch 2 and 2"):
        CONVOLUTIONS.replace(size=10)
    with pytest.raises(ValueError, match="widths is"):
        CONVOLUTIONS.replace(widths=())


@every_codec
def test_shapes_are_as_declared_and_latents_have_the_scale_of_noise(config: Config) -> None:
    codec = codec_of(config)
    assert isinstance(config, Coded)
    assert (config.shape, config.latents) == (codec.shape, codec.latents)
    latents = codec.encode(pictures())
    assert latents.shape == (5, *codec.latents)
    torch.testing.assert_close(
        latents.square().mean(1), torch.ones(5, *codec.latents[1:]), atol=1e-3, rtol=0
    )
    assert codec.decode(latents).shape == (5, *codec.shape)


@every_codec
def test_a_row_alone_is_coded_as_in_a_batch(config: Config) -> None:
    codec, values = codec_of(config), pictures()
    latents = codec.encode(values)
    torch.testing.assert_close(codec.encode(values[2:3]), latents[2:3], atol=1e-5, rtol=0)
    torch.testing.assert_close(
        codec.decode(latents[2:3]), codec.decode(latents)[2:3], atol=1e-5, rtol=0
    )


@every_codec
def test_wrong_shapes_are_refused(config: Config) -> None:
    codec = codec_of(config)
    with pytest.raises(ValueError, match="pictures"):
        codec.encode(torch.zeros(2, 3, SIDE + 1, SIDE))
    with pytest.raises(ValueError, match="latents"):
        codec.decode(torch.zeros(2, CHANNELS + 1, *codec.latents[1:]))


@every_codec
def test_it_learns_to_reconstruct(config: Config) -> None:
    codec, values = codec_of(config), pictures()
    assert isinstance(codec, nn.Module)
    optimizer = torch.optim.Adam(codec.parameters(), 1e-2)
    errors = []
    for _ in range(60):
        error = (codec.decode(codec.encode(values)) - values).square().mean()
        optimizer.zero_grad()
        error.backward()
        assert all(p.grad is not None for p in codec.parameters())
        optimizer.step()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.7 * errors[0]


def test_a_flow_over_latents_draws_pictures_from_noise_of_latents() -> None:
    flow = built(over_latents())
    assert isinstance(flow, Flow)
    assert (flow.shape, flow.noise) == ((3, SIDE, SIDE), CONVOLUTIONS.latents)
    noise = torch.randn(3, *flow.noise, generator=torch.Generator().manual_seed(1))
    way = DrawingConfig(steps=2)
    drawn = flow.draw(contexts(), noise, way)
    assert drawn.shape == (3, *flow.shape)
    assert flow.codec is not None
    # The picture is the decoded end of the path of a flow without the codec and with the same network.
    bare = Flow(flow.config.replace(codec=None))
    bare.load_state_dict({k: v for k, v in flow.state_dict().items() if "codec" not in k})
    torch.testing.assert_close(drawn, flow.codec.decode(bare.draw(contexts(), noise, way)))


def test_the_network_must_generate_the_latents() -> None:
    other = over_latents(CONVOLUTIONS.replace(channels=5))
    with pytest.raises(ValueError, match=r"expected \(4, 2, 2\), the latents of the codec"):
        other.replace(codec=CONVOLUTIONS)
