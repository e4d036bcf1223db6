"""What is told of a run whose index cannot be read."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from asking import Answer, Process, ask, gate
from browsed import Runs

from weft.runs.run import Run
from weft.runs.searching import open_index
from weft.serve.log import Log
from weft.serve.service import Served, Service
from weft.serve.settings import Limits


@pytest.fixture
def served(loaded: dict[str, Run], runs: Path, tmp_path: Path) -> Iterator[Service]:
    """Two runs, of which one has an index of its own, so that no other test lacks it."""
    shutil.copytree(runs / "scenes" / "index", tmp_path / "index")
    index = open_index(loaded["scenes"], tmp_path / "index")
    several = [Served("scenes", loaded["scenes"], index), Served("speech", loaded["speech"])]
    with contextlib.closing(Service(several, Limits(rate=0))) as made:
        yield made


@contextmanager
def away(folder: Path) -> Iterator[None]:
    """Within it the index of this folder is gone."""
    gone = (folder / "index.db").rename(folder / "away.db")
    try:
        yield
    finally:
        gone.rename(folder / "index.db")


def told(found: Answer) -> dict[str, tuple[Any, str | None]]:
    return {run["name"]: (run["index"], run["fault"]) for run in found.json}


def test_runs_are_told_where_an_index_is_gone(served: Service) -> None:
    """The others can be used, and so can what needs no index."""
    with away(served.indexes["scenes"].index.folder):
        english = told(asyncio.run(ask(gate(served), "GET", "/runs")))
        accepted = {"accept-language": "zh"}
        chinese = told(asyncio.run(ask(gate(served), "GET", "/runs", headers=accepted)))
    index, fault = english.pop("scenes")
    assert index is None
    assert str(fault).startswith("the index of scenes/index.db: no such file")
    assert str(chinese["scenes"][1]).startswith("scenes 的索引/index.db: 没有这个文件")
    assert all(fault is None for _, fault in english.values())


def test_an_index_that_is_gone_is_logged_once_each_time(served: Service, tmp_path: Path) -> None:
    """With its folder, which callers are not told."""
    folder = served.indexes["scenes"].index.folder
    with contextlib.closing(Log(tmp_path / "log")) as log:
        local = gate(served, log=log)
        for _ in range(2):
            with away(folder):
                for _ in range(3):
                    asyncio.run(ask(local, "GET", "/runs"))
            assert told(asyncio.run(ask(local, "GET", "/runs")))["scenes"][1] is None
    lines = map(json.loads, (tmp_path / "log").read_text().splitlines())
    failed = [line for line in lines if line["event"] == "failed"]
    assert len(failed) == 2
    assert all(line["error"].startswith(f"{folder}/index.db: no such file") for line in failed)


def test_the_page_says_why_nothing_can_be_searched(
    browser: Any, page_runs: Runs, tmp_path: Path
) -> None:
    run = shutil.copytree(page_runs("pictures"), tmp_path / "pictures")
    with Process(run, "--backend", "fp32") as process, away(run / "index"):
        for locale, said in (
            ("en-GB", "The index of this run cannot be read: the index of pictures/index.db: no such file"),
            ("zh-CN", "无法读取此运行的索引：pictures 的索引/index.db: 没有这个文件"),
        ):  # fmt: skip
            page = browser.new_page(locale=locale)
            page.goto(f"http://127.0.0.1:{process.port}/")
            alert = page.get_by_role("alert")
            alert.wait_for()
            assert alert.inner_text().startswith(said)
            assert page.get_by_role("searchbox").count() == 0
            page.close()
