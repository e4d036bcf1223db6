"""Features of frozen towers, computed once and kept on disk.

Every view of a picture and every caption is one entry, keyed by the hash of its content. A cache folder
is named by a fingerprint of all that the features depend on: the frozen weights, the configs of encoder
and modality, and what the modality has learned. Other weights, another transform or other data therefore
never meet a stale entry: they name another folder or another key.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from weft.core.config import Settings, to_json
from weft.core.distributed import barrier, rank
from weft.core.errors import DataError, WeftError
from weft.core.files import cache_folder, read_file
from weft.core.interfaces import CacheableEncoder
from weft.core.precision import Precision, autocast, resolved
from weft.core.progress import progress
from weft.core.records import Features, Field
from weft.core.tensors import read_tensors, write_tensors
from weft.data.loader import ModalitySource
from weft.data.presence import collate_present

FORMAT = 1  # of the files below; a change of the layout makes new folders
SAMPLES_PER_CHUNK = 1024
log = logging.getLogger("weft.data")


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

    def root(self) -> Path:
        if self.folder is not None:
            return self.folder
        return cache_folder() / "features"


def fingerprint(encoder: CacheableEncoder, *described_by: Any) -> str:
    """A name for the frozen part of `encoder` and everything in `described_by` (JSON-able values)."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([FORMAT, *map(to_json, described_by)], sort_keys=True).encode())
    for name, tensor in sorted(encoder.frozen_parameters().items()):
        array = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {array.dtype} {tuple(array.shape)}".encode())
        digest.update(array.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def content_key(raw: Any) -> str:
    """The hash of a raw value: of a file's bytes, of encoded bytes, of an array, of a string."""
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(raw, Path):
        digest.update(read_file(raw))
    elif isinstance(raw, np.ndarray):
        digest.update(f"{raw.dtype} {raw.shape}".encode())
        digest.update(np.ascontiguousarray(raw).tobytes())
    else:
        digest.update(raw if isinstance(raw, bytes) else json.dumps(raw).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Entry:
    """One thing to encode: row `index` of the source under fixed view `view`, random if `train`."""

    key: str
    index: int
    view: int
    train: bool


class CachedFeatures:
    """A loader's source that gives the Features of a frozen encoder instead of raw fields.

    In training it draws one of a row's entries; in evaluation it gives the view that is asked for.
    """

    def __init__(
        self, source: ModalitySource, rows: Sequence[Sequence[Entry]], store: "_Store"
    ) -> None:
        position = {key: number for number, key in enumerate(store.keys)}
        self._rows = [[position.get(entry.key) for entry in row] for row in rows]
        self._source = source
        self._store = store

    def views(self, index: int) -> int:
        """How many fixed evaluation views row `index` has."""
        return self._source.views(index)

    def load(self, index: int, *, train: bool, generator: torch.Generator, view: int) -> int | None:
        row = self._rows[index]
        if not row and self._source.lacks(self._source.dataset[index]):
            return None
        chosen = int(torch.randint(len(row), (1,), generator=generator)) if train and row else view
        if not row or row[chosen] is None:
            self._source.load(
                index, train=False, generator=generator, view=view
            )  # says what is wrong
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
    """The source's Features from the cache; what is missing is computed first.

    described_by: the configs and learned state that, with the frozen weights, define the features.
    train: also keep `config.train_views` random views of each row. An interrupted computation goes on
    where it stopped.
    """
    precision = resolved(config.precision, device)
    folder = config.root() / fingerprint(encoder, *described_by, precision, config.seed)
    rows = _plan(source, config.train_views if train else 0)
    wanted = {entry.key: entry for row in rows for entry in row}
    if rank() == 0:
        known = set().union(*map(_usable_keys, _chunks(folder)))
        missing = [entry for key, entry in wanted.items() if key not in known]
        _compute(missing, source, encoder, folder, config, device)
    barrier()
    store = _Store(folder, set(wanted))
    return CachedFeatures(source, rows, store)


def _plan(source: ModalitySource, train_views: int) -> list[list[Entry]]:
    """The entries of every row, its fixed views first, then the random ones; none of a bad row."""
    return [_row_entries(source, index, train_views) for index in range(len(source))]


def _row_entries(source: ModalitySource, index: int, train_views: int) -> list[Entry]:
    try:
        raw = source.raw(index)
        if isinstance(raw, list):
            # Captions are kept one by one, so that the same sentence is encoded only once.
            return [Entry(content_key(t), index, n, train=False) for n, t in enumerate(raw)]
        key = content_key(raw)
        fixed = [Entry(f"{key}-{v}", index, v, train=False) for v in range(source.views(index))]
    except (WeftError, OSError):
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
        digest = hashlib.blake2b(f"{config.seed} {entry.key}".encode(), digest_size=8).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)
        try:
            return source.load(entry.index, train=entry.train, generator=generator, view=entry.view)
        except DataError:
            return None  # the loader meets this row again and applies its error policy

    with progress(f"features of '{source.key}'", len(entries)) as advance:
        for start in range(0, len(entries), SAMPLES_PER_CHUNK):
            part = entries[start : start + SAMPLES_PER_CHUNK]
            keys: list[str] = []
            encoded: list[Features] = []
            for batch, tensors in _batches(part, load, config.batch_size):
                field = source.modality.collate(tensors)
                with torch.no_grad(), autocast(config.precision, device):
                    encoded.append(encoder.frozen(field.to(device)).to("cpu"))
                keys += [entry.key for entry in batch]
                advance(len(batch))
            if keys:
                _write_chunk(folder, keys, encoded)


def _batches(
    entries: Sequence[Entry], load: Callable[[Entry], Tensor | None], batch_size: int
) -> Iterator[tuple[list[Entry], list[Tensor]]]:
    """Loads ahead in threads; puts items of like shape together so that little is padding."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        pairs = zip(entries, pool.map(load, entries), strict=True)
        loaded = [(entry, tensor) for entry, tensor in pairs if tensor is not None]
    loaded.sort(key=lambda pair: tuple(pair[1].shape))
    for start in range(0, len(loaded), batch_size):
        part = loaded[start : start + batch_size]
        yield [entry for entry, _ in part], [tensor for _, tensor in part]


def _chunks(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _usable_keys(path: Path) -> list[str]:
    """The keys of a chunk; one that is damaged is removed, to be made anew."""
    try:
        return _read_chunk(path)[0]
    except WeftError as error:
        log.warning("%s; its features are computed again", error)
        path.unlink(missing_ok=True)
        return []


def _read_chunk(path: Path) -> tuple[list[str], dict[str, Tensor]]:
    """The keys and tensors of a chunk. Raises WeftError where they are not what `_write_chunk` writes."""
    try:
        tensors, state = read_tensors(path)
        keys = state["keys"]
        count = len(keys)
        pooled, tokens, lengths = (tensors.get(n) for n in ("pooled", "tokens", "lengths"))
        if (
            not all(isinstance(key, str) for key in keys)
            or pooled is None
            or (pooled.ndim, len(pooled)) != (2, count)
            or (tokens is None) != (lengths is None)
        ):
            raise ValueError("its tensors do not fit its keys")
        if lengths is not None and tokens is not None:
            whole = lengths.dtype == torch.int64 and lengths.shape == (count,)
            if not whole or int(lengths.min()) < 0 or int(lengths.sum()) != len(tokens):
                raise ValueError("its lengths do not fit its tokens")
            if tokens.ndim != 2:
                raise ValueError(f"its tokens have the shape {tuple(tokens.shape)}")
        if not all(bool(t.isfinite().all()) for t in (pooled, tokens) if t is not None):
            raise ValueError("it holds values that are no numbers")
    except (WeftError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeftError(f"{path}: is not a chunk of a feature cache ({error})") from None
    return keys, tensors


def _write_chunk(folder: Path, keys: Sequence[str], parts: Sequence[Features]) -> None:
    """In half precision, but for values that it cannot hold."""
    pooled = torch.cat([part.pooled for part in parts])
    lengths = torch.cat([part.mask.sum(1) for part in parts])
    tokens = torch.cat([part.tokens[part.mask] for part in parts])
    tensors = {"pooled": _halved(pooled)}
    if not (bool((lengths == 1).all()) and torch.equal(_halved(tokens), tensors["pooled"])):
        tensors |= {"tokens": _halved(tokens), "lengths": lengths}
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise WeftError(f"{folder}: a frozen encoder gave features that are not finite numbers")
    name = hashlib.blake2b("".join(keys).encode(), digest_size=16).hexdigest()
    write_tensors(folder / f"{name}.safetensors", tensors, {"keys": list(keys)})


def _halved(values: Tensor) -> Tensor:
    half = values.half()
    return half if bool(half.isfinite().all()) else values.float()


class _Store:
    """The wanted entries of a cache folder in memory, in half precision and without padding."""

    def __init__(self, folder: Path, wanted: set[str]) -> None:
        self.keys: list[str] = []
        pooled: list[Tensor] = []
        tokens: list[Tensor] = []
        lengths: list[Tensor] = []
        seen: set[str] = set()
        for path in _chunks(folder):
            keys, chunk = _read_chunk(path)
            use = [n for n, key in enumerate(keys) if key in wanted and key not in seen]
            if not use:
                continue
            seen |= {keys[n] for n in use}
            self.keys += [keys[n] for n in use]
            pooled.append(chunk["pooled"][use])
            if "tokens" in chunk:
                per_entry = torch.split(chunk["tokens"], chunk["lengths"].tolist())
                tokens.append(torch.cat([per_entry[n] for n in use]))
                lengths.append(chunk["lengths"][use])
        if not pooled:
            raise WeftError(f"{folder}: of this stream no row could be encoded")
        self.pooled = torch.cat(pooled)
        self.tokens = torch.cat(tokens) if tokens else None
        self.lengths = (
            torch.cat(lengths) if lengths else torch.ones(len(self.keys), dtype=torch.long)
        )
        self.starts = self.lengths.cumsum(0) - self.lengths

    def features(self, numbers: Sequence[int]) -> Features:
        """The Features of these entries, padded to the longest of them, in fp32."""
        rows = torch.tensor(numbers)
        pooled = self.pooled[rows].float()
        lengths = self.lengths[rows]
        steps = torch.arange(int(lengths.max()))
        mask = steps < lengths[:, None]
        if self.tokens is None:
            return Features(pooled[:, None], mask, pooled)
        places = (self.starts[rows][:, None] + steps).where(mask, torch.zeros(()).long())
        tokens = self.tokens[places].float() * mask[..., None]
        return Features(tokens, mask, pooled)
