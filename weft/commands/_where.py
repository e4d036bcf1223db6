"""`--where COLUMN=VALUE` -> a filter."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from weft.core.errors import WeftError, unknown_name

if TYPE_CHECKING:
    from weft.index import Column

RANGE = ".."
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def parsed_where(words: Sequence[str], columns: Sequence["Column"]) -> dict[str, Any]:
    """Parses the words into a filter with values of the columns' types.

    Raises WeftError for an unknown column, for a value of another type, and for a range whose start is above its
    end.
    """
    known = {column.name: column for column in columns}
    values: dict[str, list[Any]] = {}
    ranges: dict[str, dict[str, Any]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise WeftError(f"--where is '{word}', expected COLUMN=VALUE")
        if name not in known:
            raise unknown_name("column", name, known)
        low, dots, high = value.partition(RANGE)
        if dots and known[name].type != "bool":
            texts = {"min": low, "max": high}
            ends = {end: _typed(known[name], text) for end, text in texts.items() if text}
            if not ends:
                raise WeftError(
                    f"--where {name} is '{value}', expected a value on one side or both"
                )
            if len(ends) == 2 and ends["min"] > ends["max"]:
                raise WeftError(f"--where {name} is '{value}', expected the smaller value first")
            ranges[name] = ends
        else:
            values.setdefault(name, []).append(_typed(known[name], value))
    if both := values.keys() & ranges.keys():
        raise WeftError(f"--where gives column '{both.pop()}' a value and a range, expected one")
    return {**values, **ranges}


def _typed(column: "Column", text: str) -> Any:
    if column.type == "bool":
        if text.lower() not in TRUTHS:
            raise WeftError(f"--where {column.name} is '{text}', expected true or false")
        return TRUTHS[text.lower()]
    if column.type == "number":
        try:
            return float(text)
        except ValueError:
            raise WeftError(f"--where {column.name} is '{text}', expected a number") from None
    return text
