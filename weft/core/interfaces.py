"""The protocols of the pipeline's parts: one to three methods each, beside those of a protocol they extend.

`EncodedStreams` and `Reader`, which the run gives and nobody has to write, have four and six.

`forward` is declared, not only `__call__`: with `__call__` alone any `nn.Module` would satisfy them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from weft.core.display import Display
from weft.core.kinds import Kind
from weft.core.records import Batch, Features, Field, Loss

T = TypeVar("T")
Rows = Tensor | Field | Features | Mapping[str, Features]
"""Values of B rows."""


@runtime_checkable
class Modality(Protocol):
    """bytes -> item -> tensor -> Field, for one kind of data.

    With `train` the transform is random and draws only from `generator`; without, it is the same each
    time: one of the fixed evaluation views, where the modality is `Viewed`, and else always the plain
    one. `decode` takes the value in the row: of a modality that `ReadsMedia` a Media. What must be learned from the training rows first makes it a `Learner`, too.
    """

    def decode(self, raw: Any) -> Any: ...

    def transform(
        self, item: Any, *, train: bool, generator: torch.Generator, view: int = 0
    ) -> Tensor: ...

    def collate(self, items: Sequence[Tensor]) -> Field: ...


@runtime_checkable
class Viewed(Protocol):
    """A modality with several fixed evaluation views: the picture, its mirror image, ...

    View 0 is the plain one; the embeddings of all may be averaged.
    """

    views: int


def views_of(modality: Modality) -> int:
    """How many fixed evaluation views it has, at least 1."""
    return modality.views if isinstance(modality, Viewed) else 1


@runtime_checkable
class ReadsMedia(Protocol):
    """A modality whose raw values are Media of one kind; of others the value itself is in the row."""

    media: Kind


@runtime_checkable
class ReadsColumns(Protocol):
    """A modality that reads several columns of a row: its raw value is {column: value}.

    A column whose value a row lacks is missing there, or None; a row without any of them lacks the stream.
    """

    columns: tuple[str, ...]


@runtime_checkable
class Measurable(Protocol):
    """A modality that knows cheaply how long a raw item will be as a tensor."""

    def length(self, raw: Any) -> int:
        """The T of the item, or a number that grows with it. Raises WeftError as `decode` does."""
        ...


@runtime_checkable
class SharedDraws(Protocol):
    """A modality whose random numbers are those of every stream of that name for `draws`.

    What it draws first, each of them draws alike: the sound and the frames of a clip take one part of it.
    """

    draws: str


@runtime_checkable
class InTime(Protocol):
    """A modality whose rows follow time: without their order they say less."""

    def reordered(self, field: Field, places_BT: Tensor) -> Field:
        """The field with the real parts of each row, such as frames, in rising order of `places_BT`."""
        ...


@runtime_checkable
class Mixable(Protocol):
    """A modality whose rows can be mixed in pairs, for training."""

    def mix(self, one: Tensor, other: Tensor, ratio: float) -> Tensor:
        """`ratio` of `one` and the rest of `other`, both as `transform` gives them; of the shape of `one`."""
        ...


@runtime_checkable
class MakesNoise(Protocol):
    """A modality of sounds that makes one in which nothing is said, for training."""

    def noise(self, seconds: float, generator: torch.Generator) -> Tensor:
        """Silence or noise of that length, as `transform` gives a sound."""
        ...


@runtime_checkable
class NamedParts(Protocol):
    """A modality that names the parts of a row for a person: words of a text, columns of a table."""

    def names_of(self, values: Tensor) -> list[str | None]:
        """A name for each of the T parts of one row's values (T, ...), without their mask.

        None for a part that is nothing a person gave, such as a special token.
        """
        ...


@runtime_checkable
class Removable(Protocol):
    """A modality with P parts of its own, which explanations weigh and take away: cells of a picture.

    Of any other modality they are the T places of its Field (`weft.modalities.parts`).
    """

    def parts(self, field: Field) -> Tensor:
        """(B, P) bool, True where a part can be taken away."""
        ...

    def without(self, field: Field, gone_BP: Tensor) -> Field:
        """The field without the parts that are marked."""
        ...

    def layout(self, field: Field, tokens: int | None = None) -> tuple[int, ...] | None:
        """How the parts lie, such as rows and columns; their product is P.

        tokens: of an encoder, over the same rows: how the last so many of them lie, in as many
        dimensions, or None where they do not.
        """
        ...


@runtime_checkable
class Shown(Protocol):
    """A modality that says what a person is shown of a value; of any other it is a picture or a text."""

    def show(self, raw: Any) -> Display:
        """Of a value as it is in the row."""
        ...

    def weighed(self, field: Field, weights: Tensor) -> Display:
        """Of the one row of `field`, as the model sees it. weights: as they lie (see `Removable`)."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """A stream's Field -> Features of width `dim`."""

    dim: int

    def forward(self, field: Field) -> Features: ...

    def __call__(self, field: Field) -> Features: ...


@runtime_checkable
class CacheableEncoder(Encoder, Protocol):
    """An encoder whose first part is frozen, so that its output can be computed once and kept.

    forward(field) == trainable(frozen(field)).
    """

    def frozen(self, field: Field) -> Features: ...

    def trainable(self, features: Features) -> Features: ...

    def frozen_parameters(self) -> Mapping[str, Tensor]:
        """Every tensor that `frozen` depends on, by name: the cache's fingerprint hashes them."""
        ...


@runtime_checkable
class Recomputing(Protocol):
    """Layers that can keep their inputs only and compute the rest again in the backward pass."""

    def recompute_activations(self) -> None: ...


JOINT = "joint"
"""The name under which a fusion returns what it made of all streams together."""


@runtime_checkable
class Fusion(Protocol):
    """Streams that look at each other: {stream: Features} -> {stream: Features}, and JOINT.

    A stream may be missing from the batch, and a row may lack one: its mask is all False there and
    its pooled vector zero. The pooled vector of JOINT, (B, dim), is what classifiers read. `streams`
    are those that it can read.
    """

    dim: int
    streams: tuple[str, ...]

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]: ...

    def __call__(self, streams: Mapping[str, Features]) -> dict[str, Features]: ...


@runtime_checkable
class Filling(Protocol):
    """A fusion that puts something learned in the place of the streams that a row lacks."""

    def filled(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """The streams as they are fused."""
        ...


@runtime_checkable
class ReadsAnyOf(Protocol):
    """A fusion that infers the same of any of its streams, so that a row may lack all but one, whatever the rows of training had."""

    def experts(self, streams: Mapping[str, Features]) -> object:
        """What each stream says of what is inferred; of those that are there."""
        ...


@runtime_checkable
class WeighsPlaces(Protocol):
    """A fusion whose gate weighs the streams at each of the P places of JOINT, and that says how."""

    streams: tuple[str, ...]

    def place_weights(self, streams: Mapping[str, Features]) -> Tensor:
        """(B, P, S) how much of each place comes from each stream, in the order of `streams`; of a real place they
        add up to 1, of padding to 0."""
        ...


@runtime_checkable
class Decoder(Protocol):
    """Context, and what is already produced where there is such a thing -> logits or pixels."""

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor: ...

    def __call__(self, context: Features, prefix: Field | None = None) -> Tensor: ...


@runtime_checkable
class Outputs(Protocol):
    """The config of a decoder, as outputs read it: how many numbers it gives each vector or token."""

    @property
    def outputs(self) -> int: ...


@runtime_checkable
class TokenIds(Protocol):
    """The config of a part that takes token ids below `vocab_size`."""

    vocab_size: int


@runtime_checkable
class Positions(Protocol):
    """The config of a part that reads or writes texts of at most `max_length` tokens."""

    max_length: int


@runtime_checkable
class ProjectionHead(Protocol):
    """Pooled features -> embedding (B, E)."""

    def forward(self, features: Features) -> Tensor: ...

    def __call__(self, features: Features) -> Tensor: ...


@runtime_checkable
class Target(Protocol):
    """A column of the rows -> what a loss compares predictions with, (B, ...).

    `column` is the item of a row that is read. Classes that are learned make it a `Learner`, too.
    """

    column: str

    def read(self, raw: Any) -> Any:
        """The target of one row. Raises WeftError where the value cannot be one."""
        ...

    def collate(self, items: Sequence[Any]) -> Tensor: ...


@runtime_checkable
class MayLack(Protocol):
    """A target that a row may lack: it then has `nothing`, of which objectives make nothing."""

    @property
    def nothing(self) -> Any:
        """Of one row, ready to be collated."""
        ...


@runtime_checkable
class Learner(Protocol):
    """A modality or a target that learns from the training rows: words, names, classes.

    `fit` learns from the raw values; `state` and `restore` carry that to inference as JSON values.
    """

    def fit(self, raws: Iterable[Any]) -> None: ...

    def state(self) -> dict[str, Any]: ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Raises WeftError where `state` is not what `state` gave."""
        ...


class EncodedStreams(Protocol):
    """The streams of one batch, each encoded the first time it is asked for and only once."""

    def features(self, stream: str) -> Features: ...

    def fused(self) -> Mapping[str, Features]: ...

    def embedding(self, stream: str) -> Tensor: ...

    def by_rows(self, compute: Callable[..., T], *rows: Rows) -> list[T]:
        """What `compute` makes of the rows, of all together or of some at a time.

        rows: as many of each; what `compute` gets in a call are the same rows of all. It must treat
        every row by itself, since a run decides how many it sees at a time.
        """
        ...


class HeadReader(Protocol):
    """A head of a model, as an objective reads it: a decoder, its context, and what its numbers mean."""

    decoder: nn.Module
    output: Any
    context: str

    def reads(self, fused: Mapping[str, Features]) -> Features: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...


class Reader(Protocol):
    """A model, as an objective reads it; `weft.architectures.model.Model` is one."""

    encoders: nn.ModuleDict
    fusion: nn.Module | None

    @property
    def fused_streams(self) -> tuple[str, ...]: ...

    def encoder(self, stream: str) -> nn.Module: ...

    def encode(self, stream: str, value: Field | Features) -> Features: ...

    def fuse(self, streams: Mapping[str, Features]) -> dict[str, Features]: ...

    def embed(self, stream: str, features: Features) -> Tensor: ...

    def head(self, name: str) -> HeadReader: ...

    def decode(
        self, head: str, fused: Mapping[str, Features], prefix: Field | None = None
    ) -> Tensor: ...


@runtime_checkable
class Objective(Protocol):
    """Reads the model on a batch and says what to differentiate.

    The gradient is the same however the batch is cut. An objective sees all rows of its rank, and has
    the model compute some at a time (`EncodedStreams.by_rows`); what it averages, it averages over the
    items of all ranks (`mean_of_all`); where it compares rows, it compares those of all ranks
    (`gather`); what it draws for a row, it draws from the row's own seed (`Batch.uniform`).
    """

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss: ...

    def __call__(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss: ...


@runtime_checkable
class NeedsModalities(Protocol):
    """An objective that has to know what the modalities have learned, such as the ids of words."""

    def prepare(self, modalities: Mapping[str, Modality]) -> None:
        """Called once, before training. Raises WeftError where they lack what it needs."""
        ...
