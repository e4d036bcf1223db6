"""Handles every request before its route: state of the server, access, limits of the body, headers and the log."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect

from weft.core.language import answering
from weft.core.text import counted
from weft.serve.log import Log
from weft.serve.metrics import Metrics
from weft.serve.refusals import RefusedError, busy
from weft.serve.security import HEADERS, Access
from weft.serve.settings import Limits

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
GONE = 499
"""Status in log and metrics if the client left before the answer."""
DISCARD_BYTES, DISCARD_SECONDS = 256 << 20, 10.0
"""Maximum bytes of a refused request's body that are still read, and maximum seconds for it."""
SLOW = 408
CLOSING = (SLOW, 413, 429, 503)
"""Status codes after which the connection is closed."""
Answerer = Callable[[RefusedError], Application]
"""Maps a refusal to the application that answers with it."""


class Gate:
    """Passes requests to the application and counts those that are being answered.

    stopping: if true, new requests get 503; admitted ones are still answered.
    """

    def __init__(
        self,
        inner: Application,
        answerer: Answerer,
        access: Access,
        limits: Limits,
        metrics: Metrics,
        log: Log,
    ) -> None:
        self._inner = inner
        self._answerer = answerer
        self._access = access
        self._limits = limits
        self._metrics = metrics
        self._log = log
        self.stopping = False
        self.inside = 0
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        body = _Body(receive, self._limits, self._reserve)
        visit = _Visit(scope, send, body)
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        with answering(headers.get("accept-language", "")):
            await self._visited(scope, receive, visit, body, headers)

    async def _visited(
        self,
        scope: Scope,
        receive: Receive,
        visit: "_Visit",
        body: "_Body",
        headers: Mapping[str, str],
    ) -> None:
        self.inside += 1
        self._metrics.in_flight.set(self.inside)
        try:
            try:
                self._check(scope, visit, body, headers)
                await self._inner(scope, body.receive, visit.send)
            except RefusedError as refused:
                await self._refuse(refused, scope, receive, visit)
            except ClientDisconnect:
                visit.status = visit.status or GONE
            except Exception as error:
                self._log.line(
                    "failed", "error", id=visit.id, error=type(error).__name__, **_place(error)
                )
                await self._refuse(
                    RefusedError(500, f"the server failed; its log says why under {visit.id}"),
                    scope,
                    receive,
                    visit,
                )
        finally:
            self.inside -= 1
            self._bytes -= body.reserved
            self._note(scope, visit, body)

    def _check(
        self, scope: Scope, visit: "_Visit", body: "_Body", headers: Mapping[str, str]
    ) -> None:
        if self.stopping:
            raise RefusedError(503, "the server is stopping", {"Retry-After": "5"})
        self._access.check(scope["method"], scope["path"], visit.client, headers)
        if self.inside > self._limits.requests:
            raise busy(1, f"{self.inside} requests are being answered")
        body.announce(headers.get("content-length", ""))

    def _reserve(self, count: int) -> None:
        """Reserves memory for a part of a body, in bytes. Raises RefusedError if all bodies together are too large."""
        if self._bytes + count > self._limits.bodies_bytes:
            raise busy(1, "the memory for request bodies is full")
        self._bytes += count

    async def _refuse(
        self, refused: RefusedError, scope: Scope, receive: Receive, visit: "_Visit"
    ) -> None:
        if visit.status:  # the answer has already begun
            return
        await self._answerer(refused)(scope, receive, visit.send)

    def _note(self, scope: Scope, visit: "_Visit", body: "_Body") -> None:
        took = time.perf_counter() - visit.began
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.in_flight.set(self.inside)
        self._metrics.observe_request(route, visit.status, took, body.received)
        self._log.line(
            "request",
            id=visit.id,
            client=visit.client,
            method=scope["method"] if route != "other" else scope["method"][:10],
            route=route,
            status=visit.status,
            seconds=round(took, 4),
            received=body.received,
            sent=visit.sent,
        )


class _Visit:
    """One request. Its answer gets the headers that all answers have."""

    def __init__(self, scope: Scope, send: Send, body: "_Body") -> None:
        self._send = send
        self._body = body
        self.id = uuid.uuid4().hex[:16]
        self.client = (scope.get("client") or ("unknown",))[0]
        self.began = time.perf_counter()
        self.status = 0
        self.sent = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            there = {name.lower() for name, _ in message.get("headers", ())}
            own = {**HEADERS, "X-Request-ID": self.id}
            if self.status in CLOSING:
                own["Connection"] = "close"
                if self.status != SLOW:
                    await self._body.discard()
            added = [
                (name.lower().encode(), value.encode())
                for name, value in own.items()
                if name.lower().encode() not in there
            ]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        elif message["type"] == "http.response.body":
            self.sent += len(message.get("body", b""))
        await self._send(message)


class _Body:
    """Reads the body of a request within the limits of size and time."""

    def __init__(self, receive: Receive, limits: Limits, reserve: Callable[[int], None]) -> None:
        self._receive = receive
        self._limits = limits
        self._reserve = reserve
        self._until = time.monotonic() + limits.read_seconds
        self._read = False
        self.received = 0
        self.reserved = 0

    def announce(self, length: str) -> None:
        """Checks the Content-Length. Raises RefusedError if it is no number or above the limit."""
        if not length:
            return
        if not length.isascii() or not length.isdigit():
            raise RefusedError(400, f"Content-Length is '{length[:40]}', expected a number")
        self._room(int(length))

    async def receive(self) -> Message:
        if self._read:
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._until - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            limit = f"{self._limits.read_seconds:g} s"
            raise RefusedError(
                408, f"the body did not arrive within {limit}, the time limit"
            ) from None
        self.received += len(message.get("body", b""))
        self._room(self.received)
        self._read = not message.get("more_body", False)
        return message

    async def discard(self) -> None:
        """Reads and discards the rest of the body within bounds. A client that is still sending does not read the answer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DISCARD_SECONDS):
                while not self._read and self.received < DISCARD_BYTES:
                    message = await self._receive()
                    self.received += len(message.get("body", b""))
                    self._read = not message.get("more_body", False)

    def _room(self, count: int) -> None:
        if count > self._limits.body_bytes:
            most = counted(self._limits.body_bytes, "byte")
            raise RefusedError(
                413, f"the body has {count:,} bytes or more, expected at most {most}"
            )
        if count > self.reserved:
            self._reserve(count - self.reserved)
            self.reserved = count


def _place(error: BaseException) -> dict[str, Any]:
    """Returns file and line of an error, without any content of the request."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return {}
    return {
        "file": trace.tb_frame.f_code.co_filename.rpartition("/weft/")[2],
        "line": trace.tb_lineno,
    }
