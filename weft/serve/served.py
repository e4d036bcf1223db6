"""Serves a run: other threads read values, and the batcher's threads run the model."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from weft.core.errors import WeftError, unknown_name
from weft.core.text import counted
from weft.export.backends import Backend
from weft.heads.drawn import DrawnOutput
from weft.heads.output import Output, Values
from weft.inference.given import Given, given
from weft.inference.preloaded import Preloaded, Size
from weft.runs.run import Run
from weft.runs.transcribing import divided
from weft.serve.batcher import Batcher, Work
from weft.serve.refusals import RefusedError
from weft.serve.settings import Limits
from weft.serve.values import ValueReader

T = TypeVar("T")
QUICK_CHARACTERS = 500
"""Maximum characters of a text that takes well under a millisecond to read."""


@dataclass(frozen=True)
class Said:
    """A head's predictions for the rows of one request. row_of: the row of each value, of which it may be a part."""

    head: str
    values: Values
    row_of: tuple[int, ...]
    found: tuple[str, ...]
    missing: tuple[str, ...]

    def texts(self) -> list[str]:
        """Returns the text of each row, joined from those of its parts."""
        texts: dict[int, list[str]] = {}
        for place, row in enumerate(self.row_of):
            texts.setdefault(row, []).append(self.values.said(place))
        return [" ".join(filter(None, of_row)) for of_row in texts.values()]

    def answers(self, row: int, k: int) -> list[dict[str, Any]]:
        """Returns the k best answers of a row."""
        return [{"said": said, "probability": p} for said, p in self.values.best(row, k)]


class ServedRun:
    """The operations of a run for many callers. name: name of the run in requests. backends: the backend that embeds each
    stream; the model itself if a stream has none."""

    def __init__(
        self,
        name: str,
        run: Run,
        batcher: Batcher,
        readers: Executor,
        limits: Limits,
        backends: Mapping[str, Backend] | None = None,
    ) -> None:
        self.name = name
        self.run = run
        self.backends = dict(backends or {})
        self.limits = limits
        self._values = ValueReader(run.modalities, limits)
        self._batcher = batcher
        self._readers = readers

    async def embed(self, stream: str, value: Any, *, exact: bool = False) -> Tensor:
        """Returns (N, E) the embeddings of one or several values. exact: uses the model itself, whatever the backend."""
        if stream not in self.run.streams:
            raise unknown_name("stream", stream, self.run.streams)
        backend = None if exact else self.backends.get(stream)

        def read() -> tuple[Preloaded, Size]:
            rows = Preloaded.of(self._given({stream: value}, optional=False))
            return rows, rows.size

        def work(parts: list[Preloaded]) -> list[Tensor]:
            whole = Preloaded.join(parts)
            if backend is None:
                member = whole.member(self.run.model, self.run.learned)
                vectors = self.run.embed_rows(stream, member, whole.samples)
            else:
                vectors = whole.embedded(stream, self.run.modalities[stream], backend.embed)
            return list(torch.split(vectors, [len(part.samples) for part in parts]))

        quick = isinstance(value, str) and len(value) <= QUICK_CHARACTERS
        key = (self.name, stream, exact)
        concurrent = backend is not None and backend.own_weights
        found: Tensor = await self.asked(
            "embed", read, work, key, quick=quick, concurrent=concurrent
        )
        return found

    async def said(
        self,
        what: str,
        values: Mapping[str, Any],
        head: str | None,
        kind: type[Output] = Output,
        window: float | None = None,
    ) -> Said:
        """Returns a head's predictions. window: maximum seconds of recordings; longer ones are divided into parts.

        Requests for generated values have calls of their own, since a generated value depends on the row's number.
        """
        name = self.run.head(head, kind, values)
        values, missing = self.streams_read(values, self.run.model.streams_of(name))
        part = self.run.model.head(name)

        row_of: list[int] = []

        def read() -> tuple[Preloaded, Size]:
            given_rows = self._given(values)
            if window is not None:
                given_rows, row_of[:] = self._in_parts(given_rows, window)
            rows = Preloaded.of(given_rows, part.views)
            return rows, rows.size

        def work(parts: list[Preloaded]) -> list[Any]:
            whole = Preloaded.join(parts)
            member = whole.member(self.run.model, self.run.learned)
            found = self.run.predict_rows(member, whole.samples, name)
            return _of_parts(found.values, found.rows, [len(one.samples) for one in parts])

        together = not isinstance(part.output, DrawnOutput)
        key = (self.name, "head", name) if together else None
        found = await self.asked(what, read, work, key)
        return Said(name, found, tuple(row_of or range(len(found))), tuple(values), missing)

    async def alone(self, what: str, values: Mapping[str, Any], act: Callable[[Given], T]) -> T:
        """Runs act(values) in a thread of the model, in a call of its own."""

        def read() -> tuple[Given, Size]:
            return self._given(values), Size(1, 0, 0)

        found: T = await self.asked(what, read, lambda parts: [act(parts[0])])
        return found

    async def asked(
        self,
        what: str,
        read: Callable[[], tuple[Any, Size]],
        work: Work,
        key: Any = None,
        *,
        quick: bool = False,
        concurrent: bool = False,
    ) -> Any:
        """Returns the result of `work` for the payload that `read` returns. quick: reading takes less time than to start it
        in another thread. concurrent: see `Batcher.ask`."""
        loop = asyncio.get_running_loop()
        with self._batcher.arriving():
            payload, size = read() if quick else await loop.run_in_executor(self._readers, read)
        return await self._batcher.ask(what, work, payload, size, key, concurrent=concurrent)

    def streams_read(
        self, values: Mapping[str, Any], streams: Sequence[str]
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Returns the values and the missing streams.

        Raises RefusedError if a required stream is missing, WeftError for an unknown stream.
        """
        for stream in values:
            if stream not in streams:
                raise unknown_name("stream", stream, streams)
        missing = tuple(stream for stream in streams if stream not in values)
        needed = [s for s in missing if s not in self.run.optional]
        if needed:
            has = ", ".join(values) or "nothing"
            raise RefusedError(400, f"got {has}, expected {', '.join(needed)} too")
        if not values:
            raise RefusedError(400, f"got nothing, expected one or more of {', '.join(streams)}")
        return dict(values), missing

    def read_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Converts the values of a request into values of the run's streams."""
        return self._values.values(values)

    def _given(self, values: Mapping[str, Any], *, optional: bool = True) -> Given:
        read = given(self.read_values(values), self.run.modalities, optional=optional)
        if len(read.samples) > self.limits.values:
            raise RefusedError(
                413,
                f"got {counted(len(read.samples), 'row')}, expected at most {self.limits.values}",
            )
        return read

    def _in_parts(self, rows: Given, window: float) -> tuple[Given, list[int]]:
        """Returns the parts of the rows' recordings as rows, and the row of each part."""
        parts = divided(self.run, [sample.items for sample in rows.samples], window)
        if len(parts) == len(rows.samples):
            return rows, [row for row, _ in parts]
        streams = {stream: [part[stream] for _, part in parts] for stream in rows.sources}
        return given(streams, self.run.modalities), [row for row, _ in parts]


def _of_parts(values: Values, rows: Sequence[int], counts: Sequence[int]) -> list[Any]:
    """Splits the predictions by request. A request with a row without a prediction gets an error."""
    places = {row: place for place, row in enumerate(rows)}
    found: list[Any] = []
    first = 0
    for count in counts:
        own = range(first, first + count)
        first += count
        if all(row in places for row in own):
            found.append(values.take([places[row] for row in own]))
        else:
            found.append(WeftError("the values contain no stream that the head reads"))
    return found
