"""Reads one cell of a table as a number, a label or several labels. `weft.core.dates` reads dates.

Streams, targets and the schema all read cells through this module, so a column has the same meaning everywhere.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from weft.core.errors import WeftError, brief
from weft.core.text import normalised
from weft.core.units import Written, written

Merge = Literal["case", "blanks"]
"""Differences that two spellings of the same label may have: capitals (case) or blanks (blanks)."""
MERGES: tuple[Merge, ...] = get_args(Merge)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")


def is_number(value: Any) -> bool:
    """Whether the value is a number, or a string that spells one as Python does, with or without a unit."""
    if isinstance(value, bool | np.bool_):
        return False
    if isinstance(value, int | float | np.number):
        return True
    return isinstance(value, str) and _spelled(value) is not None


def unit_of(raw: Any) -> str:
    """The unit of a string that spells a number: € for `70.85 €`; "" if it has none."""
    found = _spelled(raw) if isinstance(raw, str) else None
    return "" if found is None else found.unit


def number_of(raw: Any, unit: str = "") -> float:
    """The value, a number or a string that spells one, as a finite float. unit: the expected unit, if any.

    Raises WeftError for anything else.
    """
    found = _spelled(raw) if isinstance(raw, str) else None
    if unit and found is not None and found.unit not in ("", unit):
        raise WeftError(f"is {brief(raw)}, expected a number in {unit}")
    try:
        spelled = found.number if found is not None else raw
        number = float(spelled) if found is not None or is_number(raw) else math.nan
    except OverflowError:  # an int too large for a float
        number = math.inf
    if not math.isfinite(number):
        raise WeftError(f"is {brief(raw)}, expected a finite number")
    return number


def _spelled(text: str) -> Written | None:
    """The digits and the unit of a number as Python spells it."""
    found = written(text)
    return found if found is not None and _NUMBER.fullmatch(found.number) else None


def label_of(raw: Any) -> str:
    """The name of a class in composed Unicode form (NFC), from a string, a number or a bool. A whole number is
    written without a decimal point.

    Raises WeftError for anything else, and for an empty name.
    """
    if isinstance(raw, bool | np.bool_):
        return str(bool(raw)).lower()
    if isinstance(raw, int | np.integer):
        return str(int(raw))
    if isinstance(raw, float | np.floating) and math.isfinite(raw):
        return str(int(raw)) if float(raw).is_integer() else str(float(raw))
    name = normalised(raw) if isinstance(raw, str) else ""
    if not name:
        raise WeftError(f"is {brief(raw)}, expected a label: a string, a number, true or false")
    return name


def labels_of(raw: Any, separator: str = "") -> tuple[str, ...]:
    """The different labels in a list, or in a string in which `separator` divides them.

    Raises WeftError for anything else, and for an invalid label.
    """
    if isinstance(raw, str):
        parts = raw.split(separator) if separator else [raw]
        raw = [part for part in parts if part.strip()]
    elif not isinstance(raw, list | tuple):
        between = f", or a string with '{separator}' between them" if separator else ""
        raise WeftError(f"is {brief(raw)}, expected a list of tags{between}")
    return tuple(dict.fromkeys(map(label_of, raw)))


def merges_of(said: str) -> tuple[Merge, ...]:
    """Parses a setting such as `case,blanks`. Raises WeftError for an unknown word."""
    words = [word.strip() for word in said.split(",") if word.strip()]
    for word in words:
        if word not in MERGES:
            raise WeftError(f"--merge-labels: got '{word}', expected case, blanks, or case,blanks")
    return tuple(merge for merge in MERGES if merge in words)


def label_key(name: str, merge: Sequence[Merge] = ()) -> str:
    """A key that is equal for labels that count as the same label under `merge`."""
    if "case" in merge:
        name = name.casefold()
    return "".join(name.split()) if "blanks" in merge else name


def merged(counts: Mapping[str, int], merge: Sequence[Merge] = ()) -> Counter[str]:
    """Number of rows of each label. Labels that are the same under `merge` are counted under their most frequent
    spelling (if two are equally frequent, the first by name).
    """
    spelled: dict[str, str] = {}
    found: Counter[str] = Counter()
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        found[spelled.setdefault(label_key(name, merge), name)] += counts[name]
    return found


class Labels:
    """A list of class labels; the index of a label is its class number. merge: see `Merge`."""

    def __init__(self, names: Sequence[str] = (), merge: Sequence[Merge] = ()) -> None:
        self.names = tuple(names)
        self.merge = tuple(merge)
        self._places = {label_key(name, merge): place for place, name in enumerate(names)}

    def __len__(self) -> int:
        return len(self.names)

    def place(self, name: str) -> int | None:
        """The index of the label; None if it is not in the list."""
        return self._places.get(label_key(name, self.merge))

    def spelled(self, name: str) -> str:
        """The spelling of the label in this list; a label that is not in the list is returned unchanged."""
        place = self.place(name)
        return name if place is None else self.names[place]

    def most_frequent(self, counts: Mapping[str, int], most: int, min_rows: int = 1) -> "Labels":
        """The `most` most frequent labels with at least `min_rows` rows, the most frequent first, then by name."""
        rows = merged(counts, self.merge)
        kept = [name for name in rows if rows[name] >= min_rows]
        kept.sort(key=lambda name: (-rows[name], name))
        return Labels(kept[:most], self.merge)
