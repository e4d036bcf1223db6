"""The workflow of CI runs what is there, with few rights and nothing kept from an earlier run."""

import os
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
COMMANDS = [shlex.split(line) for step in STEPS for line in step.get("run", "").splitlines()]


def made() -> set[str]:
    """Targets that the workflow makes, by itself and through .ci/run."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    lines = COMMANDS + [shlex.split(line, comments=True) for line in script.splitlines()]
    return {word for words in lines if words[:1] == ["make"] for word in words[1:]}


def test_every_target_that_is_made_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert made() == {"demo", "test", "docs", "dist"}
    assert made() <= set(re.findall(r"^(\w+):", makefile, flags=re.MULTILINE))


def test_the_script_that_is_run_can_be_run() -> None:
    assert [".ci/run"] in COMMANDS
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_it_runs_on_the_oldest_python_that_is_allowed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    oldest = settings["project"]["requires-python"].removeprefix(">=")
    assert oldest in WORKFLOW["jobs"]["test"]["strategy"]["matrix"]["python"]


def test_it_runs_on_pushes_and_pull_requests_and_may_only_read() -> None:
    assert set(WORKFLOW[True]) == {"push", "pull_request"}  # YAML 1.1 reads "on" as true
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in WORKFLOW["jobs"].values())
    assert "secrets." not in TEXT


@pytest.mark.parametrize("step", [step for step in STEPS if "uses" in step])
def test_an_action_is_pinned_and_keeps_nothing(step: dict[str, Any]) -> None:
    """A tag of somebody else's repository can be moved; a commit cannot."""
    assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step["uses"])
    assert "cache" not in step["uses"]
    assert "cache" not in step.get("with", {})
    if "checkout" in step["uses"]:
        assert step["with"]["persist-credentials"] is False
