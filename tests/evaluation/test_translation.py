"""BLEU and chrF against sacreBLEU 2.6.0, whose numbers stand here, and against the library where it is installed."""

import importlib

import numpy as np
import pytest

from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.comparison import compare
from weft.evaluation.translation import (
    Tokenizer,
    bleu,
    bleu_counts,
    chrf,
    chrf_counts,
    tokens_13a,
    tokens_zh,
)

ODD = ["a-b 3.5, 10-12 &amp; ok.", "中文abc，3.5元！", "", "…“x”"]
ODD_REFERENCES = [["a b 3.5 10-12 & ok"], ["中文 abc，3.6元"], ["x"], ["“x”"]]
MACHINE = [
    "一个穿粉红色衬衫的男人爬上了一张石头脸",
    "一个人在空中爬得很高。",
    "攀岩者在攀岩墙上的做法。",
]
HUMAN = [
    ["一个穿粉红色衬衫的人爬上岩石。"],
    ["一个人在高空中攀岩。"],
    ["一个攀岩者正在一面攀岩壁上练习。"],
]
ENGLISH = ["the dog runs fast .", "two dogs"]
SEVERAL = [["a dog runs quickly .", "the dog is running fast ."], ["two dogs run", "dogs"]]
CASES: list[tuple[list[str], list[list[str]], Tokenizer, float, float]] = [
    (ODD, ODD_REFERENCES, "zh", 33.689502792681004, 55.307877046501034),
    (ODD, ODD_REFERENCES, "13a", 40.56731981380646, 55.307877046501034),
    (MACHINE, HUMAN, "zh", 37.372472121498895, 33.37852049871859),
    (ENGLISH, SEVERAL, "13a", 35.930411196308434, 42.979065693732906),
]


def of_set(said: list[str], given: list[list[str]], tokenizer: Tokenizer) -> tuple[float, float]:
    words, letters = bleu_counts(said, given, tokenizer), chrf_counts(said, given)
    return 100 * float(bleu(words.sum(0))), 100 * float(chrf(letters.sum(0)))


@pytest.mark.parametrize(("said", "given", "tokenizer", "of_bleu", "of_chrf"), CASES)
def test_the_numbers_are_those_of_sacrebleu(
    said: list[str],
    given: list[list[str]],
    tokenizer: Tokenizer,
    of_bleu: float,
    of_chrf: float,
) -> None:
    assert of_set(said, given, tokenizer) == pytest.approx((of_bleu, of_chrf), abs=1e-9)


@pytest.mark.parametrize(("said", "given", "tokenizer"), [case[:3] for case in CASES])
def test_the_library_says_the_same(
    said: list[str], given: list[list[str]], tokenizer: Tokenizer
) -> None:
    pytest.importorskip("sacrebleu")
    metrics = importlib.import_module("sacrebleu.metrics")
    references = [list(one) for one in zip(*given, strict=True)]
    expected = (
        metrics.BLEU(tokenize=tokenizer).corpus_score(said, references).score,
        metrics.CHRF().corpus_score(said, references).score,
    )
    assert of_set(said, given, tokenizer) == pytest.approx(expected, abs=1e-9)


def test_by_hand() -> None:
    """Unigrams 2 of 3, bigrams 1 of 2, no trigram of 1 (counts 1/2), no 4-gram at all: BLEU is 0."""
    counts = bleu_counts(["红 狗 跑"], [["红 狗 走"]], "zh")
    np.testing.assert_array_equal(counts, [[3, 3, 2, 1, 0, 0, 3, 2, 1, 0]])
    assert bleu(counts.sum(0)) == 0
    # Two characters of three: precision and recall 2/3, of pairs 1/2, of triples 0.
    mean = (2 / 3 + 1 / 2 + 0) / 3
    assert chrf(chrf_counts(["红狗跑"], [["红狗走"]]).sum(0)) == pytest.approx(mean)


def test_tokens() -> None:
    assert tokens_zh("一只dog，3.5元") == ["一", "只", "dog", "，", "3.5", "元"]
    assert tokens_13a("It's 3.5, no.") == ["It's", "3.5", ",", "no", "."]


def test_nothing_said_is_zero_and_never_nan() -> None:
    assert of_set([""], [["狗"]], "zh") == (0, 0)
    assert of_set(["狗"], [[""]], "zh") == (0, 0)


def test_a_paired_comparison_of_counts() -> None:
    """Of BLEU over the whole set, on the same resamples; equal systems do not differ."""
    random = np.random.default_rng(0)
    good = random.integers(3, 6, (40, 10)).astype(float)
    good[:, 2:6], good[:, 6:] = 3, 5
    bad = good.copy()
    bad[:, 2:6] = 2
    groups = np.repeat(np.arange(20), 2)
    found = compare(bad, good, groups, statistic=bleu, resamples=200)
    assert found.clear
    assert found.difference.value == pytest.approx(float(bleu(good.sum(0)) - bleu(bad.sum(0))))
    assert found.p_value < 0.05
    same = compare(good, good, groups, statistic=bleu, resamples=200)
    assert (same.difference.low, same.difference.high, same.p_value) == (0, 0, 1)
    whole = Bootstrap(groups, resamples=200).of_sums(bleu, good, groups)
    assert whole.value == pytest.approx(found.second.value)
