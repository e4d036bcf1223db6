"""p-values and thresholds of scores, calibrated on rows that are known to be normal.

Split conformal prediction (V. Vovk, A. Gammerman and G. Shafer, Algorithmic Learning in a Random World, 2005, chapter
4; for outliers S. Bates, E. Candes, L. Lei, Y. Romano and M. Sesia, Testing for outliers with conformal p-values, The
Annals of Statistics 51(1), 2023, section 2). If a new normal row is exchangeable with the calibration rows, an alarm
at p <= a is false for at most a share `a` of the normal rows, whatever the score.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weft.core.errors import WeftError
from weft.evaluation.bootstrap import Bootstrap, Statistic, count

Floats = NDArray[np.float64]


class Conformal:
    """The scores of normal calibration rows, on which no model was fitted. A higher score is more anomalous."""

    def __init__(self, scores: ArrayLike) -> None:
        """scores: (N,). Raises WeftError if there are none, or one is not finite."""
        self.scores: Floats = np.sort(np.asarray(scores, dtype=np.float64))
        if not len(self.scores):
            raise WeftError("no calibration rows, expected some that are known to be normal")
        if not np.isfinite(self.scores).all():
            raise WeftError("the score of a calibration row is not finite")

    def __len__(self) -> int:
        return len(self.scores)

    def p_values(self, scores: ArrayLike) -> Floats:
        """(M,) for scores (M,): the share of rows, including the new one, that are at least as anomalous."""
        below = np.searchsorted(self.scores, np.asarray(scores, dtype=np.float64), side="left")
        found: Floats = (1 + len(self) - below) / (1 + len(self))
        return found

    @staticmethod
    def least(false_alarms: float) -> int:
        """Returns the number of calibration rows needed for a share of false alarms this small."""
        return math.ceil(1 / false_alarms - 1e-9) - 1

    @classmethod
    def require(cls, count: int, false_alarms: float, of: str = "rows") -> None:
        """Raises WeftError if `count` calibration rows are too few for this share of false alarms. of: what the message
        calls them."""
        if not 0 < false_alarms < 1:
            raise WeftError(f"false alarms are {false_alarms}, expected a share between 0 and 1")
        least = cls.least(false_alarms)
        if count < least:
            way = "use a run with more of them"
            if count:
                way += f", or --false-alarms {math.ceil(1e4 / (count + 1)) / 1e4:g} or more"
            raise WeftError(
                f"too few validation {of} for false alarms in {100 * false_alarms:g} % of {of}: got {count:,}, "
                f"expected at least {least:,}; {way}"
            )

    def threshold(self, false_alarms: float) -> float:
        """Scores above the threshold are alarms. At most the share `false_alarms` of normal rows are above it.

        Raises WeftError if there are too few calibration rows for this share.
        """
        self.require(len(self), false_alarms)
        place = math.ceil((len(self) + 1) * (1 - false_alarms) - 1e-9)
        return float(self.scores[min(place, len(self)) - 1])


def false_alarms(
    share: float,
    calibration: ArrayLike,
    calibration_groups: ArrayLike,
    measured: ArrayLike,
    groups: ArrayLike,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Statistic:
    """The share of the measured normal rows (N,) above the threshold that the calibration rows (M,) give for `share`.

    Both sets are resampled by their groups, since the threshold is as uncertain as the measured share.
    """
    of, apart = np.asarray(measured, dtype=np.float64), np.asarray(calibration, dtype=np.float64)
    value = float((of > Conformal(apart).threshold(share)).mean())
    order, order_apart = np.argsort(of), np.argsort(apart)
    settings = {"resamples": resamples, "seed": seed}
    drawn = Bootstrap(groups, **settings).draws(np.asarray(groups)[order])
    thresholds_R = np.concatenate(
        [
            _thresholds(some, apart[order_apart], share)
            for some in Bootstrap(calibration_groups, **settings).draws(
                np.asarray(calibration_groups)[order_apart]
            )
        ]
    )
    found: list[Floats] = []
    row = 0
    for counts_RN in drawn:
        upto_RN = np.cumsum(counts_RN, axis=1)
        at_R = np.searchsorted(of[order], thresholds_R[row : row + len(counts_RN)], side="right")
        below_R = np.where(at_R > 0, np.take_along_axis(upto_RN, at_R[:, None] - 1, 1)[:, 0], 0)
        found.append(1 - below_R / upto_RN[:, -1])
        row += len(counts_RN)
    return Statistic(value, np.concatenate(found), min(count(groups), count(calibration_groups)))


def _thresholds(counts_RM: NDArray[np.int64], sorted_M: Floats, share: float) -> Floats:
    """(R,) The threshold on each resample of the sorted calibration scores; at most the highest score."""
    upto_RM = np.cumsum(counts_RM, axis=1)
    needed_R = np.minimum(
        np.ceil((upto_RM[:, -1] + 1) * (1 - share) - 1e-9).astype(np.int64), upto_RM[:, -1]
    )
    found: Floats = sorted_M[(upto_RM >= needed_R[:, None]).argmax(1)]
    return found
