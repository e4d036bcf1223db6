"""`weft.fit`, for scripts and notebooks."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

from weft.core.errors import WeftError
from weft.data.formats import Said
from weft.data.memory import write_table
from weft.fitting.fit import fit as fit_target
from weft.fitting.opening import open_table
from weft.fitting.pair import fit_pair
from weft.fitting.result import PAIRED, FitResult, folder_of, require_target
from weft.fitting.settings import FitSettings

SETTINGS = FitSettings()


@overload
def fit(
    data: Any,
    target: str | None = ...,
    *,
    pair: tuple[str, str] | None = ...,
    minutes: float | None = ...,
    out: Path | str | None = ...,
    columns: Mapping[str, str] | None = ...,
    images_dir: Path | str | None = ...,
    settings: FitSettings = ...,
) -> FitResult: ...
@overload
def fit(
    data: Any,
    target: list[str] | tuple[str, ...],
    *,
    pair: None = ...,
    minutes: float | None = ...,
    out: Path | str | None = ...,
    columns: Mapping[str, str] | None = ...,
    images_dir: Path | str | None = ...,
    settings: FitSettings = ...,
) -> dict[str, FitResult]: ...
def fit(
    data: Any,
    target: str | list[str] | tuple[str, ...] | None = None,
    *,
    pair: tuple[str, str] | None = None,
    minutes: float | None = None,
    out: Path | str | None = None,
    columns: Mapping[str, str] | None = None,
    images_dir: Path | str | None = None,
    settings: FitSettings = SETTINGS,
) -> FitResult | dict[str, FitResult]:
    """Tries models that predict a column of a table or folder, and keeps the recommended one as a run.

    data: a path, or a table in memory (pandas, pyarrow, or a list of dicts), which is written beside the run.
    Its pictures are paths, bytes, arrays or Pillow images.
    target: a column to predict, or several; each has its own result.
    pair: instead of a target, two columns for retrieval in both directions, such as image and text.
    minutes: time limit for all targets together; no candidate starts after it. Default: that of `settings`,
    which is 10.
    out: folder of the run; default: runs/fit-NAME. Several targets get one folder each below it.
    columns: meaning of columns, such as {"image": "Bild", "group": "Patient"}.
    images_dir: folder to which names of pictures, sounds and videos are relative.
    settings: all other settings.

    Raises WeftError if the data cannot be used or a column cannot be predicted.
    """
    if (pair is None) == (not target):
        raise WeftError("fit got target and pair, or neither, expected one of them")
    in_memory = not isinstance(data, str | Path)
    path = Path("table.parquet") if in_memory else Path(data)
    folder = Path(out) if out is not None else default_folder(path)
    if in_memory:
        # Check this before the table of another result is replaced. Several targets have separate folders.
        if pair is not None:
            require_target(folder, PAIRED.join(pair))
        elif isinstance(target, str):
            require_target(folder, target)
        path = write_table(data, folder / path)
        images_dir = (
            images_dir or Path.cwd()
        )  # names of pictures are relative to the current folder
    images = None if images_dir is None else Path(images_dir).absolute()
    targets = (target,) if isinstance(target, str) else tuple(target or ())
    said = Said(columns or {}, images, settings.encoding, settings.merge)
    opened = open_table(path, said, (*targets, *(pair or ()), *settings.without))
    minutes = settings.minutes if minutes is None else minutes
    settings = replace(settings, minutes=minutes / max(1, len(targets)))
    if pair is not None:
        return fit_pair(opened, pair, folder, settings)
    if isinstance(target, str):
        return fit_target(opened, target, folder, settings)
    return {name: fit_target(opened, name, folder_of(name, folder), settings) for name in targets}


def default_folder(data: Path) -> Path:
    """The default folder for the run of this table."""
    return Path("runs") / f"fit-{data.absolute().stem}"
