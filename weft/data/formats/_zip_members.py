"""Members of zip archives, as places of Media."""

import functools
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from weft.core.errors import WeftError
from weft.core.files import open_file
from weft.core.places import file_changed, file_stamp


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A file in a zip archive. The archive stays open for the next file."""

    archive: Path
    name: str

    def load(self, limit: int) -> bytes:
        try:
            with _opened(self.archive).open(self.name) as member:
                data = member.read(limit + 1)
        except KeyError:
            raise WeftError(f"the archive {self.archive.name} has no {self.name}") from None
        except Exception as error:  # damaged archives make zipfile and zlib raise nearly anything
            raise WeftError(f"{self} cannot be read: {error}") from None
        if len(data) > limit:
            raise WeftError(f"{self} holds more than the limit of {limit:,} bytes")
        return data

    def open(self) -> BinaryIO:
        try:
            return cast(BinaryIO, _opened(self.archive).open(self.name))
        except KeyError:
            raise WeftError(f"the archive {self.archive.name} has no {self.name}") from None
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise WeftError(f"{self} cannot be read: {error}") from None

    def size(self) -> int | None:
        try:
            return _opened(self.archive).getinfo(self.name).file_size
        except (KeyError, OSError, zipfile.BadZipFile):
            return None

    def stamp(self, *, times: bool) -> str:
        return f"{file_stamp(self.archive, times=times)} {self.name}"

    def changed(self) -> int:
        return file_changed(self.archive)

    def __str__(self) -> str:
        return f"{self.archive}:{self.name}"


def _opened(archive: Path) -> zipfile.ZipFile:
    return _open(archive, file_stamp(archive, times=True))


@functools.lru_cache(maxsize=8)
def _open(archive: Path, stamp: str) -> zipfile.ZipFile:  # noqa: ARG001
    open_file(archive).close()  # refuses a pipe, at which zipfile would wait
    return zipfile.ZipFile(archive)
