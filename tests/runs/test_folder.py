"""What a failed attempt leaves in the run directory."""

import errno
from pathlib import Path

import pytest

import weft
from weft.core.errors import WeftError
from weft.runs.folder import begun
from weft.training.checkpoint import CHECKPOINTS
from weft.training.log import LOG
from weft.training.loop import NONFINITE


def attempt(folder: Path, error: Exception, *files: str) -> None:
    """A run that writes these files and then fails."""
    with begun(weft.recipe("scenes"), folder):
        (folder / CHECKPOINTS).mkdir()
        for name in (LOG, *files):
            (folder / name).write_text("{}\n")
        raise error


FULL = [
    WeftError("step-00000002.safetensors: cannot be written: No space left on device"),
    OSError(errno.ENOSPC, "No space left on device"),
]


@pytest.mark.parametrize("error", FULL, ids=["checkpoint", "another file"])
def test_nothing_stays_of_a_run_that_ends_before_its_first_checkpoint(
    tmp_path: Path, error: Exception
) -> None:
    with pytest.raises(type(error), match="No space"):
        attempt(tmp_path, error)
    assert list(tmp_path.iterdir()) == []


def test_ids_of_a_loss_that_is_not_finite_stay_beside_the_log_until_the_next_attempt(
    tmp_path: Path,
) -> None:
    with pytest.raises(WeftError, match="not finite"):
        attempt(tmp_path, WeftError("the loss is not finite"), NONFINITE)
    assert {path.name for path in tmp_path.iterdir()} == {LOG, NONFINITE}
    with begun(weft.recipe("scenes"), tmp_path):
        assert not (tmp_path / NONFINITE).exists()


def test_checkpoints_stay_with_all_that_resuming_needs(tmp_path: Path) -> None:
    with pytest.raises(WeftError, match="disk"):
        attempt(tmp_path, WeftError("the disk is full"), f"{CHECKPOINTS}/step-00000002.safetensors")
    assert {path.name for path in tmp_path.iterdir()} == {"recipe.json", LOG, CHECKPOINTS}
