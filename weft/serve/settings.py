"""What the server lets in, and how long it works on it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Of one request, and of all that are being answered. What is above is refused, with the limit named."""

    body_bytes: int = 32 << 20
    """Bytes of a request's body."""
    bodies_bytes: int = 256 << 20
    """Bytes of the bodies of all requests that are being read or answered."""
    pixels: int = 64_000_000
    """Of a picture, and of a frame of a video."""
    seconds: float = 600.0
    """Of a sound or a video."""
    characters: int = 20_000
    """Of a text."""
    array_numbers: int = 16_000_000
    """Of an array."""
    values: int = 256
    """Values of a stream, ids, and items of one request."""
    waiting: int = 128
    """Requests that wait for the model; further ones get 429."""
    requests: int = 512
    """Requests that are being read or answered; further ones get 429."""
    answer_seconds: float = 60.0
    """Until an answer; a later one is given up (504)."""
    read_seconds: float = 30.0
    """Until the body has come; a slower one is given up (408)."""
    drawn: int = 16
    """Values that one request may have drawn."""
    steps: int = 256
    """Of drawing."""
    answers: int = 1000
    """Answers, or hits, of one request (k)."""
    rate: float = 200.0
    """Requests a second of one client, twice as many at once; 0 is no limit."""
    logins: float = 10.0
    """Attempts a minute of one client to log in."""


TOKENS, NUMBERS = 1024, 2 << 20
"""Of one call of the model: tokens of texts, and numbers of pictures, sounds and videos, both padded. On two cores more
brings no throughput and makes others wait."""
GATHER_SECONDS = 0.002
"""The model waits at most so long for requests that are being read, to answer them together."""
