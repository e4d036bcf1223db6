"""Dialog: MRR, recall, mean rank and NDCG by hand; the ranker's loss by hand; what is refused."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from weft.architectures.model import Model, PooledConfig
from weft.core.errors import DataError, WeftError
from weft.core.interfaces import JOINT
from weft.core.records import Batch, Features, Field
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.data.learned import Learned
from weft.data.policy import ErrorPolicy
from weft.inference.config import InferenceConfig
from weft.inference.member import Member
from weft.objectives import answer_ranking
from weft.objectives.answer_ranking import AnswerRankingConfig
from weft.tasks.base import WORST
from weft.tasks.dialog import DialogConfig
from weft.training.streams import Streams


class Angles:
    """A modality whose items are angles in degrees, also in words."""

    views = 1

    def decode(self, raw: Any) -> float:
        if raw is None:
            raise WeftError("is no angle")
        return float(raw)

    def transform(
        self, item: float, *, train: bool, generator: torch.Generator, view: int = 0
    ) -> torch.Tensor:
        del train, generator, view
        return torch.tensor([item])

    def collate(self, items: Sequence[torch.Tensor]) -> Field:
        return Field(torch.stack(tuple(items)))


class OnTheCircle(nn.Module):
    """An angle as a point of the unit circle."""

    dim = 2

    def forward(self, field: Field) -> Features:
        angle = field.values.float().deg2rad()
        pooled = torch.cat([angle.cos(), angle.sin()], dim=1)
        return Features(pooled[:, None], torch.ones(len(pooled), 1).bool(), pooled)


class First(nn.Module):
    """What the first stream says."""

    dim, streams = 2, ("image",)

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        return {**streams, JOINT: next(iter(streams.values()))}


def model() -> Model:
    return Model(
        {name: OnTheCircle() for name in ("image", "answer")},
        First(),
        {name: PooledConfig().build() for name in (JOINT, "answer")},
    )


def member(samples: list[Sample], training: list[Sample] | None = None) -> Member:
    modality = Angles()
    source = ModalitySource(samples, "image", modality)
    return Member(model(), {"image": source}, Learned({"answer": modality}), training)


def row(
    number: int, angle: float, candidates: list[str], right: int | None, **others: Any
) -> Sample:
    items = {"image": angle, "candidates": candidates, "right": right, **others}
    return Sample(str(number), f"dialog{number // 2}", items, f"rows:{number}")


# Candidates are ranked by how near their angle is.
ROWS = [
    row(0, 0, ["10", "90", "50"], 0),
    row(1, 80, ["10", "90", "50"], 2, relevance=[0.0, 0.5, 1.0]),
    row(2, 0, ["90", "50", "10"], 0),
]
CONFIG = DialogConfig(ks=(1, 2), resamples=50, examples=2)


def test_metrics_by_hand() -> None:
    result = CONFIG.build().evaluate([member(ROWS, ROWS)], ROWS)
    ranks = (1, 2, 3)
    assert result.metrics["MRR"].value == pytest.approx(100 * sum(1 / r for r in ranks) / 3)
    assert result.metrics["recall@1"].value == pytest.approx(100 / 3)
    assert result.metrics["recall@2"].value == pytest.approx(200 / 3)
    assert result.metrics["mean_rank"].value == pytest.approx(2)
    # The two relevant ones stand first, but the wrong way round.
    log3 = float(torch.tensor(3.0).log2())
    assert result.metrics["ndcg"].value == pytest.approx(
        100 * (0.5 + 1 / log3) / (1 + 0.5 / log3), 1e-5
    )
    assert result.baselines["chance"]["mean_rank"] == pytest.approx(2)
    # "10", "50" and "90" are right once each: all tie, which counts against the right one.
    assert result.baselines["most frequent"]["recall@1"] == 0
    assert result.protocol["dialogs"] == 2
    assert result.baselines["chance"]["ndcg"] == pytest.approx(
        100 * 0.5 * (1 + 1 / log3) / (1 + 0.5 / log3), 1e-5
    )
    assert result.values["MRR"].values.tolist() == pytest.approx([100 / r for r in ranks])
    assert len(result.values["MRR"].groups) == 3
    # Only one row has relevances, and pairing needs numbers.
    assert len(result.values["ndcg"].values) == len(result.values["ndcg"].groups) == 1
    assert result.values["ndcg"].groups[0] == result.values["MRR"].groups[1]
    assert result.protocol["questions_with_relevance"] == 1
    worst = [rank for rank in sorted(ranks, reverse=True) if rank > 1][:WORST]
    assert [p.inputs[0].row for p in result.worst] == sorted(
        (row for row, rank in enumerate(ranks) if rank > 1), key=lambda row: -ranks[row]
    )[: len(worst)]
    assert [p.right for p in result.predictions] == sorted([p.right for p in result.predictions])[
        ::-1
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"candidates": []}, "has no list 'candidates'"),
        ({"right": 3}, "'right' is 3, expected 0 to 2"),
        ({"relevance": [1.0]}, "3 candidates and 1 relevances"),
    ],
)
def test_says_what_is_wrong(changed: dict[str, Any], message: str) -> None:
    samples = [row(0, 0, **{"candidates": ["1", "2", "3"], "right": 0, **changed})]
    with pytest.raises(DataError, match=message):
        CONFIG.build().evaluate([member(samples)], samples)


def test_a_perfect_recall_has_an_interval() -> None:
    result = CONFIG.build().evaluate([member(ROWS[:1])], ROWS[:1])
    recall = result.metrics["recall@1"]
    assert recall.value == recall.high == 100
    assert recall.low < 100


def test_an_ensemble_ranks_by_the_mean_of_the_cosines() -> None:
    """Contexts at 0 and at 80 degrees together rank as one between them."""
    samples = [row(0, 0, ["45", "90", "300"], 0)]
    other = [row(0, 80, ["45", "90", "300"], 0)]
    both = CONFIG.build().evaluate([member(samples), member(other)], samples)
    assert both.metrics["mean_rank"].value == 1
    alone = CONFIG.build().evaluate([member(other)], samples)
    assert alone.metrics["mean_rank"].value == 2


def test_a_row_that_one_model_cannot_read_is_left_out_for_all() -> None:
    rows = [row(n, 0, ["10", "90"], 0) for n in range(2)]
    broken = [rows[0], row(1, 0, ["10", "90"], 0, image=None)]
    config = CONFIG.replace(inference=InferenceConfig(errors=ErrorPolicy(mode="skip", limit=1.0)))
    assert config.build().evaluate([member(broken)], rows).protocol["left_out_unreadable"] == 1
    both = config.build().evaluate([member(rows), member(broken)], rows)
    assert both.protocol["left_out_unreadable"] == 1
    assert both.protocol["questions"] == 1


def test_needs_a_fusion() -> None:
    bare = member(ROWS)
    bare.model.fusion = None
    with pytest.raises(WeftError, match="dialog reads fused streams, but the model has no fusion"):
        CONFIG.build().evaluate([bare], ROWS)


def test_needs_a_projection_of_the_context() -> None:
    bare = member(ROWS)
    del bare.model.projections[JOINT]
    with pytest.raises(WeftError, match="unknown projection of the model 'joint'"):
        CONFIG.build().evaluate([bare], ROWS)


def test_the_loss_is_a_choice_among_the_different_answers() -> None:
    made = model()
    answers = torch.tensor([[10], [90], [10]])
    batch = Batch(
        {"image": Field(torch.tensor([[0.0], [80.0], [40.0]])), "answer": Field(answers)},
        ("a", "b", "c"),
        torch.arange(3),
    )
    objective = AnswerRankingConfig().build()
    loss = objective(made, batch, Streams(made, batch))
    cosines = (torch.tensor([[0.0], [80.0], [40.0]]) - torch.tensor([10.0, 90.0])).deg2rad().cos()
    expected = F.cross_entropy(cosines / 0.07, torch.tensor([0, 1, 0]))
    assert loss.total.item() == pytest.approx(float(expected), rel=1e-4)
    assert loss.terms["accuracy"] == pytest.approx(1)


def test_the_loss_is_the_same_on_two_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    made = model()
    objective = AnswerRankingConfig().build()
    angles = torch.tensor([[0.0], [80.0], [40.0], [200.0]])
    answers = torch.tensor([[10], [90], [10], [90]])
    whole = Batch(
        {"image": Field(angles), "answer": Field(answers)}, tuple("abcd"), torch.arange(4)
    )
    embedded = Streams(made, whole).embedding("answer")
    expected = objective(made, whole, Streams(made, whole)).total
    losses = []
    for number in (0, 1):
        of_all = iter((embedded, answer_ranking._keys(Field(answers))))
        monkeypatch.setattr(answer_ranking, "gather", lambda _, of_all=of_all: next(of_all))
        before = 2 * number
        monkeypatch.setattr(answer_ranking, "rows_before", lambda *_, before=before: before)
        part = whole.rows(slice(2 * number, 2 * number + 2))
        losses.append(objective(made, part, Streams(made, part)).total)
    assert torch.stack(losses).mean().item() == pytest.approx(expected.item(), rel=1e-6)


def test_keys_of_answers_do_not_see_padding() -> None:
    ids = torch.tensor([[5, 6, 0], [5, 6, 9], [6, 5, 0], [5, 0, 0]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 0], [1, 1, 0], [1, 0, 0]]).bool()
    keys = answer_ranking._keys(Field(ids, mask)).tolist()
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_rows_without_an_answer_or_a_context_take_no_part() -> None:
    made, objective = model(), AnswerRankingConfig().build()
    angles = torch.tensor([[0.0], [80.0], [40.0], [200.0]])
    answers = torch.tensor([[10], [90], [10], [90]])
    there = {"image": [1, 1, 0, 1], "answer": [1, 0, 1, 1]}
    fields = {
        name: Field(values, present=torch.tensor(there[name]).bool())
        for name, values in (("image", angles), ("answer", answers))
    }
    lacking = Batch(fields, tuple("abcd"), torch.arange(4))
    kept = torch.tensor([0, 3])
    whole = Batch({"image": Field(angles[kept]), "answer": Field(answers[kept])}, ("a", "d"), kept)
    found = objective(made, lacking, Streams(made, lacking)).total
    expected = objective(made, whole, Streams(made, whole)).total
    torch.testing.assert_close(found, expected)
    nobody = lacking.with_inputs(answer=Field(answers, present=torch.zeros(4).bool()))
    assert objective(made, nobody, Streams(made, nobody)).total == 0
    without = Batch({"image": Field(angles)}, tuple("abcd"), torch.arange(4))
    assert objective(made, without, Streams(made, without)).total == 0


def test_an_answer_that_is_no_candidate_ranks_behind_all() -> None:
    rows = [row(0, 0, ["10", "90"], 0), row(1, 0, ["10", "90"], None, answer="50")]
    result = CONFIG.build().evaluate([member(rows)], rows)
    assert result.metrics["mean_rank"].value == pytest.approx((1 + 3) / 2)
    assert result.metrics["recall@2"].value == 50
    assert result.protocol["answers_not_among_candidates"] == 1
    assert result.baselines["chance"]["recall@2"] == 50


def test_without_candidates_the_training_answers_are_ranked() -> None:
    rows = [Sample("a", "a", {"image": 0.0, "answer": "10"}, "a")]
    training = [Sample(t, t, {"image": 0.0, "answer": t}, t) for t in ("10", "90", "90")]
    result = CONFIG.build().evaluate([member(rows, training)], rows)
    assert result.protocol["candidates"] == 2
    assert result.metrics["recall@1"].value == 100
    assert result.baselines["most frequent"]["recall@1"] == 0


def test_accuracy_by_turn_and_by_type() -> None:
    rows = [row(n, 0, ["10", "90"], n % 2, round=n % 2 + 1, type="color") for n in range(4)]
    result = CONFIG.build().evaluate([member(rows)], rows)
    assert result.metrics["round/1/recall@1"].value == 100
    assert result.metrics["round/2/recall@1"].value == 0
    assert result.metrics["type/color/recall@1"].value == 50
    assert result.metrics["round/1/recall@1"].estimate.groups == 2


class Both(nn.Module):
    """The picture twice and what was said before once."""

    dim, streams = 2, ("image", "before")

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        pooled = 2 * streams["image"].pooled + streams["before"].pooled
        return {**streams, JOINT: Features(pooled[:, None], pooled[:, :1].bool() | True, pooled)}


def test_the_model_with_a_stream_of_another_row() -> None:
    rows = [
        Sample(str(n), str(n), {"image": a, "before": a, "candidates": ["0", "90"], "right": n}, "")
        for n, a in enumerate((0.0, 90.0))
    ]
    modality = Angles()
    encoders = {name: OnTheCircle() for name in ("image", "before", "answer")}
    projections = {name: PooledConfig().build() for name in (JOINT, "answer")}
    sources = {name: ModalitySource(rows, name, modality) for name in ("image", "before")}
    both = Member(Model(encoders, Both(), projections), sources, Learned({"answer": modality}))
    result = CONFIG.build().evaluate([both], rows)
    assert result.metrics["recall@1"].value == 100
    assert result.baselines["image of another"]["recall@1"] == 0
    assert result.baselines["before of another"]["recall@1"] == 100
