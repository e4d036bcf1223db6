"""What one cell of a table says: a number, a label, several labels. Dates are read in `weft.core.dates`.

Streams, targets and the schema read cells here and nowhere else, so that a column has one meaning.
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
"""In what two labels may differ and be one: capitals, or blanks."""
MERGES: tuple[Merge, ...] = get_args(Merge)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")


def is_number(value: Any) -> bool:
    """Whether it is a number, or a string that spells one as Python does, with or without a unit."""
    if isinstance(value, bool | np.bool_):
        return False
    if isinstance(value, int | float | np.number):
        return True
    return isinstance(value, str) and _spelled(value) is not None


def unit_of(raw: Any) -> str:
    """The unit of a string that spells a number: € of `70.85 €`; "" where there is none."""
    found = _spelled(raw) if isinstance(raw, str) else None
    return "" if found is None else found.unit


def number_of(raw: Any, unit: str = "") -> float:
    """A finite number of a number or a string that spells one. unit: in which it is expected, where it has any.

    Raises WeftError for anything else.
    """
    found = _spelled(raw) if isinstance(raw, str) else None
    if unit and found is not None and found.unit not in ("", unit):
        raise WeftError(f"is {brief(raw)}, expected a number in {unit}")
    try:
        spelled = found.number if found is not None else raw
        number = float(spelled) if found is not None or is_number(raw) else math.nan
    except OverflowError:  # of a whole number
        number = math.inf
    if not math.isfinite(number):
        raise WeftError(f"is {brief(raw)}, expected a finite number")
    return number


def _spelled(text: str) -> Written | None:
    """The parts of a number as Python spells it."""
    found = written(text)
    return found if found is not None and _NUMBER.fullmatch(found.number) else None


def label_of(raw: Any) -> str:
    """The name of a class in one Unicode form: a string, a number or a truth; a whole number has no point.

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
        raise WeftError(f"is {brief(raw)}, expected a label: a string, a number or a truth")
    return name


def labels_of(raw: Any, separator: str = "") -> tuple[str, ...]:
    """The labels in a list, or in a string with `separator` between them, each once.

    Raises WeftError for anything else, and for a label that is none.
    """
    if isinstance(raw, str):
        parts = raw.split(separator) if separator else [raw]
        raw = [part for part in parts if part.strip()]
    elif not isinstance(raw, list | tuple):
        between = f", or a string with '{separator}' between them" if separator else ""
        raise WeftError(f"is {brief(raw)}, expected a list of tags{between}")
    return tuple(dict.fromkeys(map(label_of, raw)))


def merges_of(said: str) -> tuple[Merge, ...]:
    """`case,blanks` as values. Raises WeftError for anything else."""
    words = [word.strip() for word in said.split(",") if word.strip()]
    for word in words:
        if word not in MERGES:
            raise WeftError(f"--merge-labels: got '{word}', expected case, blanks, or case,blanks")
    return tuple(merge for merge in MERGES if merge in words)


def label_key(name: str, merge: Sequence[Merge] = ()) -> str:
    """What labels share that are one under `merge`."""
    if "case" in merge:
        name = name.casefold()
    return "".join(name.split()) if "blanks" in merge else name


def merged(counts: Mapping[str, int], merge: Sequence[Merge] = ()) -> Counter[str]:
    """Rows of each label, those that are one under its most frequent spelling (of equals the first by name)."""
    spelled: dict[str, str] = {}
    found: Counter[str] = Counter()
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        found[spelled.setdefault(label_key(name, merge), name)] += counts[name]
    return found


class Labels:
    """Labels in the order of their places. merge: in what two may differ and be one."""

    def __init__(self, names: Sequence[str] = (), merge: Sequence[Merge] = ()) -> None:
        self.names = tuple(names)
        self.merge = tuple(merge)
        self._places = {label_key(name, merge): place for place, name in enumerate(names)}

    def __len__(self) -> int:
        return len(self.names)

    def place(self, name: str) -> int | None:
        """Of the label; None where it is none of these."""
        return self._places.get(label_key(name, self.merge))

    def spelled(self, name: str) -> str:
        """The label as it stands here; one that does not stays as it is."""
        place = self.place(name)
        return name if place is None else self.names[place]

    def most_frequent(self, counts: Mapping[str, int], most: int, min_rows: int = 1) -> "Labels":
        """The labels of so many rows, the most frequent first, then by name."""
        rows = merged(counts, self.merge)
        kept = [name for name in rows if rows[name] >= min_rows]
        kept.sort(key=lambda name: (-rows[name], name))
        return Labels(kept[:most], self.merge)
