"""Access control: token, login of the page, rate limit of each client, and security headers."""

import collections
import hashlib
import hmac
import ipaddress
import time
from collections.abc import Mapping
from pathlib import Path

from weft.core.errors import WeftError
from weft.serve.refusals import RefusedError

COOKIE = "weft_session"
SESSION_SECONDS = 12 * 3600
SHORTEST_TOKEN = 16
MOST_CLIENTS = 10_000
OPEN = frozenset(
    {("GET", "/"), ("HEAD", "/"), ("GET", "/health"), ("HEAD", "/health"), ("POST", "/login")}
)
"""Paths that need no token: the page, which asks for it, and the health check."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
    "Cache-Control": "no-store",
}


class Access:
    """Admits requests. token: the secret of callers; None: only this machine may call."""

    def __init__(self, token: str | None, rate: float, logins: float) -> None:
        self.token = token
        self._key = (
            None if token is None else hashlib.sha256(b"weft session " + token.encode()).digest()
        )
        self._rates = Rates(rate, 2 * rate)
        self._logins = Rates(logins / 60, logins)

    def check(self, method: str, path: str, client: str, headers: Mapping[str, str]) -> None:
        """Raises RefusedError: 403 for a request from another site, 429 above the rate limit, 401 without token or session."""
        self._check_site(headers)
        self._rates.check(client, "requests")
        if self.token is None or (method, path) in OPEN:
            return
        scheme, _, said = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(said.strip()):
            return
        if self._is_session(headers.get("cookie", "")):
            return
        raise RefusedError(
            401,
            "expected the server's token: Authorization: Bearer TOKEN, or a login",
            {"WWW-Authenticate": "Bearer"},
        )

    def login(self, said: str, client: str, now: float | None = None) -> str:
        """Returns the Set-Cookie header of a new session. Raises RefusedError for a wrong token or too many attempts."""
        self._logins.check(client, "attempts to log in")
        if self.token is None:
            raise RefusedError(400, "this server has no token, so there is no login")
        if not self._is_token(said):
            raise RefusedError(401, "the token is not that of this server")
        ends = str(int((time.time() if now is None else now) + SESSION_SECONDS))
        return (
            f"{COOKIE}={ends}.{self._signature(ends)}; Path=/; Max-Age={SESSION_SECONDS}; "
            "HttpOnly; SameSite=Strict"
        )

    def _is_token(self, said: str) -> bool:
        return self.token is not None and hmac.compare_digest(said.encode(), self.token.encode())

    def _is_session(self, cookies: str) -> bool:
        # http.cookies reads no cookie at all if one of another server on this machine is malformed.
        pairs = (pair.strip().partition("=") for pair in cookies.split(";"))
        value = next((value for name, _, value in pairs if name == COOKIE), "")
        ends, _, signature = value.partition(".")
        signed = hmac.compare_digest(signature.encode(), self._signature(ends).encode())
        return signed and ends.isascii() and ends.isdigit() and int(ends) > time.time()

    def _signature(self, ends: str) -> str:
        return hmac.new(self._key or b"", ends.encode(), hashlib.sha256).hexdigest()

    def _check_site(self, headers: Mapping[str, str]) -> None:
        """Refuses what a page of another site sends, and, without a token, names of this machine that a foreign name server
        may have given it (DNS rebinding)."""
        host = headers.get("host", "")
        if self.token is None and not is_loopback(_name_of(host)):
            raise RefusedError(
                403, f"the host is '{host[:80]}', expected localhost: this server has no token"
            )
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            raise RefusedError(
                403, f"the request comes from the site '{origin[:80]}', expected this one"
            )
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise RefusedError(403, "the request comes from another site, expected this one")


class Rates:
    """Token bucket for each client (RFC 2697 with one colour).

    rate: requests a second, 0 for no limit. burst: requests at once.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = max(1.0, burst)
        self._left: collections.OrderedDict[str, tuple[float, float]] = collections.OrderedDict()

    def check(self, client: str, what: str, now: float | None = None) -> None:
        """Takes a token from the bucket. Raises RefusedError if none is left."""
        if not self._rate:
            return
        now = time.monotonic() if now is None else now
        left, before = self._left.pop(client, (self._burst, now))
        left = min(self._burst, left + (now - before) * self._rate)
        self._left[client] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > MOST_CLIENTS:
            self._left.popitem(last=False)
        if left < 1:
            wait = max(1, round((1 - left) / self._rate))
            raise RefusedError(
                429,
                f"too many {what} of this client, try again in {wait} s",
                {"Retry-After": str(wait)},
            )


def token_of(file: Path | None, variable: str) -> str | None:
    """Returns the token from the file, else the value of the environment variable. Raises WeftError if it is too short."""
    said, where = variable.strip(), "WEFT_TOKEN"
    if file is not None:
        where = str(file)
        try:
            said = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise WeftError(f"{file}: the token cannot be read: {reason}") from None
    elif not said:
        return None
    if len(said) < SHORTEST_TOKEN or not said.isascii() or not said.isprintable() or " " in said:
        raise WeftError(
            f"{where}: the token has {len(said)} characters, expected {SHORTEST_TOKEN} or more letters and digits"
        )
    return said


def is_loopback(host: str) -> bool:
    """Whether the address can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name_of(host: str) -> str:
    """Returns the host without its port, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
