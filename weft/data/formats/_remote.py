"""Reads tar shards by ranged requests from any address that fsspec supports (s3://, gs://, http://, ...).

Each sample is one request. A failing store or connection raises WeftError after a few tries and stops the run. It is
no fault of the rows, so no error policy leaves rows out because of it.
"""

import functools
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from weft.core.errors import MissingExtraError, WeftError

TRIES, PAUSE = 4, 0.5
"""Number of tries for a range, and seconds before the second try; each further pause doubles."""
EXTRA = {"s3": "s3fs", "s3a": "s3fs", "http": "aiohttp", "https": "aiohttp"}
"""Scheme -> the package of the extra that reads it. For other stores fsspec names the package."""
SCHEMES = (*EXTRA, "gs", "gcs", "az", "abfs", "abfss", "hf", "memory")
"""Accepted schemes. fsspec knows others that open local files, archives or other programs."""
# One letter before the colon is a drive. A Path keeps only one slash of an address's two.
_ADDRESS = re.compile(r"(?!file:)([a-z][a-z0-9+.:-]+):/+(.*)", re.DOTALL)
_ACCOUNTS = ("abfs", "abfss")
"""Schemes whose addresses have a container, not a user name, before the @."""


def address_of(path: Path | str) -> str | None:
    """Returns `scheme://rest` if `path` is an address, also one that went through a Path; else None.

    Raises WeftError for an unsupported scheme, and for an address with a user name, password or key, which must not
    get into a message, a log or a run.
    """
    found = _ADDRESS.fullmatch(str(path))
    if found is None:
        return None
    scheme, rest = found[1], found[2]
    host = rest.partition("/")[0]
    named, _, port = host.rpartition("@")[2].partition(":")
    if ("@" in host and (scheme not in _ACCOUNTS or ":" in host)) or not (port or "0").isdigit():
        shown = f"{rest.rpartition('@')[2].partition('?')[0]}" if "@" in rest else named
        raise WeftError(
            f"{scheme}://{shown}: the address contains a user name or a password, which would be saved in the run: "
            "leave them out, and write them where the store's client looks for them (~/.netrc, ~/.aws, ...)"
        )
    if scheme not in SCHEMES:
        known = ", ".join(SCHEMES)
        raise WeftError(
            f"{scheme}://{rest}: '{scheme}' addresses cannot be read, expected one of {known}"
        )
    if "?" in rest and scheme.startswith("http"):
        shown = f"{scheme}://{rest.partition('?')[0]}"
        raise WeftError(
            f"{shown}: has a query after '?', which may contain a secret key: give the address without it"
        )
    return f"{scheme}://{rest}"


class RemoteFile:
    """A file in a store, with the parts of Path's interface that reading a shard needs."""

    def __init__(self, filesystem: Any, path: str, size: int) -> None:
        self._filesystem = filesystem
        self._path = path
        self.size = size
        self.address = str(filesystem.unstrip_protocol(path))
        self.parent = PurePosixPath(path).parent
        self.stem = PurePosixPath(path).stem

    def __str__(self) -> str:
        return self.address

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemoteFile) and self.address == other.address

    def __hash__(self) -> int:
        return hash(self.address)

    @functools.cached_property
    def version(self) -> str:
        """Returns a string that changes with the content: the store's tag, time or size, whichever exists."""
        with _said_of(self.address):
            return str(self._filesystem.ukey(self._path))

    def open(self) -> IO[bytes]:
        """Opens the file for sequential reading with skips."""
        with _said_of(self.address):
            opened: IO[bytes] = self._filesystem.open(self._path, "rb", block_size=1 << 20)
            return opened

    def beside(self, suffix: str) -> bytes | None:
        """Returns the content of the file whose name has this suffix added, or None if there is none."""
        with _said_of(self.address):
            try:
                data: bytes = self._filesystem.cat_file(self._path + suffix)
            except (FileNotFoundError, PermissionError):  # S3: 403 if listing is denied
                return None
            return data

    def read(self, start: int, stop: int) -> bytes:
        """Returns the bytes from start to stop, after at most a few tries. Raises WeftError."""
        for trial in range(TRIES):
            try:
                with _said_of(self.address):
                    data: bytes = self._filesystem.cat_file(self._path, start=start, end=stop)
                break
            except WeftError:
                if trial + 1 == TRIES:
                    raise
                time.sleep(PAUSE * 2**trial)
        if len(data) > stop - start:
            raise WeftError(
                f"{self.address}: the server sends whole files only, expected one that supports range requests"
            )
        return data


def remote_file(address: str) -> RemoteFile | None:
    """Returns the file at an address; None if `address` is a path. Raises WeftError if it does not exist."""
    if address_of(address) is None:
        return None
    filesystem, path = _filesystem(address)
    with _said_of(address):
        return RemoteFile(filesystem, path, int(filesystem.info(path)["size"] or 0))


def remote_shards(address: str, patterns: Sequence[str]) -> list[RemoteFile]:
    """Returns the shards at `address`: all in a folder, or for a .tar address those named in `patterns`.

    Raises WeftError if there are none, or the store cannot be read.
    """
    filesystem, path = _filesystem(address)
    with _said_of(address):
        if path.lower().endswith(".tar"):
            places = [filesystem._strip_protocol(pattern) for pattern in patterns]
            found = [filesystem.info(place) for place in places]
        else:
            listed = filesystem.ls(path, detail=True)
            found = [info for info in listed if info["name"].lower().endswith(".tar")]
        files = [RemoteFile(filesystem, info["name"], int(info["size"] or 0)) for info in found]
    if not files:
        raise WeftError(f"{address}: holds {len(listed)} files and no .tar shard")
    return sorted(files, key=str)


def _filesystem(address: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ModuleNotFoundError:
        raise MissingExtraError("fsspec", extra="remote", purpose=f"{address}") from None
    scheme = address.partition(":")[0]
    try:
        with _said_of(address):
            # Name and password for a server come from ~/.netrc, its proxy from the environment.
            options = {"client_kwargs": {"trust_env": True}} if scheme.startswith("http") else {}
            filesystem, path = fsspec.core.url_to_fs(address, **options)
    except ImportError as error:
        if scheme in EXTRA:
            raise MissingExtraError(EXTRA[scheme], extra="remote", purpose=address) from None
        raise WeftError(f"{address}: {_line(error)}") from None
    return filesystem, str(path)


@contextmanager
def _said_of(address: str) -> Iterator[None]:
    """Turns any exception of a store's client, each of which has its own kinds, into an error of one line."""
    try:
        yield
    except (WeftError, ImportError):
        raise
    except FileNotFoundError:
        raise WeftError(f"{address}: no such file, folder or bucket") from None
    except PermissionError as error:
        raise WeftError(f"{address}: access is denied ({_line(error)})") from None
    except Exception as error:
        raise WeftError(f"{address}: cannot be read: {_line(error)}") from error


def _line(error: Exception) -> str:
    """Returns an error's message as one line."""
    return " ".join(str(error).split()) or type(error).__name__
