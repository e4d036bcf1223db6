"""Lets the tests of this folder import `tiny_drawings`, and those of the command line `tiny_runs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "commands"))
