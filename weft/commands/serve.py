"""Start a server for runs: a web page for people and a REST interface for programs."""

import contextlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from weft.commands._parsing import Trusting, parse
from weft.core.errors import MissingExtraError, WeftError
from weft.core.language import say
from weft.serve.stopping import stoppable

if TYPE_CHECKING:
    from weft.serve.service import Served
    from weft.serve.settings import Limits

PACKAGES = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")
TOKEN = "WEFT_TOKEN"


@dataclass(frozen=True)
class Arguments(Trusting):
    """The runs, the address, and who may ask."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run directories. The folder name becomes the name of the run."""
    data: Path | None = None
    """Data to search if the run has no index yet: a file or folder in any known format. If there is an index, it is
    not read."""
    index: Path | None = None
    """Folder of the index. Default: RUN/index, if it exists."""
    writable: bool = False
    """If true, clients may add items to the index and remove items from it."""
    host: str = "127.0.0.1"
    """Address on which the server listens. Any address other than loopback needs a token."""
    port: int = 8000
    """Port on which the server listens. 0 takes a free port."""
    token_file: Path | None = None
    """File with the access token that clients must send. Default: the environment variable WEFT_TOKEN."""
    log: Path | None = None
    """Log file. The server appends one line of JSON per request, without the content of the request."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device of the models: auto, cpu or cuda."""
    backend: Literal["auto", "fp32"] = "auto"
    """Backend that embeds streams. auto: tries each backend for a second and takes the fastest one that gives the same
    results. fp32: runs the model as it was trained."""
    threads: int | None = None
    """Number of threads for one call of a model. Default: half of the number of cores, since two calls may run at the
    same time."""
    megabytes: float = 32.0
    """Maximum size of a request body, in MiB."""
    seconds: float = 60.0
    """Time limit for answering a request, in seconds."""
    waiting: int = 128
    """Maximum number of requests that wait for the model. Further requests get status 429 (try again later)."""
    rate: float = 200.0
    """Maximum number of requests per second from one client. 0 means no limit."""


def main(words: list[str]) -> None:
    """Prints the address, and serves until it is stopped (Ctrl-C, SIGTERM)."""
    with stoppable():  # before the slow imports, which take seconds
        _serve(parse(Arguments, words, "weft serve"))


def _serve(arguments: Arguments) -> None:
    _check(arguments)
    from weft.runs.whole import check_run

    for folder in arguments.runs:
        check_run(folder)
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, extra="serve", purpose="weft serve")
    from weft.serve.app import gate_of
    from weft.serve.lifecycle import bound, serve, set_threads
    from weft.serve.log import Log
    from weft.serve.security import Access, is_loopback, token_of
    from weft.serve.service import Service

    token = token_of(arguments.token_file, os.environ.get(TOKEN, ""))
    if token is None and not is_loopback(arguments.host):
        raise WeftError(
            f"--host is {arguments.host}, which other machines reach, and there is no token; "
            f"set {TOKEN} or give --token-file FILE"
        )
    limits = _limits(arguments)
    set_threads(arguments.threads)
    with (
        bound(arguments.host, arguments.port) as at,
        contextlib.closing(Log(arguments.log)) as log,
    ):
        served = [_served(arguments, name, folder) for name, folder in _named(arguments).items()]
        if arguments.data is not None and not any(one.run.streams for one in served):
            raise WeftError(
                f"--data is {arguments.data}, expected no --data: no run here has embeddings, so nothing can be "
                "searched"
            )
        service = Service(served, limits)
        access = Access(token, limits.rate, limits.logins)
        host, port, *_ = at.getsockname()
        shown = f"[{host}]" if ":" in host else host

        def ready() -> None:
            names = ", ".join(service.runs)
            print(say(f"http://{shown}:{port} serves {names}"), flush=True)

        try:
            serve(gate_of(service, access, log), at, log, ready)
        finally:
            service.close()


def _limits(arguments: Arguments) -> "Limits":
    from weft.serve.settings import Limits

    body_bytes = int(arguments.megabytes * 2**20)
    return Limits(
        body_bytes=body_bytes,
        bodies_bytes=max(Limits.bodies_bytes, 8 * body_bytes),
        answer_seconds=arguments.seconds,
        waiting=arguments.waiting,
        rate=arguments.rate,
    )


def _served(arguments: Arguments, name: str, folder: Path) -> "Served":
    """Loads the run and its index: --index, otherwise RUN/index if it exists, otherwise a new one from --data."""
    from weft.export.backends import fastest
    from weft.index.database import FILE
    from weft.modalities.stream_kinds import missing_decoder
    from weft.runs.run import load
    from weft.runs.searching import INDEX, open_index
    from weft.serve.service import Served

    run = load(folder, arguments.device, trust=arguments.trust)
    for stream, modality in run.modalities.items():
        if missing := missing_decoder(modality):
            print(say(f"{name}, {stream}: files are refused: {missing}"), flush=True)
    place = arguments.index.resolve() if arguments.index else folder / INDEX
    there = (place / FILE).exists()
    if arguments.data is not None and there:
        print(
            say(
                f"{name}: --data {arguments.data} was not read, because there is an index: {place}; "
                f"add its rows with: weft index add {folder} --data {arguments.data}"
            ),
            flush=True,
        )
    elif arguments.data is not None and run.streams:
        from weft.commands.index import finish_built
        from weft.runs.indexing import index_rows
        from weft.runs.own_columns import on_new_files
        from weft.runs.parts import open_split

        recipe = on_new_files(run.recipe, arguments.data)
        rows = open_split(recipe, None)
        with index_rows(run, rows, place, errors=recipe.data.errors) as made:
            finish_built(run, made)
        there = True
    index = open_index(run, place) if there or arguments.index else None
    if index is None and run.streams:
        print(say(f"{name}: has no index; build one with: weft index build {folder}"))
    streams = run.streams if arguments.backend == "auto" else ()
    backends = {}
    for stream in streams:
        # The first time this writes files, which can take minutes.
        print(say(f"{name}, {stream}: trying the backends that can embed it"), flush=True)
        backends[stream] = one = fastest(run, stream)
        print(say(f"{name}, {stream}: {one.name}; {one.why}"), flush=True)
    return Served(name, run, index, arguments.writable, backends)


def _check(arguments: Arguments) -> None:
    """Raises WeftError for an invalid argument."""
    if not arguments.runs:
        raise WeftError("weft serve needs one run directory or more")
    if arguments.index is not None and len(arguments.runs) > 1:
        raise WeftError(f"--index is given for {len(arguments.runs)} runs, expected one run")
    if not 0 <= arguments.port <= 65535:
        raise WeftError(f"--port is {arguments.port}, expected 0 to 65535")
    for name in ("megabytes", "seconds", "waiting", "threads"):
        value = getattr(arguments, name)
        if value is not None and not 0 < value < 1e6:
            raise WeftError(f"--{name} is {value:g}, expected a number above 0")
    if not 0 <= arguments.rate < 1e6:
        raise WeftError(f"--rate is {arguments.rate:g}, expected 0 or more")


def _named(arguments: Arguments) -> dict[str, Path]:
    """Name of a run -> its folder. Raises WeftError for two runs with the same name."""
    found: dict[str, Path] = {}
    for folder in arguments.runs:
        name = folder.resolve().name
        if name in found:
            raise WeftError(f"{folder}: there is another run named '{name}', expected other names")
        found[name] = (
            folder.resolve()
        )  # absolute, so that it can be removed from messages to clients
    return found
