"""The service: all runs with their indexes, the threads that run the models, and the operations of each run."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from weft.core.errors import unknown_name
from weft.core.language import say
from weft.export.backends import CALLS, Backend
from weft.index import Index
from weft.index.database import IndexFileError
from weft.runs.run import Run
from weft.serve.batcher import Batcher
from weft.serve.describing import abilities, describe
from weft.serve.indexed import ServedIndex
from weft.serve.metrics import Metrics
from weft.serve.refusals import RefusedError
from weft.serve.served import ServedRun
from weft.serve.settings import Limits


@dataclass(frozen=True)
class Served:
    """A run to serve. name: its name in requests. writable: whether callers may change the index. backends: see ServedRun."""

    name: str
    run: Run
    index: Index | None = None
    writable: bool = False
    backends: Mapping[str, Backend] = field(default_factory=dict)


class Service:
    """All served runs."""

    def __init__(self, served: Sequence[Served], limits: Limits) -> None:
        self.limits = limits
        self.metrics = Metrics()
        self._model = Batcher(limits.waiting, self.metrics.observe_batch, calls=CALLS)
        self._finder = Batcher(limits.waiting, self.metrics.observe_batch, gather=0)
        self._readers = ThreadPoolExecutor(max(2, os.cpu_count() or 1), "weft-read")
        self.runs = {
            one.name: ServedRun(one.name, one.run, self._model, self._readers, limits, one.backends)
            for one in served
        }
        self.indexes = {
            one.name: ServedIndex(
                self.runs[one.name], one.index, self._finder, self._readers, writable=one.writable
            )
            for one in served
            if one.index is not None
        }
        self._can = {
            name: [*abilities(run.run), *(["search"] if name in self.indexes else [])]
            for name, run in self.runs.items()
        }

        self._faults: dict[str, str | None] = {}
        """The fault of each run's index at its last description."""

    def close(self) -> None:
        """Answers admitted requests, then closes everything."""
        self._model.close()
        self._finder.close()
        self._readers.shutdown()
        for served in self.indexes.values():
            served.index.close()

    def run(self, name: str | None, ability: str) -> ServedRun:
        """Returns the run with that name; without a name, the first run with the operation. Raises RefusedError."""
        return self.runs[self._named(name, ability)]

    def index(self, name: str | None) -> ServedIndex:
        """Returns the index of the run with that name; without a name, the first index. Raises RefusedError."""
        return self.indexes[self._named(name, "search")]

    def describe(self, failed: Callable[[str], None] = lambda _: None) -> list[dict[str, Any]]:
        """Describes every run. If an index cannot be read, it is left out and `fault` gives the reason.

        failed: called with the fault of an index, once until the fault changes.
        """
        found = []
        for name, served in self.runs.items():
            index, fault = None, None
            try:
                index = self.indexes[name].describe() if name in self.indexes else None
            except IndexFileError as error:
                fault = str(error)
                if fault != self._faults.get(name):
                    failed(fault)
            self._faults[name] = fault
            found.append(
                {
                    **describe(served.run, name),
                    "can": self._can[name],
                    "backend": _backend(served.backends),
                    "index": index,
                    "fault": None if fault is None else say(self.private(fault)),
                }
            )
        return found

    def private(self, message: str) -> str:
        """The message without the folders of this machine, in whose place are names in the caller's language."""
        folders: Mapping[str, str] = {str(one.run.folder): name for name, one in self.runs.items()}
        for name, served in self.indexes.items():
            message = message.replace(str(served.index.folder), say(f"the index of {name}"))
        for folder in sorted(folders, key=len, reverse=True):
            message = message.replace(folder, folders[folder])
        return message

    @property
    def waiting(self) -> int:
        """Number of requests that wait for the model."""
        return len(self._model)

    def _named(self, name: str | None, ability: str) -> str:
        if name is None:
            able = [known for known, can in self._can.items() if ability in can]
            if able:
                return able[0]
            raise RefusedError(400, f"none of the runs can {ability}: {', '.join(self.runs)}")
        if name not in self.runs:
            raise RefusedError(404, str(unknown_name("run", name, self.runs)))
        if ability not in self._can[name]:
            if ability == "search" and "embed" in self._can[name]:
                raise RefusedError(
                    400, f"the run '{name}' has no index; build one with: weft index build RUN"
                )
            can = ", ".join(self._can[name]) or "nothing"
            raise RefusedError(400, f"the run '{name}' cannot {ability}, it can: {can}")
        return name


def _backend(backends: Mapping[str, Backend]) -> dict[str, str] | None:
    """Returns the backends of the streams and the reasons for them."""
    if not backends:
        return None
    names = dict.fromkeys(one.name for one in backends.values())
    why = "; ".join(f"{stream}: {one.name}, {one.why}" for stream, one in backends.items())
    return {"name": ", ".join(names), "why": why}
