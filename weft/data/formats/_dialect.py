"""How the cells of a CSV table are divided: found by reading its first lines in each way."""

import csv
import itertools
from collections import Counter
from collections.abc import Sequence

DELIMITERS = ("\t", ";", "|", ",")
PROBED_LINES = 50
SEPARATOR_LINE = "sep="
"""Excel's own first line, `sep=;`."""


def delimiter_of(lines: Sequence[str], suffix: str) -> tuple[str, int]:
    """The delimiter, and how many lines stand before the header: 1 where the first says `sep=;`.

    That which divides most rows into as many cells as the header, of several the one with most cells.
    A blank, a comma in a sentence or in a number is so no delimiter.
    """
    first = lines[0].strip() if lines else ""
    if first.lower().startswith(SEPARATOR_LINE) and len(first) == len(SEPARATOR_LINE) + 1:
        return first[-1], 1
    if suffix == ".tsv":
        return "\t", 0
    scores = {each: _score(lines[:PROBED_LINES], each) for each in DELIMITERS}
    best = max(DELIMITERS, key=lambda each: scores[each])
    return (best if scores[best] > (0, 0) else "\t"), 0


def _score(lines: Sequence[str], delimiter: str) -> tuple[float, int]:
    """(share of the rows that have as many cells as the header, its cells); zeros where it has one."""
    counts: list[int] = []
    try:
        for cells in csv.reader(itertools.chain(lines), delimiter=delimiter, strict=True):
            if cells:
                counts.append(len(cells))
    except csv.Error:
        pass  # a row that is none is told where the table is read
    if not counts or counts[0] < 2:
        return 0, 0
    rows = Counter(counts[1:])
    return (rows[counts[0]] / rows.total() if rows else 1.0), counts[0]
