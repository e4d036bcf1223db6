"""What the benchmark of coherence counts, without the peer."""

import pytest
import torch

from benchmarks.digits_coherence import Judged, coherent, hits, judged, table, ways
from benchmarks.mvtcae import Arrays, Setting


def test_each_stream_is_made_of_each_other_one_and_of_the_pair_of_the_others() -> None:
    found = ways()
    assert len(found) == len(set(found)) == 9
    assert (("image",), "audio") in found
    assert (("image", "audio"), "text") in found
    assert all(made not in given for given, made in found)


def test_what_is_coherent_says_one_digit_in_every_stream() -> None:
    said = {"image": ["1", "2", "3", ""], "audio": ["1", "2", "4", ""], "text": ["1", "2", "3", ""]}
    assert coherent(said).tolist() == [1, 1, 0, 0]
    assert hits(["1", "", "3"], ["1", "2", "4"]).tolist() == [1, 0, 0]


def made(right: float) -> Judged:
    """A system that makes this share of every row's digits right, whatever it is given."""
    true = [str(n % 10) for n in range(100)]
    said = [one if n < 100 * right else "" for n, one in enumerate(true)]
    of = dict.fromkeys(("image", "audio", "text"), said)
    return judged(f"system {right}", lambda given: of, of, dict.fromkeys(of, true), true)


def test_systems_are_compared_row_by_row_with_the_first() -> None:
    first, other = made(0.5), made(0.8)
    assert first.score == pytest.approx(0.5)
    lines = table([first, other], torch.arange(100))
    assert lines[0].split(" | ")[1:] == ["system 0.5", "system 0.8"]
    assert len(lines) == 1 + 9 + 2 + 2
    by_name = {line.split(" | ")[0].strip(): line for line in lines}
    assert "50.0 [" in by_name["image + audio -> text"]
    assert "80.0 [" in by_name["joint"]
    assert "100.0 [" in by_name["mixture"]
    assert "difference 30.0 [" in by_name["mean of two"]


def test_arrays_keep_what_rows_lack() -> None:
    arrays = Arrays({"text": torch.eye(3)}, {"text": torch.tensor([True, False, True])})
    part = arrays.take(torch.tensor([2, 1]))
    assert len(part) == 2
    assert part.there["text"].tolist() == [True, False]
    assert str(Setting(2.5, True)) == "beta 2.5, likelihoods rescaled"
