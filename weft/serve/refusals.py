"""Refusals of requests: a status code and one sentence."""

from collections.abc import Mapping

from weft.core.errors import MissingExtraError, WeftError
from weft.index.database import IndexFileError

LONGEST = 1000
"""Maximum characters of a message. It may quote a name from the request that is as long as the body."""


class RefusedError(Exception):
    """A refused request. status: of HTTP. The message says what was wrong, what was got and what was expected."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        message = message if len(message) <= LONGEST else f"{message[:LONGEST]}..."
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def busy(seconds: float, what: str) -> RefusedError:
    """Returns a refusal with status 429. seconds: suggested waiting time before the next attempt."""
    wait = max(1, round(seconds))
    return RefusedError(429, f"{what}; try again in {wait} s", {"Retry-After": str(wait)})


def checked(count: int, what: str, most: int) -> int:
    """Returns the count. Raises RefusedError if it is above the limit."""
    if count > most:
        raise RefusedError(413, f"{what} is {count:,}, expected at most {most:,}")
    return count


def refusal_of(error: BaseException) -> RefusedError | None:
    """Returns the refusal for an error of the library; None for an unforeseen error."""
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, MissingExtraError):
        return RefusedError(415, str(error))
    if isinstance(error, IndexFileError):
        return RefusedError(500, str(error))
    if isinstance(error, WeftError | ValueError):
        return RefusedError(400, " ".join(str(error).split()))
    if isinstance(error, MemoryError) or "tried to allocate" in str(error).lower():
        return RefusedError(413, "there is not enough memory for this request")
    return None
