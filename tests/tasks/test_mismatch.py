"""Exchanged partners do not match their rows, scores are what they say, and the threshold is set on validation rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from every_task import CASES, ROWS, dataset, member
from hypothesis import given
from hypothesis import strategies as st

from weft.core.errors import WeftError
from weft.inference.member import Entry
from weft.inference.pair_scores import NEIGHBOURS, RIDGE, PairScorer, Predictor
from weft.inference.pairs import Pairs, Side
from weft.tasks._partners import _nearest, random_others

CASE = CASES["mismatch"]


def side(stream: str, count: int, seed: int) -> Side:
    generator = torch.Generator().manual_seed(seed)
    vectors, features = (torch.randn(count, width, generator=generator) for width in (4, 6))
    groups = torch.arange(count)
    entries = tuple(Entry(stream, row) for row in range(count))
    return Side(stream, entries, groups, groups, F.normalize(vectors, dim=1), features)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=30), st.integers(0, 9))
def test_a_random_partner_never_matches(matches: list[int], seed: int) -> None:
    matches_N = torch.tensor(matches)
    if len(set(matches)) < 2:
        return
    other_N = random_others(matches_N, seed)
    assert bool((matches_N[other_N] != matches_N).all())


def test_every_other_entry_may_be_drawn() -> None:
    matches_N = torch.tensor([0, 0, 1, 2])
    seen = {
        (n, other)
        for seed in range(200)
        for n, other in enumerate(random_others(matches_N, seed).tolist())
    }
    assert seen == {(n, m) for n in range(4) for m in range(4) if matches_N[n] != matches_N[m]}


def test_the_nearest_is_of_another_row() -> None:
    of = side("text", 12, 0)
    of = replace(of, matches=torch.arange(12) // 2)
    unit = F.normalize(of.features, dim=1)
    for n, other in enumerate(_nearest(of).tolist()):
        assert of.matches[n] != of.matches[other]
        there = [m for m in range(12) if of.matches[m] != of.matches[n]]
        assert other == max(there, key=lambda m: float(unit[n] @ unit[m]))


@pytest.mark.parametrize("width", [1, 3])
def test_features_are_predicted_by_ridge_regression(width: int) -> None:
    """The normal equations of standardised features, solved here by NumPy."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(40, 5)) * 3 + 1, random.normal(size=(40, width)) * 2
    found = Predictor.fit(torch.tensor(x).float(), torch.tensor(y).float())
    standard = (x - x.mean(0)) / x.std(0, ddof=1)
    target = (y - y.mean(0)) / y.std(0, ddof=1)
    square = standard.T @ standard + RIDGE * 40 * np.eye(5)
    expected = np.linalg.solve(square, standard.T @ target)
    np.testing.assert_allclose(found.weight.numpy(), expected, atol=1e-5)


def test_scores_are_what_they_say() -> None:
    """Counted one pair at a time."""
    first, second = side("image", 20, 0), side("text", 20, 1)
    pairs = Pairs(first, second, torch.arange(20).repeat(2, 1).T)
    scorer = PairScorer.fit(pairs, predicting=True)
    asked = torch.tensor([[3, 5], [0, 0]])
    found = scorer.of(member(dataset()), first, second, asked, CASE.inference, "cpu")  # type: ignore[attr-defined]
    for place, (i, j) in enumerate(asked.tolist()):
        cosines = first.embeddings @ second.embeddings.T
        near_i = cosines[i].topk(NEIGHBOURS).values.mean()
        near_j = cosines[:, j].topk(NEIGHBOURS).values.mean()
        assert float(found["similarity"][place]) == pytest.approx(-float(cosines[i, j]), abs=1e-6)
        local = float(near_i + near_j - 2 * cosines[i, j])
        assert float(found["local_similarity"][place]) == pytest.approx(local, abs=1e-5)
        assert -2 <= float(found["prediction"][place]) <= 2
    again = PairScorer.from_tensors(("image", "text"), "", scorer.tensors())
    same = again.of(member(dataset()), first, second, asked, CASE.inference, "cpu")  # type: ignore[attr-defined]
    assert all(torch.equal(found[name], same[name]) for name in found)


def test_the_threshold_is_set_on_validation_rows() -> None:
    rows = dataset()
    case = CASE.replace(false_alarms=0.25)
    trained = replace(member(rows), training=dataset(), validation=dataset())
    result = case.build().evaluate([trained], rows)  # type: ignore[attr-defined]
    assert result.protocol["calibrated on"] == f"{ROWS} of validation"
    # The validation rows are the measured ones here: of 12 pairs the 3 strangest are above.
    assert result.metrics["false_alarms"].value == pytest.approx(100 * 2 / ROWS)
    assert {f"{p}/found" for p in case.partners} <= result.metrics.keys()  # type: ignore[attr-defined]
    assert set(result.baselines) == {"chance", "similarity", "prediction", "matching"}
    assert all(one.right is False for one in result.worst)
    assert {one.right for one in result.predictions} <= {True, False}
    named = [one for one in result.predictions if one.given]
    assert named  # captions of the column
    for one in named:
        assert one.given == {"text": f"a green thing number {one.inputs[0].row}"}


@pytest.mark.parametrize("name", ["mismatch", "novelty"])
def test_with_too_few_validation_rows_there_is_no_threshold(name: str) -> None:
    rows = dataset()
    result = CASES[name].build().evaluate([replace(member(rows), validation=dataset())], rows)  # type: ignore[attr-defined]
    assert (
        "5 % false alarms need 19 validation rows, there are" in result.protocol["alarm threshold"]
    )
    assert "false_alarms" not in result.metrics


def test_a_score_that_needs_training_rows_says_so() -> None:
    rows = dataset()
    with pytest.raises(WeftError, match="'prediction' needs the training rows"):
        CASE.replace(score="prediction").build().evaluate([member(rows)], rows)  # type: ignore[attr-defined]


def test_rows_that_all_match_are_refused() -> None:
    rows = [replace(row, match="one") for row in dataset()]
    with pytest.raises(WeftError, match="all rows match each other"):
        CASE.build().evaluate([member(rows)], rows)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"false_alarms": 0.0}, "expected a share between 0 and 1"),
        ({"false_alarms": float("nan")}, "expected a share between 0 and 1"),
        ({"first": "text"}, "expected two different ones"),
        ({"partners": ()}, "expected one or more"),
        ({"score": "matching", "head": ""}, "needs a head"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CASE.replace(**settings)


@pytest.mark.parametrize("anomalous", ["no", "yes"])
def test_novelty_needs_rows_of_both_kinds(anomalous: str) -> None:
    rows = [replace(row, items={**row.items, "kind": anomalous}) for row in dataset()]
    case = CASES["novelty"].replace(values=("yes",))
    with pytest.raises(WeftError, match=r"all 12 rows are (normal|anomalous): column 'kind' has"):
        case.build().evaluate([member(rows)], rows)  # type: ignore[attr-defined]


@pytest.mark.parametrize("score", ["neighbours", "density"])
def test_measured_rows_may_all_lack_a_stream(score: str) -> None:
    rows = [
        replace(row, items={k: v for k, v in row.items.items() if k != "image"})
        for row in dataset()
    ]
    case = CASES["novelty"].replace(streams=("image", "text"), score=score)
    result = case.build().evaluate([replace(member(rows), training=dataset())], rows)  # type: ignore[attr-defined]
    assert np.isfinite(result.metrics["AUROC"].value)
    rows[5] = replace(rows[5], items={k: v for k, v in rows[5].items.items() if k != "text"})
    result = case.build().evaluate([replace(member(rows), training=dataset())], rows)  # type: ignore[attr-defined]
    assert result.protocol["rows"] == ROWS - 1


def test_a_row_unlike_the_training_rows_is_found() -> None:
    """A picture and words that no training row has, by both scores."""
    rows = dataset()
    strange = replace(
        rows[0],
        group="strange",
        items={
            **rows[0].items,
            "image": rows[3].items["image"],
            "text": "number number",
            "kind": "odd",
        },
    )
    measured = [*rows, strange]
    for score in ("neighbours", "density"):
        case = CASES["novelty"].replace(values=("odd",), streams=("text",), score=score)
        trained = replace(member(measured), training=rows)
        result = case.build().evaluate([trained], measured)  # type: ignore[attr-defined]
        assert result.metrics["AUROC"].value == 100
