"""Matching: which pairs are made, how often, and what they cost."""

from dataclasses import replace

import pytest
import tiny_objectives as tiny
import torch
import torch.nn.functional as F

from weft.core.records import Batch
from weft.objectives.matching import MatchingConfig

GROUPS = (0, 1, 1, 2, 3, 0)


class Recorded:
    """The pairs that a model was asked to fuse, as numbers of rows."""

    def __init__(self, model, rows: Batch) -> None:
        self.first, self.second = (
            model.encode(name, rows.inputs[name]).pooled for name in ("image", "text")
        )
        self.pairs: list[tuple[int, int]] = []
        self.logits = torch.empty(0)
        fuse = model.fuse

        def recorded(streams):
            for image, text in zip(streams["image"].pooled, streams["text"].pooled, strict=True):
                place = (self.first - image).norm(dim=1).argmin(), (self.second - text).norm(dim=1)
                self.pairs.append((int(place[0]), int(place[1].argmin())))
            fused = fuse(streams)
            self.logits = model.decode("matching", fused)
            return fused

        model.fuse = recorded


def run(config: MatchingConfig, rows: Batch, seed: int = 0):
    model = tiny.model().eval()
    recorded = Recorded(model, rows)
    torch.manual_seed(seed)
    return config.build()(model, rows, tiny.streams(model, rows)), recorded


@pytest.mark.parametrize("negatives", ["random", "hard", "soft"])
def test_every_row_has_its_own_pair_and_two_of_other_groups(negatives: str) -> None:
    rows = tiny.batch(GROUPS)
    config = MatchingConfig(negatives=negatives)
    for seed in range(4):
        loss, found = run(config, rows, seed)
        assert found.pairs[:6] == [(n, n) for n in range(6)]
        assert [image for image, _ in found.pairs[6:12]] == list(range(6))
        assert [text for _, text in found.pairs[12:]] == list(range(6))
        assert all(GROUPS[image] != GROUPS[text] for image, text in found.pairs[6:])
        if negatives != "soft":
            labels = torch.tensor([1] * 6 + [0] * 12)
            # Of three pairs one belongs together.
            prior = torch.tensor([2 / 3, 1 / 3]).log()
            torch.testing.assert_close(loss.total, F.cross_entropy(found.logits + prior, labels))
            hits = found.logits.argmax(1) == labels
            assert loss.terms["accuracy"].item() == pytest.approx(hits.float().mean().item())
            assert loss.terms["recall"].item() == pytest.approx(hits[:6].float().mean().item())


def test_rows_of_one_group_are_negatives_where_they_do_not_match() -> None:
    rows = replace(tiny.batch((7,) * 6), matches=torch.tensor(GROUPS))
    for seed in range(4):
        pairs = run(MatchingConfig(negatives="hard"), rows, seed)[1].pairs
        assert len(pairs) == 18
        assert all(GROUPS[image] != GROUPS[text] for image, text in pairs[6:])


def draws(config: MatchingConfig, rows: Batch, times: int):
    """How often each row was drawn as the negative text of each picture, and the mean of weights."""
    model = tiny.model().eval()
    streams, objective = tiny.streams(model, rows), config.build()
    others = rows.groups[:, None] != rows.groups[None, :]
    counts, weighted = torch.zeros(2, 6, 6), torch.zeros(2, 6, 6)
    torch.manual_seed(0)
    for _ in range(times):
        for way, (row, taken, weight) in enumerate(objective.draw(rows, streams, others)):
            counts[way, row, taken] += 1 / times
            weighted[way, row, taken] += weight / times
    cosines = streams.embedding("image") @ streams.embedding("text").T / config.temperature
    masked = [c.masked_fill(~others, -torch.inf).softmax(1) for c in (cosines, cosines.T)]
    return counts, weighted, torch.stack(masked).detach(), others


def test_hard_negatives_are_drawn_by_similarity() -> None:
    counts, _, expected, _ = draws(MatchingConfig(negatives="hard"), tiny.batch(GROUPS), 1200)
    torch.testing.assert_close(counts, expected, atol=0.05, rtol=0)
    assert expected.max() > 0.5


def test_random_negatives_are_drawn_evenly() -> None:
    counts, _, _, others = draws(MatchingConfig(), tiny.batch(GROUPS), 1200)
    expected = (others / others.sum(1, keepdim=True)).expand(2, 6, 6)
    torch.testing.assert_close(counts, expected, atol=0.05, rtol=0)


def test_soft_weights_make_of_even_draws_what_hard_ones_are_on_average() -> None:
    config = MatchingConfig(negatives="soft")
    counts, weighted, expected, others = draws(config, tiny.batch(GROUPS), 1200)
    torch.testing.assert_close(
        counts, (others / others.sum(1, keepdim=True)).expand(2, 6, 6), atol=0.05, rtol=0
    )
    torch.testing.assert_close(weighted, expected, atol=0.15, rtol=0)


def test_a_model_that_sees_no_difference_learns_even_odds() -> None:
    """So that 0 is the cut where as many right pairs as wrong ones are judged."""
    model, rows = tiny.model(), tiny.batch()
    objective = MatchingConfig().build()
    bias = model.head("matching").decoder.out.bias
    with torch.no_grad():
        model.head("matching").decoder.out.weight.zero_()
        bias.copy_(torch.tensor([0.3, -0.2]))
    optimizer = torch.optim.SGD([bias], lr=2.0)
    for _ in range(200):
        optimizer.zero_grad()
        objective(model, rows, tiny.streams(model, rows)).total.backward()
        optimizer.step()
    assert (bias[1] - bias[0]).item() == pytest.approx(0, abs=1e-3)


def test_rows_that_lack_a_stream_are_in_no_pair() -> None:
    rows = tiny.without(tiny.without(tiny.batch(), "text", [1, 2]), "image", [4])
    loss, found = run(MatchingConfig(negatives="hard"), rows)
    loss.total.backward()
    assert {n for pair in found.pairs for n in pair} <= {0, 3, 5}
    assert len(found.pairs) == 9


def test_one_group_alone_has_no_negatives() -> None:
    loss, found = run(MatchingConfig(negatives="hard"), tiny.batch((7,) * 6))
    assert found.pairs == [(n, n) for n in range(6)]
    assert loss.total.isfinite()


def test_no_pair_at_all_costs_nothing() -> None:
    rows = tiny.without(tiny.batch(), "text", list(range(6)))
    loss, found = run(MatchingConfig(negatives="soft"), rows)
    loss.total.backward()
    assert loss.total.item() == 0
    assert found.pairs == []


def test_streams_keep_their_gradient_for_other_objectives() -> None:
    model, rows = tiny.model(), tiny.batch()
    streams = tiny.streams(model, rows)
    MatchingConfig(negatives="hard").build()(model, rows, streams)
    assert streams.embedding("text").requires_grad


def test_what_does_not_fit_is_named() -> None:
    model, rows = tiny.model(fused=False), tiny.batch()
    with pytest.raises(ValueError, match="the model has no fusion"):
        MatchingConfig().build()(model, rows, tiny.streams(model, rows))
    with pytest.raises(ValueError, match="both streams are 'text'"):
        MatchingConfig(streams=("text", "text"))
    with pytest.raises(ValueError, match="temperature is 0"):
        MatchingConfig(temperature=0)
