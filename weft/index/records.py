"""The inputs and results of an index."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from weft.core.errors import WeftError, brief

Kind = Literal["flat", "ivf", "hnsw", "int8"]
"""How candidates are found. flat: exactly. ivf, hnsw: with faiss. int8: with 8-bit codes on disk."""
KINDS: tuple[Kind, ...] = get_args(Kind)
Scalar = str | float | int | bool
ColumnType = Literal["text", "number", "bool"]
LONGEST = {"id": 1000, "item": 1000, "source": 10_000, "text": 1_000_000}
"""Maximum length of each string of an entry, in characters."""
LONGEST_COLUMN, LONGEST_VALUE = 1000, 10_000
"""Maximum length of the name of a metadata column, and of a value, in characters."""


class Preview(NamedTuple):
    """A small picture or sound of the entry: encoded bytes, and their media type, such as image/jpeg."""

    data: bytes
    media_type: str


@dataclass(frozen=True, eq=False)
class Entry:
    """One searchable entry.

    vector: (E,), of any length but 0; the index normalises it. item: the id of the item that it belongs to; a
    search returns one hit per item. If item is "", it is the id. metadata: column -> value; None and NaN count as
    missing. text: the text, for an entry of a text.
    """

    id: str
    vector: Tensor
    item: str = ""
    source: str = ""
    metadata: Mapping[str, Scalar | None] = field(default_factory=dict)
    text: str | None = None
    preview: Preview | None = None


class Hit(NamedTuple):
    """One search result. score: the cosine of the query and the stored vector."""

    score: float
    id: str
    source: str = ""
    metadata: Mapping[str, Scalar] = {}
    text: str | None = None


def check_entry(entry: Entry) -> None:
    """Raises WeftError for an entry that an index cannot store."""
    if not entry.id:
        raise WeftError("an entry has an empty id, expected a name of its own")
    for name, most in LONGEST.items():
        value = getattr(entry, name)
        if isinstance(value, str):
            _check_unicode(value, f"entry {brief(entry.id)}: its {name}")
        if isinstance(value, str) and len(value) > most:
            raise WeftError(
                f"entry {brief(entry.id)}: its {name} has {len(value):,} characters, expected at most {most:,}"
            )
    for column, value in entry.metadata.items():
        _check_unicode(column, f"entry {brief(entry.id)}: a column's name")
        if len(column) > LONGEST_COLUMN:
            raise WeftError(
                f"entry {brief(entry.id)}: the name of column {brief(column)} has {len(column):,} characters, "
                f"expected at most {LONGEST_COLUMN:,}"
            )
        type_of(value, f"entry {brief(entry.id)}: column {brief(column)}")


class Changed(NamedTuple):
    """The number of new entries, and of entries that replaced one with the same id."""

    added: int
    replaced: int


@dataclass(frozen=True)
class Column:
    """A column of the metadata. values: the most frequent values with their counts; least, most: for numbers;
    distinct: number of different values.
    """

    name: str
    type: ColumnType
    values: tuple[tuple[Scalar, int], ...]
    least: float | None = None
    most: float | None = None
    distinct: int = 0


def type_of(value: Any, where: str) -> ColumnType | None:
    """The type of a metadata value; None for a missing value. Raises WeftError for anything else."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        _check_unicode(value, where)
        if len(value) > LONGEST_VALUE:
            raise WeftError(
                f"{where} has {len(value):,} characters, expected at most {LONGEST_VALUE:,}"
            )
        return "text"
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, int | float) and abs(value) < 2**63:
        return "number"
    raise WeftError(f"{where} is {brief(value)}, expected text, a finite number, true or false")


def _check_unicode(text: str, where: str) -> None:
    """Raises WeftError for half of a surrogate pair, which no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise WeftError(f"{where} is {brief(text)}, which is not Unicode") from None


def unit_vectors(vectors: Tensor, dim: int, what: str) -> Tensor:
    """(N, E) float32 of unit length. Raises WeftError for another E, for zeros and for NaN."""
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise WeftError(f"{what} has shape {tuple(vectors.shape)}, expected (N, {dim})")
    vectors = vectors.detach().to("cpu", torch.float32)
    lengths = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    if not bool((torch.isfinite(lengths) & (lengths > 0)).all()):
        raise WeftError(f"{what} holds a vector of zeros, or one that is not numbers")
    unit: Tensor = vectors / lengths
    return unit
