"""An engine that uses daft (https://docs.daft.ai), on the cores of this machine or on a Ray cluster.

daft's query runs in a process of its own, the leader of a process group with daft's workers. An interrupt therefore
ends all of them, whatever daft's threads are doing (they abort an interpreter that is about to exit). daft's
settings, signal handlers and output also stay separate from the command's.
"""

import contextlib
import importlib
import importlib.util
import json
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from weft.core.errors import MissingExtraError, WeftError
from weft.data.prepare.engines.processes import SINGLE_THREAD, cores

SETTINGS = SINGLE_THREAD | {
    "DO_NOT_TRACK": "1",  # otherwise daft reports each import and query to its makers
    "DAFT_ANALYTICS_ENABLED": "0",
    "DAFT_PROGRESS_BAR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
SECONDS_TO_LEAVE = 5.0

Outcome = dict[str, Any]
"""Outcome of one unit: "number", and "made" (bytes), "refused" (a user's error) or "failed" (a traceback)."""


@dataclass(frozen=True)
class Daft:
    """workers: units at the same time; None: one for each core of this machine, or of the Ray cluster.

    on_ray: use the cluster at the address in RAY_ADDRESS, or without one a local Ray that ends with the work. All
    machines must have weft installed, and see the data and the output at the same paths.
    """

    workers: int | None = None
    on_ray: bool = False

    def __post_init__(self) -> None:
        cores(self.workers)  # refuses fewer than one
        for package in ("daft", "ray") if self.on_ray else ("daft",):
            if importlib.util.find_spec(package) is None:
                extra = "ray" if self.on_ray else "daft"
                raise MissingExtraError(package, extra=extra, purpose=f"the engine {extra}")

    def run(
        self, function: Callable[[Any, Any], bytes], shared: Any, units: Sequence[Any]
    ) -> Iterator[tuple[int, bytes]]:
        """See Engine. Raises WeftError if daft or one of its workers ends before the work does."""
        if not units:
            return
        context = multiprocessing.get_context("spawn")
        results, sent = context.Pipe(duplex=False)
        # Names and JSON need no unpickling; the leader passes them on unread.
        work = json.dumps([function.__module__, function.__qualname__, shared])
        told = [json.dumps(unit) for unit in units]
        leader = context.Process(target=_lead, args=(sent, self, work, told), daemon=True)
        leader.start()
        sent.close()
        try:
            while (outcome := _received(results)) is not None:
                yield outcome["number"], _made(outcome)
        finally:
            _end(leader)


def _received(results: Connection) -> Outcome | None:
    try:
        outcome: Outcome | None = results.recv()
    except EOFError:
        raise WeftError(
            "daft was killed, perhaps because memory ran out: use fewer workers"
        ) from None
    return outcome


def _made(outcome: Outcome) -> bytes:
    if outcome["refused"] is not None:
        raise WeftError(outcome["refused"])
    if outcome["failed"] is not None:
        raise RuntimeError(f"in a worker of daft:\n{outcome['failed']}")
    made: bytes = outcome["made"]
    return made


def _end(leader: BaseProcess) -> None:
    """Ends the leader and its group. An interrupt comes first, so that workers can remove incomplete files."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader.pid or 0, sign)
        connection.wait([leader.sentinel], SECONDS_TO_LEAVE)
    leader.kill()  # if it has not yet made its group
    leader.join()


def _lead(sent: Connection, engine: Daft, work: str, units: list[str]) -> None:
    """The leader process: runs the query and sends each outcome, then None."""
    os.setsid()
    threading.Thread(target=_end_group_with_parent, daemon=True).start()
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    os.environ.update(SETTINGS)
    try:
        for outcome in _query(engine, work, units):
            sent.send(outcome)
        sent.send(None)
    except Exception as error:
        reason = " ".join(str(error).split())
        refused = f"daft stopped; if memory ran out, use fewer workers: {reason or repr(error)}"
        sent.send({"number": -1, "made": None, "refused": refused, "failed": None})


def _query(engine: Daft, work: str, units: list[str]) -> Iterator[Outcome]:
    import daft

    text = daft.DataType.string()
    outcome = {"made": daft.DataType.binary(), "refused": text, "failed": text}

    class Worker:
        def __init__(self, work: str, folder: str) -> None:
            os.chdir(folder)  # relative paths start here
            module, name, self.shared = json.loads(work)
            self.function = getattr(importlib.import_module(module), name)

        @daft.method.batch(return_dtype=daft.DataType.struct(outcome), batch_size=1)
        def work(self, units: Any) -> list[Outcome]:
            return [
                _outcome(self.function, self.shared, json.loads(unit)) for unit in units.to_pylist()
            ]

    most = _start_ray(engine.workers) if engine.on_ray else _start_native(engine.workers)
    table = daft.from_pydict({"number": list(range(len(units))), "unit": units})
    if engine.on_ray:
        table = table.into_partitions(len(units))  # Ray distributes partitions
    pool = daft.cls(Worker, max_concurrency=min(len(units), most), use_process=True)
    outcomes = pool(work, os.getcwd()).work(table["unit"]).alias("outcome")
    for row in table.select(table["number"], outcomes).iter_rows():
        yield {"number": row["number"], **row["outcome"]}


def _outcome(function: Callable[[Any, Any], bytes], shared: Any, unit: Any) -> Outcome:
    outcome: Outcome = {"made": None, "refused": None, "failed": None}
    try:
        outcome["made"] = function(shared, unit)
    except (WeftError, ValueError, OSError) as error:
        outcome["refused"] = str(error)
    except Exception:
        outcome["failed"] = traceback.format_exc()
    return outcome


def _start_native(workers: int | None) -> int:
    import daft

    daft.set_runner_native()
    return cores(workers)


def _start_ray(workers: int | None) -> int:
    import daft
    import ray

    ray.init(
        runtime_env={"env_vars": SETTINGS},
        log_to_driver=False,
        logging_level="ERROR",
    )
    daft.set_runner_ray()
    return workers or max(1, int(ray.cluster_resources().get("CPU", 1)))


def _end_group_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)
