"""Speech from words: which frames say which word."""

import torch

from weft.core.records import Features
from weft.decoders.drawing import DrawingConfig
from weft.decoders.spoken_flow import PLACES, SpokenFlow, SpokenFlowConfig, words_first
from weft.decoders.velocity.frames import FrameVelocityConfig

BANDS, WIDTH, LONGEST = 3, 8, 30


def flow(usual: float = 5.0) -> SpokenFlow:
    torch.manual_seed(0)
    network = FrameVelocityConfig(BANDS, WIDTH + PLACES, frames=LONGEST, dim=8, depth=2, heads=2)
    made = SpokenFlowConfig(network, context_dim=WIDTH, usual=usual).build().eval()
    for parameter in made.parameters():  # so that nothing begins as nothing
        torch.nn.init.normal_(parameter, std=0.2) if parameter.ndim > 1 else None
    return made


def context() -> Features:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randn(3, 4, WIDTH, generator=generator)
    mask = torch.tensor([[True] * 4, [False, True, True, False], [False] * 4])
    return Features(tokens, mask, tokens.mean(1))


def test_each_frame_has_its_word_and_its_place_in_it() -> None:
    ends = torch.tensor([[2, 5, 6, 9], [3, 4, 4, 4], [0, 0, 0, 0]])
    given = words_first(context())
    frames = flow().frames(given, ends)
    assert frames.mask.sum(1).tolist() == [9, 4, 1]
    words = [0, 0, 1, 1, 1, 2, 3, 3, 3]
    for place, word in enumerate(words):
        assert torch.equal(frames.tokens[0, place, :WIDTH], given.tokens[0, word])
    assert not torch.equal(frames.tokens[0, 0, WIDTH:], frames.tokens[0, 1, WIDTH:])
    # Words of other lengths have the same codes at the same share of their way.
    torch.testing.assert_close(frames.tokens[0, 3, WIDTH:], frames.tokens[0, 7, WIDTH:])


def test_padding_between_words_changes_nothing() -> None:
    made, padded = flow(), context()
    alone = Features(padded.tokens[1:2, 1:3], padded.mask[1:2, 1:3], padded.pooled[1:2])
    noise = torch.randn(3, LONGEST, BANDS, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        length = int(made.lengths(alone)[0])
        assert made.lengths(words_first(padded))[1] == length
        one = made.draw(alone, noise[1:2], DrawingConfig(steps=2))
        among = made.draw(padded, noise, DrawingConfig(steps=2))
    torch.testing.assert_close(one[0], among[1, :length], atol=1e-5, rtol=0)


def test_sounds_are_never_longer_than_the_network_draws() -> None:
    made = flow(usual=100.0)
    assert made.lengths(context()).tolist()[0] <= LONGEST
    assert made.lengths(context()).min() >= 1
    noise = torch.zeros(3, LONGEST, BANDS)
    assert made.draw(context(), noise, DrawingConfig(steps=1)).shape[1] <= LONGEST
