"""Where the data sets of the recipes lie: in ../shared/data beside the checkout, or in WEFT_DATA."""

import os
from pathlib import Path


def folder() -> Path:
    """The folder that holds a folder for each data set."""
    return Path(os.environ.get("WEFT_DATA", "../shared/data"))
