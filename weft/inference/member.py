"""A trained model with the sources that it reads a data set from, and the entries of the rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from weft.architectures.model import Model
from weft.core.errors import WeftError, unknown_name
from weft.core.interfaces import Modality, Target
from weft.data.columns import ModalitySource, Source
from weft.data.formats import Dataset
from weft.data.learned import Learned


class ViewedSource(Source, Protocol):
    """A stream of a data set whose number of fixed views is known: for a list of captions one view each."""

    def views(self, index: int) -> int: ...


@dataclass(frozen=True)
class Member:
    """A model and how it reads the data set. Several members form an ensemble.

    sources: stream -> source. learned: how other inputs than rows are read, such as the sentences that a classifier
    makes from class names, and what was learned from the columns that the model predicts (the classes). training:
    the rows that it was trained on, if they are available, for baselines that learn from them. validation: rows
    that it was not trained on and that are not measured, for thresholds. reading: how the model reads other rows;
    raw if not given.
    """

    model: Model
    sources: Mapping[str, ViewedSource]
    learned: Learned = field(default_factory=Learned)
    training: Dataset | None = None
    validation: Dataset | None = None
    reading: Callable[[Dataset], Mapping[str, ViewedSource]] | None = None

    def over(self, rows: Dataset) -> "Member":
        """The same model with sources that read the same streams of these rows."""
        if self.reading is not None:
            read = self.reading(rows).items()
            return replace(self, sources={name: one for name, one in read if name in self.sources})
        raw = {
            stream: ModalitySource(rows, stream, self.modalities[stream], optional=True)
            for stream in self.sources
        }
        return replace(self, sources=raw)

    @property
    def modalities(self) -> Mapping[str, Modality]:
        return self.learned.modalities

    @property
    def targets(self) -> Mapping[str, Target]:
        return self.learned.targets


def seeing(member: Member, head: str, streams: Sequence[str]) -> Member:
    """The member whose head reads only these streams; all its streams if none is named.

    Raises WeftError for a stream that the member does not read.
    """
    if not streams:
        return member
    read = member.model.streams_of(head)
    for stream in streams:
        if stream not in read:
            raise unknown_name(f"stream of head '{head}'", stream, read)
    hidden = set(read) - set(streams)
    return replace(member, sources={s: one for s, one in member.sources.items() if s not in hidden})


def only(members: Sequence[Member], task: str) -> Member:
    """The only member. Raises WeftError if there are several, since the task of that name measures one model;
    ValueError if there are none.
    """
    check_members(members)
    if len(members) > 1:
        raise WeftError(f"{len(members)} models for task '{task}', expected one")
    return members[0]


def check_members(members: Sequence[Member]) -> None:
    """Raises ValueError if there are no members."""
    if not members:
        raise ValueError("got no members, expected at least one model")


@dataclass(frozen=True)
class Entry:
    """One item to embed: the stream of a row, or one of its alternatives (a caption), by its number."""

    stream: str
    row: int
    alternative: int | None = None
