"""Requests: to a server in a process of its own, and to the application in this one."""

import base64
import contextlib
import http.client
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from limits import LIMIT_S
from PIL import Image

from weft.serve.app import gate_of
from weft.serve.gate import Gate
from weft.serve.log import Log
from weft.serve.security import Access
from weft.serve.service import Service

BOUNDARY = "weft-test-boundary"


class Answer(NamedTuple):
    """status, headers with small names, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The one sentence of an error."""
        found = self.json
        assert list(found) == ["error"], found
        assert "\n" not in found["error"]
        assert "Traceback" not in found["error"]
        return str(found["error"])


class Process:
    """`weft serve WORDS` on a free port, in a process of its own."""

    def __init__(self, *words: object, environment: Mapping[str, str] | None = None) -> None:
        self.words = [sys.executable, "-m", "weft.cli", "serve", *map(str, words)]
        if "--port" not in words:
            self.words += ["--port", "0"]
        self._environment = {**os.environ, **(environment or {})}

    def __enter__(self) -> "Process":
        self._errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            self.words,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=self._environment,
        )
        assert self.process.stdout is not None
        self.said = [self.process.stdout.readline()]
        while self.said[-1] and " serves " not in self.said[-1]:
            self.said.append(self.process.stdout.readline())
        assert self.said[-1], self.errors()
        self.port = int(self.said[-1].split()[0].rpartition(":")[2])
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(LIMIT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def errors(self) -> str:
        """What it printed on stderr."""
        self._errors.seek(0)
        return self._errors.read()

    def ask(
        self,
        method: str,
        path: str,
        content: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """content: JSON, or bytes with their type in the headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            body, own = encoded(content)
            connection.request(method, path, body, {**own, **(headers or {})})
            found = connection.getresponse()
            names = {name.lower(): value for name, value in found.getheaders()}
            return Answer(found.status, names, found.read())
        finally:
            connection.close()

    def begin(self, path: str, content: Any, **headers: str) -> Callable[[], int]:
        """Posts all but the last byte. While the server waits for it, a signal does not end it. Returns
        what sends the byte and returns the status of the answer."""
        body, own = encoded(content)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        length = {"Content-Length": str(len(body))}
        connection.request("POST", path, body[:-1], {**own, **length, **headers})

        def ended() -> int:
            connection.send(body[-1:])
            with contextlib.closing(connection):
                return connection.getresponse().status

        return ended

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, content: Any, **headers: str) -> Answer:
        return self.ask("POST", path, content, headers=headers)


def gate(service: Service, token: str | None = None, log: Log | None = None) -> Gate:
    limits = service.limits
    return gate_of(service, Access(token, limits.rate, limits.logins), log or Log())


async def ask(
    application: Any,
    method: str,
    path: str,
    content: Any = None,
    headers: Mapping[str, str] | None = None,
    *,
    client: str = "127.0.0.1",
) -> Answer:
    """One request to an application in this process (ASGI)."""
    body, own = encoded(content)
    own = {"host": "localhost:8000", "content-length": str(len(body)), **own, **(headers or {})}
    where, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": where,
        "raw_path": where.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(n.lower().encode(), v.encode("latin-1")) for n, v in own.items()],
        "client": (client, 1),
        "server": ("127.0.0.1", 8000),
    }
    parts = [body[start : start + 65536] for start in range(0, len(body), 65536)] or [b""]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if not parts:
            return {"type": "http.disconnect"}
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Any) -> None:
        sent.append(message)

    try:
        await application(scope, receive, send)
    except Exception:
        if not sent:
            raise
    first = sent[0]
    found = {name.decode(): value.decode() for name, value in first["headers"]}
    return Answer(first["status"], found, b"".join(one.get("body", b"") for one in sent[1:]))


def encoded(content: Any) -> tuple[bytes, dict[str, str]]:
    if content is None:
        return b"", {}
    if isinstance(content, bytes):
        return content, {}
    return json.dumps(content).encode(), {"Content-Type": "application/json"}


def form(request: Any, **files: bytes) -> tuple[bytes, dict[str, str]]:
    """A form with its JSON and files, and its header."""
    out = io.BytesIO()
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="request"\r\n\r\n'
    out.write(part.encode() + json.dumps(request).encode() + b"\r\n")
    for name, content in files.items():
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="/etc/passwd"\r\n'
        out.write(head.encode() + b"Content-Type: text/html\r\n\r\n" + content + b"\r\n")
    out.write(f"--{BOUNDARY}--\r\n".encode())
    return out.getvalue(), {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def media(content: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(content).decode()}


def png(seed: int = 0, size: int = 24) -> bytes:
    """A picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def together(*works: Any) -> None:
    """Runs functions in threads of their own; raises what the first of them raised."""
    errors: list[BaseException] = []

    def run(work: Any) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def until(true: Any, seconds: float = LIMIT_S) -> None:
    """Waits until it is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
