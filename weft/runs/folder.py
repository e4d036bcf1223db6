"""Locks, sets up and cleans the run directory of a training."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from weft.core import config as configs
from weft.core.distributed import barrier, rank
from weft.core.errors import WeftError
from weft.core.lock import locked
from weft.data.learned import MODALITIES
from weft.data.memory import FILE as TABLE
from weft.runs.parts import MODEL, RECIPE, WEIGHTS
from weft.runs.recipe import Recipe
from weft.runs.sampling import LENGTHS
from weft.training import checkpoint, distributed
from weft.training.checkpoint import CHECKPOINTS
from weft.training.interruption import interruptible
from weft.training.log import LOG
from weft.training.loop import NONFINITE


@contextmanager
def held(folder: Path, *, new: bool = False) -> Iterator[None]:
    """Inside, no other training writes into `folder`, and a signal that stops this one reports what is saved.

    new: refuse a folder that holds a run. Raises WeftError on all ranks if the folder cannot be locked.
    """
    with ExitStack() as lock:
        refusals: list[str] = []
        if rank() == 0:
            try:
                lock.enter_context(locked(folder))
                if new:
                    _require_empty(folder)
            except WeftError as error:
                refusals.append(str(error))
        for refusal in distributed.all_strings(refusals):
            raise WeftError(refusal)
        with interruptible(folder):
            yield


def _require_empty(folder: Path) -> None:
    if (folder / RECIPE).exists():
        raise WeftError(
            f"{folder}: already holds a run; go on with it (weft train --resume {folder}) or choose "
            "another --out"
        )


@contextmanager
def begun(recipe: Recipe, folder: Path) -> Iterator[None]:
    """Inside, the folder holds the recipe and nothing of other runs.

    A run that fails before any training step leaves the folder free for the next attempt. Only the log and the list
    of ids with a non-finite loss stay.
    """
    try:
        if rank() == 0:
            for name in (MODALITIES, LENGTHS, NONFINITE):
                (folder / name).unlink(missing_ok=True)  # if it exists, it belongs to other data
            configs.save(recipe, folder / RECIPE)
        barrier()
        yield
    except (WeftError, ValueError, OSError):
        if rank() == 0 and not checkpoint.saved(folder) and not (folder / WEIGHTS).exists():
            _give_up(folder)
        raise


def _give_up(folder: Path) -> None:
    kept = () if (folder / NONFINITE).exists() else (LOG,)
    for name in (RECIPE, MODALITIES, LENGTHS, MODEL, TABLE, *kept):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):  # it does not exist, or is not empty
        (folder / CHECKPOINTS).rmdir()
