"""Shared by the anomaly detection tasks: their metrics, and the threshold of an alarm."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from weft.evaluation.anomaly import Detection
from weft.evaluation.bootstrap import Statistic
from weft.evaluation.conformal import Conformal, false_alarms
from weft.evaluation.metric import Metric, Score
from weft.tasks.base import AlarmConfig

AUROC = Metric("AUROC", headline=True, row_mean=True)
AUPR = Metric("AUPR", said="average precision")
FPR95 = Metric("FPR@95", better="lower", said="false alarms where 95 % are found")
FOUND = Metric("found", said="found at the threshold")
FALSE_ALARMS = Metric("false_alarms", better="lower", said="false alarms at the threshold")


@dataclass(frozen=True)
class Calibration:
    """The scores (M,) of validation rows that are assumed normal, and their groups (M,)."""

    scores: Tensor
    groups: Tensor

    def threshold(self, share: float) -> float | None:
        """Scores above it are alarms; at most that share of normal rows is above. None if there are too few rows
        for it.
        """
        if len(self.scores) < Conformal.least(share):
            return None
        return Conformal(self.scores).threshold(share)


def threshold_words(
    calibration: Calibration | None, threshold: float | None, share: float
) -> dict[str, Any]:
    """The protocol's sentence about the threshold, or about why there is none."""
    rate = f"{100 * share:g} % false alarms"
    if calibration is None:
        return {"alarm threshold": "none: no validation rows beside the measured ones"}
    count = len(calibration.scores)
    if threshold is None:
        least = Conformal.least(share)
        few = f"{rate} need {least} validation rows, there are {count}"
        return {"alarm threshold": f"none: {few}; a larger false_alarms needs fewer"}
    return {
        "alarm threshold": f"{threshold:.4f}, for {rate}",
        "calibrated on": f"{count:,} of validation",
    }


def by_metric(found: Detection) -> Mapping[Metric, Statistic]:
    """The metrics that need no threshold."""
    return {AUROC: found.auroc, AUPR: found.average_precision, FPR95: found.fpr95}


def guessed(anomalous: int, normal: int) -> Mapping[Metric, float]:
    """The metrics of an uninformative score, in percent, for these numbers of rows of each kind."""
    return {AUROC: 50.0, AUPR: 100 * anomalous / (anomalous + normal), FPR95: 95.0}


def false_alarm_score(
    config: AlarmConfig, calibration: Calibration, normal_N: Tensor, groups_N: Tensor
) -> Score:
    """The share of the measured normal rows above the threshold. normal_N: their scores (N,)."""
    share = false_alarms(
        config.false_alarms,
        calibration.scores,
        calibration.groups,
        normal_N,
        groups_N,
        resamples=config.resamples,
        seed=config.seed,
    )
    return FALSE_ALARMS.score(share.estimate())
