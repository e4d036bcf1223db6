"""Reads JSON and YAML from files that may be damaged or hostile, with limits.

A document has at most `LARGEST` bytes and at most `DEEPEST` levels of nesting. No key appears twice in a mapping,
and every key is a string. A YAML alias counts as the values that it refers to.
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from weft.core.errors import WeftError, brief
from weft.core.files import read_file, write_text

LARGEST = 64 * 2**20
"""Bytes of a JSON file. As Python values they take up to 20 times as much memory."""
LARGEST_YAML = 2**20
DEEPEST = 64
MOST_VALUES = 100_000
"""Values of a YAML file after its aliases are expanded."""
CHECKSUM = "#checksum"
"""The key under which `write_checked` stores the checksum of all other keys."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KEYS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")


def parse_json(data: bytes | str, where: str) -> Any:
    """The JSON value in `data`. Raises WeftError, one line that begins with `where`."""
    try:
        value = json.loads(data, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise WeftError(f"{where}:{error.lineno}: is not JSON: {error.msg}") from None
    except UnicodeDecodeError:
        raise WeftError(f"{where}: is not JSON: it is not UTF-8 text") from None
    except RecursionError:
        raise WeftError(f"{where}: is nested more than {DEEPEST} deep") from None
    except ValueError as error:  # a duplicate key, or a number of thousands of digits
        raise WeftError(f"{where}: is not JSON that can be read: {error}") from None
    _check_depth(value, where)
    return value


def parse_yaml(text: str, where: str) -> Any:
    """The YAML value in `text`. Raises WeftError, one line that begins with `where`."""
    try:
        _Events(where).check(text)
        return yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise WeftError(f"{where}{line}: is not YAML: {reason}") from None
    except (ValueError, OverflowError) as error:  # 2020-13-45, or thousands of digits
        raise WeftError(f"{where}: is not YAML that can be read: {brief(str(error))}") from None


def read_json(path: Path | str, largest: int = LARGEST) -> Any:
    """Reads the JSON value of a file of at most `largest` bytes. Raises WeftError that names the file."""
    return parse_json(_read(path, largest), str(path))


def read_mapping(path: Path | str, largest: int = LARGEST) -> dict[str, Any]:
    """Reads a JSON or YAML file that holds one mapping, and checks its checksum if it has one."""
    path = Path(path)
    if path.suffix == ".json":
        values = read_json(path, largest)
    else:
        values = parse_yaml(_text(_read(path, min(largest, LARGEST_YAML)), path), str(path))
    if not isinstance(values, dict):
        raise WeftError(f"{path}: holds a {type(values).__name__}, expected a mapping")
    kept = values.pop(CHECKSUM, None)
    if kept is not None and kept != checksum(values):
        raise WeftError(
            f"{path}: is damaged or was edited: its checksum is {checksum(values)}, expected {brief(kept)}"
        )
    return values


def write_checked(
    path: Path | str, values: Mapping[str, Any], *, indent: int | None = None
) -> None:
    """Writes a mapping as JSON, atomically, with a checksum that `read_mapping` checks."""
    plain = json.loads(json.dumps(values))
    text = json.dumps({**plain, CHECKSUM: checksum(plain)}, indent=indent, ensure_ascii=False)
    write_text(path, text + "\n")


def checksum(values: Any) -> str:
    """CRC-32 of a JSON value: it detects damage, not deliberate forgery."""
    return f"crc32:{zlib.crc32(json.dumps(values, sort_keys=True).encode()):08x}"


def _read(path: Path | str, largest: int) -> bytes:
    try:
        return read_file(path, largest)
    except FileNotFoundError:
        raise WeftError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise WeftError(f"{path}: cannot be read: {getattr(error, 'strerror', error)}") from None


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise WeftError(f"{path}:{line}: is not UTF-8 text") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {brief(twice)} stands twice in one mapping")
    return found


def _check_depth(value: Any, where: str) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            child
            for one in level
            if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise WeftError(f"{where}: is nested more than {DEEPEST} deep")


class _Open:
    """A mapping or sequence that is still open: its anchor, the values in it so far, its keys."""

    def __init__(self, event: Any) -> None:
        self.anchor: str | None = event.anchor
        self.size = 1
        self.keys: set[str] | None = set() if isinstance(event, yaml.MappingStartEvent) else None
        self.key_next = self.keys is not None


class _Events:
    """Checks the events of a YAML text before any value is made from them."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._open: list[_Open] = []
        self._sizes: dict[str, int] = {}
        self._resolver: Any = yaml.resolver.Resolver()

    def check(self, text: str) -> None:
        """Raises WeftError with the line if a limit is exceeded or a key is not a string."""
        for event in yaml.parse(text, Loader=_LOADER):
            mark: Any = event.start_mark
            line = mark.line + 1
            if isinstance(event, yaml.CollectionStartEvent):
                self._key(None, line)
                self._open.append(_Open(event))
                if len(self._open) > DEEPEST:
                    raise self._error(line, f"is nested more than {DEEPEST} deep")
            elif isinstance(event, yaml.CollectionEndEvent):
                done = self._open.pop()
                self._add(done.size, done.anchor, line)
            elif isinstance(event, yaml.ScalarEvent):
                self._key(event, line)
                self._add(1, event.anchor, line)
            elif isinstance(event, yaml.AliasEvent):
                self._key(None, line)
                if event.anchor not in self._sizes:
                    raise self._error(line, f"the alias *{event.anchor} stands for nothing")
                self._add(self._sizes[event.anchor], None, line)

    def _key(self, event: Any, line: int) -> None:
        """Checks an event in the position of a key."""
        place = self._open[-1] if self._open else None
        if place is None or place.keys is None:
            return
        place.key_next, is_key = not place.key_next, place.key_next
        if not is_key:
            return
        name = None if event is None else event.value
        if name is None or self._tag(event) not in _KEYS:
            raise self._error(
                line, f"the key {'of a mapping' if name is None else brief(name)} is no string"
            )
        if name in place.keys:
            raise self._error(line, f"the key {brief(name)} stands twice in one mapping")
        place.keys.add(name)

    def _tag(self, event: Any) -> str:
        if event.tag is not None:
            return str(event.tag)
        found = self._resolver.resolve(yaml.ScalarNode, event.value, event.implicit)
        return str(found)

    def _add(self, size: int, anchor: str | None, line: int) -> None:
        if anchor is not None:
            self._sizes[anchor] = size
        if self._open:
            self._open[-1].size += size
            if self._open[-1].size > MOST_VALUES:
                raise self._error(line, f"holds more than {MOST_VALUES:,} values")

    def _error(self, line: int, message: str) -> WeftError:
        return WeftError(f"{self._where}:{line}: {message}")
