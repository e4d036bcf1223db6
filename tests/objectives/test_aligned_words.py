"""Words at their times: which word each token is compared with."""

from types import SimpleNamespace

import pytest
import torch

from weft.core.errors import WeftError
from weft.core.records import Batch, Features, Field
from weft.data.targets.word_times import WordTimesConfig
from weft.heads.transcripts import TranscriptOutput
from weft.objectives.aligned_words import PADDING, AlignedWordsConfig, require_rate, said_at

NAN = float("nan")


def test_each_token_is_compared_with_the_word_said_in_its_middle() -> None:
    ids = torch.tensor([[3, 5], [4, -1]])
    times = torch.tensor([[[0.0, 0.2], [0.35, 0.5]], [[0.1, 0.3], [NAN, NAN]]])
    mask = torch.arange(6) < torch.tensor([6, 4])[:, None]
    # Middles of tokens at 10 a second: 0.05, 0.15, 0.25, 0.35, 0.45, 0.55 s.
    expected = [[3, 3, 0, 5, 5, 0], [0, 4, 4, 0, PADDING, PADDING]]
    assert said_at(ids, times, mask, 10.0).tolist() == expected


def test_no_word_at_all_is_the_blank_everywhere() -> None:
    mask = torch.ones(1, 3, dtype=torch.bool)
    none = torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1, 0, 2)
    assert said_at(*none, mask, 10.0).tolist() == [[0, 0, 0]]


def test_another_rate_than_that_of_the_tokens_is_told() -> None:
    times, mask = torch.tensor([[[2.0, 3.0]]]), torch.ones(1, 30, dtype=torch.bool)
    require_rate(times, mask, 10.0, ["s1"])
    with pytest.raises(
        WeftError,
        match=r"row 's1': a word ends at 3.00 s, but at rate 25 the head's tokens end at 1.20 s",
    ):
        require_rate(times, mask, 25.0, ["s1"])
    with pytest.raises(ValueError, match="rate is 0"):
        AlignedWordsConfig(rate=0)


def test_rows_without_a_time_for_each_unit_count_nothing_and_noise_is_blank() -> None:
    """Words without times, an empty transcript, words with times, a word less than times."""
    torch.manual_seed(0)
    logits = torch.randn(4, 4, 6, requires_grad=True)
    head = SimpleNamespace(
        output=TranscriptOutput(),
        decoder=None,
        reads=lambda streams: Features(logits, torch.ones(4, 4, dtype=torch.bool), logits[:, 0]),
        context="audio",
    )
    reader = SimpleNamespace(head=lambda _: head, fused_streams=("audio",))
    streams = SimpleNamespace(fused=dict, by_rows=lambda decoder, context: [context.tokens])
    times = torch.full((4, 2, 2), NAN)
    times[1:, 0] = torch.tensor([0.0, 0.08])
    times[3, 1] = torch.tensor([0.08, 0.16])
    targets = {"transcript": torch.tensor([[3], [0], [4], [5]]), "times": times}
    inputs = {"audio": Field(torch.zeros(4, 4, 1))}
    batch = Batch(inputs, "abcd", torch.arange(4), targets)
    loss = AlignedWordsConfig().build()(reader, batch, streams)
    expected = torch.tensor([[0, 0, 0, 0], [4, 4, 0, 0]])
    costs = torch.nn.functional.cross_entropy(logits[1:3].transpose(1, 2), expected)
    torch.testing.assert_close(loss.total, costs)
    assert loss.terms["fits"] == 0.5


def test_times_of_rows_of_different_lengths() -> None:
    target = WordTimesConfig().build()
    one = [{"word": "a", "start": 0.5, "end": 1}]
    found = target.collate([target.read(one), target.read(one * 2), target.read([])])
    assert found.shape == (3, 2, 2)
    assert found.isnan().all(2).tolist() == [[False, True], [False, False], [True, True]]
