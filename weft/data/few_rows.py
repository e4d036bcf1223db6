"""Warnings of splits with so few rows or groups that metrics mean little."""

import logging
from contextlib import suppress

from weft.core.errors import DataError
from weft.core.text import counted
from weft.data.columns import row_of
from weft.data.formats import Dataset

log = logging.getLogger("weft.runs")
FEW = 20
"""With fewer rows or groups in a measured split, its metrics mean little: one right row more or less changes them by 5
points or more."""
MANY = 10 * FEW
"""With this many rows or more, groups are not counted, since that would read every row."""


def few_rows(split: str, dataset: Dataset) -> str | None:
    """Says that the metrics mean little because the split has few rows, or few groups; None if it has enough."""
    found = counted(len(dataset), "row")
    few = len(dataset) < FEW
    if not few and len(dataset) < MANY:
        groups = set()
        for number in range(len(dataset)):
            with suppress(DataError):  # the error policy decides about bad rows when it is measured
                groups.add(row_of(dataset, number).group)
        found, few = counted(len(groups), "group"), len(groups) < FEW
    if not few:
        return None
    return f"the {split} split has {found}, expected {FEW} or more: its metrics mean little"


def warn_of_few(split: str, dataset: Dataset) -> None:
    """Logs a warning if the split has few rows or groups."""
    if said := few_rows(split, dataset):
        log.warning(said)
