"""Lets the tests of this folder import `tiny_runs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "commands"))

from tiny_runs import scenes_copy, scenes_run

__all__ = ["scenes_copy", "scenes_run"]
