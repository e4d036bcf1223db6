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
    model, given = fusion(), streams()
    fused = model(given)[JOINT]
    assert fused.mask.sum(1).tolist() == [6, 4]
    # A change of the second frame reaches places 2 and 3, not the others.
    given["video"].tokens[0, 1] += torch.arange(6)
    changed = (model(given)[JOINT].tokens != fused.tokens).any(2)
    assert changed.nonzero().tolist() == [[0, 2], [0, 3]]


def test_the_sum_is_a_product_of_what_the_streams_say() -> None:
    """Log-probabilities, by the gate's weights times two; of one stream alone what it says."""
    model, given = fusion(), streams()
    fused, weights = model(given), model.place_weights(given)
    heard, seen = (fused[s].tokens.log_softmax(2) for s in ("audio", "video"))
    seen = seen.repeat_interleave(2, 1)
    expected = 2 * (weights[0, :, :1] * heard[0] + weights[0, :, 1:] * seen[0])
    said = fused[JOINT].tokens.log_softmax(2)
    torch.testing.assert_close(said[0], expected.log_softmax(1))
    alone = model({"audio": given["audio"]})
    assert torch.equal(alone[JOINT].tokens, alone["audio"].tokens)


def test_from_the_sum_the_gate_alone_learns() -> None:
    torch.manual_seed(0)
    model = CONFIG.replace(gate_only=True).build()
    given = {s: Features(f.tokens.requires_grad_(), f.mask, f.pooled) for s, f in streams().items()}
    fused = model(given)
    fused[JOINT].tokens.square().sum().backward()
    learned = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert learned == {"gate.weight", "gate.bias"}
    assert all(features.tokens.grad is None for features in given.values())
    # Each stream by itself, and what explanations follow after training, have gradients.
    fused["video"].tokens.square().sum().backward()
    assert given["video"].tokens.grad is not None
    model.eval()(given)[JOINT].tokens.square().sum().backward()
    assert given["audio"].tokens.grad is not None


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
