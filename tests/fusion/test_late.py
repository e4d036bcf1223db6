"""Late fusion computed by hand."""

import pytest
import torch
from torch import Tensor

from weft.core.interfaces import JOINT
from weft.core.records import Features
from weft.fusion.late import Combine, Late, LateConfig

WIDTHS = {"text": 6, "image": 4}


def vectors(has: dict[str, list[bool]] | None = None) -> dict[str, Features]:
    """Two rows; `has` says which stream each row has."""
    generator = torch.Generator().manual_seed(1)
    found = {}
    for stream, width in WIDTHS.items():
        pooled = torch.randn(2, width, generator=generator)
        features = Features(pooled[:, None], torch.ones(2, 1, dtype=torch.bool), pooled)
        found[stream] = features.where(torch.tensor((has or {}).get(stream, [True, True])))
    return found


def fusion(combine: Combine, **settings: object) -> Late:
    torch.manual_seed(0)
    late = LateConfig(WIDTHS, dim=3, combine=combine).replace(**settings).build().eval()
    for parameter in late.parameters():
        torch.nn.init.normal_(parameter)
    return late


def maps(late: Late, given: dict[str, Features]) -> tuple[Tensor, Tensor]:
    return late.maps["text"](given["text"].pooled), late.maps["image"](given["image"].pooled)


def test_sum_and_product() -> None:
    given = vectors()
    text, image = maps(fusion("sum"), given)
    torch.testing.assert_close(fusion("sum")(given)[JOINT].pooled, text + image)
    torch.testing.assert_close(fusion("product")(given)[JOINT].pooled, text * image)


def test_concatenation() -> None:
    late, given = fusion("concatenation", activation="relu"), vectors()
    joined = torch.cat([part.relu() for part in maps(late, given)], dim=1)
    torch.testing.assert_close(late(given)[JOINT].pooled, late.out(joined))


def test_of_two_streams_the_gate_is_a_sigmoid() -> None:
    """Arevalo et al. 2017, section 3.1, bimodal: z * h_1 + (1 - z) * h_2."""
    late, given = fusion("gated", activation="tanh"), vectors()
    text, image = (part.tanh() for part in maps(late, given))
    gates = late.gates(torch.cat([text, image], dim=1))
    z = torch.sigmoid(gates[:, :3] - gates[:, 3:])
    torch.testing.assert_close(late(given)[JOINT].pooled, z * text + (1 - z) * image)


def test_attention() -> None:
    late, given = fusion("attention"), vectors()
    text, image = maps(late, given)
    scores = torch.cat([late.score(torch.tanh(late.hidden(part))) for part in (text, image)], 1)
    weights = scores.softmax(dim=1)
    wanted = weights[:, :1] * text + weights[:, 1:] * image
    torch.testing.assert_close(late(given)[JOINT].pooled, wanted)


@pytest.mark.parametrize("combine", ["sum", "product", "gated", "attention"])
def test_of_one_stream_that_stream_is_left(combine: Combine) -> None:
    late, given = fusion(combine), vectors({"image": [True, False]})
    text, _ = maps(late, given)
    fused = late(given)[JOINT]
    torch.testing.assert_close(fused.pooled[1], text[1])
    assert fused.mask.tolist() == [[True, True], [True, False]]
    torch.testing.assert_close(late({"text": given["text"]})[JOINT].pooled, text)


def test_streams_are_returned_as_they_came() -> None:
    given = vectors()
    fused = fusion("gated")(given)
    assert fused["text"] is given["text"]
    assert fused["image"] is given["image"]


def test_a_norm_takes_the_scale_away() -> None:
    late, given = fusion("product", norm=True), vectors()
    scaled = {
        stream: Features(f.tokens, f.mask, 1000 * f.pooled + 7) for stream, f in given.items()
    }
    wanted = late(given)[JOINT].pooled
    torch.testing.assert_close(late(scaled)[JOINT].pooled, wanted, atol=1e-3, rtol=1e-3)


def test_settings_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="dim is 0"):
        LateConfig(WIDTHS, dim=0)
    with pytest.raises(ValueError, match="dropout is 1"):
        LateConfig(WIDTHS, dim=4, dropout=1.0)
