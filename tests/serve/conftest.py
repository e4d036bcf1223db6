"""Lets the tests of this folder import `made_runs` and `asking`, and the tiny runs of other folders."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "commands"))
sys.path.insert(0, str(Path(__file__).parents[1] / "generation"))

from made_runs import answering, loaded, runs, service
from tiny_runs import scenes_run

__all__ = ["answering", "loaded", "runs", "scenes_run", "service"]
