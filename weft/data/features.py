"""Features of frozen towers, computed once and kept on disk.

Every view of a picture and every caption is one entry, keyed by the hash of its content. The name of a cache folder
is a fingerprint of everything that the features depend on: the frozen weights, the configs of encoder and modality,
and what the modality has learned. Other weights, transforms or data have another folder or key and never meet a stale
entry. A file is read for its hash once, and again only after its size or times have changed. Features stay on disk
and are mapped into memory.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from weft.core.config import Settings, to_json
from weft.core.distributed import barrier, rank
from weft.core.errors import DataError, WeftError
from weft.core.files import cache_folder
from weft.core.interfaces import CacheableEncoder
from weft.core.media import Alternatives
from weft.core.precision import Precision, autocast, resolved
from weft.core.progress import progress
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Features, Field
from weft.core.text import utf8
from weft.data.ahead import bytes_of, loaded_ahead, windows
from weft.data.columns import ModalitySource
from weft.data.digests import Digests
from weft.data.feature_store import FeatureStore, usable_keys, write_chunk
from weft.data.presence import collate_present

FORMAT = 1  # version of the file layout; a change creates new folders
SAMPLES_PER_CHUNK = 1024
CHUNK_BYTES = 64 << 20
"""A chunk is written once its features hold this many bytes, or after SAMPLES_PER_CHUNK samples."""
CONTENTS = "contents.json"
"""File in the root of the caches with the digests of all files that were read."""


@dataclass(frozen=True)
class CacheConfig(Settings):
    """How the outputs of frozen encoders are kept.

    folder: where caches lie; None is weft/features in the user's cache folder.
    train_views: random training views of a picture that are kept beside its evaluation views.
    batch_size: how many samples the frozen encoder sees at once.
    precision: of the frozen encoder; auto takes bf16 where this machine is faster in it.
    seed: of the random views.
    """

    folder: Path | None = None
    train_views: int = 0
    batch_size: int = 16
    precision: Precision = "fp32"
    seed: int = 0

    def __post_init__(self) -> None:
        require(self, train_views=at_least(0), batch_size=COUNT, seed=at_least(0))

    def root(self) -> Path:
        if self.folder is not None:
            return self.folder
        return cache_folder() / "features"


def fingerprint(encoder: CacheableEncoder, *described_by: Any) -> str:
    """Returns a name for the frozen part of `encoder` and everything in `described_by` (JSON-able values)."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([FORMAT, *map(to_json, described_by)], sort_keys=True).encode())
    for name, tensor in sorted(encoder.frozen_parameters().items()):
        array = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {array.dtype} {tuple(array.shape)}".encode())
        digest.update(array.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Entry:
    """One input to encode: row `index` of the source under fixed view `view`, or a random view if `train`."""

    key: str
    index: int
    view: int
    train: bool


class CachedFeatures:
    """A source for the loader that returns Features of a frozen encoder instead of raw fields.

    Training samples one of a row's entries; evaluation returns the requested view.
    """

    def __init__(
        self, source: ModalitySource, rows: Sequence[Sequence[Entry]], store: FeatureStore
    ) -> None:
        position = {key: number for number, key in enumerate(store.keys)}
        self._rows = [[position.get(entry.key) for entry in row] for row in rows]
        self._source = source
        self._store = store

    def views(self, index: int) -> int:
        """Returns the number of fixed evaluation views of row `index`."""
        return self._source.views(index)

    def load(self, index: int, *, train: bool, generator: torch.Generator, view: int) -> int | None:
        row = self._rows[index]
        if not row and self._source.lacks(self._source.dataset[index]):
            return None
        chosen = int(torch.randint(len(row), (1,), generator=generator)) if train and row else view
        if not row or row[chosen] is None:
            self._source.load(
                index, train=False, generator=generator, view=view
            )  # raises the error that names the problem
            raise DataError("could not be encoded", source=self._source.dataset[index].source)
        return cast(int, row[chosen])

    def collate(self, items: Sequence[int | None]) -> Field | Features | None:
        return collate_present(items, self._store.features)


def cache_features(
    source: ModalitySource,
    encoder: CacheableEncoder,
    config: CacheConfig,
    *,
    described_by: Sequence[Any],
    train: bool,
    device: torch.device | str = "cpu",
) -> CachedFeatures:
    """Returns the source with cached Features; missing ones are computed first.

    described_by: the configs and learned state that define the features, together with the frozen weights. train:
    also keep `config.train_views` random views of each row. An interrupted computation continues where it stopped.
    """
    precision = resolved(config.precision, device)
    folder = config.root() / fingerprint(encoder, *described_by, precision, config.seed)
    views = config.train_views if train else 0
    contents = config.root() / CONTENTS
    if rank() == 0:
        digests = Digests(contents)
        rows = _plan(source, views, digests)
        digests.save()
        wanted = {entry.key: entry for row in rows for entry in row}
        known = usable_keys(folder, wanted.keys())
        missing = [entry for key, entry in wanted.items() if key not in known]
        _compute(missing, source, encoder, folder, config, device)
    barrier()
    if rank() != 0:
        rows = _plan(source, views, Digests(contents))
    return CachedFeatures(
        source, rows, FeatureStore(folder, {entry.key for row in rows for entry in row})
    )


def _plan(source: ModalitySource, train_views: int, digests: Digests) -> list[list[Entry]]:
    """Lists the entries of every row: the fixed views, then the random ones; none for an unreadable row."""
    return [_row_entries(source, index, train_views, digests) for index in range(len(source))]


def _row_entries(
    source: ModalitySource, index: int, train_views: int, digests: Digests
) -> list[Entry]:
    try:
        raw = source.raw(index)
        if isinstance(raw, Alternatives):
            # Each caption is an entry of its own, so that a repeated sentence is encoded only once.
            return [Entry(digests.of(t), index, n, train=False) for n, t in enumerate(raw)]
        key = digests.of(raw)
        fixed = [Entry(f"{key}-{v}", index, v, train=False) for v in range(source.views(index))]
    except WeftError:
        return []
    return fixed + [Entry(f"{key}-r{v}", index, v, train=True) for v in range(train_views)]


def _compute(
    entries: Sequence[Entry],
    source: ModalitySource,
    encoder: CacheableEncoder,
    folder: Path,
    config: CacheConfig,
    device: torch.device | str,
) -> None:
    if not entries:
        return

    def load(entry: Entry) -> Tensor | None:
        digest = hashlib.blake2b(utf8(f"{config.seed} {entry.key}"), digest_size=8).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)
        try:
            return source.load(entry.index, train=entry.train, generator=generator, view=entry.view)
        except DataError:
            return None  # the loader meets this row again and applies its error policy

    loaded = loaded_ahead(load, entries, workers=2, most=SAMPLES_PER_CHUNK)
    with progress(f"features of '{source.key}'", len(entries)) as advance:
        for window in windows(loaded, most=lambda _: SAMPLES_PER_CHUNK):
            keys: list[str] = []
            encoded: list[Features] = []
            for batch, tensors in _batches(window, config.batch_size):
                field = source.modality.collate(tensors)
                with torch.no_grad(), autocast(config.precision, device):
                    encoded.append(encoder.frozen(field.to(device)).to("cpu"))
                keys += [entry.key for entry in batch]
                advance(len(batch))
                if _size(encoded) >= CHUNK_BYTES:
                    write_chunk(folder, keys, encoded)
                    keys, encoded = [], []
            if keys:
                write_chunk(folder, keys, encoded)


def _batches(
    window: Sequence[tuple[Entry, Tensor | None]], batch_size: int
) -> Iterator[tuple[list[Entry], list[Tensor]]]:
    """Batches items of similar shapes, so that there is little padding."""
    pairs = [(entry, tensor) for entry, tensor in window if tensor is not None]
    pairs.sort(key=lambda pair: tuple(pair[1].shape))
    for start in range(0, len(pairs), batch_size):
        part = pairs[start : start + batch_size]
        yield [entry for entry, _ in part], [tensor for _, tensor in part]


def _size(parts: Sequence[Features]) -> int:
    return sum(bytes_of([part.tokens, part.pooled]) for part in parts)
