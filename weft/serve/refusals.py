"""What a request is answered that cannot be answered: a status code and one sentence."""

from collections.abc import Mapping

from weft.core.errors import MissingExtraError, WeftError
from weft.index.database import IndexFileError

LONGEST = 1000
"""Characters of a message: a name that a request says may be as long as its body."""


class RefusedError(Exception):
    """status: of HTTP. The message says what, got, expected."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        message = message if len(message) <= LONGEST else f"{message[:LONGEST]}..."
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def busy(seconds: float, what: str) -> RefusedError:
    """429. seconds: after which it is worth another try."""
    wait = max(1, round(seconds))
    return RefusedError(429, f"{what}; try again in {wait} s", {"Retry-After": str(wait)})


def checked(count: int, what: str, most: int) -> int:
    """The count. Raises RefusedError above the limit."""
    if count > most:
        raise RefusedError(413, f"{what} is {count:,}, expected at most {most:,}")
    return count


def refusal_of(error: BaseException) -> RefusedError | None:
    """How an error of the library is said to a caller; None where it is one that nobody foresaw."""
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
