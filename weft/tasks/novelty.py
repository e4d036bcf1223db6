"""Anomaly detection by row: which rows are unlike the training rows?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.core.needs import Needs
from weft.data.formats import Dataset
from weft.evaluation.anomaly import detection, share_beaten
from weft.evaluation.conformal import Conformal, false_alarms
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
from weft.tasks._alarms import Calibration, threshold_words
from weft.tasks.base import WORST, TaskConfig
from weft.tasks.mismatch import AUPR, AUROC, FALSE_ALARMS, FOUND, FPR95

LIKE, UNLIKE = "like the training rows", "unlike the training rows"


@dataclass(frozen=True)
class NoveltyConfig(TaskConfig):
    """Rows that a column calls anomalous, told from the others by how far they are from the training rows.

    The scores are those of `weft.inference.novelty_scores`; the threshold is as in `mismatch`.
    """

    calibrated: ClassVar[bool] = True
    column: str = "anomalous"
    """The column that tells which of the measured rows are anomalous."""
    values: tuple[str, ...] = ("yes", "true", "1")
    """What stands there of anomalous rows, in any case; of all others they are normal."""
    streams: tuple[str, ...] = ()
    """Streams, or joint, by which rows are compared; all that the model encodes if empty."""
    score: NoveltyScore = "neighbours"
    """The score that alarms; the other one stands beside it."""
    false_alarms: float = 0.05
    """Share of normal rows that may be above the threshold."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.false_alarms < 1:
            raise ValueError(
                f"false_alarms is {self.false_alarms}, expected a share between 0 and 1"
            )

    @property
    def needs(self) -> Needs:
        encoders = tuple(stream for stream in self.streams if stream != JOINT)
        return Needs(encoders=encoders, fusion=JOINT in self.streams, columns=(self.column,))

    def build(self) -> "Novelty":
        return Novelty(self)


class Novelty:
    """AUROC, average precision and false-alarm rate of the score, and what a threshold finds; baselines: chance and the other score."""

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
        """Raises WeftError for several models, and where no row or every row is anomalous."""
        member, config = only(members, self.name), self.config
        streams = config.streams or tuple(s for s in member.sources if s in member.model.encoders)
        rows = row_vectors(member, dataset, streams, config.inference, device)
        anomalous_N = self._anomalous(dataset, rows)
        training = rows
        if member.training is not None:
            apart = member.over(member.training)
            training = row_vectors(
                apart,
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
        bootstrap = config.bootstrap(rows.groups)
        by_score = {
            name: detection(found, anomalous_N, rows.groups, bootstrap)
            for name, found in scores.items()
        }
        of, normal = by_score[config.score], self._normal(scorer, member, streams, device)
        own = scores[config.score]
        found = [
            AUROC.score(of.auroc.estimate()),
            AUPR.score(of.average_precision.estimate()),
            FPR95.score(of.fpr95.estimate()),
        ]
        threshold = None
        if normal is not None and normal.is_enough(config.false_alarms):
            threshold = Conformal(normal.scores).threshold(config.false_alarms)
            found += self._at_threshold(threshold, normal, own, anomalous_N, rows)
        share = 100 * float(anomalous_N.double().mean())
        others = {
            str(name): {
                AUROC.name: 100 * one.auroc.value,
                AUPR.name: 100 * one.average_precision.value,
                FPR95.name: 100 * one.fpr95.value,
            }
            for name, one in by_score.items()
            if name != config.score
        }
        beaten = 100 * torch.from_numpy(share_beaten(own[~anomalous_N], own[anomalous_N]))
        return TaskResult(
            task=self.name,
            protocol={
                "rows": len(rows),
                "anomalous": int(anomalous_N.sum()),
                "score": config.score,
                "streams": ", ".join(streams),
                "compared with": "these rows, of other groups"
                if training is rows
                else "training rows",
                **threshold_words(normal, threshold, config.false_alarms),
                **config.protocol([member], dataset, rows),
            },
            metrics=by_name(found),
            baselines={"chance": {AUROC.name: 50.0, AUPR.name: share, FPR95.name: 95.0}, **others},
            leakage=leakage,
            values={AUROC.name: Values(beaten, rows.groups[anomalous_N])},
            **self._shown(rows, streams, own, anomalous_N, threshold),
        )

    def _anomalous(self, dataset: Dataset, rows: RowVectors) -> Tensor:
        """(N,) bool."""
        config = self.config
        named = {value.casefold() for value in config.values}
        known = [str(dataset[row].items.get(config.column, "")) for row in rows.rows]
        found = torch.tensor([one.strip().casefold() in named for one in known])
        if found.all() or not found.any():
            kind = "anomalous" if found.all() else "normal"
            seen = ", ".join(sorted(set(known))[:5]) or "nothing"
            raise WeftError(
                f"all {len(known):,} rows are {kind}: column '{config.column}' has {seen}, anomalous are "
                f"{', '.join(config.values)} (--tasks.novelty.values)"
            )
        return found

    def _normal(
        self,
        scorer: NoveltyScorer,
        member: Member,
        streams: Sequence[str],
        device: torch.device | str,
    ) -> Calibration | None:
        """Of the validation rows that are not called anomalous."""
        validation, config = member.validation, self.config
        if validation is None:
            return None
        named = {value.casefold() for value in config.values}
        rows = row_vectors(member.over(validation), validation, streams, config.inference, device)
        known = [str(validation[row].items.get(config.column, "")) for row in rows.rows]
        normal = torch.tensor([one.strip().casefold() not in named for one in known])
        kept = rows.take(normal.nonzero()[:, 0])
        return Calibration(scorer.of(kept)[config.score], kept.groups)

    def _at_threshold(
        self,
        threshold: float,
        normal: Calibration,
        own: Tensor,
        anomalous_N: Tensor,
        rows: RowVectors,
    ) -> list[Score]:
        config = self.config
        above = (own[anomalous_N] > threshold).double()
        groups = rows.groups[anomalous_N]
        found = FOUND.score(config.bootstrap(groups).proportion(above, groups))
        share = false_alarms(
            config.false_alarms,
            normal.scores,
            normal.groups,
            own[~anomalous_N],
            rows.groups[~anomalous_N],
            resamples=config.resamples,
            seed=config.seed,
        )
        return [found, FALSE_ALARMS.score(share.estimate())]

    def _shown(
        self,
        rows: RowVectors,
        streams: Sequence[str],
        own: Tensor,
        anomalous_N: Tensor,
        threshold: float | None,
    ) -> Mapping[str, Any]:
        """Some rows, half of them on the wrong side of the threshold, and those that are farthest on it."""
        middle = float(np.median(own)) if threshold is None else threshold
        beyond_N = torch.where(anomalous_N, middle - own, own - middle)
        wrong_N = (own > middle) != anomalous_N

        def prediction(row: int) -> Prediction:
            inputs = tuple(
                Entry(stream, rows.rows[row])
                for stream in streams
                if stream in rows.present and bool(rows.present[stream][row])
            )
            above = bool(own[row] > middle)
            said = f"strangeness {float(own[row]):.3f}"
            if threshold is not None:
                said = f"{UNLIKE if above else LIKE} ({said})"
            return Prediction(
                inputs=inputs,
                predicted=said,
                expected=(UNLIKE if anomalous_N[row] else LIKE,),
                right=None if threshold is None else not bool(wrong_N[row]),
            )

        drawn = right_and_wrong(wrong_N.long() + 1, self.config.examples, self.config.seed)
        worst = worst_first(torch.where(wrong_N, beyond_N, torch.zeros_like(beyond_N)), WORST)
        return {
            "predictions": [prediction(row) for row in drawn],
            "worst": [prediction(row) for row in worst] if threshold is not None else (),
        }
