"""The HTTP application: its routes, and handlers that turn errors into one sentence."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from weft.core.language import say
from weft.core.version import version
from weft.index.database import IndexFileError
from weft.serve import operations, page, requests
from weft.serve.gate import Application, Gate
from weft.serve.log import Log
from weft.serve.metrics import CONTENT_TYPE
from weft.serve.openapi import Bodies, described
from weft.serve.reading import read
from weft.serve.refusals import RefusedError, refusal_of
from weft.serve.security import Access
from weft.serve.served import ServedRun
from weft.serve.service import Service

T = TypeVar("T")
Operation = Callable[[ServedRun, Any], Awaitable[dict[str, Any]]]
Endpoint = Callable[[Request], Awaitable[Response]]
OPERATIONS: dict[str, tuple[type[requests.Asked], Operation]] = {
    "embed": (requests.Embed, operations.embed),
    "predict": (requests.Predict, operations.predict),
    "ask": (requests.Ask, operations.ask),
    "caption": (requests.OfHead, operations.caption),
    "transcribe": (requests.Transcribe, operations.transcribe),
    "generate": (requests.Generate, operations.generate_values),
    "explain": (requests.Explain, operations.explain),
}
KEPT = "private, max-age=300"
"""How long a browser may cache a preview."""


class Routes:
    """Builds the routes of a service. access: decides who may log in. log: receives faults of the server."""

    def __init__(self, service: Service, access: Access, log: Log) -> None:
        self._service = service
        self._access = access
        self._log = log

    def application(self) -> FastAPI:
        """Returns the application, which answers every admitted request."""
        app = FastAPI(title="Weft", version=version(), docs_url=None, redoc_url=None)
        app.add_api_route("/", _page, methods=["GET", "HEAD"], include_in_schema=False)
        app.add_api_route("/health", _health, methods=["GET"])
        app.add_api_route("/health", _health, methods=["HEAD"], include_in_schema=False)
        for path, method, answer in (
            ("/metrics", "GET", self._metrics),
            ("/runs", "GET", self._runs),
            ("/login", "POST", self._login),
            ("/search", "POST", self._search),
            ("/items", "POST", self._add),
            ("/items", "DELETE", self._remove),
            ("/previews/{id:path}", "GET", self._preview),
            ("/items/{id:path}", "GET", self._item),
        ):
            app.add_api_route(path, self._guarded(answer), methods=[method])
        for name, (model, operation) in OPERATIONS.items():
            app.add_api_route(f"/{name}", self._operation(name, model, operation), methods=["POST"])
        app.add_exception_handler(HTTPException, _unrouted)
        app.add_exception_handler(RefusedError, _refused)
        app.add_exception_handler(Exception, _failed)
        app.openapi = described(app, BODIES)  # type: ignore[method-assign]
        return app

    def _operation(self, name: str, model: type[requests.Asked], operation: Operation) -> Endpoint:
        async def answer(request: Request) -> Response:
            asked = await read(request, model, self._service.limits)
            run = self._service.run(asked.run, name)
            found = await self._in_time(operation(run, asked))
            return await asyncio.to_thread(answered, found)  # many vectors are a long text

        answer.__name__, answer.__doc__ = name, operation.__doc__
        return self._guarded(answer)

    def _guarded(self, answer: Endpoint) -> Endpoint:
        """Translates errors of the library that the caller caused."""

        async def endpoint(request: Request) -> Response:
            try:
                return await answer(request)
            except Exception as error:
                refused = refusal_of(error)
                if refused is None:
                    raise
                if isinstance(error, IndexFileError):
                    self._log.line("failed", "error", error=refused.message)
                message = self._service.private(refused.message)
                raise RefusedError(refused.status, message, refused.headers) from None

        endpoint.__name__, endpoint.__doc__ = answer.__name__.strip("_"), answer.__doc__
        return endpoint

    async def _in_time(self, work: Awaitable[T]) -> T:
        limit = self._service.limits.answer_seconds
        try:
            async with asyncio.timeout(limit):
                return await work
        except TimeoutError:
            raise RefusedError(504, f"no answer in {limit:g} s, the time limit") from None

    async def _metrics(self, request: Request) -> Response:  # noqa: ARG002
        """Returns counters in the format of Prometheus."""
        metrics = self._service.metrics
        metrics.queue.set(self._service.waiting)
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def _runs(self, request: Request) -> Response:  # noqa: ARG002
        """Lists the runs and their operations."""

        def failed(fault: str) -> None:
            self._log.line("failed", "error", error=fault)

        return answered(await asyncio.to_thread(self._service.describe, failed))

    async def _login(self, request: Request) -> Response:
        """Opens a session for the page."""
        asked = await read(request, requests.Login, self._service.limits)
        client = request.client.host if request.client else "unknown"
        cookie = self._access.login(asked.token, client)
        return answered({"status": "ok"}, headers={"Set-Cookie": cookie})

    async def _search(self, request: Request) -> Response:
        """Finds the items nearest to some examples and far from others."""
        asked = await read(request, requests.Search, self._service.limits)
        index = self._service.index(asked.run)
        return answered(await self._in_time(index.search(asked)))

    async def _add(self, request: Request) -> Response:
        """Adds items. An item with a known id replaces the old one. The items are on disk when the answer arrives."""
        asked = await read(request, requests.AddItems, self._service.limits)
        return answered(await self._in_time(self._service.index(asked.run).add(asked)))

    async def _remove(self, request: Request) -> Response:
        """Removes items."""
        asked = await read(request, requests.RemoveItems, self._service.limits)
        return answered(await self._in_time(self._service.index(asked.run).remove(asked)))

    async def _item(self, request: Request) -> Response:
        """Returns an item of the index."""
        index = self._service.index(request.query_params.get("run"))
        return answered(await self._in_time(index.item(request.path_params["id"])))

    async def _preview(self, request: Request) -> Response:
        """Returns a small picture or a sound of an item."""
        index = self._service.index(request.query_params.get("run"))
        found = await self._in_time(index.preview(request.path_params["id"]))
        return Response(found.data, media_type=found.media_type, headers={"Cache-Control": KEPT})


BODIES: Bodies = {
    ("/search", "post"): requests.Search,
    ("/items", "post"): requests.AddItems,
    ("/items", "delete"): requests.RemoveItems,
    ("/login", "post"): requests.Login,
    **{(f"/{name}", "post"): model for name, (model, _) in OPERATIONS.items()},
}


def gate_of(service: Service, access: Access, log: Log) -> Gate:
    """Builds the application with its gate in front."""
    app = Routes(service, access, log).application()
    return Gate(app, _answering, access, service.limits, service.metrics, log)


def answered(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Encodes JSON in UTF-8. Raises RefusedError for numbers that JSON cannot hold, such as NaN."""
    try:
        body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        raise RefusedError(
            400, "the answer has numbers that are not finite, expected other input values"
        ) from None
    return Response(body.encode("utf-8", "replace"), status, headers, "application/json")


def _answering(refused: RefusedError) -> Application:
    """Returns the message in the language that the request asks for."""
    return answered({"error": say(refused.message)}, refused.status, refused.headers)


async def _page() -> Response:
    headers = {"Content-Security-Policy": page.policy()}
    return Response(page.page(), media_type="text/html", headers=headers)


async def _health() -> Response:
    """Reports whether the server answers; 503 while it is stopping."""
    return answered({"status": "ok"})


async def _refused(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, RefusedError)
    return _answering(error)  # type: ignore[return-value]


async def _failed(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Answers 500 for a fault of the server. The gate logs where it happened."""
    return _answering(RefusedError(500, "the server failed; its log says where"))  # type: ignore[return-value]


async def _unrouted(request: Request, error: Exception) -> Response:
    """Answers 404 and 405 of the router."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        refused = RefusedError(404, "there is no such address", error.headers)
    elif error.status_code == 405:
        refused = RefusedError(
            405, f"{request.method[:10]} is not supported at this address", error.headers
        )
    else:
        refused = RefusedError(error.status_code, str(error.detail), error.headers)
    return _answering(refused)  # type: ignore[return-value]
