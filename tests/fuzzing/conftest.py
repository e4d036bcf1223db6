"""Lets the tests of this folder import what makes small runs, and the harness itself."""

import sys
from pathlib import Path

for folder in (Path(__file__).parents[1], Path(__file__).parents[1] / "commands"):
    sys.path.insert(0, str(folder))
