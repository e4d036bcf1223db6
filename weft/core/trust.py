"""Modules whose config classes a file may name: weft's own, and those that a person has named.

Importing a module runs its code. So a file of a run never makes weft import anything but weft itself. A person does
this with `trust_modules`, by the name of a module or by the path of a Python file.
"""

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from weft.core.errors import WeftError, brief, unknown_name
from weft.core.short_names import classes_of, short_name

_OWN = "weft"
_RENAMED = {
    "weft.tasks.labels.LabelsConfig": "weft.tasks.classification.ClassificationTaskConfig",
    "weft.tasks.classification.ZeroShotConfig": "weft.tasks.zero_shot.ZeroShotConfig",
}
"""Former full name of a config class -> its present name, for older files."""
_named: set[str] = set()


def trust_modules(*modules: str) -> None:
    """Imports these modules. Afterwards files may name configs of them and of their submodules.

    modules: names ("my_parts"), found on Python's path or in the current folder, or paths of Python files. Raises
    WeftError if one cannot be imported.
    """
    for module in modules:
        if module.endswith(".py"):
            _named.add(import_file(Path(module)).__name__)
        elif module != main_name():
            _import(module)
        _named.add(module)


def import_file(path: Path) -> ModuleType:
    """Imports a Python file as a module with the file's name. It can import modules beside it.

    Raises WeftError if the file is missing or fails, or if another module has its name.
    """
    path, name = path.absolute(), path.stem
    if name == main_name() and _file_of(sys.modules["__main__"]) == path:
        return sys.modules["__main__"]
    if not path.is_file():
        raise WeftError(f"{path}: no such file")
    if not name.isidentifier():
        raise WeftError(
            f"{path}: '{name}' is not the name of a module, expected letters, digits and _"
        )
    known = sys.modules.get(name)
    if known is not None and _file_of(known) == path:
        return known
    found = importlib.util.find_spec(name) if known is None else known.__spec__
    if known is not None or (found is not None and Path(found.origin or "").absolute() != path):
        raise WeftError(
            f"{path}: there is another module named '{name}', expected a name of its own"
        )
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except WeftError:
        del sys.modules[name]
        raise
    except Exception as error:
        del sys.modules[name]
        raise _failed(path, error) from error
    return module


def class_named(name: object, where: str) -> type:
    """The class with that full or short name, from weft's modules and those that were named.

    Raises WeftError with `where`, and with the module that the person would have to name.
    """
    current = _RENAMED.get(str(name), str(name))
    module_name, _, class_name = current.rpartition(".")
    if module_name != _OWN and not module_name.startswith(f"{_OWN}."):
        if not is_trusted(module_name):
            known = {short_name(cls): cls for cls in classes_of(module_name)}
            if current in known:
                return known[current]
            if known:
                raise unknown_name(f"part in {where}", current, _parts(known))
            root = brief(module_name.partition(".")[0] or str(name)).strip("'")
            raise WeftError(
                f"{where}: {brief(name)} is not the name of a config class of weft; if it is yours, "
                f"name its module: --trust {root} (in Python: trust=('{root}',))"
            )
        if module_name == main_name():
            module_name = "__main__"
    try:
        found = vars(importlib.import_module(module_name)).get(class_name)
    except ModuleNotFoundError:
        found = None
    if not isinstance(found, type) or found.__module__ != module_name:
        raise WeftError(
            f"{where}: {brief(name)} is not the name of a config class of weft or of your own modules"
        )
    return found


def _parts(known: dict[str, type]) -> list[str]:
    """The short names of the parts that a file can name."""
    return [name for name, cls in known.items() if cls.__name__.endswith(("Config", "Output"))]


def is_trusted(module: str) -> bool:
    """Whether a person has named this module or a package that contains it."""
    return any(module == name or module.startswith(f"{name}.") for name in _named)


def module_of(cls: type) -> str:
    """The name under which the class's module can be imported again; for a script, its file's name."""
    return main_name() if cls.__module__ == "__main__" else cls.__module__


def main_name() -> str:
    """The name by which the running script can be imported; "__main__" in a notebook."""
    main = sys.modules["__main__"]
    if main.__spec__ is not None:
        return main.__spec__.name
    file = _file_of(main)
    return "__main__" if file is None else file.stem


def _import(name: str) -> None:
    root = name.partition(".")[0]
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        file = Path(f"{root}.py")
        if error.name != root or not file.is_file():
            raise WeftError(
                f"there is no module '{error.name}' (named by trust '{name}'): "
                "give the path of its file, or go to its folder"
            ) from None
        import_file(file)
    except WeftError:
        raise
    except Exception as error:
        raise _failed(name, error) from error


def _failed(what: Path | str, error: Exception) -> WeftError:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if Path(f.filename) == Path(what)]
    line = getattr(error, "lineno", None) or (lines[-1] if lines else None)
    place = f"{what}:{line}" if line else str(what)
    said = str(error).strip().splitlines() or [""]
    return WeftError(f"{place}: cannot be imported: {type(error).__name__}: {said[0]}")


def _file_of(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return None if file is None else Path(file).absolute()
