"""Configs: frozen dataclasses beside the classes that they build.

A config is saved as JSON with the name of its class; loading accepts only config classes that live in
weft's own modules, so a file can choose among parts but never run anything else.
"""

import dataclasses
import importlib
import json
import math
import types
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from weft.core.documents import read_mapping, write_checked
from weft.core.errors import WeftError, brief, unknown_name
from weft.core.files import write_text

C = TypeVar("C", bound="Config")


@dataclasses.dataclass(frozen=True)
class Config:
    """Base of all configs. A subclass adds fields and `build()`, which returns the part it describes."""

    def replace(self, **changes: Any) -> Self:
        return dataclasses.replace(self, **changes)


def save(config: Config, path: Path | str, *, checked: bool = False) -> None:
    """Writes `config` as JSON, atomically; with a checksum where no person is to edit it (`checked`)."""
    if checked:
        write_checked(path, to_json(config), indent=2)
        return
    write_text(path, json.dumps(to_json(config), indent=2, ensure_ascii=False) + "\n")


def load(path: Path | str, expected: type[C]) -> C:
    """Reads a config that `save` wrote. Raises WeftError with file and field where it does not fit."""
    values = read_mapping(path)
    config = from_json(values, expected, where=str(path))
    if not isinstance(config, expected):
        raise WeftError(f"{path}: holds a {type(config).__name__}, expected a {expected.__name__}")
    return config


def to_json(value: Any) -> Any:
    """A config (or a value inside one) as plain JSON values."""
    if isinstance(value, Config):
        fields = {
            f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init
        }
        return {"class": f"{type(value).__module__}.{type(value).__qualname__}", **fields}
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value


def from_json(value: Any, expected: Any, where: str) -> Any:
    """The value of type `expected` that `to_json` wrote; `where` leads every error message."""
    origin, arguments = get_origin(expected), get_args(expected)
    if expected is Any:
        return value
    if origin in (Union, types.UnionType):
        return _from_union(value, arguments, where)
    if origin is Literal:
        if not any(type(value) is type(a) and value == a for a in arguments):
            known = [str(a) for a in arguments]
            raise unknown_name(f"value of {where}", str(brief(value)).strip("'"), known)
        return value
    if origin is dict:
        _require(value, dict, where)
        for key in value:
            _require(key, str, f"{where}: a key")
        return {
            key: from_json(item, arguments[1], f"{where}: {key}") for key, item in value.items()
        }
    if origin in (tuple, list):
        return _from_sequence(value, origin, arguments, where)
    if isinstance(expected, type) and issubclass(expected, Config):
        return _from_config(value, expected, where)
    if expected is Path and isinstance(value, str):
        return Path(value)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return float(_number(value, where))
    _require(value, expected, where)
    return _number(value, where) if isinstance(value, int | float) else value


def check_numbers(value: Any, where: str) -> None:
    """Raises WeftError where a number inside a config is not finite or has more than 64 bits."""
    if isinstance(value, Config):
        for f in dataclasses.fields(value):
            check_numbers(getattr(value, f.name), f"{where}.{f.name}" if where else f.name)
    elif isinstance(value, dict):
        for key, item in value.items():
            check_numbers(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            check_numbers(item, f"{where}[{place}]")
    elif isinstance(value, int | float):
        _number(value, where)


def _number(value: Any, where: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise WeftError(f"{where}: is {value}, expected a finite number")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise WeftError(f"{where}: is {brief(value)}, expected a number of at most 64 bits")
    return value


def apply(config: C, changes: dict[str, Any], where: str) -> C:
    """`config` with the nested mapping `changes` laid over it, as a YAML starting point does.

    A mapping without "class" changes single fields of the config or dict that is there.
    """
    hints = get_type_hints(type(config))
    replaced: dict[str, Any] = {}
    for name, change in changes.items():
        _require(name, str, f"{where}: a key")
        if name not in hints:
            raise _unknown_field(name, type(config), where)
        replaced[name] = _changed(getattr(config, name), change, hints[name], f"{where}: {name}")
    try:
        return config.replace(**replaced)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise WeftError(f"{where}: {error}") from None


def _changed(current: Any, change: Any, hint: Any, where: str) -> Any:
    if not isinstance(change, dict) or "class" in change:
        return from_json(change, hint, where)
    if isinstance(current, Config):
        return apply(current, change, where)
    if isinstance(current, dict):
        item_hint = get_args(hint)[1] if get_args(hint) else Any
        merged = dict(current)
        for key, item in change.items():
            merged[key] = _changed(current.get(key), item, item_hint, f"{where}: {key}")
        return merged
    return from_json(change, hint, where)


def _from_config(value: Any, expected: type[Config], where: str) -> Config:
    _require(value, dict, where)
    name = value.get("class")
    cls = expected if name is None else config_class(name, where)
    if not issubclass(cls, expected):
        raise WeftError(f"{where}: class {cls.__name__} does not fit, expected {expected.__name__}")
    hints = get_type_hints(cls)
    fields = {f.name for f in dataclasses.fields(cls) if f.init}
    arguments: dict[str, Any] = {}
    for key, item in value.items():
        if key == "class":
            continue
        if key not in fields:
            raise _unknown_field(key, cls, where)
        arguments[key] = from_json(item, hints[key], f"{where}: {key}")
    try:
        return cls(**arguments)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise WeftError(f"{where}: {error}") from None


def config_class(name: Any, where: str) -> type[Config]:
    """The config class of that full name, from weft's own modules only."""
    module_name, _, class_name = str(name).rpartition(".")
    if module_name == "weft" or module_name.startswith("weft."):
        try:
            found = vars(importlib.import_module(module_name)).get(class_name)
        except ModuleNotFoundError:
            found = None
        if (
            isinstance(found, type)
            and issubclass(found, Config)
            and found.__module__ == module_name
        ):
            return found
    raise WeftError(f"{where}: {brief(name)} is not the name of a config class of weft")


def _from_union(value: Any, arguments: tuple[Any, ...], where: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    errors: list[WeftError] = []
    for argument in arguments:
        if argument is not type(None):
            try:
                return from_json(value, argument, where)
            except WeftError as error:
                errors.append(error)
    raise errors[0]


def _from_sequence(value: Any, origin: type, arguments: tuple[Any, ...], where: str) -> Any:
    _require(value, (list, tuple), where)
    if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        if len(value) != len(arguments):
            raise WeftError(f"{where}: has {len(value)} values, expected {len(arguments)}")
        hints = list(arguments)
    else:
        hints = [arguments[0]] * len(value)
    return origin(
        from_json(v, h, f"{where}: [{i}]")
        for i, (v, h) in enumerate(zip(value, hints, strict=True))
    )


def _require(value: Any, expected: Any, where: str) -> None:
    wrong_bool = isinstance(value, bool) and expected in (int, float)
    if not isinstance(value, expected) or wrong_bool:
        names = expected if isinstance(expected, tuple) else (expected,)
        wanted = " or ".join(t.__name__ for t in names)
        raise WeftError(f"{where}: got {brief(value)} ({type(value).__name__}), expected {wanted}")


def _unknown_field(name: str, cls: type[Config], where: str) -> WeftError:
    known = [f.name for f in dataclasses.fields(cls) if f.init]
    return unknown_name(f"setting of {cls.__name__} in {where}", name, known)
