"""A live index of embeddings: a SQLite database is the truth, and search structures are derived from it."""

from weft.index.build import build_index
from weft.index.cutoff import Cutoff
from weft.index.live import Index
from weft.index.records import KINDS, Changed, Column, Entry, Hit, Kind, Preview, Scalar
from weft.index.where import Where

__all__ = [
    "KINDS",
    "Changed",
    "Column",
    "Cutoff",
    "Entry",
    "Hit",
    "Index",
    "Kind",
    "Preview",
    "Scalar",
    "Where",
    "build_index",
]
