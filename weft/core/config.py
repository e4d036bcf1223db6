"""Configs: frozen dataclasses beside the classes that they build.

A config is saved as JSON with the name of its class; loading accepts only config classes of weft's own
modules and of those that a person has named (`weft.core.trust`), so a file can choose among parts but
never run anything else.
"""

import dataclasses
import json
import math
import types
from collections.abc import Mapping
from pathlib import Path
from typing import (
    Any,
    ClassVar,
    Generic,
    Literal,
    Self,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from weft.core.documents import read_mapping, write_checked
from weft.core.errors import WeftError, brief, unknown_name
from weft.core.files import write_text
from weft.core.trust import class_named, is_trusted, module_of, trust_modules

C = TypeVar("C", bound="Settings")
T_co = TypeVar("T_co", covariant=True)
MODULES = "#modules"
"""The key under which a file names the modules from outside weft that its classes come from."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Base of all configs: a frozen dataclass that is saved as JSON and set on the command line."""

    removed_settings: ClassVar[tuple[str, ...]] = ()
    """Names of settings that the class no longer has. They are ignored in older files."""
    renamed_settings: ClassVar[Mapping[str, str]] = {}
    """Former name of a setting -> its present name, for older files."""

    def replace(self, **changes: Any) -> Self:
        return dataclasses.replace(self, **changes)


@dataclasses.dataclass(frozen=True)
class Config(Settings, Generic[T_co]):
    """The settings of a part. T is the protocol of the part: `class MyConfig(Config[Encoder])`.

    A field of a recipe has the type of the parts that it can hold (`Config[Encoder]`). Another kind of part is
    refused when the recipe is read. `build` may return a narrower type than T.
    """

    def build(self) -> T_co:
        """Creates the part, a new one in each call."""
        raise NotImplementedError(f"{type(self).__name__} has no build()")


def save(config: Settings, path: Path | str, *, checked: bool = False) -> None:
    """Writes `config` as JSON, atomically. checked: with a checksum, for files that no person should edit."""
    values = to_json(config)
    if outside := modules(config):
        values = {MODULES: outside, **values}
    if checked:
        write_checked(path, values, indent=2)
    else:
        write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def check(config: Settings, where: str) -> None:
    """Raises WeftError if `config` could not be read again from its own JSON.

    This finds numbers out of range, and a part in the place of another kind of part. The modules of its classes
    count as trusted, since the caller made the config.
    """
    for cls in sorted(classes(config), key=lambda cls: cls.__qualname__):
        if "." in cls.__qualname__:
            raise WeftError(
                f"{where}: class {cls.__qualname__} is defined inside a function or class, expected at the top of "
                "its module, where the run can load it"
            )
    trust_modules(*modules(config))
    from_json(to_json(config), type(config), where)


def classes(value: Any) -> set[type[Settings]]:
    """The classes of all configs inside a value, including its own."""
    if isinstance(value, Settings):
        inner = [getattr(value, f.name) for f in dataclasses.fields(value)]
        return {type(value)}.union(*map(classes, inner))
    if isinstance(value, dict):
        return set().union(*map(classes, value.values()))
    return set().union(*map(classes, value)) if isinstance(value, list | tuple) else set()


def modules(config: Settings) -> list[str]:
    """The modules from outside weft that its classes come from."""
    found = {module_of(cls) for cls in classes(config)}
    return sorted(name for name in found if name.partition(".")[0] != "weft")


def load(path: Path | str, expected: type[C]) -> C:
    """Reads a config that `save` wrote. Raises WeftError with file and field if the content is invalid."""
    values = read_mapping(path)
    outside = values.pop(MODULES, [])
    unnamed = (
        [n for n in outside if isinstance(n, str) and not is_trusted(n)]
        if isinstance(outside, list)
        else []
    )
    if unnamed:
        roots = sorted({name.partition(".")[0] for name in unnamed})
        raise WeftError(
            f"{path}: has parts from {', '.join(roots)}, which weft imports only where you name it: "
            f"{' '.join(f'--trust {root}' for root in roots)} (in Python: trust={tuple(roots)!r})"
        )
    config = from_json(values, expected, where=str(path))
    if not isinstance(config, expected):
        raise WeftError(f"{path}: holds a {type(config).__name__}, expected a {expected.__name__}")
    return config


def to_json(value: Any) -> Any:
    """A config (or a value inside one) as plain JSON values."""
    if isinstance(value, Settings):
        fields = {
            f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init
        }
        return {"class": f"{module_of(type(value))}.{type(value).__qualname__}", **fields}
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value


def from_json(value: Any, expected: Any, where: str) -> Any:
    """Converts the output of `to_json` back to a value of type `expected`. Error messages begin with `where`."""
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
    if origin is Config:
        found = _from_config(value, Config, where)
        _require_fit(type(found), arguments[0], where)
        return found
    if isinstance(expected, type) and issubclass(expected, Settings):
        return _from_config(value, expected, where)
    if expected is Path and isinstance(value, str):
        return Path(value)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return float(_number(value, where))
    _require(value, expected, where)
    return _number(value, where) if isinstance(value, int | float) else value


def _number(value: Any, where: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise WeftError(f"{where}: is {value}, expected a finite number")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise WeftError(f"{where}: is {brief(value)}, expected a number of at most 64 bits")
    return value


def apply(config: C, changes: dict[str, Any], where: str) -> C:
    """`config` with the nested mapping `changes` applied, as read from a recipe file in YAML.

    A mapping without "class" changes single fields of the existing config or dict; None removes an entry of a dict.
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
    if isinstance(current, Settings):
        return apply(current, change, where)
    if isinstance(current, dict):
        item_hint = get_args(hint)[1] if get_args(hint) else Any
        merged = dict(current)
        for key, item in change.items():
            if item is not None or type(None) in get_args(item_hint):
                merged[key] = _changed(current.get(key), item, item_hint, f"{where}: {key}")
            elif key in merged:
                del merged[key]
            else:
                raise unknown_name(f"entry of {where} to remove", key, merged)
        return merged
    return from_json(change, hint, where)


def _from_config(value: Any, expected: type[Settings], where: str) -> Settings:
    if isinstance(value, str) and "." in value:  # the name of a part, with its own settings
        value = {"class": value}
    _require(value, dict, where)
    name = value.get("class")
    cls = expected if name is None else config_class(name, where)
    if not issubclass(cls, expected):
        raise WeftError(f"{where}: class {cls.__name__} does not fit, expected {expected.__name__}")
    hints = get_type_hints(cls)
    fields = {f.name for f in dataclasses.fields(cls) if f.init}
    arguments: dict[str, Any] = {}
    for written, item in value.items():
        if written == "class" or written in cls.removed_settings:
            continue
        key = cls.renamed_settings.get(written, written)
        if key not in fields:
            raise _unknown_field(key, cls, where)
        arguments[key] = from_json(item, hints[key], f"{where}: {key}")
    try:
        return cls(**arguments)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise WeftError(f"{where}: {error}") from None


def part_of(cls: type[Settings]) -> Any:
    """The T of a `Config[T]`, the protocol of the part; None for settings that build nothing."""
    for base in cls.__mro__:
        for described in vars(base).get("__orig_bases__", ()):
            if get_origin(described) is Config:
                return get_args(described)[0]
    return None


def _require_fit(cls: type[Settings], slot: Any, where: str) -> None:
    """Raises WeftError unless the class is a config of parts that fit `slot`."""
    part = part_of(cls)
    if isinstance(slot, TypeVar) or (isinstance(part, type) and slot in part.__mro__):
        return
    got = "nothing" if part is None else getattr(part, "__name__", part)
    raise WeftError(
        f"{where}: class {cls.__name__} is a config of {got}, expected one of {slot.__name__}"
    )


def config_class(name: Any, where: str) -> type[Settings]:
    """The config class of that full name, from weft or from a module that a person has named."""
    found = class_named(name, where)
    if not issubclass(found, Settings):
        raise WeftError(f"{where}: {brief(name)} is not the name of a config class")
    return found


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


def _unknown_field(name: str, cls: type[Settings], where: str) -> WeftError:
    known = [f.name for f in dataclasses.fields(cls) if f.init]
    return unknown_name(f"setting of {cls.__name__} in {where}", name, known)
