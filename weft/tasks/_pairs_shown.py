"""Pairs on the right and on the wrong side of the threshold, for the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from weft.core.media import Alternatives
from weft.inference.pair_scores import PairScore
from weft.inference.pairs import Pairs
from weft.inference.results import Prediction
from weft.tasks._alarms import Calibration
from weft.tasks._partners import Exchanged
from weft.tasks.base import WORST

FITTING, NOT_FITTING = "belong together", "do not belong together"


@dataclass(frozen=True)
class Measured:
    """The rows' own pairs and exchanged ones, their scores, and the threshold, if there is one."""

    pairs: Pairs
    own: Mapping[PairScore, Tensor]
    exchanged: Mapping[str, Exchanged]
    calibration: Calibration | None
    threshold: float | None


@dataclass(frozen=True)
class Case:
    """A pair: the row's own if `partner` is empty. place: its number among its kind. beyond: its distance on the
    wrong side of the threshold, if there is one.
    """

    partner: str
    place: int
    value: float
    beyond: float | None


def cases_of(found: Measured, score: PairScore) -> list[Case]:
    """All pairs, the rows' own first."""
    kinds = {"": found.own[score], **{p: of.scores[score] for p, of in found.exchanged.items()}}
    cases = []
    for partner, scores_P in kinds.items():
        sign = -1 if partner else 1
        for place, value in enumerate(scores_P.tolist()):
            beyond = None if found.threshold is None else sign * (value - found.threshold)
            cases.append(Case(partner, place, value, beyond))
    return cases


def _is_wrong(case: Case) -> bool:
    """Whether it is on the wrong side; an alarm is above the threshold, not on it."""
    return case.beyond is not None and (case.beyond >= 0 if case.partner else case.beyond > 0)


def drawn(found: Measured, cases: Sequence[Case], count: int, seed: int) -> list[Prediction]:
    """Random pairs: equally many own and exchanged ones, and of both equally many wrong and right ones, as far as
    available.
    """
    random = np.random.default_rng(seed)
    kinds: dict[tuple[bool, bool], list[Case]] = {}
    for case in cases:
        kinds.setdefault((bool(case.partner), _is_wrong(case)), []).append(case)
    order = [[of[n] for n in random.permutation(len(of))] for _, of in sorted(kinds.items())]
    chosen = [of[n] for n in range(count) for of in order if n < len(of)]
    return [_prediction(found, case) for case in chosen[:count]]


def worst(found: Measured, cases: Sequence[Case]) -> list[Prediction]:
    """Those farthest on the wrong side of the threshold."""
    wrong = [case for case in cases if _is_wrong(case)]
    return [
        _prediction(found, case)
        for case in sorted(wrong, key=lambda case: -(case.beyond or 0.0))[:WORST]
    ]


def _prediction(found: Measured, case: Case) -> Prediction:
    own, exchanged = found.pairs, found.exchanged.get(case.partner)
    pairs_P2 = own.own if exchanged is None else exchanged.pairs
    side = own.second if exchanged is None else exchanged.second
    one, other = pairs_P2[case.place].tolist()
    entry, given = side.entries[other], {}
    inputs = [own.first.entries[one], entry]
    if exchanged is not None and exchanged.rows is not None:  # a column of the row is no stream
        raw = exchanged.rows[entry.row].items[entry.stream]
        given = {
            entry.stream: raw[entry.alternative or 0] if isinstance(raw, Alternatives) else raw
        }
        inputs = inputs[:1]
    said = f"strangeness {case.value:.2f}"
    if found.threshold is not None:
        said = f"{NOT_FITTING if case.value > found.threshold else FITTING} ({said})"
    return Prediction(
        inputs=tuple(inputs),
        predicted=said,
        expected=(NOT_FITTING if case.partner else FITTING,),
        right=None if case.beyond is None else not _is_wrong(case),
        given=given,
    )
