"""`weft.fit`, for scripts and notebooks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from weft.core.errors import WeftError
from weft.data.formats import Said
from weft.data.memory import write_table
from weft.fitting.choice import Choices
from weft.fitting.fit import fit as fit_target
from weft.fitting.folds import FOLDS
from weft.fitting.goal import GoalKind
from weft.fitting.opening import open_table
from weft.fitting.pair import fit_pair
from weft.fitting.result import FitResult, FitSettings


@overload
def fit(
    data: Any,
    target: str,
    *,
    pair: None = ...,
    minutes: float = ...,
    out: Path | str | None = ...,
    without: Sequence[str] = ...,
    networks: bool = ...,
    folds: int = ...,
    task: GoalKind | None = ...,
    image_model: str | None = ...,
    text_model: str | None = ...,
    seed: int = ...,
    columns: Mapping[str, str] | None = ...,
    images_dir: Path | str | None = ...,
    encoding: str | None = ...,
) -> FitResult: ...
@overload
def fit(
    data: Any,
    *,
    pair: tuple[str, str],
    minutes: float = ...,
    out: Path | str | None = ...,
    without: Sequence[str] = ...,
    networks: bool = ...,
    folds: int = ...,
    task: GoalKind | None = ...,
    image_model: str | None = ...,
    text_model: str | None = ...,
    seed: int = ...,
    columns: Mapping[str, str] | None = ...,
    images_dir: Path | str | None = ...,
    encoding: str | None = ...,
) -> FitResult: ...
@overload
def fit(
    data: Any,
    target: list[str] | tuple[str, ...],
    *,
    pair: None = ...,
    minutes: float = ...,
    out: Path | str | None = ...,
    without: Sequence[str] = ...,
    networks: bool = ...,
    folds: int = ...,
    task: GoalKind | None = ...,
    image_model: str | None = ...,
    text_model: str | None = ...,
    seed: int = ...,
    columns: Mapping[str, str] | None = ...,
    images_dir: Path | str | None = ...,
    encoding: str | None = ...,
) -> dict[str, FitResult]: ...
def fit(
    data: Any,
    target: str | list[str] | tuple[str, ...] = (),
    *,
    pair: tuple[str, str] | None = None,
    minutes: float = 10,
    out: Path | str | None = None,
    without: Sequence[str] = (),
    networks: bool = True,
    folds: int = FOLDS,
    task: GoalKind | None = None,
    image_model: str | None = None,
    text_model: str | None = None,
    seed: int = 0,
    columns: Mapping[str, str] | None = None,
    images_dir: Path | str | None = None,
    encoding: str | None = None,
) -> FitResult | dict[str, FitResult]:
    """Tries models that predict a column of a table or folder, and keeps the recommended one as a run.

    data: a path, or a table in memory (pandas, pyarrow, or a list of dicts), which is written beside the run;
    its pictures are paths, bytes, arrays or Pillow's. target: a column, or several, each with a result of its
    own. pair: instead of a target, two columns that are to find each other, such as image and text. minutes:
    within which candidates are begun, for all targets together. out: folder of the run, runs/fit-NAME if not
    given; several targets have a folder each below it. without: columns that are left out. task: whether the
    target is a class or a number; by its column if not given. image_model, text_model: see
    `weft.fitting.choice.Choices`. columns, images_dir, encoding: what you say of the table, as in `weft fit`.

    Raises WeftError where the data cannot be used or a column cannot be predicted.
    """
    if (pair is None) == (not target):
        raise WeftError("fit got target and pair, or neither, expected one of them")
    in_memory = not isinstance(data, str | Path)
    path = Path("table.parquet") if in_memory else Path(data)
    folder = Path(out) if out is not None else default_folder(path)
    if in_memory:
        path = write_table(data, folder / path)
        images_dir = images_dir or Path.cwd()  # whatever their names are relative to is here
    images = None if images_dir is None else Path(images_dir).absolute()
    opened = open_table(path, Said(columns or {}, images, encoding))
    targets = (target,) if isinstance(target, str) else tuple(target)
    settings = FitSettings(
        minutes=minutes / max(1, len(targets)),
        task=task,
        seed=seed,
        without=without,
        networks=networks,
        folds=folds,
        choices=Choices(image_model, text_model),
    )
    if isinstance(target, str):
        return fit_target(opened, target, folder, settings)
    if pair is not None:
        return fit_pair(opened, pair, folder, settings)
    return {name: fit_target(opened, name, folder / name, settings) for name in targets}


def default_folder(data: Path) -> Path:
    """Where the run of this table goes unless another place is said."""
    return Path("runs") / f"fit-{data.absolute().stem}"
