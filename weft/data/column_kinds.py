"""Infers what a column holds from its name and some of its values.

The rules run in the order of docs/data.md; the first that fits decides.
"""

import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from weft.core.cells import is_number, unit_of
from weft.core.dates import is_date
from weft.core.media import Alternatives, Media
from weft.core.missing import is_missing
from weft.core.text import unspaced, words
from weft.data.formats import is_text_column

# fmt: off
ColumnKind = Literal[
    "image", "images", "audio", "video", "text", "number", "category", "tags", "date", "id",
    "constant", "empty", "other",
]
# fmt: on

MEDIA: tuple[ColumnKind, ...] = ("image", "images", "audio", "video")
"""Kinds of columns whose values are media."""
FEW_VALUES = 10
"""Columns with at most this many different whole numbers, or codes, may hold classes."""
ROWS_A_CLASS = 5
"""Minimum mean number of rows for each of these classes."""
WORDS_OF_TEXT = 4
"""Values of this many words or more are texts."""
COUNTED_ROWS = 10
"""From this many rows on, whole numbers that increase from row to row are row numbers."""
# fmt: off
CLASS_NAMES = frozenset((
    "label", "labels", "class", "category", "target", "y", "answer",
    "klasse", "kategorie", "diagnose", "diagnosis", "类别", "标签", "分类",
))
ID_NAMES = frozenset((
    "id", "uid", "uuid", "guid", "key", "index", "idx", "nr", "no", "number", "nummer", "code", "sku",
    "hash", "dialog", "编号",
))
GROUP_NAMES = frozenset((
    "patient", "subject", "user", "speaker", "person", "participant", "customer", "client", "case",
    "study", "author", "writer", "animal", "household", "session", "site",
    "pat", "proband", "sprecher", "sprecherin", "kunde", "kundin", "fall", "studie", "autor", "tier",
    "患者", "病人", "用户", "说话人", "受试者", "客户",
))
# fmt: on
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+|\d+")


class Judged(NamedTuple):
    """The kind of a column, and the reason in a few words."""

    kind: ColumnKind
    why: str


def kind_of_column(name: str, values: Sequence[Any]) -> Judged:
    """Infers the kind of the column `name`. values: of some rows, in order; None where a row has none."""
    present = [value for value in values if not is_missing(value)]
    if not present:
        return Judged("empty", "no row has a value")
    for rule in (_media, _one_value, _captions, _lists, _truths, _numbers, _dates, _strings):
        found = rule(name, present)
        if found is not None:
            return found
    held = Counter(type(value).__name__ for value in present).most_common(2)
    return Judged("other", f"holds {' and '.join(each for each, _ in held)}")


def identity(value: Any) -> Hashable:
    """Returns a hashable key; equal values have equal keys."""
    match value:
        case np.ndarray():
            return value.tobytes()
        case list() | tuple():
            return tuple(identity(each) for each in value)
        case dict():
            return tuple((key, identity(each)) for key, each in value.items())
    return value if isinstance(value, Hashable) else repr(value)


def is_group_name(name: str) -> bool:
    """Whether rows with the same value in such a column probably belong to one person or case."""
    parts = _name_parts(name)
    rest = [part for part in parts if part not in ID_NAMES and part not in ("name", "ids")]
    return len(rest) == 1 and (rest[0] in GROUP_NAMES or rest[0].removesuffix("id") in GROUP_NAMES)


def is_id_name(name: str) -> bool:
    """Whether such a column names rows or things: `id`, `image_id`, `ProductId`, `Nr`."""
    parts = _name_parts(name)
    return bool(parts) and (parts[-1] in ID_NAMES or is_group_name(name))


def _name_parts(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", name)
    return [part.lower() for part in _PARTS.findall(plain)]


def _media(name: str, values: Sequence[Any]) -> Judged | None:  # noqa: ARG001
    lists = [isinstance(value, list | tuple) for value in values]
    inner = [each for v in values for each in (v if isinstance(v, list | tuple) else [v])]
    if not inner or not all(isinstance(each, Media) for each in inner):
        return None
    kinds = {each.kind for each in inner}
    if kinds == {"image"}:
        most = max(len(v) if isinstance(v, list | tuple) else 1 for v in values)
        return (
            Judged("images", f"pictures, up to {most} a row")
            if any(lists)
            else Judged("image", "pictures")
        )
    if not any(lists) and kinds <= {"audio", "video"} and len(kinds) == 1:
        return Judged("audio", "sounds") if kinds == {"audio"} else Judged("video", "videos")
    return Judged("other", f"files: {', '.join(sorted(kinds))}")


def _one_value(name: str, values: Sequence[Any]) -> Judged | None:  # noqa: ARG001
    if len(values) > 1 and len({identity(value) for value in values}) == 1:
        return Judged("constant", "every row has the same value")
    return None


def _captions(name: str, values: Sequence[Any]) -> Judged | None:
    if all(isinstance(v, Alternatives) and _all(str)(v) for v in values):
        return Judged("text", "texts, several a row")
    if is_text_column(name) and all(isinstance(v, str | Alternatives) for v in values):
        return Judged("text", "by its name")
    return None


def _lists(name: str, values: Sequence[Any]) -> Judged | None:  # noqa: ARG001
    if all(isinstance(v, list | tuple) and _all(str)(v) for v in values):
        return Judged("tags", "lists of strings")
    return None


def _truths(name: str, values: Sequence[Any]) -> Judged | None:  # noqa: ARG001
    if all(isinstance(v, bool | np.bool_) for v in values):
        return Judged("category", "true or false")
    return None


def _numbers(name: str, values: Sequence[Any]) -> Judged | None:
    if not all(map(is_number, values)):
        return None
    units = set(map(unit_of, values)) - {""}
    if units:
        return Judged("number", f"numbers in {units.pop()}") if len(units) == 1 else None
    distinct = len({identity(value) for value in values})
    if any(isinstance(v, str) and re.match(r"[+-]?0\d", v.strip()) for v in values):
        names = is_id_name(name) and not _is_few(name, distinct, len(values))
        kind: ColumnKind = "id" if 2 * distinct > len(values) or names else "category"
        return Judged(kind, "numbers with leading zeros")
    numbers = np.array([float(value) for value in values])
    if not np.isfinite(numbers).all() or (numbers % 1).any():
        return Judged("number", "numbers")
    if is_id_name(name) and not _is_few(name, distinct, len(numbers)):
        return Judged("id", "whole numbers, by its name")
    if len(numbers) >= COUNTED_ROWS and (np.diff(numbers) > 0).all():
        return Judged("id", "whole numbers that rise from row to row")
    if _name_parts(name)[-1:] and _name_parts(name)[-1] in CLASS_NAMES:
        return Judged("category", "whole numbers, by its name")
    if _is_few(name, distinct, len(numbers)):
        return Judged("category", f"{distinct} different whole numbers")
    return Judged("number", "whole numbers")


def _is_few(name: str, distinct: int, rows: int) -> bool:
    """Whether so few different values are classes rather than names of rows. Names of persons and cases never are."""
    return distinct <= FEW_VALUES and rows >= ROWS_A_CLASS * distinct and not is_group_name(name)


def _dates(name: str, values: Sequence[Any]) -> Judged | None:  # noqa: ARG001
    return Judged("date", "dates") if all(is_date(value) for value in values) else None


def _strings(name: str, values: Sequence[Any]) -> Judged | None:
    if not all(isinstance(value, str) for value in values):
        return None
    rows, distinct = len(values), len(set(values))
    length = statistics.median(_length(value) for value in values)
    codes = all(re.fullmatch(r"\S+", v) and re.search(r"\d", v) for v in values)
    single = all(len(v.split()) == 1 for v in values)
    last = (_name_parts(name) or [""])[-1]
    # A single row cannot show whether its value repeats; a short value is then judged by the
    # column's name.
    if last in CLASS_NAMES and (distinct < rows or (rows == 1 and length < WORDS_OF_TEXT)):
        return Judged("category", f"{distinct} different values, by its name")
    if is_id_name(name) and length < WORDS_OF_TEXT and not _is_few(name, distinct, rows):
        return Judged("id", "by its name")
    if length >= WORDS_OF_TEXT:
        if distinct * 20 <= rows and distinct <= 20:
            return Judged("category", f"{distinct} different values")
        return Judged("text", f"{length:g} words a value (median)")
    if 2 * distinct <= rows + 1 and rows > 1:
        return Judged("category", f"{distinct} different values")
    if codes and single:
        return Judged("id", "codes, most of them different")
    return Judged("text", "short strings, most of them different")


def _length(value: str) -> float:
    """Counts words; in scripts without blanks two characters count as one."""
    count = len(words(value))
    return count / 2 if unspaced(value) else count


def _all(kind: type) -> Callable[[Sequence[Any]], bool]:
    return lambda values: all(isinstance(value, kind) for value in values)
