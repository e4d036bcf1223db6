"""Cross-modal anomaly detection: which pairs of a row's streams, such as a picture and its text, do not belong together?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.needs import Needs
from weft.data.formats import Dataset
from weft.evaluation.anomaly import detection, share_beaten
from weft.evaluation.bootstrap import Bootstrap, Statistic
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Metric, Score, by_name
from weft.heads.classes import ClassOutput
from weft.inference.member import Member, only
from weft.inference.pair_scores import FITTED, PairScore, PairScorer
from weft.inference.pairs import Pairs, Side, read_pairs
from weft.inference.results import TaskResult, Values
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
from weft.tasks._pairs_shown import Measured, cases_of, drawn, worst
from weft.tasks._partners import NEAREST, RANDOM, exchanged_pairs
from weft.tasks.base import AlarmConfig


@dataclass(frozen=True)
class MismatchConfig(AlarmConfig):
    """Mismatch detection: tells pairs with one exchanged part from true pairs, by an anomaly score.

    The scores are those of `weft.inference.pair_scores`. The threshold, which is no part of the model, is set on the
    validation rows' own pairs (conformal calibration).
    """

    first: str = "image"
    """One stream."""
    second: str = "text"
    """The other, which is exchanged."""
    score: PairScore = "local_similarity"
    """The score that decides. Plain similarity and the other scores are reported too."""
    partners: tuple[str, ...] = (RANDOM, NEAREST)
    """Replacements of the second stream: the value of a random row; the most similar value of another row, by the features
    of its encoder; or a column of the row, such as a caption with one wrong word."""
    head: str = ""
    """A head that says whether both belong together, for the score `matching`; none if empty."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.first == self.second:
            raise ValueError(f"both streams are '{self.first}', expected two different ones")
        if not self.partners:
            raise ValueError("partners are empty, expected one or more")
        if self.score == "matching" and not self.head:
            raise ValueError("score is matching, which needs a head")

    @property
    def needs(self) -> Needs:
        both = (self.first, self.second)
        return Needs(
            embeddings=both,
            together=both,
            heads={self.head: ClassOutput} if self.head else {},
            fusion=bool(self.head),
            columns=tuple(one for one in self.partners if one not in (RANDOM, NEAREST)),
        )

    @property
    def embedded(self) -> tuple[str, ...]:
        return self.first, self.second

    def build(self) -> "Mismatch":
        return Mismatch(self)


class Mismatch:
    """AUROC, average precision and false-alarm rate for each kind of exchanged partner, and the detection rate at a
    threshold.

    Baselines: chance, and the other scores of the same pairs, plain similarity among them.
    """

    name = "mismatch"

    def __init__(self, config: MismatchConfig) -> None:
        self.config = config

    @property
    def metrics(self) -> tuple[Metric, ...]:
        of_each = (AUROC, AUPR, FPR95, FOUND)
        return (*(m.of(p) for p in self.config.partners for m in of_each), FALSE_ALARMS)

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Raises WeftError for several models, and if no two rows have different partners."""
        member, config = only(members, self.name), self.config
        found = self._measured(member, dataset, device)
        groups, score = found.pairs.groups, config.score
        bootstrap = config.bootstrap(groups)
        detected = {name: _detected(found, name, bootstrap) for name in found.own}
        scores = [
            metric.of(partner).score(statistic.estimate())
            for (partner, metric), statistic in detected[score].items()
        ]
        baselines: dict[str, Mapping[str, float]] = {
            str(name): {m.of(p).name: m.scale * one.value for (p, m), one in of_score.items()}
            for name, of_score in detected.items()
            if name != score
        }
        chance = {
            metric.of(partner).name: value
            for partner, of in found.exchanged.items()
            for metric, value in guessed(len(of.own), len(found.pairs.own)).items()
        }
        beaten = {
            partner: 100 * torch.from_numpy(share_beaten(found.own[score], of.scores[score]))
            for partner, of in found.exchanged.items()
        }
        cases = cases_of(found, score)
        return TaskResult(
            task=self.name,
            protocol={
                "pairs": len(found.pairs.own),
                "score": score,
                "nearest entries searched in": "training rows" if member.training else "these",
                **threshold_words(found.calibration, found.threshold, config.false_alarms),
                **config.protocol([member], dataset, found.pairs.rows),
            },
            metrics=by_name([*scores, *_at_threshold(found, config, bootstrap)]),
            baselines={"chance": chance, **baselines},
            leakage=leakage,
            values={
                AUROC.of(partner).name: Values(values_A, groups[found.exchanged[partner].own])
                for partner, values_A in beaten.items()
            },
            predictions=drawn(found, cases, config.examples, config.seed),
            worst=worst(found, cases),
            similarity=(config.first, config.second),
        )

    def _measured(self, member: Member, dataset: Dataset, device: torch.device | str) -> Measured:
        config = self.config

        def pairs_of(reader: Member, rows: Dataset, most: int | None = None) -> Pairs:
            return read_pairs(
                reader,
                rows,
                (config.first, config.second),
                config.inference,
                device,
                keep=bool(config.head),
                most=most,
                seed=config.seed,
            )

        def scored(second: Side, places_P2: Tensor, first: Side) -> dict[PairScore, Tensor]:
            return scorer.of(member, first, second, places_P2, config.inference, device)

        pairs, training = pairs_of(member, dataset), member.training
        fitted = pairs if training is None else pairs_of(member.over(training), training, FITTED)
        scorer = PairScorer.fit(
            fitted, predicting=training is not None, head=config.head or None, seed=config.seed
        )
        if config.score not in scorer.scores:
            raise WeftError(
                f"score '{config.score}' needs the training rows, which are not available; these do not: "
                f"{', '.join(scorer.scores)}"
            )
        exchanged = {}
        for partner in config.partners:
            of = exchanged_pairs(
                partner,
                pairs,
                member,
                dataset,
                config.inference,
                device,
                seed=config.seed,
                keep=bool(config.head),
            )
            exchanged[partner] = replace(of, scores=scored(of.second, of.pairs, pairs.first))
        calibration: Calibration | None = None
        if member.validation is not None:
            apart = pairs_of(member.over(member.validation), member.validation)
            normal_M = scored(apart.second, apart.own, apart.first)[config.score]
            calibration = Calibration(normal_M, apart.groups)
        own = scored(pairs.second, pairs.own, pairs.first)
        threshold = None if calibration is None else calibration.threshold(config.false_alarms)
        return Measured(pairs, own, exchanged, calibration, threshold)


def _detected(
    found: Measured, score: PairScore, bootstrap: Bootstrap
) -> dict[tuple[str, Metric], Statistic]:
    """(partner, metric) -> its value with interval."""
    groups_P, normal_P = found.pairs.groups, found.own[score]
    measured: dict[tuple[str, Metric], Statistic] = {}
    for partner, of in found.exchanged.items():
        scores = torch.cat([normal_P, of.scores[score]])
        if not torch.isfinite(scores).all():
            raise WeftError(f"score '{score}' of a pair is not finite")
        anomalous = torch.arange(len(scores)) >= len(normal_P)
        one = detection(scores, anomalous, torch.cat([groups_P, groups_P[of.own]]), bootstrap)
        measured |= {(partner, metric): of_it for metric, of_it in by_metric(one).items()}
    return measured


def _at_threshold(found: Measured, config: MismatchConfig, bootstrap: Bootstrap) -> Iterator[Score]:
    """The share of each kind of exchanged pairs above the threshold, and of the own ones."""
    if found.threshold is None or found.calibration is None:
        return
    groups_P, score = found.pairs.groups, config.score
    for partner, of in found.exchanged.items():
        above_A = (of.scores[score] > found.threshold).double()
        yield FOUND.of(partner).score(bootstrap.proportion(above_A, groups_P[of.own]))
    yield false_alarm_score(config, found.calibration, found.own[score], groups_P)
