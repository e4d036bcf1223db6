"""Serves the index of a run. Searches of many callers share a call. A write is durable when it is answered."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar, cast
from urllib.parse import quote

import torch
from torch import Tensor

from weft.index import Entry, Hit, Index, Preview, Where
from weft.index.build import shown_entry
from weft.index.previews import MEDIA_TYPES
from weft.inference.given import given
from weft.inference.preloaded import Size
from weft.modalities.parts import shown_by
from weft.runs.searching import combined
from weft.serve import requests
from weft.serve.batcher import Batcher
from weft.serve.refusals import RefusedError, checked
from weft.serve.served import ServedRun

T = TypeVar("T")
Answer = dict[str, Any]
ONE_QUERY = Size(1, 32, 0)
"""Size of a query, chosen so that one call of the index answers at most 32 queries."""


class ServedIndex:
    """Operations of an index. writable: whether callers may add and remove items."""

    def __init__(
        self, run: ServedRun, index: Index, finder: Batcher, readers: Executor, *, writable: bool
    ) -> None:
        self.run = run
        self.index = index
        self.writable = writable
        self._finder = finder
        self._readers = readers

    def describe(self) -> Answer:
        """Returns kind, size and the columns for filters."""
        return {
            "stream": self.index.stream,
            "kind": self.index.kind,
            "items": self.index.items,
            "writable": self.writable,
            "cutoffs": list(self.index.cutoffs),
            "columns": [
                {
                    "name": column.name,
                    "type": column.type,
                    "values": [{"value": v, "count": count} for v, count in column.values],
                    "distinct": column.distinct,
                    "min": column.least,
                    "max": column.most,
                }
                for column in self.index.columns()
            ],
        }

    async def search(self, asked: requests.Search) -> Answer:
        """Returns the nearest items, best first, without those below the cut-off."""
        began = time.perf_counter()
        checked(asked.k, "k", self.run.limits.answers)
        query = await self._query(asked)
        stream = _alone(asked)
        key = (self.run.name, stream, asked.k, json.dumps(asked.where, sort_keys=True))

        def work(queries: list[Tensor]) -> list[tuple[list[Hit], float | None]]:
            queries_QE = torch.stack(queries)
            where = cast(Where, asked.where) or None
            hits = self.index.search(queries_QE, asked.k, where=where)
            known = None if stream is None else self.index.cutoff(stream)
            ends = [None] * len(queries) if known is None else known.of(queries_QE).tolist()
            return list(zip(hits, ends, strict=True))

        found, calibrated = await self._finder.ask("search", work, query, ONE_QUERY, key)
        cutoff = calibrated if asked.cutoff is None else asked.cutoff
        hits = [hit for hit in found if cutoff is None or hit.score >= cutoff]
        return {
            "run": self.run.name,
            "hits": [self._hit(hit) for hit in hits],
            "cutoff": cutoff,
            "calibrated": calibrated,
            "found": bool(hits),
            "seconds": round(time.perf_counter() - began, 6),
        }

    async def item(self, name: str) -> Answer:
        """Returns the item with that id."""
        entry = await self._read(lambda: self.index.entry(name))
        if entry is None:
            raise RefusedError(404, f"the index holds no item '{name[:80]}'")
        return {
            "id": entry.id,
            "source": told(entry.source),
            "metadata": dict(entry.metadata),
            "text": entry.text,
            "preview": self._preview_at(entry.id) if entry.preview is not None else None,
        }

    async def preview(self, name: str) -> Preview:
        """Returns the preview of the item with that id. Refuses media types that Weft does not write."""
        found = await self._read(lambda: self.index.preview(name))
        if found is None or found.media_type not in MEDIA_TYPES:
            raise RefusedError(404, f"the index holds no preview of an item '{name[:80]}'")
        return found

    async def add(self, asked: requests.AddItems) -> Answer:
        """Embeds the values and writes all of them or, after an error, none."""
        self._check_writable()
        stream = self.index.stream
        values = [item.value for item in asked.items]
        missing = [item.id for item in asked.items if item.value is None]
        if missing:
            raise RefusedError(400, f"item '{missing[0][:80]}' has no value")
        vectors = await self.run.embed(stream, values, exact=True)

        def write() -> Answer:
            modality = self.run.run.modalities[stream]
            read = given(self.run.read_values({stream: values}), {stream: modality})
            entries: list[Entry] = [
                shown_entry(
                    item.id,
                    vector,
                    sample.items[stream],
                    shown_by(modality),
                    metadata=item.metadata,
                )
                for item, vector, sample in zip(asked.items, vectors, read.samples, strict=True)
            ]
            changed = self.index.add(entries)
            return {"run": self.run.name, "added": changed.added, "replaced": changed.replaced}

        return await self._read(write)

    async def remove(self, asked: requests.RemoveItems) -> Answer:
        """Removes the items with these ids."""
        self._check_writable()
        count = await self._read(lambda: self.index.remove(asked.ids))
        return {"run": self.run.name, "removed": count}

    async def _query(self, asked: requests.Search) -> Tensor:
        """Returns (E,) the sum of all examples with their weights, unit length."""
        if not asked.query and not asked.like:
            raise RefusedError(400, "got no query and no example items, expected one or more")
        for example in asked.query:
            if example.value is None or isinstance(example.value, list):
                raise RefusedError(
                    400, f"an example of '{example.stream[:80]}' has no single value"
                )
        embedded = await asyncio.gather(
            *(self.run.embed(one.stream, one.value) for one in asked.query)
        )
        ids = [one.id for one in asked.like]
        liked: list[Tensor] = []
        if ids:
            liked = list(await self._read(lambda: self.index.vectors(ids)))
        weights = [one.weight for one in asked.query] + [one.weight for one in asked.like]
        return combined([*(one[0] for one in embedded), *liked], weights)

    async def _read(self, act: Callable[[], T]) -> T:
        with self._finder.arriving():
            return await asyncio.get_running_loop().run_in_executor(self._readers, act)

    def _check_writable(self) -> None:
        if not self.writable:
            raise RefusedError(
                403, "this server's index is not writable; weft serve --writable makes it so"
            )

    def _hit(self, hit: Hit) -> Answer:
        return {
            "id": hit.id,
            "score": hit.score,
            "source": told(hit.source),
            "metadata": dict(hit.metadata),
            "text": hit.text,
            "preview": self._preview_at(hit.id) if hit.text is None else None,
        }

    def _preview_at(self, name: str) -> str:
        return f"/previews/{quote(name, safe='')}?run={quote(self.run.name, safe='')}"


def told(source: str) -> str:
    """Returns the source of an item without folders, of an absolute or relative path or an address."""
    return re.split(r"[/\\]", source.rstrip("/\\"))[-1]


def _alone(asked: requests.Search) -> str | None:
    """Returns the stream of a query with one value. A query with several values has no calibrated cut-off."""
    if asked.like or len(asked.query) != 1 or asked.query[0].weight <= 0:
        return None
    return asked.query[0].stream
