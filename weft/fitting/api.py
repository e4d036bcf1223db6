"""`weft.fit`, for scripts and notebooks."""

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from weft.fitting.choice import Choices
from weft.fitting.fit import FitResult, FitSettings, open_table
from weft.fitting.fit import fit as fit_target
from weft.fitting.folds import FOLDS
from weft.fitting.goal import GoalKind


@overload
def fit(
    data: Path | str,
    target: str,
    *,
    minutes: float = ...,
    out: Path | str | None = ...,
    without: Sequence[str] = ...,
    networks: bool = ...,
    folds: int = ...,
    task: GoalKind | None = ...,
    image_model: str | None = ...,
    text_model: str | None = ...,
    seed: int = ...,
) -> FitResult: ...
@overload
def fit(
    data: Path | str,
    target: list[str] | tuple[str, ...],
    *,
    minutes: float = ...,
    out: Path | str | None = ...,
    without: Sequence[str] = ...,
    networks: bool = ...,
    folds: int = ...,
    task: GoalKind | None = ...,
    image_model: str | None = ...,
    text_model: str | None = ...,
    seed: int = ...,
) -> dict[str, FitResult]: ...
def fit(
    data: Path | str,
    target: str | list[str] | tuple[str, ...],
    *,
    minutes: float = 10,
    out: Path | str | None = None,
    without: Sequence[str] = (),
    networks: bool = True,
    folds: int = FOLDS,
    task: GoalKind | None = None,
    image_model: str | None = None,
    text_model: str | None = None,
    seed: int = 0,
) -> FitResult | dict[str, FitResult]:
    """Tries models that predict a column of a table or folder, and keeps the recommended one as a run.

    target: a column, or several, which have one result each. out: folder of the run; runs/fit-NAME if not
    given, and below it one for each of several targets. The other settings are those of `weft fit`. Raises
    WeftError where the data cannot be used or a column cannot be predicted.
    """
    opened = open_table(data)
    folder = Path(out) if out is not None else default_folder(Path(data))
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
    return {name: fit_target(opened, name, folder / name, settings) for name in targets}


def default_folder(data: Path) -> Path:
    """Where the run of this table goes unless another place is said."""
    return Path("runs") / f"fit-{data.absolute().stem}"
