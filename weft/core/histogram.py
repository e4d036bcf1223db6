"""Round numbers, and histograms whose edges are round numbers."""

import math
from collections.abc import Mapping, Sequence

import numpy as np


def round_numbers(low: float, high: float, count: int, *, whole: bool = False) -> tuple[float, ...]:
    """About `count` multiples of 1, 2 or 5 times a power of ten within [low, high].

    whole: whole numbers only.
    """
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    step = max(1.0, step) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(i * step, 12) for i in range(first, last + 1))


def bin_values(
    values: Mapping[str, Sequence[float]], bins: int = 24
) -> tuple[dict[str, list[int]], list[float]]:
    """Counts per series, and the bin edges that they share. Whole numbers get bins of whole width.

    If all values are equal, there is one bin, centred on them. The largest 0.5 % of the values share the last bin,
    so that one outlier does not flatten the rest. Values that are not finite are ignored.
    """
    arrays = {name: np.asarray(series, dtype=float) for name, series in values.items()}
    arrays = {name: series[np.isfinite(series)] for name, series in arrays.items()}
    pooled = np.concatenate([*arrays.values(), np.zeros(0)])
    if not len(pooled):
        return {name: [0] for name in values}, [0.0, 1.0]
    edges = _edges(pooled, bins)
    middle = (edges[-2] + edges[-1]) / 2
    counts = {
        name: np.histogram(np.clip(series, edges[0], middle), edges)[0].tolist()
        for name, series in arrays.items()
    }
    return counts, edges


def _edges(values: np.ndarray, bins: int) -> list[float]:
    low, high = float(values.min()), float(np.quantile(values, 0.995))
    if high == low:
        high = float(values.max())
    whole = bool(np.all(values == np.round(values)))
    if high - low <= 1e-9 * max(abs(high), abs(low)):
        return [low - 0.5, low + 0.5]
    marks = round_numbers(low, high, bins)
    step = marks[1] - marks[0] if len(marks) > 1 else high - low
    step = max(1.0, round(step)) if whole else step
    first = math.floor(low / step) * step
    count = max(1, math.floor((high - first) / step) + 1)
    return [round(first + i * step, 12) for i in range(count + 1)]
