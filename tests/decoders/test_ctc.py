"""Connectionist temporal classification: searches against all alignments counted one by one."""

import itertools
import math

import pytest
import torch
from alignments import by_hand, chances, collapsed

from weft.core.records import Features
from weft.decoders.ctc import CTCDecoderConfig, aligned, greedy, prefix_beam, repeats, text_costs


@pytest.mark.parametrize("seed", range(6))
def test_beam_search_finds_the_most_probable_text(seed: int) -> None:
    log_probs_TV = chances(seed=seed)
    counted = by_hand(log_probs_TV)
    best = max(counted, key=lambda text: counted[text])
    assert tuple(prefix_beam(log_probs_TV, beams=50, least=-math.inf)) == best
    path = tuple(log_probs_TV.argmax(1).tolist())
    assert tuple(greedy(log_probs_TV)) == collapsed(path)


def test_costs_are_those_of_all_alignments() -> None:
    rows = torch.stack([chances(seed=seed) for seed in range(3)])
    ids = torch.tensor([[1, 2], [2, 2], [1, -1]])
    found = text_costs(rows, torch.tensor([4, 4, 3]), ids, torch.tensor([2, 2, 1]))
    wanted = [by_hand(rows[0])[1, 2], by_hand(rows[1])[2, 2], by_hand(rows[2][:3])[(1,)]]
    torch.testing.assert_close((-found).exp(), torch.tensor(wanted))
    too_short = text_costs(rows[:1], torch.tensor([1]), ids[:1], torch.tensor([2]))
    assert too_short.tolist() == [0.0]
    assert text_costs(
        rows[:0], torch.tensor([]).long(), ids[:0], torch.tensor([]).long()
    ).shape == (0,)


def test_an_empty_text_has_one_alignment() -> None:
    rows = torch.stack([chances(seed=seed) for seed in range(2)])
    none = torch.zeros(2, 0, dtype=torch.int64)
    found = text_costs(rows, torch.tensor([4, 3]), none, torch.tensor([0, 0]))
    wanted = [by_hand(rows[0])[()], by_hand(rows[1][:3])[()]]
    torch.testing.assert_close((-found).exp(), torch.tensor(wanted))


def test_repeats_need_a_blank_between_them() -> None:
    assert repeats(torch.tensor([[1, 1, 1], [1, 2, 1], [0, -1, -1]])).tolist() == [2, 0, 0]


def test_padding_and_nothing() -> None:
    assert greedy(torch.zeros(0, 3)) == []
    assert prefix_beam(torch.zeros(0, 3), 4) == []
    decoder = CTCDecoderConfig(5, 3).build().eval()
    tokens = torch.randn(2, 4, 5)
    logits = decoder(Features(tokens, torch.ones(2, 4, dtype=torch.bool), tokens.mean(1)))
    assert logits.shape == (2, 4, 3)


def test_without_a_map_the_tokens_are_the_logits() -> None:
    decoder, tokens = CTCDecoderConfig(3, 3, maps=False).build(), torch.randn(2, 4, 3)
    found = decoder(Features(tokens, torch.ones(2, 4, dtype=torch.bool), tokens.mean(1)))
    assert torch.equal(found, tokens)
    with pytest.raises(ValueError, match="in_dim is 5, expected 3 as units"):
        CTCDecoderConfig(5, 3, maps=False)


@pytest.mark.parametrize("seed", range(6))
def test_an_alignment_is_the_most_probable_one_of_the_text(seed: int) -> None:
    log_probs_TV = chances(places=5, seed=seed)
    for text in ([], [1], [2, 1], [1, 1], [2, 2, 1]):
        paths = [
            path for path in itertools.product(range(3), repeat=5) if collapsed(path) == tuple(text)
        ]
        best = max(
            paths, key=lambda path: sum(float(log_probs_TV[t, u]) for t, u in enumerate(path))
        )
        runs = [list(run) for _, run in itertools.groupby(enumerate(best), key=lambda one: one[1])]
        wanted = [(run[0][0], run[-1][0]) for run in runs if run[0][1]]
        assert aligned(log_probs_TV, text) == wanted
    assert aligned(log_probs_TV, [1, 1, 1, 2]) is None
    assert aligned(log_probs_TV[:0], []) == []
