"""Lets the tests of this folder import `fitting_tables` and `tiny_runs`."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "commands")]
