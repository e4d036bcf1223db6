"""Anomaly detection by row: which rows are unlike the training rows?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.core.needs import Needs
from weft.core.samples import Sample
from weft.data.formats import Dataset
from weft.evaluation.anomaly import detection, share_beaten
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Score, by_name
from weft.evaluation.ranking import right_and_wrong, worst_first
from weft.inference.member import Entry, Member, only
from weft.inference.novelty_scores import (
    REFERENCES,
    NoveltyScore,
    NoveltyScorer,
    RowVectors,
    row_vectors,
)
from weft.inference.results import Prediction, TaskResult, Values
from weft.tasks._alarms import (
    AUPR,
    AUROC,
    FALSE_ALARMS,
    FOUND,
    FPR95,
    Calibration,
    by_metric,
    false_alarm_score,
    guessed,
    threshold_words,
)
from weft.tasks.base import WORST, AlarmConfig

LIKE, UNLIKE = "like the training rows", "unlike the training rows"


@dataclass(frozen=True)
class NoveltyConfig(AlarmConfig):
    """Novelty detection: tells anomalous rows from normal ones by their distance to the training rows.

    The scores are those of `weft.inference.novelty_scores`; the threshold is as in `mismatch`.
    """

    column: str = "anomalous"
    """Column that marks the anomalous rows."""
    values: tuple[str, ...] = ("yes", "true", "1")
    """Values of this column that mean anomalous; upper and lower case are equal. All other rows are normal."""
    streams: tuple[str, ...] = ()
    """Streams, or joint, by which rows are compared; if empty, all that the model encodes."""
    score: NoveltyScore = "neighbours"
    """The score that decides. The other one is reported too."""

    @property
    def needs(self) -> Needs:
        encoders = tuple(stream for stream in self.streams if stream != JOINT)
        return Needs(encoders=encoders, fusion=JOINT in self.streams, columns=(self.column,))

    def marks(self, sample: Sample) -> bool:
        """Whether the column calls the row anomalous."""
        return _value(sample, self.column).casefold() in {one.casefold() for one in self.values}

    def build(self) -> "Novelty":
        return Novelty(self)


@dataclass(frozen=True)
class _Measured:
    """N rows: their scores (N,), which of them are anomalous (N,), and the threshold, if there is one."""

    rows: RowVectors
    anomalous: Tensor
    scores: Mapping[NoveltyScore, Tensor]
    calibration: Calibration | None
    threshold: float | None
    with_training: bool


class Novelty:
    """AUROC, average precision and false-alarm rate of the score, and the detection rate at a threshold; baselines:
    chance and the other score.
    """

    name = "novelty"
    metrics = (AUROC, AUPR, FPR95, FOUND, FALSE_ALARMS)

    def __init__(self, config: NoveltyConfig) -> None:
        self.config = config

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Raises WeftError for several models, and if no row or every row is anomalous."""
        member, config = only(members, self.name), self.config
        streams = config.streams or tuple(s for s in member.sources if s in member.model.encoders)
        found = self._measured(member, dataset, streams, device)
        rows, anomalous_N, own_N = found.rows, found.anomalous, found.scores[config.score]
        bootstrap = config.bootstrap(rows.groups)
        detected = {
            name: by_metric(detection(of, anomalous_N, rows.groups, bootstrap))
            for name, of in found.scores.items()
        }
        scores = [m.score(one.estimate()) for m, one in detected[config.score].items()]
        others = {
            str(name): {m.name: m.scale * one.value for m, one in of.items()}
            for name, of in detected.items()
            if name != config.score
        }
        chance = guessed(int(anomalous_N.sum()), int((~anomalous_N).sum()))
        beaten_A = 100 * torch.from_numpy(share_beaten(own_N[~anomalous_N], own_N[anomalous_N]))
        wrong_N, beyond_N = self._wrong(found)
        drawn = right_and_wrong(wrong_N.long() + 1, config.examples, config.seed)
        worst = worst_first(torch.where(wrong_N, beyond_N, torch.zeros_like(beyond_N)), WORST)
        return TaskResult(
            task=self.name,
            protocol={
                "rows": len(rows),
                "anomalous": int(anomalous_N.sum()),
                "score": config.score,
                "streams": ", ".join(streams),
                "compared with": "training rows" if found.with_training else "rows of other groups",
                **threshold_words(found.calibration, found.threshold, config.false_alarms),
                **config.protocol([member], dataset, rows),
            },
            metrics=by_name([*scores, *self._at_threshold(found)]),
            baselines={"chance": {m.name: value for m, value in chance.items()}, **others},
            leakage=leakage,
            values={AUROC.name: Values(beaten_A, rows.groups[anomalous_N])},
            predictions=[self._prediction(found, row, bool(wrong_N[row])) for row in drawn],
            worst=[self._prediction(found, row, wrong=True) for row in worst],
        )

    def _measured(
        self,
        member: Member,
        dataset: Dataset,
        streams: Sequence[str],
        device: torch.device | str,
    ) -> _Measured:
        """The rows compared with the training rows, or with each other if those are not available."""
        config = self.config
        rows = row_vectors(member, dataset, streams, config.inference, device)
        anomalous_N = self._anomalous(dataset, rows)
        training = rows
        if member.training is not None:
            training = row_vectors(
                member.over(member.training),
                member.training,
                streams,
                config.inference,
                device,
                most=REFERENCES,
                seed=config.seed,
            )
        scorer = NoveltyScorer.fit(training)
        scores = scorer.of(rows, others=training is rows)
        if not torch.isfinite(scores[config.score]).all():
            raise WeftError(f"score '{config.score}' of a row is not finite")
        calibration = self._normal(scorer, member, streams, device)
        threshold = None if calibration is None else calibration.threshold(config.false_alarms)
        return _Measured(rows, anomalous_N, scores, calibration, threshold, training is not rows)

    def _anomalous(self, dataset: Dataset, rows: RowVectors) -> Tensor:
        """(N,) bool. Raises WeftError if all rows are of one kind."""
        config = self.config
        found = self._marked(dataset, rows)
        if found.all() or not found.any():
            kind = "anomalous" if found.all() else "normal"
            known = {_value(dataset[row], config.column) for row in rows.rows}
            seen = ", ".join(sorted(known)[:5]) or "nothing"
            raise WeftError(
                f"all {len(rows):,} rows are {kind}: column '{config.column}' has {seen}, anomalous are "
                f"{', '.join(config.values)} (--tasks.novelty.values)"
            )
        return found

    def _marked(self, dataset: Dataset, rows: RowVectors) -> Tensor:
        """(N,) whether the column calls the row anomalous."""
        return torch.tensor([self.config.marks(dataset[row]) for row in rows.rows])

    def _normal(
        self,
        scorer: NoveltyScorer,
        member: Member,
        streams: Sequence[str],
        device: torch.device | str,
    ) -> Calibration | None:
        """The validation rows that the column does not call anomalous."""
        validation, config = member.validation, self.config
        if validation is None:
            return None
        rows = row_vectors(member.over(validation), validation, streams, config.inference, device)
        normal = ~self._marked(validation, rows)
        kept = rows.take(normal.nonzero()[:, 0])
        return Calibration(scorer.of(kept)[config.score], kept.groups)

    def _at_threshold(self, found: _Measured) -> Iterator[Score]:
        """The share of the anomalous rows above the threshold, and of the others."""
        if found.threshold is None or found.calibration is None:
            return
        config, groups_N = self.config, found.rows.groups
        own_N, anomalous_N = found.scores[config.score], found.anomalous
        above_A, groups_A = (own_N[anomalous_N] > found.threshold).double(), groups_N[anomalous_N]
        yield FOUND.score(config.bootstrap(groups_A).proportion(above_A, groups_A))
        yield false_alarm_score(
            config, found.calibration, own_N[~anomalous_N], groups_N[~anomalous_N]
        )

    def _wrong(self, found: _Measured) -> tuple[Tensor, Tensor]:
        """(N,) whether a row is on the wrong side of the threshold, and its distance; none if there is no
        threshold.
        """
        own_N = found.scores[self.config.score]
        if found.threshold is None:
            return torch.zeros(len(own_N), dtype=torch.bool), torch.zeros_like(own_N)
        beyond_N = torch.where(found.anomalous, found.threshold - own_N, own_N - found.threshold)
        return (own_N > found.threshold) != found.anomalous, beyond_N

    def _prediction(self, found: _Measured, row: int, wrong: bool) -> Prediction:
        rows, value = found.rows, float(found.scores[self.config.score][row])
        said = f"strangeness {value:.3f}"
        if found.threshold is not None:
            said = f"{UNLIKE if value > found.threshold else LIKE} ({said})"
        return Prediction(
            inputs=tuple(
                Entry(stream, rows.rows[row])
                for stream, of in rows.present.items()
                if bool(of[row])
            ),
            predicted=said,
            expected=(UNLIKE if found.anomalous[row] else LIKE,),
            right=None if found.threshold is None else not wrong,
        )


def _value(sample: Sample, column: str) -> str:
    return str(sample.items.get(column, "")).strip()
