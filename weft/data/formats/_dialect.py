"""How the cells of a CSV table are divided: found by reading its first lines in each way."""

import contextlib
import csv
from collections import Counter
from collections.abc import Sequence

DELIMITERS = ("\t", ";", "|", ",")
PROBED_LINES = 50
SEPARATOR_LINE = "sep="
"""Excel's own first line, `sep=;`."""


def delimiter_of(lines: Sequence[str], suffix: str) -> tuple[str, int]:
    """The delimiter, and how many lines stand before the header: 1 where the first says `sep=;`.

    The delimiter is the one that divides most rows into as many cells as the header has; of several, the one
    that gives most cells. Blanks, and commas in sentences or numbers, are therefore not taken for one.
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
    # A row that cannot be parsed ends the count; it is reported where the table is read.
    with contextlib.suppress(csv.Error):
        for cells in csv.reader(lines, delimiter=delimiter, strict=True):
            if cells:
                counts.append(len(cells))
    if not counts or counts[0] < 2:
        return 0, 0
    rows = Counter(counts[1:])
    return (rows[counts[0]] / rows.total() if rows else 1.0), counts[0]
