"""Lets the tests of this folder import `made_runs` and `asking`, and the tiny runs of other folders."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "commands"))
sys.path.insert(0, str(Path(__file__).parents[1] / "generation"))

from browsed import browser, logged_in, page_runs, site, visit
from made_runs import answering, loaded, runs, service
from tiny_runs import scenes_run

__all__ = [
    "answering",
    "browser",
    "loaded",
    "logged_in",
    "page_runs",
    "runs",
    "scenes_run",
    "service",
    "site",
    "visit",
]
