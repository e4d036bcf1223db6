"""Visual dialog: which of the candidate answers follows on what was said about the picture?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from weft.core.errors import WeftError, unknown_name
from weft.core.interfaces import JOINT
from weft.core.needs import Needs
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.data.formats import Dataset
from weft.data.policy import ErrorPolicy
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.candidates import chance, chance_ndcg, ndcg, rank_of_right
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import PERCENT, Metric, Score, by_name
from weft.evaluation.ranking import right_and_wrong, worst_first
from weft.inference.embedding import embed_entries
from weft.inference.encoded import encode_rows, evaluating_all
from weft.inference.member import Entry, Member
from weft.inference.results import Prediction, TaskResult, Values
from weft.inference.rows import Reading, Selection
from weft.tasks._candidates import Asked, CandidateColumns
from weft.tasks._ranks import MEAN_RANK, MRR, recall_at
from weft.tasks.base import WORST, TaskConfig, check_measures

OTHERS = 3
"""Further candidates that are shown with a prediction."""

NDCG = Metric("ndcg")


@dataclass(frozen=True)
class DialogConfig(TaskConfig):
    """Choice of the right answer in a dialog about a picture, by a dual encoder."""

    answer: str = "answer"
    """Stream as which candidates are encoded."""
    candidates: str = "candidates"
    """Column with the candidate answers of a row."""
    right: str = "right"
    """Column with the number of the right one, from 0."""
    relevance: str = "relevance"
    """Column with a relevance for each candidate, for NDCG, in those rows that have one."""
    ks: tuple[int, ...] = (1, 5, 10)
    """Right if among the first k."""

    def __post_init__(self) -> None:
        check_measures(self)

    @property
    def needs(self) -> Needs:
        return Needs(
            embeddings=(JOINT, self.answer), columns=(self.candidates, self.right), fusion=True
        )

    @property
    def embedded(self) -> tuple[str, ...]:
        return (JOINT,)

    def build(self) -> "Dialog":
        return Dialog(self)


class Dialog:
    """MRR, recall@k, mean rank, and NDCG over the rows with relevances; ties count against the model.

    Baselines: chance, and candidates in the order of how often they are the training rows' right
    answers, where those are at hand.
    """

    name = "dialog"

    def __init__(self, config: DialogConfig) -> None:
        self.config = config
        self.columns = CandidateColumns(config.candidates, config.right, config.relevance)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (*map(recall_at, self.config.ks), MRR, MEAN_RANK, NDCG)

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Evaluates one model, or the ensemble of several by the mean of their cosines."""
        config = self.config
        rows, groups, contexts = self._contexts(members, dataset, device)
        asked = [self.columns.read(dataset[row]) for row in rows]
        names = sorted({name for one in asked for name in one.candidates})
        places = {name: place for place, name in enumerate(names)}
        scored: list[Tensor] = []
        answers = [self._answers(member, names, device) for member in members]
        for place, one in enumerate(asked):
            index = torch.tensor([places[name] for name in one.candidates])
            each = [v[index] @ c[place] for v, c in zip(answers, contexts, strict=True)]
            scored.append(torch.stack(each).mean(dim=0))
        values, streams = self._values(scored, asked), _context(members[0])
        ranks = values[MEAN_RANK].long()
        drawn = right_and_wrong(ranks, config.examples, config.seed)
        bootstrap = config.bootstrap(groups)
        counts = [len(one.candidates) for one in asked]
        return TaskResult(
            task=self.name,
            protocol={
                "questions": len(rows),
                "dialogs": len(set(groups.tolist())),
                "candidates": sum(counts) / len(counts),
                "questions_with_relevance": sum(one.relevance is not None for one in asked),
                **config.protocol(members, dataset, rows, over="dialogs"),
            },
            metrics=_scores(values, groups, bootstrap),
            baselines=self._baselines(asked, members[0].training),
            leakage=leakage,
            values={
                metric.name: Values(metric.scale * v[~v.isnan()], groups[~v.isnan()])
                for metric, v in values.items()
            },
            predictions=self._shown(streams, rows, scored, asked, drawn),
            worst=self._shown(streams, rows, scored, asked, worst_first(ranks - 1, WORST)),
            similarity=(JOINT, config.answer),
        )

    def _contexts(
        self, members: Sequence[Member], dataset: Dataset, device: torch.device | str
    ) -> tuple[list[int], Tensor, list[Tensor]]:
        """Rows that could be read, their groups (N,) and each model's embeddings of them (N, E)."""
        config = self.config.inference
        rows: list[int] = []
        groups: list[Tensor] = []
        vectors: list[list[Tensor]] = [[] for _ in members]
        for member in members:
            if JOINT not in member.model.projections:
                raise unknown_name("projection of the model", JOINT, member.model.projections)
            if member.model.fusion is None:
                raise WeftError("dialog reads fused streams, but the model has no fusion")
        readers = [(one, Reading.of(one, dataset, _context(one))) for one in members]
        asked = Selection(check=self.columns.read)
        with evaluating_all(members, config, device):
            for read in encode_rows(readers, dataset, config, asked, device=device, what="asking"):
                if not all(read.streams):
                    continue  # no row of this batch has any of the streams
                joint = [
                    member.model.fuse(encoded)[JOINT]
                    for member, encoded in zip(members, read.streams, strict=True)
                ]
                index_R = joint[0].present.nonzero()[:, 0]
                for member, found, one in zip(members, vectors, joint, strict=True):
                    found.append(member.model.embed(JOINT, one.take(index_R)).cpu())
                groups.append(read.batch.groups[index_R].cpu())
                rows += [read.numbers[row] for row in index_R.tolist()]
        if not rows:
            raise WeftError(
                "no row of the data set can be read and has what the context is made of"
            )
        return rows, torch.cat(groups), [torch.cat(found) for found in vectors]

    def _answers(self, member: Member, names: Sequence[str], device: torch.device | str) -> Tensor:
        """(C, E) embeddings of the candidates."""
        stream, config = self.config.answer, self.config.inference
        if stream not in member.modalities:
            raise unknown_name("stream", stream, member.modalities)
        samples = [Sample(name, name, {stream: name}, f"candidate '{name}'") for name in names]
        source = ModalitySource(samples, stream, member.modalities[stream])
        entries = [Entry(stream, row, 0) for row in range(len(samples))]
        settings = config.replace(errors=ErrorPolicy())
        bad = settings.errors.build(len(samples))
        reader = Member(member.model, {stream: source})
        return embed_entries([reader], entries, samples, settings, bad, device).vectors[0]

    def _values(self, scored: Sequence[Tensor], asked: Sequence[Asked]) -> dict[Metric, Tensor]:
        """Metric -> its raw value row by row; NDCG is NaN where a row has no relevances."""
        pairs = list(zip(scored, asked, strict=True))
        ranks = torch.tensor([rank_of_right(s, one.right) for s, one in pairs]).double()
        found = {recall_at(k): (ranks <= k).double() for k in self.config.ks}
        found |= {MRR: 1 / ranks, MEAN_RANK: ranks}
        gains = [
            float("nan") if one.relevance is None else ndcg(s, one.relevance) for s, one in pairs
        ]
        if any(one.relevance is not None for one in asked):
            found[NDCG] = torch.tensor(gains, dtype=torch.float64)
        return found

    def _baselines(
        self, asked: Sequence[Asked], training: Dataset | None
    ) -> dict[str, dict[str, float]]:
        by_row: dict[Metric, list[float]] = {}
        for one in asked:
            for k in self.config.ks:
                recall, reciprocal, rank = chance(len(one.candidates), k)
                by_row.setdefault(recall_at(k), []).append(recall)
            by_row.setdefault(MRR, []).append(reciprocal)
            by_row.setdefault(MEAN_RANK, []).append(rank)
            if one.relevance is not None:
                by_row.setdefault(NDCG, []).append(chance_ndcg(one.relevance))
        baselines = {"chance": {m.name: m.scale * sum(v) / len(v) for m, v in by_row.items()}}
        counts = self.columns.frequencies(training)
        if counts:
            scored = [torch.tensor([float(counts[c]) for c in one.candidates]) for one in asked]
            values = self._values(scored, asked)
            baselines["most frequent"] = {
                metric.name: metric.scale * float(v[~v.isnan()].mean())
                for metric, v in values.items()
            }
        return baselines

    def _shown(
        self,
        streams: Sequence[str],
        rows: Sequence[int],
        scored: Sequence[Tensor],
        asked: Sequence[Asked],
        chosen: Sequence[int],
    ) -> list[Prediction]:
        found = []
        for place in chosen:
            one, scores = asked[place], scored[place]
            best = scores.topk(min(1 + OTHERS, len(scores)))
            named: list[tuple[str, float]] = [
                (one.candidates[c], float(s))
                for c, s in zip(best.indices, best.values, strict=True)
            ]
            found.append(
                Prediction(
                    inputs=tuple(Entry(stream, rows[place]) for stream in streams),
                    predicted=named[0][0],
                    expected=(one.candidates[one.right],),
                    right=rank_of_right(scores, one.right) == 1,
                    score=named[0][1],
                    others=tuple(named[1:]),
                    given={self.config.answer: named[0][0]},
                )
            )
        return found


def _context(member: Member) -> tuple[str, ...]:
    """The streams that the context is fused from, in the order of the data."""
    return tuple(s for s in member.sources if s in member.model.fused_streams)


def _scores(
    values: Mapping[Metric, Tensor], groups: Tensor, bootstrap: Bootstrap
) -> dict[str, Score]:
    found = []
    for metric, of_rows in values.items():
        there = ~of_rows.isnan()
        of, within = of_rows[there], groups[there]
        if metric.unit == PERCENT:
            estimate = bootstrap.proportion(of, within)
        else:
            estimate = bootstrap.mean(of, within).estimate()
        found.append(metric.score(estimate))
    return by_name(found)
