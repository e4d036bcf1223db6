"""Uploads that mean no good, and requests that name files and addresses: refused, and nothing is opened or fetched."""

import asyncio
import io
import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from asking import Answer, ask, form, gate, media
from hostile import uploads

from weft.serve.service import Service

WATCHED = ("open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system")


class Watch:
    """What this process opens, asks and starts while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[tuple[str, Any]] = []
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: Any) -> None:
        if self.on and event in WATCHED:
            self.seen.append((event, arguments[0] if event == "open" else arguments))


@pytest.fixture(scope="module")
def watch() -> Watch:
    """An audit hook stays for ever, so there is one."""
    return Watch()


def post(service: Service, path: str, content: Any, headers: Any = None) -> Answer:
    return asyncio.run(ask(gate(service), "POST", path, content, headers))


def test_hostile_uploads_are_refused_and_the_next_one_is_answered(service: Service) -> None:
    local = gate(service)
    statuses: dict[int, int] = {}

    async def all_of_them() -> None:
        for number, (kind, content) in enumerate(uploads(200)):
            run, stream, path = (
                ("speech", "audio", "/transcribe")
                if number % 7 == 3
                else ("scenes", "image", "/embed")
            )
            if number % 2:
                body, headers = form({"run": run}, **{stream: content})
                found = await ask(local, "POST", path, body, headers)
            else:
                body_of = {"run": run, "values": {stream: media(content)}}
                found = await ask(local, "POST", path, body_of)
            assert found.status in (200, 400, 413, 415, 422), (kind, content[:80], found)
            statuses[found.status] = statuses.get(found.status, 0) + 1

    asyncio.run(all_of_them())
    assert {400, 413, 415} <= set(statuses)
    assert post(service, "/embed", {"values": {"text": "a dog"}}).status == 200


PLACES = (
    "/etc/passwd",
    "file:///etc/passwd",
    "../../../../etc/passwd",
    "http://127.0.0.1:9/x.png",
    "https://example.com/x.png",
    "ftp://127.0.0.1/x",
    "s3://bucket/x",
    "hf://datasets/x",
    "\\\\server\\share\\x",
    "data:image/png;base64,AAAA",
    "concat:/etc/passwd",
    "/dev/zero",
)


def test_no_path_is_opened_and_no_address_fetched(service: Service, watch: Watch) -> None:
    local, secret = gate(service), Path(__file__)

    def post(path: str, content: Any, headers: Any = None) -> Answer:
        return asyncio.run(ask(local, "POST", path, content, headers))

    watch.on = True
    for place in (*PLACES, str(secret)):
        for value in (
            place,
            {"path": place},
            {"bytes": None, "path": place},
            {"base64": place},
            {"url": place},
            [place],
            [[place]],
        ):
            for run, stream, path in (
                ("scenes", "image", "/embed"),
                ("speech", "audio", "/transcribe"),
                ("both", "image", "/caption"),
            ):
                found = post(path, {"run": run, "values": {stream: value}})
                assert found.status in (400, 413, 415, 422), (value, found.body)
        post("/search", {"query": [{"stream": "image", "value": place}]})
        post("/search", {"like": [{"id": place}]})
        post("/embed", {"run": place, "values": {"text": "x"}})
        post("/embed", {"values": {"text": place}})
        post("/predict", {"run": "dialog", "head": place, "values": {"question": place}})
        asyncio.run(ask(local, "GET", f"/items/{place}?run=scenes"))
    body, headers = form({}, image=b"#EXTM3U\nhttp://127.0.0.1/x.ts\n")  # its name is /etc/passwd
    post("/embed", body, headers)
    watch.on = False
    opened = [name for event, name in watch.seen if event == "open" and isinstance(name, str)]
    own = (
        str(Path(sys.prefix)),
        str(Path(sys.base_prefix)),
        str(Path(__file__).parents[2] / "weft"),
    )
    assert [name for name in opened if not name.startswith(own) and "index" not in name] == []
    assert not any(any(place in str(name) for place in PLACES) for name in opened)
    assert [event for event, _ in watch.seen if event != "open"] == []


def test_damaged_sounds_print_nothing(service: Service, capfd: pytest.CaptureFixture[str]) -> None:
    local, generator = gate(service), random.Random(0)
    for number in range(60):
        out = io.BytesIO()
        kind = ("WAV", "FLAC", "OGG", "AIFF", "MP3", "CAF")[number % 6]
        soundfile.write(out, np.zeros(4000, np.float32), 8000, format=kind)
        content = bytearray(out.getvalue())
        for _ in range(generator.choice((1, 5, 50))):
            content[generator.randrange(min(200, len(content)))] = generator.randrange(256)
        asked = {"run": "speech", "values": {"audio": media(bytes(content))}}
        found = asyncio.run(ask(local, "POST", "/transcribe", asked))
        assert found.status in (200, 400, 413, 415)
    assert capfd.readouterr().err == ""


def test_a_script_in_a_text_stays_a_text(service: Service) -> None:
    text = "<script>alert(1)</script>"
    found = post(service, "/search", {"query": [{"stream": "text", "value": text}], "k": 1})
    assert found.headers["content-type"] == "application/json"
    assert found.headers["x-content-type-options"] == "nosniff"
    found = post(service, "/embed", {"run": text, "values": {"text": text}})
    assert found.headers["content-type"] == "application/json"
    assert json.loads(found.body)["error"].startswith("unknown run")
