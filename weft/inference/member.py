"""A trained model with what it needs to read a data set, and the entries of the rows that it reads."""

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
    """A stream of a data set whose fixed views are known: of a list of captions one each."""

    def views(self, index: int) -> int: ...


@dataclass(frozen=True)
class Member:
    """A model and how it reads the data set; several of them make an ensemble.

    sources: stream -> source. learned: how anything else than a row is read, such as the sentences that a
    classifier makes of class names, and what was learned of the columns that the model predicts (the
    classes). training: the rows that it was trained on, where they are at hand, for baselines that learn
    from them. validation: rows that it was not trained on and that are not measured, for thresholds. reading: how the model
    reads other rows; raw if not given.
    """

    model: Model
    sources: Mapping[str, ViewedSource]
    learned: Learned = field(default_factory=Learned)
    training: Dataset | None = None
    validation: Dataset | None = None
    reading: Callable[[Dataset], Mapping[str, ViewedSource]] | None = None

    def over(self, rows: Dataset) -> "Member":
        """The same model with sources that read these rows."""
        if self.reading is not None:
            return replace(self, sources=self.reading(rows))
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
    """The member whose head reads these streams alone; all that it reads if none is named.

    Raises WeftError for one that it does not read.
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
    """The one member. Raises WeftError for several, which the task of that name cannot measure together, ValueError for none."""
    check_members(members)
    if len(members) > 1:
        raise WeftError(f"{len(members)} models for task '{task}', expected one")
    return members[0]


def check_members(members: Sequence[Member]) -> None:
    """Raises ValueError where there is none."""
    if not members:
        raise ValueError("got no members, expected at least one model")


@dataclass(frozen=True)
class Entry:
    """What a model embeds: the stream of a row, or one of its alternatives (a caption), by its number."""

    stream: str
    row: int
    alternative: int | None = None
