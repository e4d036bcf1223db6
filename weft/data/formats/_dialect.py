"""The delimiter of a CSV table, found by parsing its first lines with each candidate."""

import contextlib
import csv
from collections import Counter
from collections.abc import Sequence

DELIMITERS = ("\t", ";", "|", ",")
PROBED_LINES = 50
SEPARATOR_LINE = "sep="
"""The first line `sep=;` that Excel writes."""


def delimiter_of(lines: Sequence[str], suffix: str) -> tuple[str, int]:
    """Returns the delimiter and the number of lines before the header: 1 if the first line is `sep=;`.

    The delimiter is the one with which most rows have as many cells as the header; on a tie, the one that gives most
    cells. Blanks, and commas in sentences or numbers, are therefore not mistaken for one.
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
    """Returns (share of the rows with as many cells as the header, cells of the header); zeros for a header of one
    cell."""
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
