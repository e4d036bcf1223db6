"""Who may ask: tokens, sessions, sites, rates, and what a request may bring."""

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from asking import Answer, ask, gate, media, png

from weft.core.errors import WeftError
from weft.serve.refusals import RefusedError
from weft.serve.security import Access, Rates, is_loopback, token_of
from weft.serve.service import Service

TOKEN = "correct-horse-battery"


def asked(application: Any, method: str, path: str, content: Any = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(ask(application, method, path, content, named))


def test_without_the_token_only_the_page_and_health(service: Service) -> None:
    guarded = gate(service, TOKEN)
    assert asked(guarded, "GET", "/").status == 200
    assert asked(guarded, "GET", "/health").status == 200
    for path in ("/runs", "/metrics", "/openapi.json", "/items/1", "/nothing"):
        found = asked(guarded, "GET", path)
        assert found.status == 401
        assert "token" in found.error
        assert found.headers["www-authenticate"] == "Bearer"
    assert asked(guarded, "GET", "/runs", authorization=f"Bearer {TOKEN}x").status == 401
    assert asked(guarded, "GET", "/runs", authorization=TOKEN).status == 401
    assert asked(guarded, "GET", "/runs", authorization=f"Bearer {TOKEN}").status == 200
    assert asked(guarded, "GET", "/runs", authorization=f"Bearer {TOKEN}\xff").status == 401


def test_a_session_of_the_page(service: Service) -> None:
    guarded = gate(service, TOKEN)
    assert asked(guarded, "POST", "/login", {"token": "wrong"}).status == 401
    found = asked(guarded, "POST", "/login", {"token": TOKEN})
    cookie = found.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    session = cookie.partition(";")[0]
    assert asked(guarded, "GET", "/runs", cookie=session).status == 200
    name, _, value = session.partition("=")
    ends, _, signature = value.partition(".")
    others = f'of_another={{"a": 1}}; {session}; last="x'
    assert asked(guarded, "GET", "/runs", cookie=others).status == 200
    for forged in (f"{int(ends) + 1}.{signature}", f"{ends}.{signature[:-1]}", ".", "x", ends):
        assert asked(guarded, "GET", "/runs", cookie=f"{name}={forged}").status == 401
    past = Access(TOKEN, 0, 0).login(TOKEN, "me", now=0.0).partition(";")[0]
    assert asked(guarded, "GET", "/runs", cookie=past).status == 401


def test_guessing_is_slow(service: Service) -> None:
    guarded = gate(service, TOKEN)
    found = [asked(guarded, "POST", "/login", {"token": f"guess {n}"}) for n in range(12)]
    assert [one.status for one in found[:10]] == [401] * 10
    assert found[11].status == 429
    assert int(found[11].headers["retry-after"]) >= 1


def test_names_of_this_machine_alone(service: Service) -> None:
    local = gate(service)
    for host in ("localhost", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:1", "127.0.0.2:80"):
        assert asked(local, "GET", "/runs", host=host).status == 200
    for host in ("evil.example", "127.0.0.1.evil.example", "", "localhost.evil:8000", "10.0.0.1"):
        found = asked(local, "GET", "/runs", host=host)
        assert (found.status, "localhost" in found.error) == (403, True)
    assert asked(gate(service, TOKEN), "GET", "/", host="weft.example").status == 200


def test_pages_of_other_sites_ask_nothing(service: Service) -> None:
    local = gate(service)
    body = {"values": {"text": "a dog"}}
    own = "http://localhost:8000"
    assert asked(local, "POST", "/embed", body, origin=own).status == 200
    for origin in ("http://evil.example", "null", "http://localhost:9"):
        assert asked(local, "POST", "/embed", body, origin=origin).status == 403
    for site in ("cross-site", "same-site"):
        assert asked(local, "POST", "/embed", body, sec_fetch_site=site).status == 403
    assert asked(local, "POST", "/embed", body, sec_fetch_site="same-origin").status == 200


def test_a_client_that_asks_too_often(service: Service) -> None:
    service.limits = dataclasses.replace(service.limits, rate=2)
    local = gate(service)
    statuses = [asked(local, "GET", "/health").status for _ in range(8)]
    assert statuses[:4] == [200] * 4
    assert statuses[-1] == 429

    async def other() -> Answer:
        return await ask(local, "GET", "/health", client="127.0.0.2")

    assert asyncio.run(other()).status == 200


def test_rates_come_back_with_time() -> None:
    rates = Rates(2, 2)
    rates.check("a", "requests", now=0)
    rates.check("a", "requests", now=0)
    with pytest.raises(RefusedError, match="too many requests"):
        rates.check("a", "requests", now=0.4)
    rates.check("a", "requests", now=0.5)


def test_bodies_that_are_too_large(service: Service) -> None:
    service.limits = dataclasses.replace(service.limits, body_bytes=1000)
    local = gate(service)
    found = asked(local, "POST", "/embed", {"values": {"text": "x" * 2000}})
    assert (found.status, found.headers["connection"]) == (413, "close")
    # Chunked: nothing says how much comes.
    content = b'{"values": {"text": "' + b"x" * 300_000 + b'"}}'
    found = asked(
        local, "POST", "/embed", content, content_type="application/json", content_length=""
    )
    assert found.status == 413
    found = asked(local, "POST", "/embed", b"{}", content_length="many")
    assert found.status == 400


def test_memory_for_all_bodies_together(service: Service) -> None:
    service.limits = dataclasses.replace(service.limits, bodies_bytes=100)
    found = asked(gate(service), "POST", "/embed", {"values": {"image": media(png())}})
    assert found.status == 429
    assert "retry-after" in found.headers


def test_a_body_that_never_comes(service: Service) -> None:
    service.limits = dataclasses.replace(service.limits, read_seconds=0.05)
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/embed",
        "raw_path": b"/embed",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
    }
    asyncio.run(gate(service)(scope, receive, send))
    assert sent[0]["status"] == 408


def test_tokens_come_from_a_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert token_of(file, "") == TOKEN
    assert token_of(None, TOKEN) == TOKEN
    assert token_of(None, "") is None
    for bad in ("short", "", "with a space in it", "ü" * 20):
        file.write_text(bad)
        with pytest.raises(WeftError, match="token has"):
            token_of(file, "")
    with pytest.raises(WeftError, match="cannot be read: No such file"):
        token_of(tmp_path / "none", "")


def test_addresses_of_this_machine_alone() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.0.1", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.1", "example.com", "")))
