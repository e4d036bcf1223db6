"""Starts and stops the server: binds the address, and stops without losing an answer."""

import errno
import gc
import logging
import os
import socket
import time
from collections.abc import Callable
from types import FrameType

import torch
import uvicorn

from weft.core.errors import WeftError
from weft.export.backends import CALLS
from weft.serve.gate import Gate
from weft.serve.log import Log

QUIET_SECONDS = 0.5
"""Minimum seconds of answering 503 after the signal to stop, so that a health check notices."""
MOST_THREADS = 1024
"""Maximum number of threads for a call of a model."""
LONGEST_STOP = 120.0
"""Seconds after which admitted requests are given up."""


def set_threads(threads: int | None) -> None:
    """Sets the number of threads of one call of a model; None: the cores divided by `CALLS`. More threads than free
    cores wait for each other.

    Raises WeftError for more than MOST_THREADS: OpenMP ends the process if it cannot start all threads.
    """
    if threads is not None and threads > MOST_THREADS:
        raise WeftError(f"--threads is {threads}, expected 1 to {MOST_THREADS}")
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    torch.set_num_threads(threads or max(1, cores // CALLS))


def bound(host: str, port: int) -> socket.socket:
    """Binds a socket at that address. port: 0 for any free one. Raises WeftError if the address is in use or invalid."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WeftError(
            f"--host is {host}, expected an address of this machine: {reason}"
        ) from None
    if os.name != "nt":  # on Windows two servers could then share one port
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(address)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise WeftError(
                f"{host}:{port} cannot be used: {error.strerror}; --port 0 takes a free one"
            ) from None
        raise WeftError(f"{host}:{port} cannot be used: {error.strerror}") from None
    return made


def serve(gate: Gate, at: socket.socket, log: Log, ready: Callable[[], None]) -> None:
    """Serves until SIGTERM or SIGINT. Then it answers admitted requests, and new ones with 503. A second signal ends it at once.

    ready: called when the server listens.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        gate,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config, gate, log, ready)
    server.run(sockets=[at])
    log.line("stopped", at_once=server.force_exit)
    if server.force_exit:
        os._exit(1)  # ends without waiting for threads that decode or compute


class _Server(uvicorn.Server):
    """Stops when all admitted requests are answered."""

    def __init__(
        self, config: uvicorn.Config, gate: Gate, log: Log, ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._gate = gate
        self._log = log
        self._ready = ready
        self._until: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # The garbage collector skips all objects that exist now. Libraries and models have so many objects that a
        # full collection would stop all answers for a quarter of a second.
        gc.collect()
        gc.freeze()
        self._log.line("started")
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._until is not None:
            self.should_exit = self.force_exit = True
            return
        self._gate.stopping = True
        self._until = time.monotonic()
        self._log.line("stopping", inside=self._gate.inside, signal=sig)

    async def on_tick(self, counter: int) -> bool:
        ends = await super().on_tick(counter)
        if self._until is None:
            return ends
        waited = time.monotonic() - self._until
        done = self._gate.inside == 0 and waited >= QUIET_SECONDS
        return ends or done or waited >= LONGEST_STOP
