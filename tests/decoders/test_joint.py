"""Joint CTC/attention search: scores of prefixes and texts against all alignments counted one by one."""

import itertools
import math

import pytest
import torch
from alignments import by_hand, chances

from weft.core.records import Features, Field
from weft.decoders.ctc import BLANK
from weft.decoders.joint import JointDecoderConfig, extended, joint_beam, no_text

PLACES, UNITS = 4, 3


@pytest.mark.parametrize("seed", range(4))
def test_a_prefix_is_as_probable_as_all_texts_that_begin_with_it(seed: int) -> None:
    log_probs_TV = chances(PLACES, UNITS, seed).double()
    counted = by_hand(log_probs_TV)
    for length in (1, 2, 3):
        for text in itertools.product(range(1, UNITS), repeat=length):
            found = no_text(log_probs_TV)
            for unit in text:
                begins_K, found = extended(log_probs_TV, found, torch.tensor([unit]))
            wanted = sum(chance for one, chance in counted.items() if one[:length] == text)
            assert math.exp(begins_K) == pytest.approx(wanted)
            assert math.exp(found.ended()) == pytest.approx(counted.get(text, 0.0))
    assert math.exp(no_text(log_probs_TV).ended()) == pytest.approx(counted[()])


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_search_finds_the_text_that_is_most_probable_under_both(
    weight: float, seed: int
) -> None:
    torch.manual_seed(seed)
    decoder = JointDecoderConfig(5, UNITS, dim=8, heads=2, max_length=8).build().eval()
    tokens = 3 * torch.randn(1, PLACES, 5)
    context = Features(tokens, torch.ones(1, PLACES, dtype=torch.bool), tokens.mean(1))
    log_probs_TV = decoder(context)[0].log_softmax(1).detach()
    scores = {}
    for text, chance in by_hand(log_probs_TV).items():
        ids = torch.tensor([[BLANK, *text, BLANK]])
        logits = decoder.attention(context, Field(ids[:, :-1])).log_softmax(2)
        attended = logits.gather(2, ids[:, 1:, None]).sum().detach()
        scores[text] = weight * math.log(chance) + (1 - weight) * float(attended)
    with torch.no_grad():
        found = tuple(joint_beam(log_probs_TV, [(decoder.attention, context)], 100, weight))
    assert scores[found] == pytest.approx(max(scores.values()), abs=1e-5)


def test_nothing_is_said_in_no_time() -> None:
    assert joint_beam(torch.zeros(0, 3), [], 4, 0.3) == []
