"""Limits of the server."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of one request and of all requests together. A request above a limit is refused, and the answer names the limit."""

    body_bytes: int = 32 << 20
    """Maximum bytes of a request's body."""
    bodies_bytes: int = 256 << 20
    """Maximum bytes of the bodies of all requests that are being read or answered."""
    pixels: int = 64_000_000
    """Maximum pixels of a picture or of a frame of a video."""
    seconds: float = 600.0
    """Maximum seconds of a sound or a video."""
    characters: int = 20_000
    """Maximum characters of a text."""
    array_numbers: int = 16_000_000
    """Maximum numbers in an array."""
    values: int = 256
    """Maximum values of a stream, ids, or items of one request."""
    waiting: int = 128
    """Maximum requests that wait for the model; further ones get 429."""
    requests: int = 512
    """Maximum requests that are being read or answered; further ones get 429."""
    answer_seconds: float = 60.0
    """Maximum seconds until the answer; after them the request gets 504."""
    read_seconds: float = 30.0
    """Maximum seconds until the body has arrived; after them the request gets 408."""
    drawn: int = 16
    """Maximum values that one request may have generated."""
    steps: int = 256
    """Maximum steps of generation."""
    answers: int = 1000
    """Maximum answers or hits of one request (k)."""
    rate: float = 200.0
    """Maximum requests a second of one client, and twice as many at once; 0 for no limit."""
    logins: float = 10.0
    """Maximum login attempts a minute of one client."""


TOKENS, NUMBERS = 1024, 2 << 20
"""Maximum tokens of texts, and numbers of pictures, sounds and videos, in one call of the model, both with padding. On two
cores larger calls bring no throughput and make other requests wait."""
GATHER_SECONDS = 0.002
"""Maximum seconds that the model waits for requests that are being read, to answer them in one call."""
