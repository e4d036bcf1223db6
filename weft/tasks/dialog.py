"""Visual dialog: ranking of candidate answers given the picture and the dialog so far, and generated answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.core.needs import Needs
from weft.data.formats import Dataset
from weft.evaluation.candidates import chance, chance_ndcg
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Metric
from weft.evaluation.ranking import right_and_wrong, worst_first
from weft.heads.texts import TextOutput
from weft.inference.candidates import (
    OWN,
    ByCosine,
    ByLikelihood,
    Ranker,
    fused_of,
    score_candidates,
)
from weft.inference.member import Entry, Member, check_members
from weft.inference.results import Prediction, TaskResult, Values
from weft.tasks._accuracy import ACCURACY
from weft.tasks._answered import NDCG, Answered, rank_of
from weft.tasks._candidates import CandidateColumns
from weft.tasks._kinds import Kinds, by_kind
from weft.tasks._ranks import MEAN_RANK, MRR, recall_at
from weft.tasks.base import WORST, TaskConfig, check_measures

OTHERS = 3
"""Number of further candidates that are shown with a prediction."""


@dataclass(frozen=True)
class DialogConfig(TaskConfig):
    """Dialog about a picture: answers chosen among candidates, and answers written by a text head."""

    answer: str = "answer"
    """Column of the right answer, and the stream as which a model without `head` encodes candidates."""
    head: str | None = None
    """Head that writes the answer: candidates are ranked by its log-likelihood. None: by their cosine with JOINT."""
    candidates: str = "candidates"
    """Column with the candidate answers of a row; where rows have none, all answers of the training rows."""
    right: str = "right"
    """Column with the number of the right one, from 0; where rows have none, the answer itself tells it."""
    relevance: str = "relevance"
    """Column with a relevance for each candidate, for NDCG, in those rows that have one."""
    ks: tuple[int, ...] = (1, 5, 10)
    """Right if among the first k."""
    by: tuple[str, ...] = ("round", "type", "needs")
    """Columns by whose values the accuracy is given, too: the turn, the type of question."""

    def __post_init__(self) -> None:
        check_measures(self)

    @property
    def needs(self) -> Needs:
        if self.head is not None:
            return Needs(heads={self.head: TextOutput}, fusion=True)
        return Needs(embeddings=(JOINT, self.answer), fusion=True)

    @property
    def embedded(self) -> tuple[str, ...]:
        return (JOINT,) if self.head is None else ()

    @property
    def columns(self) -> CandidateColumns:
        return CandidateColumns(self.candidates, self.right, self.answer, self.relevance)

    def build(self) -> "Dialog":
        return Dialog(self)


class Dialog:
    """MRR, recall@k, mean rank, and NDCG over the rows with relevances; accuracy of a head's generated answers.
    Ties count against the model. An answer that is not among the candidates ranks behind all of them.

    Baselines: chance; candidates in the order of how often they are the training rows' right answers, if those are
    available; and the model itself with a stream of another row, such as the picture or the dialog so far.
    """

    name = "dialog"

    def __init__(self, config: DialogConfig) -> None:
        self.config = config

    @property
    def metrics(self) -> tuple[Metric, ...]:
        config = self.config
        ranked = (*map(recall_at, config.ks), MRR, MEAN_RANK, NDCG)
        accuracy = recall_at(min(config.ks)) if config.head is None else ACCURACY
        written = () if config.head is None else (replace(ACCURACY, headline=True),)
        return (*ranked, *written, *(by_kind(accuracy, column) for column in config.by))

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Evaluates one model, or the ensemble of several by the mean of their scores."""
        config = self.config
        check_members(members)
        if any(member.model.fusion is None for member in members):
            raise WeftError("dialog reads fused streams, but the model has no fusion")
        training = members[0].training
        known = config.columns.answers(dataset if training is None else training)
        columns = replace(config.columns, common=tuple(sorted(known)))
        found = score_candidates(
            members,
            dataset,
            lambda sample: columns.read(sample).candidates,
            self._ranker(members, device),
            config.inference,
            swap=True,
            device=device,
        )
        samples = [dataset[row] for row in found.rows]
        kinds = [
            Kinds.of(column, [str(sample.items[column]) for sample in samples])
            for column in config.by
            if all(sample.items.get(column) is not None for sample in samples)
        ]
        answered = Answered(config.ks, found, [columns.read(one) for one in samples], kinds)
        baselines = self._baselines(answered)
        if training is not None:
            often = [
                torch.tensor([float(known[c]) for c in one.candidates]) for one in answered.asked
            ]
            top = (
                None if config.head is None else [max(known, key=known.__getitem__)] * len(samples)
            )
            baselines["most frequent"] = answered.means(answered.of(often, top))
        return self._result(members, dataset, answered, baselines, leakage)

    def _result(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        answered: Answered,
        baselines: Mapping[str, Mapping[str, float]],
        leakage: Leakage | None,
    ) -> TaskResult:
        config, groups, asked = self.config, answered.groups, answered.asked
        ranks, streams = answered.values[MEAN_RANK].long(), fused_of(members[0])
        drawn = right_and_wrong(ranks, config.examples, config.seed)
        counts = [len(one.candidates) for one in asked]
        return TaskResult(
            task=self.name,
            protocol={
                "questions": len(asked),
                "dialogs": len(set(groups.tolist())),
                "candidates": sum(counts) / len(counts),
                "candidates of rows without any": "answers of these rows"
                if members[0].training is None
                else "answers of the training rows",
                "answers_not_among_candidates": sum(one.right is None for one in asked),
                "questions_with_relevance": sum(one.relevance is not None for one in asked),
                **config.protocol(members, dataset, answered.found.rows, over="dialogs"),
            },
            metrics=answered.scores(config.bootstrap(groups)),
            baselines=baselines,
            leakage=leakage,
            values={
                metric.name: Values(metric.scale * v[~v.isnan()], groups[~v.isnan()])
                for metric, v in answered.values.items()
            },
            predictions=_shown(config, answered, streams, drawn),
            worst=_shown(config, answered, streams, worst_first(ranks - 1, WORST)),
            head=config.head,
            similarity=(JOINT, config.answer) if config.head is None else None,
        )

    def _ranker(self, members: Sequence[Member], device: torch.device | str) -> Ranker:
        config = self.config
        if config.head is not None:
            return ByLikelihood(members, config.head)
        return ByCosine(members, config.answer, config.inference, device)

    def _baselines(self, answered: Answered) -> dict[str, dict[str, float]]:
        """Chance, and the model with each stream taken from another row."""
        by_row: dict[Metric, list[float]] = {}
        for one in answered.asked:
            count = len(one.candidates)
            for k in self.config.ks:
                recall, reciprocal, rank = chance(count, k)
                by_row.setdefault(recall_at(k), []).append(recall * (one.right is not None))
            behind = one.right is None
            by_row.setdefault(MRR, []).append(1 / (count + 1) if behind else reciprocal)
            by_row.setdefault(MEAN_RANK, []).append(count + 1 if behind else rank)
            if one.relevance is not None:
                by_row.setdefault(NDCG, []).append(chance_ndcg(one.relevance))
        found = {"chance": {m.name: m.scale * sum(v) / len(v) for m, v in by_row.items()}}
        for name, scored in answered.found.scores.items():
            if name != OWN:
                said = answered.found.said.get(name)
                found[name] = answered.means(answered.of(scored, said))
        return found


def _shown(
    config: DialogConfig, answered: Answered, streams: Sequence[str], chosen: Sequence[int]
) -> list[Prediction]:
    written = answered.found.said.get(OWN)
    found = []
    for place in chosen:
        one, scores = answered.asked[place], answered.found.scores[OWN][place]
        best = scores.topk(min(1 + OTHERS, len(scores)))
        named: list[tuple[str, float]] = [
            (one.candidates[c], float(s)) for c, s in zip(best.indices, best.values, strict=True)
        ]
        found.append(
            Prediction(
                inputs=tuple(Entry(stream, answered.found.rows[place]) for stream in streams),
                predicted=named[0][0] if written is None else written[place],
                expected=(one.answer,),
                right=rank_of(scores, one) == 1,
                score=named[0][1],
                others=tuple(named[1:]),
                given={config.answer: named[0][0]} if config.head is None else {},
            )
        )
    return found
