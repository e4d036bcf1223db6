"""ViLBERT, LXMERT, ALBEF and BLIP as choices of parts."""

import pytest
import torch

from weft.architectures.albef import albef
from weft.architectures.blip import blip, blip_towers
from weft.architectures.lxmert import lxmert
from weft.architectures.model import Model
from weft.architectures.vilbert import vilbert
from weft.core.records import Field


def millions(part: torch.nn.Module) -> float:
    return sum(parameter.numel() for parameter in part.parameters()) / 1e6


def test_streams_may_have_other_names() -> None:
    for made in (albef, blip, lxmert, vilbert):
        config = made(vocab_size=30, text="question")
        assert set(config.encoders) == {"question", "image"}
        assert config.heads.keys() == {"matching"}


def test_the_towers_of_blip_meet_in_one_space() -> None:
    model = blip_towers(vocab_size=30, image_size=16, width=16, depth=1, image_depth=1).build()
    ids = torch.tensor([[2, 7, 9, 3], [2, 5, 3, 0]])
    image = Field(torch.zeros(2, 3, 16, 16, dtype=torch.uint8))
    text = model.embed("text", model.encode("text", Field(ids, ids > 0)))
    assert text.shape == model.embed("image", model.encode("image", image)).shape == (2, 256)


def test_only_albef_contrasts_before_it_fuses() -> None:
    contrasting = [made(vocab_size=30).projections for made in (albef, blip, lxmert, vilbert)]
    assert [set(found) for found in contrasting] == [{"text", "image"}, set(), set(), set()]


def test_albef_has_the_size_that_was_published() -> None:
    with torch.device("meta"):
        model: Model = albef(vocab_size=30522).build()
    # 85.8 million in the vision transformer and 123.7 million in BERT, which counts
    # cross-attention and a pooler that ALBEF does not use.
    assert millions(model.encoders["image"]) == pytest.approx(85.8, abs=0.2)
    assert model.fusion is not None
    bert = millions(model.encoders["text"]) + millions(model.fusion)
    assert bert + (768 * 768 + 768) / 1e6 == pytest.approx(123.7, abs=0.1)
