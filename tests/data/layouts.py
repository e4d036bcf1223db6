"""What the tests of the published layouts share."""

import json
from pathlib import Path
from typing import Any

import pytest

from weft.core.errors import DataError, WeftError
from weft.data.formats import open_dataset


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"\xff\xd8\xff")


def errors_of(path: Path, format: str | None = None) -> list[str]:
    """The errors of all rows; the strict way must raise the first of them."""
    errors: list[DataError] = []
    open_dataset(path, format=format, on_error=errors.append)
    with pytest.raises(WeftError) as raised:
        open_dataset(path, format=format)
    assert str(raised.value) == str(errors[0])
    return [str(error) for error in errors]
