"""Declarations of what a part of a recipe needs from the other parts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable


@dataclass(frozen=True)
class Needs:
    """Names that must exist in the recipe. `weft.runs.check` checks them before training.

    streams: in data.streams. encoders: streams that the model encodes. raw: streams that are altered before they
    are encoded, so they cannot come from data.cache. embeddings: streams, or JOINT, with a projection. heads: head
    of the model -> the kind of its output. targets: in data.targets. columns: in every row. together: streams that
    must occur in the same row or, for a task, in rows that match each other. fusion: the model fuses its streams.
    codecs: heads whose decoder has a codec, which the objective trains. latents: heads whose codec, if there is one,
    some objective must train.
    """

    streams: tuple[str, ...] = ()
    encoders: tuple[str, ...] = ()
    raw: tuple[str, ...] = ()
    embeddings: tuple[str, ...] = ()
    heads: Mapping[str, type] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    fusion: bool = False
    codecs: tuple[str, ...] = ()
    latents: tuple[str, ...] = ()


@runtime_checkable
class Needing(Protocol):
    """The config of an objective, a task or an output that needs other parts of the recipe."""

    @property
    def needs(self) -> Needs: ...


@runtime_checkable
class WeighsMixed(Protocol):
    """The config of an objective that weighs its cost by the ratio of rows that are mixed in pairs (`data.mix`)."""

    weighs_mixed: ClassVar[bool]
