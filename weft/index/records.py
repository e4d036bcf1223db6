"""What goes into an index and what comes out of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from weft.core.errors import WeftError, brief

Kind = Literal["flat", "ivf", "hnsw", "int8"]
"""How an index is searched. flat: exactly. ivf, hnsw: with faiss. int8: by 8-bit codes on disk."""
KINDS: tuple[Kind, ...] = get_args(Kind)
Scalar = str | float | int | bool
ColumnType = Literal["text", "number", "bool"]
LONGEST = {"id": 1000, "item": 1000, "source": 10_000, "text": 1_000_000}
"""Characters of each string of an entry."""
LONGEST_COLUMN, LONGEST_VALUE = 1000, 10_000
"""Characters of the name of a column of metadata, and of a value."""


class Preview(NamedTuple):
    """Something small that shows the thing: encoded bytes, and their media type, such as image/jpeg."""

    data: bytes
    media_type: str


@dataclass(frozen=True, eq=False)
class Entry:
    """One thing to find.

    vector: (E,), of any length but 0; the index keeps it at unit length. item: what it shows, by its id;
    a search gives one hit an item. item is the id where it is "". metadata: column -> value; None and
    not-a-number are as good as no value. text: what it says, of a text.
    """

    id: str
    vector: Tensor
    item: str = ""
    source: str = ""
    metadata: Mapping[str, Scalar | None] = field(default_factory=dict)
    text: str | None = None
    preview: Preview | None = None


class Hit(NamedTuple):
    """One thing that was found. score: the cosine of the query and the stored vector."""

    score: float
    id: str
    source: str = ""
    metadata: Mapping[str, Scalar] = {}
    text: str | None = None


def check_entry(entry: Entry) -> None:
    """Raises WeftError for what an index cannot keep."""
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
    """How many entries were new, and how many took the place of one with their id."""

    added: int
    replaced: int


@dataclass(frozen=True)
class Column:
    """A column of the metadata. values: the most frequent ones with their counts; least, most: of numbers."""

    name: str
    type: ColumnType
    values: tuple[tuple[Scalar, int], ...]
    least: float | None = None
    most: float | None = None


def type_of(value: Any, where: str) -> ColumnType | None:
    """The type of a value of metadata; None of what counts as no value. Raises WeftError for anything else."""
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
    """Raises WeftError for half a surrogate pair, which no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise WeftError(f"{where} is {brief(text)}, which is not Unicode") from None


def unit_vectors(vectors: Tensor, dim: int, what: str) -> Tensor:
    """(N, E) float32 of unit length. Raises WeftError for another E, for zeros and for what is no number."""
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise WeftError(f"{what} has shape {tuple(vectors.shape)}, expected (N, {dim})")
    vectors = vectors.detach().to("cpu", torch.float32)
    lengths = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    if not bool((torch.isfinite(lengths) & (lengths > 0)).all()):
        raise WeftError(f"{what} holds a vector of zeros, or one that is not numbers")
    unit: Tensor = vectors / lengths
    return unit
