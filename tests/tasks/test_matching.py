"""Matching on a world whose right answers are known: fused vectors of a pair agree or not."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from weft.architectures.model import Model
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.core.records import Features
from weft.heads.classes import MATCHING
from weft.heads.head import Head
from weft.inference.config import InferenceConfig
from weft.inference.member import Member
from weft.tasks.base import WORST
from weft.tasks.matching import MatchingConfig

CONFIG = MatchingConfig(
    choices=5, resamples=50, examples=4, inference=InferenceConfig(batch_size=7, workers=0)
)


class Cosine(nn.Module):
    """JOINT is the cosine of the two pooled vectors."""

    dim, streams = 1, ("image", "text")

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        image, text = (streams[name].pooled for name in ("image", "text"))
        cosine_B1 = torch.cosine_similarity(image, text, dim=1)[:, None]
        joint = Features(cosine_B1[:, None], torch.ones(len(image), 1).bool(), cosine_B1)
        return {**streams, JOINT: joint}


class Threshold(nn.Module):
    def __init__(self, sign: float) -> None:
        super().__init__()
        self.sign = sign

    def forward(self, context: Features, prefix: None = None) -> Tensor:
        yes_B1 = self.sign * (context.pooled - 0.6)
        return torch.cat([torch.zeros_like(yes_B1), yes_B1], dim=1)


def fused(member: Member, sign: float = 1.0) -> Member:
    model = Model(
        dict(member.model.encoders),
        fusion=Cosine(),
        heads={"matching": Head(Threshold(sign), MATCHING)},
    )
    return replace(member, model=model)


def test_numbers_are_those_of_the_similarities(world) -> None:
    made = world(images=24, noise=0.9)
    result = CONFIG.build().evaluate([fused(made.member())], made.rows)
    task = CONFIG.build()
    pairs = task._pairs([fused(made.member())], made.rows, "cpu")
    images = torch.stack([torch.from_numpy(p).permute(2, 0, 1).flatten() for p in made.pictures])
    images = images.float() / 127.5 - 1
    # The first caption of row n is the number n + 1 and some words that mean nothing.
    texts = made.table[1:]
    cosines = torch.cosine_similarity(images[:, None], texts[None], dim=2)
    wins = 0
    for row, places in enumerate(pairs.candidates.tolist()):
        assert places[0] == row
        assert len(set(places)) == 5
        wanted = cosines[row, places] - 0.6
        torch.testing.assert_close(pairs.scores["text"][row], wanted, atol=1e-5, rtol=0)
        torch.testing.assert_close(
            pairs.scores["image"][row], cosines[places, row] - 0.6, atol=1e-5, rtol=0
        )
        wins += int(wanted.argmax() == 0)
    assert 5 < wins < 24
    assert result.metrics["image_to_text/accuracy"].value == pytest.approx(100 * wins / 24)
    own, other = pairs.candidates[:, 0], pairs.candidates[:, 1]
    yes = (cosines[own, own] > 0.6).float().mean()
    no = ((cosines[own, other] <= 0.6).float() + (cosines[other, own] <= 0.6).float()).mean() / 2
    assert result.metrics["accuracy"].value == pytest.approx(50 * float(yes + no))
    assert result.baselines["chance"] == {
        "accuracy": 50.0,
        "image_to_text/accuracy": 20.0,
        "text_to_image/accuracy": 20.0,
    }
    assert result.protocol["rows"] == 24


def test_a_model_that_knows_nothing_is_at_zero_and_shows_what_it_chose(world) -> None:
    made = world(noise=0.0)
    result = CONFIG.build().evaluate([fused(made.member(), sign=0.0)], made.rows)
    assert result.metrics["image_to_text/accuracy"].value == 0
    assert result.metrics["accuracy"].value == pytest.approx(50)
    good = CONFIG.build().evaluate([fused(made.member())], made.rows)
    assert good.metrics["text_to_image/accuracy"].high == 100
    for prediction in good.predictions:
        assert prediction.right
        assert prediction.inputs[0].row == prediction.inputs[1].row
    assert not good.worst
    wrong = CONFIG.build().evaluate([fused(made.member(), sign=-1.0)], made.rows).worst
    assert len(wrong) == WORST
    for prediction in wrong:
        assert not prediction.right
        assert prediction.inputs[0].row != prediction.inputs[1].row


def test_an_ensemble_is_the_mean_of_its_members(world) -> None:
    made = world(noise=0.9)
    one, other = fused(made.member()), fused(made.member(), sign=-1.0)
    result = CONFIG.build().evaluate([one, other], made.rows)
    assert result.metrics["image_to_text/accuracy"].value == 0  # they cancel out
    assert result.protocol["models"] == 2


def test_what_cannot_be_measured_is_said(world) -> None:
    made = world(images=4)
    with pytest.raises(WeftError, match="choices is 5, but some row has fewer than 4 rows"):
        CONFIG.build().evaluate([fused(made.member())], made.rows)
    with pytest.raises(WeftError, match="unknown head of the model"):
        CONFIG.build().evaluate([made.member()], made.rows)
    with pytest.raises(ValueError, match="choices is 1, expected at least 2"):
        MatchingConfig(choices=1)
    with pytest.raises(ValueError, match="both streams are 'text'"):
        MatchingConfig(first="text")
