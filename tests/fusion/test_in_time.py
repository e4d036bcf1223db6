"""Places in time, computed by hand."""

import torch

from weft.core.interfaces import JOINT
from weft.core.records import Features
from weft.fusion.in_time import InTime, InTimeConfig

CONFIG = InTimeConfig({"audio": 4, "video": 6}, dim=8, repeat={"video": 2})


def streams(seen: tuple[int, int] = (3, 2)) -> dict[str, Features]:
    """Two rows: sounds of 6 and 4 tokens, and videos of `seen` tokens."""
    generator = torch.Generator().manual_seed(0)
    found = {}
    for name, width, lengths in (("audio", 4, (6, 4)), ("video", 6, seen)):
        tokens = torch.randn(2, max(lengths), width, generator=generator)
        mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
        found[name] = Features(tokens.masked_fill(~mask[..., None], 0), mask, tokens.mean(1))
    return found


def fusion() -> InTime:
    torch.manual_seed(0)
    return CONFIG.build().eval()


def test_each_frame_stands_at_two_places_of_the_sound() -> None:
    fused = fusion()(streams())[JOINT]
    assert fused.mask.sum(1).tolist() == [6, 4]
    # A change of the second frame reaches places 2 and 3 of the gated sum, not the others.
    model, given = fusion(), streams()
    _, before, _ = model._places(given)
    given["video"].tokens[0, 1] += torch.arange(6)
    _, after, _ = model._places(given)
    assert (before != after).any(3).nonzero()[:, :3].tolist() == [[0, 2, 1], [0, 3, 1]]


def test_weights_are_shares_of_the_streams_that_are_there() -> None:
    model = fusion()
    weights = model.place_weights(streams())
    assert weights.shape == (2, 6, 2)
    torch.testing.assert_close(weights.sum(2), torch.tensor([[1.0] * 6, [1.0] * 4 + [0.0] * 2]))
    longer = model.place_weights(
        streams((4, 2))
    )  # the video of row 0 goes on for two places without sound
    assert longer[0, 6:].tolist() == [[0, 1], [0, 1]]
    alone = model.place_weights({"audio": streams()["audio"]})
    assert alone[..., 1].count_nonzero() == 0
    assert alone[0, :, 0].tolist() == [1.0] * 6
