"""Columns -> features. Each column becomes one stream of a model and is encoded once for every row.

A modality of weft reads a column and an encoder of weft encodes it. So a model that is fitted on the features
is the head of an ordinary weft model. Modalities and encoders learn without the target, from all rows except
the test rows.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias, cast, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from weft.core.building import build
from weft.core.config import Config
from weft.core.interfaces import CacheableEncoder, Encoder, Learner, Modality
from weft.core.precision import autocast
from weft.core.progress import progress
from weft.core.records import Features, Field
from weft.data.ahead import loaded_ahead
from weft.data.columns import ModalitySource
from weft.data.features import CacheConfig, cache_features
from weft.encoders.reduced import Reduced, ReducedConfig
from weft.encoders.tfidf import TfidfConfig
from weft.encoders.values import ValuesConfig
from weft.encoders.weights import architecture
from weft.fitting.folds import Rows
from weft.fitting.table import Table
from weft.modalities.cell import Cell
from weft.modalities.ngrams import Ngrams

BATCH = 64
DIRECTIONS = 48
"""Number of principal directions of a wide column that trees read."""
Matrix: TypeAlias = Any
"""(N, D) float32: an array of NumPy, or a csr_array of SciPy, which has no type annotations."""


@runtime_checkable
class Learns(Protocol):
    """An encoder that learns from fields, without a target and without gradients."""

    def learn(self, fields: Callable[[], Iterator[Field]]) -> None:
        """fields: returns an iterator over all fields, in the same order in each call."""
        ...


@dataclass(frozen=True)
class Source:
    """Modality and encoder of a column. encoder: None if it depends on what the modality learns."""

    modality: Config[Modality]
    encoder: Config[Encoder] | None = None


@dataclass(frozen=True)
class Column:
    """One column as features of N rows.

    matrix: (N, D). there: (N,) bool, False where the row has no value; its features are 0.
    """

    name: str
    modality_config: Config[Modality]
    modality: Modality
    encoder_config: Config[Encoder]
    encoder: Encoder
    matrix: Matrix
    there: NDArray[np.bool_]

    @property
    def dim(self) -> int:
        return int(self.matrix.shape[1])


def compute(
    table: Table, name: str, source: Source, learn: Rows, *, device: torch.device
) -> Column:
    """Computes the features of a column. learn: rows to learn from. Raises WeftError for an invalid value."""
    raw, config, encoder = _learned(table, name, source, learn, device)
    matrix, present = _encoded(raw, encoder, config, source.modality, device)
    return Column(name, source.modality, raw.modality, config, encoder, matrix, present)


def _learned(
    table: Table, name: str, source: Source, learn: Rows, device: torch.device
) -> tuple[ModalitySource, Config[Encoder], Encoder]:
    """Returns the source of the column's values, and its encoder. Modality and encoder learn from the rows `learn`."""
    modality = source.modality.build()
    if isinstance(modality, Learner):
        there = (table.samples[row].items.get(name) for row in learn.tolist())
        modality.fit(raw for raw in there if raw is not None)
    config = source.encoder or _encoder_of(modality)
    encoder = build(config)
    raw = ModalitySource(table, name, modality, optional=True)
    encoder.eval().to(device)
    for part in encoder.modules():
        if isinstance(part, Learns):
            part.learn(lambda: map(_single, _fields(raw, learn.tolist(), "learning", name)))
    return raw, config, cast(Encoder, encoder)


def seconds_per_row(
    table: Table,
    name: str,
    source: Source,
    *,
    device: torch.device,
    clock: Callable[[], float],
) -> float:
    """Measures the seconds for the features of one row, with learning and without the cache. The first batch is not
    timed. clock: returns seconds."""
    rows, began = list(range(len(table))), clock()
    raw, _, encoder = _learned(table, name, source, np.arange(len(table)), device)
    times, cached = [clock()], CacheConfig(precision="auto")  # as the cache reads them
    # Learning words takes time for every row. Loading a published model from its file does not.
    learning = (times[0] - began) / len(table) if isinstance(raw.modality, Learner) else 0.0
    precision = cached.precision if isinstance(encoder, CacheableEncoder) else "fp32"
    with torch.inference_mode(), autocast(precision, device):
        for field in _fields(raw, rows, "timing", name, cached.batch_size):
            encoder(field.to(device)).pooled.cpu()
            times.append(clock())
    if len(times) < 3:  # at most one batch, since few rows have a value
        return learning + (times[-1] - times[0]) / len(table)
    return learning + (times[-1] - times[1]) / (len(table) * (len(times) - 2) / (len(times) - 1))


def _single(field: Field) -> Field:
    """Turns several pictures of a row into separate rows."""
    if field.values.ndim != 5:
        return field
    values = field.values.flatten(0, 1) if field.mask is None else field.values[field.mask]
    return Field(values)


def reduced(column: Column, learn: Rows, seed: int, dim: int = DIRECTIONS) -> Column:
    """Projects the column on its first principal directions, which are learned from the rows `learn`."""
    if column.dim <= dim:
        return replace(column, matrix=dense(column.matrix))
    from sklearn.decomposition import TruncatedSVD

    dim = min(dim, len(learn) - 1)
    known = column.matrix[learn]
    mean = np.zeros(column.dim) if sparse.issparse(known) else known.mean(0)
    centred = known if sparse.issparse(known) else known - mean
    found = TruncatedSVD(dim, random_state=seed).fit(centred)
    config = ReducedConfig(column.encoder_config, dim)
    encoder = Reduced(config)
    encoder.encoder.load_state_dict(cast(torch.nn.Module, column.encoder).state_dict())
    encoder.directions.copy_(torch.from_numpy(found.components_.T.copy()))
    encoder.shift.copy_(torch.from_numpy(mean @ found.components_.T))
    directions, shift = encoder.directions.numpy(), encoder.shift.numpy()
    matrix = np.asarray(column.matrix @ directions - shift, dtype=np.float32)
    matrix[~column.there] = 0
    return Column(
        column.name, column.modality_config, column.modality, config, encoder, matrix, column.there
    )


def _encoder_of(modality: Modality) -> Config[Encoder]:
    """The encoder for a modality whose width depends on the data."""
    if isinstance(modality, Cell):
        return ValuesConfig(modality.dim)
    if isinstance(modality, Ngrams):
        return TfidfConfig(modality.vocab_size)
    raise TypeError(f"{type(modality).__name__} needs an encoder of its own")


def _encoded(
    raw: ModalitySource,
    encoder: Encoder,
    config: Config[Encoder],
    modality: Config[Modality],
    device: torch.device,
) -> tuple[Matrix, NDArray[np.bool_]]:
    there = np.array([not raw.lacks(sample) for sample in cast(Table, raw.dataset).samples])
    rows = np.flatnonzero(there).tolist()
    is_sparse = isinstance(config, TfidfConfig)
    pooled = _pooled(raw, rows, encoder, config, modality, device)
    if is_sparse:
        parts = [sparse.csr_array(part) for part in pooled]
        stacked = (
            sparse.vstack(parts, format="csr") if parts else sparse.csr_array((0, encoder.dim))
        )
        place = sparse.csr_array(
            (np.ones(len(rows)), (rows, np.arange(len(rows)))), shape=(len(there), len(rows))
        )
        return sparse.csr_array(place @ stacked, dtype=np.float32), there
    matrix, begin = np.zeros((len(there), encoder.dim), dtype=np.float32), 0
    for (
        part
    ) in pooled:  # copied to its final place at once, so that features are in memory only once
        matrix[rows[begin : begin + len(part)]] = part
        begin += len(part)
    return matrix, there


def _pooled(
    raw: ModalitySource,
    rows: Sequence[int],
    encoder: Encoder,
    config: Config[Encoder],
    modality: Config[Modality],
    device: torch.device,
) -> Iterator[NDArray[np.float32]]:
    """Yields the pooled vectors of these rows in parts; for frozen encoders from the feature cache."""
    if isinstance(encoder, CacheableEncoder) and rows:
        state = raw.modality.state() if isinstance(raw.modality, Learner) else {}
        described = (architecture(config), modality, state)
        cached = cache_features(
            raw,
            encoder,
            CacheConfig(precision="auto"),
            described_by=described,
            train=False,
            device=device,
        )
        generator = torch.Generator()
        for start in range(0, len(rows), BATCH):
            items = [
                cached.load(row, train=False, generator=generator, view=0)
                for row in rows[start : start + BATCH]
            ]
            found = cached.collate(items)
            assert isinstance(found, Features)
            yield found.pooled.numpy()
        return
    with torch.inference_mode():
        for field in _fields(raw, rows, "features", raw.key):
            yield encoder(field.to(device)).pooled.cpu().numpy()


def _fields(
    raw: ModalitySource, rows: Sequence[int], what: str, name: str, batch_size: int = BATCH
) -> Iterator[Field]:
    """Batches of the rows that have the stream."""
    there = [row for row in rows if not raw.lacks(raw.dataset[row])]
    generator = torch.Generator()

    def load(row: int) -> Any:
        return raw.load(row, train=False, generator=generator, view=0)

    loaded = loaded_ahead(load, there, workers=2, most=4 * batch_size)
    with progress(f"{what} of '{name}'", len(there)) as advance:
        while batch := [value for _, value in itertools.islice(loaded, batch_size)]:
            yield raw.modality.collate(batch)
            advance(len(batch))


@dataclass(frozen=True)
class Layout:
    """The origin of each of the D features of several columns.

    blocks: (D,) number of the block: the features of a column, or its presence. unit: (D,) bool, True for a column
    whose vectors have unit length.
    """

    blocks: NDArray[np.intp]
    unit: NDArray[np.bool_]

    @classmethod
    def of(cls, columns: Sequence[Column]) -> "Layout":
        """The layout of the matrix that `side_by_side` returns. The presence of a column is a separate block."""
        sizes = [size for column in columns for size in (column.dim, 1)]
        unit = [flag for c in columns for flag in (sparse.issparse(c.matrix), False)]
        return cls(np.repeat(np.arange(len(sizes)), sizes), np.repeat(unit, sizes))


def dense(matrix: Matrix) -> NDArray[np.float32]:
    """The matrix as an array."""
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, dtype=np.float32)


def side_by_side(columns: Sequence[Column]) -> Matrix:
    """(N, D) the columns concatenated, each followed by its presence (1 or 0), as in the fusion `SideBySide`."""
    parts: list[Any] = []
    for column in columns:
        parts += [column.matrix, column.there[:, None].astype(np.float32)]
    if any(sparse.issparse(part) for part in parts):
        return sparse.csr_array(sparse.hstack(parts, format="csr", dtype=np.float32))
    return np.concatenate(parts, axis=1)
