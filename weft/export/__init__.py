"""Exports a run as a model of another library or format; each file of this folder is one library or format.

A module has `write(run, folder, wanted)`: it writes the files of its library, or raises WeftError if the library
has no such architecture. To add a library, add its file.
"""

import importlib
import os
import pkgutil
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from weft.core.errors import WeftError, unknown_name
from weft.core.files import check_writable
from weft.export._library import Wanted
from weft.runs.run import Run

Write = Callable[[Run, Path, Wanted], Sequence[str]]
"""Returns lines for the user."""

_NAMES = {"sentence_transformers": "sentence-transformers"}


def libraries() -> dict[str, Write]:
    """Name of each library, as it is installed -> its `write`."""
    names = [info.name for info in pkgutil.iter_modules(__path__) if info.name[0] != "_"]
    found = {name: importlib.import_module(f"{__name__}.{name}") for name in names}
    return {
        _NAMES.get(name, name): cast(Write, module.write)
        for name, module in found.items()
        if hasattr(module, "write")
    }


def export(
    run: Run,
    library: str,
    folder: Path | str,
    *,
    streams: Sequence[str] = (),
    int8: bool = False,
) -> list[str]:
    """Writes the model of the run in the format of `library` into the new folder, completely or not at all.

    streams: for onnx and pt2; int8: for onnx; see `Wanted`. Returns lines for the user, such as what had to be left
    out. Raises WeftError if the folder exists, or if the library has no such architecture; the message names the
    part that it lacks.
    """
    known = libraries()
    if library not in known:
        raise unknown_name("library", library, known)
    folder = Path(folder)
    if os.path.lexists(folder):  # a link to nowhere, too
        raise WeftError(f"{folder}: is there already, expected a new folder")
    check_writable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as made:
        whole = Path(made) / "model"
        whole.mkdir()
        lines = known[library](run, whole, Wanted(tuple(streams), int8))
        shutil.move(whole, folder)
    return list(lines)
