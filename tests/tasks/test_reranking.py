"""Re-ranking against scores of all pairs, computed by hand."""

import pytest
import torch
import torch.nn.functional as F
from tiny_world import WIDTH
from torch import nn

from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.core.records import Features
from weft.evaluation.comparison import compare
from weft.heads.classes import MATCHING
from weft.heads.head import Head
from weft.inference.member import Member
from weft.tasks.reranking import RerankingConfig
from weft.tasks.retrieval import RetrievalConfig

I2T, T2I = "image_to_text", "text_to_image"
K, WEIGHT = 5, 0.2


class Beside(nn.Module):
    """Picture and text side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.fused = 0

    def forward(self, streams):
        both = torch.cat([streams["image"].pooled, streams["text"].pooled], dim=1)
        self.fused += len(both)
        mask = torch.ones(len(both), 1, dtype=torch.bool)
        return {**streams, JOINT: Features(both[:, None], mask, both)}


class Likeness(nn.Module):
    """Log-odds: the negative distance of picture and text."""

    def forward(self, context, prefix=None):
        image, text = context.pooled.split(WIDTH, dim=1)
        odds = -(image - text).norm(dim=1)
        return torch.stack([torch.zeros_like(odds), odds], dim=1)


def matcher(member: Member) -> Member:
    member.model.fusion = Beside()
    member.model.heads["matching"] = Head(Likeness(), MATCHING)
    return member


def task(**changes):
    settings = RerankingConfig(RetrievalConfig(resamples=200), candidates=K, weight=WEIGHT)
    return settings.replace(**changes).build()


def by_hand(w, finder_table):
    """(similarity, odds), both (24, 72), of pictures and texts."""
    pixels = torch.tensor(w.pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    views = [view.flatten(1) for view in (pixels, pixels.flip(-1))]
    images = F.normalize(sum(F.normalize(view, dim=-1) for view in views), dim=-1)
    texts = F.normalize(finder_table[1:], dim=-1).repeat_interleave(3, 0)
    own = w.table[1:].repeat_interleave(3, 0)
    odds = sum(-torch.cdist(view, own) for view in views) / 2
    return images @ texts.T, odds


def ranks_by_hand(similarity, odds, right):
    """Of each query: the candidates by the new score, the others behind them as they were."""
    ranks = []
    for query in range(len(similarity)):
        order = similarity[query].argsort(descending=True)
        best = order[:K]
        score = similarity[query, best] + WEIGHT * odds[query, best]
        order = torch.cat([best[score.argsort(descending=True)], order[K:]])
        ranks.append(1 + int(right[query, order].nonzero()[0]))
    return torch.tensor(ranks)


@pytest.mark.parametrize("alone", [True, False], ids=["one model", "two models"])
@pytest.mark.parametrize("pairs", [7, 1000])
def test_ranks_equal_those_by_hand(world, alone, pairs):
    w = world(noise=1.0)
    members = [matcher(w.member())]
    table = w.table
    if not alone:
        noise = torch.randn(w.table.shape, generator=torch.Generator().manual_seed(4))
        noise[0] = 0  # of words that are no number
        table = w.table + 0.8 * noise
        members.insert(0, w.member(weights=table))
    result = task(pairs=pairs).evaluate(members, w.rows)
    similarity, odds = by_hand(w, table)
    right = torch.arange(24)[:, None] == torch.arange(24).repeat_interleave(3)
    before = {I2T: similarity, T2I: similarity.T}
    for way in (I2T, T2I):
        turned = (lambda x: x) if way == I2T else (lambda x: x.T)
        expected = ranks_by_hand(before[way], turned(odds), turned(right))
        assert torch.equal(result.queries[way].rank, expected)
        first = ranks_by_hand(before[way], torch.zeros_like(before[way]), turned(right))
        assert not torch.equal(first, expected)
        found = compare(first <= 1, expected <= 1, result.queries[way].groups, resamples=200)
        gain = result.metrics[f"{way}/recall@1_gain"]
        assert gain.value == pytest.approx(100 * found.difference.value)
        assert gain.low == pytest.approx(100 * found.difference.low)
        plain = result.baselines["dual encoder"][f"{way}/recall@1"]
        assert plain == pytest.approx(100 * float((first <= 1).double().mean()))
        assert result.metrics[f"{way}/recall@1"].value == pytest.approx(plain + gain.value)
        assert result.protocol[f"{way}/recall@1_gain, p"] == found.p_value
    both = [result.metrics[f"{way}/recall@1_gain"] for way in (I2T, T2I)]
    overall = result.metrics["recall@1_gain"]
    assert overall.value == pytest.approx((both[0].value + both[1].value) / 2)
    assert overall.low < overall.value < overall.high
    assert "chance" in result.baselines


def test_every_item_is_encoded_once_and_every_pair_fused_once(world):
    w = world()
    member = matcher(w.member())
    encoded: dict[str, int] = {"image": 0, "text": 0}
    encode = member.model.encode

    def counted(stream, value):
        encoded[stream] += len(value)
        return encode(stream, value)

    member.model.encode = counted
    task().evaluate([member], w.rows)
    assert encoded == {"image": 24 * 2, "text": 72}  # to find, and to rank again; two views
    assert 2 * 72 * K <= member.model.fusion.fused <= 2 * (24 + 72) * K


def test_what_cannot_be_ranked_is_refused(world):
    w = world()
    with pytest.raises(WeftError, match="no model has the head 'matching'.*they have: none"):
        task().evaluate([w.member()], w.rows)
    with pytest.raises(ValueError, match="candidates is 1"):
        RerankingConfig(candidates=1)
    with pytest.raises(ValueError, match="weight is 0"):
        RerankingConfig(weight=0)
    with pytest.raises(ValueError, match="standardise"):
        RerankingConfig(RetrievalConfig(standardise=True))
