"""Details behind the scores of predicted classes, tags and numbers; see `weft.inference.diagnostics`."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.data.formats import Dataset
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.calibration import calibration
from weft.evaluation.metric import Metric
from weft.inference.diagnostics import (
    ClassCount,
    ClassCounts,
    ConfusedPair,
    Confusion,
    Reliability,
    ReliabilityBin,
    ResidualBin,
    Residuals,
)

ECE = Metric("ece", better="lower", said="expected calibration error")
SHOWN_CLASSES = 30
"""Maximum number of classes in a confusion matrix; if there are more, those with the most errors."""
SHOWN_PAIRS = 20
SHOWN_COUNTS = 100
RESIDUAL_BINS = 10
RESIDUAL_POINTS = 1000


def confusion(right: Sequence[str], predicted: Sequence[str], classes: Sequence[str]) -> Confusion:
    """N right names and N predicted names. classes: the order of the model's classes; other names follow them."""
    order = dict.fromkeys([*classes, *sorted({*right, *predicted}.difference(classes))])
    seen = {*right, *predicted}
    names = [name for name in order if name in seen]
    errors = Counter((r, p) for r, p in zip(right, predicted, strict=True) if r != p)
    shown = names
    if len(names) > SHOWN_CLASSES:
        wrong: Counter[str] = Counter()
        for (r, p), rows in errors.items():
            wrong[r] += rows
            wrong[p] += rows
        worst = {name for name, _ in wrong.most_common(SHOWN_CLASSES)}
        shown = [name for name in names if name in worst]
    place = {name: number for number, name in enumerate(shown)}
    counts = np.zeros((len(shown), len(shown)), dtype=int)
    for r, p in zip(right, predicted, strict=True):
        if r in place and p in place:
            counts[place[r], place[p]] += 1
    pairs = sorted(errors.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_PAIRS]
    return Confusion(
        labels=tuple(shown),
        counts=tuple(tuple(row) for row in counts.tolist()),
        classes=len(names),
        pairs=tuple(ConfusedPair(r, p, rows) for (r, p), rows in pairs),
    )


def reliability(
    confidence: Tensor, right: Tensor, groups: Tensor, bootstrap: Bootstrap, of: str
) -> Reliability:
    """confidence and right: (N,), or (N, V) for V predictions per row. of: see `Reliability`."""
    found = calibration(confidence.numpy(), right.numpy(), groups.numpy(), bootstrap)
    bins = [
        ReliabilityBin(
            float(found.edges[n]),
            float(found.edges[n + 1]),
            float(found.confidence[n]),
            float(found.accuracy[n]),
            int(found.counts[n]),
        )
        for n in np.flatnonzero(found.counts)
    ]
    return Reliability(tuple(bins), ECE.score(found.ece.estimate()), of)


def class_counts(measured: Iterable[str], training: Counter[str] | None) -> ClassCounts:
    """How often each class is right among the measured rows and, if known, among the training rows."""
    here = Counter(measured)
    rows = here + (training or Counter())
    names = sorted(rows, key=lambda name: (-rows[name], name))
    counts = [
        ClassCount(name, None if training is None else training[name], here[name])
        for name in names[:SHOWN_COUNTS]
    ]
    return ClassCounts(tuple(counts), len(names))


def counted(
    training: Dataset | None, column: str, names: Callable[[Any], Iterable[str]]
) -> Counter[str] | None:
    """The classes of all readable training rows that have one; None if no rows are available."""
    if training is None:
        return None
    found: Counter[str] = Counter()
    for row in range(len(training)):
        try:
            found.update(names(training[row].items[column]))
        except (WeftError, KeyError):
            continue  # training has reported it
    return found


def residuals(found: Tensor, expected: Tensor, unit: str, seed: int) -> Residuals:
    """From N predicted numbers and N right ones."""
    found_N, errors_N = found.numpy(), (found - expected).numpy()
    parts = np.array_split(found_N.argsort(kind="stable"), min(RESIDUAL_BINS, len(found_N)))
    bins = [
        ResidualBin(
            float(found_N[part[0]]),
            float(found_N[part[-1]]),
            float(errors_N[part].mean()),
            float(abs(errors_N[part]).mean()),
            len(part),
        )
        for part in parts
    ]
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(len(found), generator=generator)[:RESIDUAL_POINTS]
    points = zip(expected[drawn].tolist(), found[drawn].tolist(), strict=True)
    return Residuals(tuple(bins), tuple(points), unit)
