"""The folder of the recipes' data sets: ../shared/data beside the checkout, or WEFT_DATA."""

import os
from pathlib import Path


def folder() -> Path:
    """The folder that holds one folder for each data set."""
    return Path(os.environ.get("WEFT_DATA", "../shared/data"))
