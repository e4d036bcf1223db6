"""The protocols of the pipeline's parts. Each has one to three methods, besides those of a protocol that it
extends.

`EncodedStreams` and `Reader` have four and six methods; the run provides them, and nobody has to implement them.

The protocols declare `forward`, not only `__call__`: with `__call__` alone any `nn.Module` would satisfy them.
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
    """Converts one kind of data: bytes -> item -> tensor -> Field.

    With `train` the transform is random, with all random numbers from `generator`. Without `train` it is deterministic:
    evaluation view `view` if the modality is `Viewed`, otherwise always the plain view. `decode` gets the value in
    the row, which is a Media for a modality that `ReadsMedia`. A modality that first learns from the training rows
    is also a `Learner`.
    """

    def decode(self, raw: Any) -> Any: ...

    def transform(
        self, item: Any, *, train: bool, generator: torch.Generator, view: int = 0
    ) -> Tensor: ...

    def collate(self, items: Sequence[Tensor]) -> Field: ...


@runtime_checkable
class Viewed(Protocol):
    """A modality with several fixed evaluation views: the picture, its mirror image, ...

    View 0 is the plain view. The embeddings of all views may be averaged.
    """

    views: int


def views_of(modality: Modality) -> int:
    """The number of fixed evaluation views, at least 1."""
    return modality.views if isinstance(modality, Viewed) else 1


@runtime_checkable
class ReadsMedia(Protocol):
    """A modality whose raw values are Media of one kind. Other modalities get the value itself."""

    media: Kind


@runtime_checkable
class ReadsRecordings(ReadsMedia, Protocol):
    """A modality of sounds or videos."""

    @property
    def window(self) -> float:
        """Maximum length in seconds that is read of a recording; infinite if all of it is."""
        ...


@runtime_checkable
class ReadsColumns(Protocol):
    """A modality that reads several columns of a row: its raw value is {column: value}.

    A column without a value in this row is missing or None. A row with none of the columns lacks the stream.
    """

    columns: tuple[str, ...]


@runtime_checkable
class Measurable(Protocol):
    """A modality that can cheaply tell how long a raw value is as a tensor."""

    def length(self, raw: Any) -> int:
        """The length T of the value, or a number that grows with it. Raises the WeftError of `decode`."""
        ...


@runtime_checkable
class SharedDraws(Protocol):
    """A modality that shares random numbers with all other streams of the same name `draws`.

    Their first random numbers for a row are equal, so that the sound and the frames of a clip use the same time
    span.
    """

    draws: str


@runtime_checkable
class InTime(Protocol):
    """A modality whose tokens are in order of time, so that their order carries information."""

    def reordered(self, field: Field, places_BT: Tensor) -> Field:
        """The field with the real tokens of each row, such as frames, sorted by rising `places_BT`."""
        ...


@runtime_checkable
class Mixable(Protocol):
    """A modality whose rows can be mixed in pairs, for training."""

    def mix(self, one: Tensor, other: Tensor, ratio: float) -> Tensor:
        """Mixes `one` and `other` in the ratio `ratio` : 1 - `ratio`. Both are outputs of `transform`; the result
        has the shape of `one`.
        """
        ...


@runtime_checkable
class MakesNoise(Protocol):
    """An audio modality that can generate a sound without speech, for training."""

    def noise(self, seconds: float, generator: torch.Generator) -> Tensor:
        """Silence or noise of `seconds` seconds, in the form of an output of `transform`."""
        ...


@runtime_checkable
class NamedParts(Protocol):
    """A modality that names the parts of a row for a person: words of a text, columns of a table."""

    def names_of(self, values: Tensor) -> list[str | None]:
        """A name for each of the T parts of one row's values (T, ...), without their mask.

        None for a part that does not come from the person's input, such as a special token.
        """
        ...


@runtime_checkable
class Removable(Protocol):
    """A modality with P parts of its own, which explanations weigh and remove: cells of a picture.

    For any other modality the parts are the T positions of its Field (`weft.modalities.parts`).
    """

    def parts(self, field: Field) -> Tensor:
        """(B, P) bool, True where a part can be removed."""
        ...

    def without(self, field: Field, gone_BP: Tensor) -> Field:
        """The field without the parts that are True in gone_BP."""
        ...

    def layout(self, field: Field, tokens: int | None = None) -> tuple[int, ...] | None:
        """The grid of the parts, such as (rows, columns); the product of the sizes is P.

        tokens: number of tokens of an encoder over the same rows; then the grid of the last tokens, in the same
        number of dimensions, or None if they form no grid.
        """
        ...


@runtime_checkable
class Shown(Protocol):
    """A modality that decides how its values are displayed. Values of other modalities are displayed as picture or
    text.
    """

    def show(self, raw: Any) -> Display:
        """The display of a raw value of a row."""
        ...

    def weighed(self, field: Field, weights: Tensor) -> Display:
        """The display of the one row of `field`, as the model sees it. weights: in the shape of `Removable.layout`."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """A stream's Field -> Features of width `dim`."""

    dim: int

    def forward(self, field: Field) -> Features: ...

    def __call__(self, field: Field) -> Features: ...


@runtime_checkable
class CacheableEncoder(Encoder, Protocol):
    """An encoder whose first part is frozen, so that the output of that part can be computed once and cached.

    forward(field) == trainable(frozen(field)).
    """

    def frozen(self, field: Field) -> Features: ...

    def trainable(self, features: Features) -> Features: ...

    def frozen_parameters(self) -> Mapping[str, Tensor]:
        """Every tensor that `frozen` depends on, by name. The fingerprint of the cache hashes them."""
        ...


@runtime_checkable
class Recomputing(Protocol):
    """Layers that can store only their inputs and compute the rest again in the backward pass."""

    def recompute_activations(self) -> None: ...


JOINT = "joint"
"""The name under which a fusion returns the joint features of all streams."""


@runtime_checkable
class Fusion(Protocol):
    """Lets streams attend to each other: {stream: Features} -> {stream: Features}, and JOINT.

    A stream may be missing from the batch, and a row may lack one: its mask is then all False and its pooled vector
    zero. Classifiers read the pooled vector of JOINT, (B, dim). `streams` are the streams that the fusion can read.
    """

    dim: int
    streams: tuple[str, ...]

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]: ...

    def __call__(self, streams: Mapping[str, Features]) -> dict[str, Features]: ...


@runtime_checkable
class Filling(Protocol):
    """A fusion that puts learned features in the place of streams that a row lacks."""

    def filled(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """The streams with the learned features, as the fusion reads them."""
        ...


@runtime_checkable
class ReadsAnyOf(Protocol):
    """A fusion that infers the same from any of its streams. A row may lack all streams but one, even if no
    training row did.
    """

    def experts(self, streams: Mapping[str, Features]) -> object:
        """The estimate from each stream that is present."""
        ...


@runtime_checkable
class WeighsPlaces(Protocol):
    """A fusion whose gate weighs the streams at each of the P positions of JOINT, and that returns these weights."""

    streams: tuple[str, ...]

    def place_weights(self, streams: Mapping[str, Features]) -> Tensor:
        """(B, P, S) share of each stream in each position, in the order of `streams`. The shares of a real position
        sum to 1, those of padding to 0.
        """
        ...


@runtime_checkable
class SamplesJoint(Protocol):
    """A fusion whose JOINT is the mean of a distribution for each row. variational: False if it has no spread."""

    @property
    def variational(self) -> bool: ...

    def sampled(
        self, streams: Mapping[str, Features], seeds_B: Tensor, name: str
    ) -> dict[str, Features]:
        """As `forward`, but JOINT is a sample. seeds_B: int64 of the rows; name: of the random numbers (`core.draws`)."""
        ...


@runtime_checkable
class Decoder(Protocol):
    """Context, and for a generator the prefix so far -> logits or pixels."""

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor: ...

    def __call__(self, context: Features, prefix: Field | None = None) -> Tensor: ...


@runtime_checkable
class Outputs(Protocol):
    """The config of a decoder whose number of outputs per vector or token is known."""

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
    """Converts a column of the rows to the values that a loss compares predictions with, (B, ...).

    `column` is the name of the column. A target that learns its classes is also a `Learner`.
    """

    column: str

    def read(self, raw: Any) -> Any:
        """The target of one row. Raises WeftError if the value is invalid."""
        ...

    def collate(self, items: Sequence[Any]) -> Tensor: ...


@runtime_checkable
class MayLack(Protocol):
    """A target that a row may lack. The row then gets the value `nothing`, which objectives ignore."""

    @property
    def nothing(self) -> Any:
        """The value of one row without the target, ready to be collated."""
        ...


@runtime_checkable
class Learner(Protocol):
    """A modality or a target that learns from the training rows: words, names, classes.

    `fit` learns from the raw values. `state` and `restore` save and load what it learned, as JSON values.
    """

    def fit(self, raws: Iterable[Any]) -> None: ...

    def state(self) -> dict[str, Any]: ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Loads an output of `state`. Raises WeftError if `state` is anything else."""
        ...


class EncodedStreams(Protocol):
    """The streams of one batch. Each is encoded when it is first requested, and only once."""

    def features(self, stream: str) -> Features: ...

    def fused(self) -> Mapping[str, Features]: ...

    def embedding(self, stream: str) -> Tensor: ...

    def by_rows(self, compute: Callable[..., T], *rows: Rows) -> list[T]:
        """Calls `compute` on all rows together or on some rows at a time, and returns all results.

        rows: values with equal numbers of rows; each call gets the same rows of all of them. `compute` must treat
        every row independently, since the run decides how many rows a call gets.
        """
        ...


class HeadReader(Protocol):
    """A head of a model, for objectives: a decoder, its context, and the meaning of its numbers."""

    decoder: nn.Module
    output: Any
    context: str

    def reads(self, fused: Mapping[str, Features]) -> Features: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...


class Reader(Protocol):
    """A model, for objectives; `weft.architectures.model.Model` implements it."""

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
    """Reads the model on a batch and returns the loss.

    The gradient is the same however the batch is divided into ranks and micro-batches. An objective sees all rows
    of its rank, and has the model compute some at a time (`EncodedStreams.by_rows`). It averages over the items of
    all ranks (`mean_of_all`), compares rows with the rows of all ranks (`gather`), and draws random numbers for a
    row from the row's own seed (`Batch.uniform`).
    """

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss: ...

    def __call__(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss: ...


@runtime_checkable
class NeedsModalities(Protocol):
    """An objective that needs what the modalities have learned, such as the ids of words."""

    def prepare(self, modalities: Mapping[str, Modality]) -> None:
        """Called once, before training. Raises WeftError if a modality lacks what the objective needs."""
        ...
