"""The folder of the recipes' data sets: ../shared/data beside the checkout, or WEFT_DATA."""

import os
from pathlib import Path

from weft.core.errors import WeftError


def check_there(path: Path, name: str) -> None:
    """Raises WeftError if `path`, which recipe `name` reads, is in the data folder of the recipes but missing."""
    if path.is_relative_to(folder()) and not path.exists():
        data = path.relative_to(folder()).parts[0]
        raise WeftError(
            f"{path}: no such file, and recipe {name} reads it; set WEFT_DATA to the folder that holds "
            f"{data}, or give rows of your own with --data"
        )


def folder() -> Path:
    """The folder that holds one folder for each data set."""
    return Path(os.environ.get("WEFT_DATA", "../shared/data"))
