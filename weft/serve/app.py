"""The application: routes, and what goes wrong on them as one sentence."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from weft.core.errors import unknown_name
from weft.core.version import version
from weft.runs.run import Run
from weft.serve import operations, page, requests
from weft.serve.batcher import Batcher
from weft.serve.describing import abilities, describe
from weft.serve.gate import Application, Gate
from weft.serve.log import Log
from weft.serve.metrics import CONTENT_TYPE, Metrics
from weft.serve.openapi import described
from weft.serve.reading import read
from weft.serve.refusals import RefusedError, refusal_of
from weft.serve.security import Access
from weft.serve.served import ServedRun
from weft.serve.settings import Limits

Operation = Callable[[ServedRun, Any], Awaitable[dict[str, Any]]]
OPERATIONS: dict[str, tuple[type[requests.Asked], Operation]] = {
    "embed": (requests.Embed, operations.embed),
    "predict": (requests.Predict, operations.predict),
    "ask": (requests.Ask, operations.ask),
    "caption": (requests.OfHead, operations.caption),
    "transcribe": (requests.OfHead, operations.transcribe),
    "generate": (requests.Generate, operations.generate_values),
    "explain": (requests.Explain, operations.explain),
}


class Service:
    """Some runs, the thread of their models, and the application that answers for them."""

    def __init__(
        self, runs: Sequence[tuple[str, Run]], limits: Limits, access: Access, log: Log
    ) -> None:
        self.limits = limits
        self.metrics = Metrics()
        self.log = log
        self._access = access
        self._batcher = Batcher(limits.waiting, self.metrics.observe_batch)
        self._readers = ThreadPoolExecutor(max(2, os.cpu_count() or 1), "weft-read")
        self.runs = {
            name: ServedRun(name, run, self._batcher, self._readers, limits) for name, run in runs
        }
        self._can = {name: abilities(served.run) for name, served in self.runs.items()}
        self.gate = Gate(self._application(), self._answering, access, limits, self.metrics, log)

    def close(self) -> None:
        """Answers what was let in."""
        self._batcher.close()
        self._readers.shutdown()
        self.log.close()

    def find(self, name: str | None, ability: str) -> ServedRun:
        """The run of that name; without a name the first that can do it. Raises WeftError, RefusedError."""
        if name is None:
            able = [known for known, can in self._can.items() if ability in can]
            if able:
                return self.runs[able[0]]
            raise RefusedError(400, f"none of the runs can {ability}: {', '.join(self.runs)}")
        if name not in self.runs:
            error = unknown_name("run", name, self.runs)
            raise RefusedError(404, str(error))
        if ability not in self._can[name]:
            can = ", ".join(self._can[name]) or "nothing"
            raise RefusedError(400, f"the run '{name}' cannot {ability}, it can: {can}")
        return self.runs[name]

    def _application(self) -> FastAPI:
        app = FastAPI(title="Weft", version=version(), docs_url=None, redoc_url=None)
        app.add_api_route("/", self._page, methods=["GET", "HEAD"], include_in_schema=False)
        app.add_api_route("/health", self._health, methods=["GET"])
        app.add_api_route("/metrics", self._metrics, methods=["GET"])
        app.add_api_route("/runs", self._runs, methods=["GET"])
        app.add_api_route("/login", self._login, methods=["POST"])
        for name, (model, operation) in OPERATIONS.items():
            app.add_api_route(f"/{name}", self._route(name, model, operation), methods=["POST"])
        app.add_exception_handler(HTTPException, _unrouted)
        app.add_exception_handler(RefusedError, _refused)
        app.add_exception_handler(Exception, _failed)
        app.openapi = described(app, {n: m for n, (m, _) in OPERATIONS.items()})  # type: ignore[method-assign]
        return app

    def _route(
        self, name: str, model: type[requests.Asked], operation: Operation
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            asked = await read(request, model, self.limits)
            try:
                async with asyncio.timeout(self.limits.answer_seconds):
                    return answered(await operation(self.find(asked.run, name), asked))
            except TimeoutError:
                limit = f"{self.limits.answer_seconds:g} s"
                raise RefusedError(504, f"no answer in {limit}, the time limit") from None
            except Exception as error:
                refused = refusal_of(error)
                if refused is None:
                    raise
                raise self._private(refused) from None

        endpoint.__name__, endpoint.__doc__ = name, operation.__doc__
        return endpoint

    def _private(self, refused: RefusedError) -> RefusedError:
        """The same without the folders of the server."""
        message = refused.message
        for name, served in self.runs.items():
            message = message.replace(str(served.run.folder), name)
        return RefusedError(refused.status, message, refused.headers)

    def _answering(self, refused: RefusedError) -> Application:
        return answered({"error": refused.message}, refused.status, refused.headers)

    async def _page(self) -> Response:
        headers = {"Content-Security-Policy": page.policy()}
        return Response(page.page(), media_type="text/html", headers=headers)

    async def _health(self) -> Response:
        return answered({"status": "ok"})

    async def _metrics(self) -> Response:
        self.metrics.queue.set(len(self._batcher))
        return Response(self.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def _runs(self) -> Response:
        return answered([describe(served.run, name) for name, served in self.runs.items()])

    async def _login(self, request: Request) -> Response:
        asked = await read(request, requests.Login, self.limits)
        client = request.client.host if request.client else "unknown"
        cookie = self._access.login(asked.token, client)
        return answered({"status": "ok"}, headers={"Set-Cookie": cookie})


def answered(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON in UTF-8."""
    body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(
        body.encode("utf-8", "replace"),
        status,
        headers,
        "application/json",
    )


async def _refused(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, RefusedError)
    return answered({"error": error.message}, error.status, error.headers)


async def _failed(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """A fault of the server; the gate writes into the log where."""
    return answered({"error": "the server failed; its log says where"}, 500)


async def _unrouted(request: Request, error: Exception) -> Response:
    """404 and 405 of the router."""
    assert isinstance(error, HTTPException)
    said = {404: "there is no such address", 405: f"{request.method[:10]} is not answered here"}
    message = said.get(error.status_code, str(error.detail))
    return answered({"error": message}, error.status_code, dict(error.headers or {}))
