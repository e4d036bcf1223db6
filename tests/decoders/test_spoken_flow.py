"""Speech from words: lengths, the frames of each word, and that rows, padding and empty batches change nothing."""

import math

import pytest
import torch
from tiny_decoders import WIDTH, built, contexts
from torch import nn

from weft.core.records import Features
from weft.decoders.codecs.convolutions import PictureCodecConfig
from weft.decoders.drawing import DrawingConfig, DrawsLengths
from weft.decoders.spoken_flow import PLACES, SpokenFlow, SpokenFlowConfig, words_first
from weft.decoders.velocity.frames import FrameVelocityConfig

BANDS, MOST = 4, 9
NETWORK = FrameVelocityConfig(BANDS, WIDTH + PLACES, frames=MOST, dim=8, depth=2, heads=2)
CONFIG = SpokenFlowConfig(NETWORK, context_dim=WIDTH, usual=2.0)
WAY = DrawingConfig(steps=3, guidance=1.5)
NOISE = torch.randn(3, MOST, BANDS, generator=torch.Generator().manual_seed(4))


def test_a_codec_is_refused() -> None:
    with pytest.raises(ValueError, match="codec is a PictureCodecConfig, expected None"):
        CONFIG.replace(codec=PictureCodecConfig(8))


def flow() -> SpokenFlow:
    part = built(CONFIG)
    assert isinstance(part, SpokenFlow)
    assert isinstance(part, DrawsLengths)
    return part


def test_a_row_alone_is_drawn_as_in_a_batch_and_padding_is_never_read() -> None:
    part, context = flow(), contexts()
    lengths = part.lengths(context)
    together = part.draw(context, NOISE, WAY)
    assert together.shape == (3, int(lengths.max()), BANDS)
    spoiled = context.tokens.masked_fill(~context.mask[..., None], torch.nan)
    again = part.draw(Features(spoiled, context.mask, context.pooled), NOISE, WAY)
    for row, length in enumerate(lengths.tolist()):
        one, tokens = slice(row, row + 1), int(context.mask[row].sum())
        alone = Features(
            context.tokens[one, :tokens], context.mask[one, :tokens], context.pooled[one]
        )
        assert part.lengths(alone).tolist() == [length]
        found = part.draw(alone, NOISE[one], WAY)[0]
        torch.testing.assert_close(found[:length], together[row, :length], atol=1e-5, rtol=0)
        torch.testing.assert_close(again[row, :length], together[row, :length], atol=1e-5, rtol=0)


@pytest.mark.parametrize("count", [0, 3])
def test_no_rows_and_no_words_have_gradients(count: int) -> None:
    part = flow().train()
    found = part.draw(Features.absent(count, WIDTH), NOISE[:count], WAY)
    assert found.shape[0] == count
    assert found.isfinite().all()
    (found.sum() + part.log_durations(Features.absent(count, WIDTH)).sum()).backward()
    for name, parameter in part.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_each_frame_is_told_its_word() -> None:
    context = contexts()
    ends = torch.tensor([[2, 3, 5, 6, 7], [1, 4, 4, 4, 4], [0, 0, 0, 0, 0]])
    frames = flow().frames(context, ends)
    assert frames.mask.sum(1).tolist() == [7, 4, 1]
    words = [0, 0, 1, 2, 2, 3, 4]
    torch.testing.assert_close(frames.tokens[0, :, :WIDTH], context.tokens[0, words])
    torch.testing.assert_close(frames.tokens[1, :4, :WIDTH], context.tokens[1, [0, 1, 1, 1]])


def test_words_come_first_in_their_order() -> None:
    tokens = torch.arange(4.0)[None, :, None]
    mask = torch.tensor([[False, True, False, True]])
    found = words_first(Features(tokens, mask, torch.zeros(1, 1)))
    assert found.tokens[0, :2, 0].tolist() == [1, 3]
    assert found.mask.tolist() == [[True, True, False, False]]


def test_frames_that_are_padding_are_not_heard_and_all_parameters_learn() -> None:
    network: nn.Module = built(NETWORK)
    mask = torch.arange(6) < torch.tensor([6, 3, 1])[:, None]
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randn(3, 6, WIDTH + PLACES, generator=generator)
    noisy = torch.randn(3, 6, BANDS, generator=generator)
    pooled, times = tokens[:, 0], torch.tensor([0.0, 0.5, 1.0])
    together = network(noisy, times, Features(tokens, mask, pooled))
    hidden = (part.masked_fill(~mask[..., None], torch.nan) for part in (noisy, tokens))
    noisy_too, tokens_too = hidden
    spoiled = network(noisy_too, times, Features(tokens_too, mask, pooled))
    assert torch.equal(spoiled, together)
    short = network(
        noisy[1:2, :3], times[1:2], Features(tokens[1:2, :3], mask[1:2, :3], pooled[1:2])
    )
    torch.testing.assert_close(short[0], together[1, :3], atol=1e-5, rtol=0)
    together.square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("usual", [1.9, 2.3, 3.6, 1e4])
def test_words_that_are_too_long_together_are_shortened_to_the_most_frames(usual: float) -> None:
    """Whatever their rounding: five words of 1.8 frames are not ten frames."""
    part, context = flow(), contexts()
    with torch.no_grad():
        part.duration.weight.zero_()
        part.duration.bias.fill_(math.log(usual))
    ends = part.ends(context)
    assert (torch.diff(ends[0], prepend=torch.tensor([0])) >= 1).all()
    lengths = part.lengths(context)
    assert lengths.tolist() == [MOST, min(MOST, round(2 * usual)), 1]
    assert part.draw(context, NOISE, WAY).shape == (3, MOST, BANDS)


def test_more_words_than_frames_are_cut() -> None:
    part = flow()
    tokens = torch.randn(1, MOST + 3, WIDTH, generator=torch.Generator().manual_seed(6))
    context = Features(tokens, torch.ones(1, MOST + 3, dtype=torch.bool), tokens.mean(1))
    assert part.lengths(context).tolist() == [MOST]
    assert part.draw(context, NOISE[:1], WAY).shape == (1, MOST, BANDS)


def test_places_that_are_no_words_change_no_length() -> None:
    """Such as an unknown mark between two words: lengths are those of the frames that are drawn."""
    part, tokens = flow(), torch.randn(1, 5, WIDTH, generator=torch.Generator().manual_seed(7))
    mask = torch.tensor([[True, False, True, False, True]])
    with torch.no_grad():
        part.duration.weight.mul_(5)  # neighbours count
    spread = Features(tokens, mask, tokens.mean(1))
    beside = Features(tokens[:, [0, 2, 4]], mask[:, [0, 2, 4]], tokens.mean(1))
    assert part.lengths(spread).tolist() == part.lengths(beside).tolist()
    found, expected = (part.draw(one, NOISE[:1], WAY) for one in (spread, beside))
    assert found.shape[1] == int(part.lengths(spread))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
