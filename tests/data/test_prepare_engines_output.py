"""The output does not depend on the engine, nor on which engine a run began with."""

import hashlib
import importlib.util
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from weft.core.errors import DataError
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.data.formats import open_dataset
from weft.data.prepare import prepare as preparing
from weft.data.prepare import scan as scanning
from weft.data.prepare.engines import Engine
from weft.data.prepare.plan import PrepareConfig
from weft.data.prepare.prepare import PrepareResult, prepare
from weft.data.prepare.split import SplitConfig
from weft.data.prepare.write import Job, Shard, write_all
from weft.report.card import write_card

ROWS = 150
CONFIG = PrepareConfig(
    workers=1, shard_rows=25, max_side=160, duplicates="near", split=SplitConfig(redo=True)
)
LOST = [DataError("is not JSON", source="rows.jsonl:99")]


@pytest.fixture(autouse=True)
def _several_units(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("daft") is None:
        pytest.skip("the package daft is not installed")
    monkeypatch.setattr(scanning, "UNIT_ROWS", 40)


@pytest.fixture(scope="module")
def rows(
    shared_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Sequence[Sample]:
    """Flickr8k's pictures with one that is cut off, one that is absent, twins and poor captions."""
    dataset = open_dataset(shared_data("flickr8k"))
    good = [dataset[n] for n in (*range(0, 50 * (ROWS - 4), 50), 764, 765, 780, 781)]
    cut = tmp_path_factory.mktemp("pictures") / "cut.jpg"
    cut.write_bytes(good[0].items["image"].read()[:2000])

    def twin(n: int, **items: object) -> Sample:
        return Sample(f"twin {n}", f"twin {n}", {**good[n].items, **items}, f"rows.jsonl:{n}")

    return [
        *good,
        twin(1, image=Media.file(cut)),
        twin(2, image=Media.file(cut.with_name("absent.jpg"))),
        twin(3),
        twin(4, text=Alternatives(["two\u200b  lines\nof \u732b", "", "..."])),
        twin(5, text=Alternatives()),
    ]


@pytest.fixture(scope="module")
def expected(rows: Sequence[Sample], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("one process")
    result = run(rows, out, CONFIG)
    assert result.dropped == {
        "exact duplicate": 2,
        "near duplicate": 2,
        "no caption": 1,
        "unreadable": 3,
    }
    assert len(result.shards) >= 6
    return contents(out)


def run(rows: Sequence[Sample], out: Path, config: PrepareConfig) -> PrepareResult:
    return prepare(rows, out, config, row_errors=LOST, card=write_card)


def contents(folder: Path) -> dict[str, str]:
    """Digest of every file but the indices, which hold the time of their shard."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".index.json")
    }


@pytest.mark.parametrize("engine", ["daft", "ray"])
def test_the_same_bytes(
    engine: str, rows: Sequence[Sample], expected: dict[str, str], tmp_path: Path
) -> None:
    if engine == "ray" and importlib.util.find_spec("ray") is None:
        pytest.skip("the package ray is not installed")
    run(rows, tmp_path / "out", CONFIG.replace(engine=engine))
    assert contents(tmp_path / "out") == expected


@pytest.mark.parametrize(
    ("first", "then", "shards"), [("processes", "daft", 2), ("daft", "processes", 0)]
)
def test_another_engine_finishes_the_run(
    first: str,
    then: str,
    shards: int,
    rows: Sequence[Sample],
    expected: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first engine reads all rows and writes some shards, the second the others."""

    def interrupted(
        job: Job, all_: Sequence[Shard], engine: Engine, work: Path, *, progress: bool
    ) -> None:
        write_all(job, all_[:shards], engine, work, progress=progress)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(preparing, "write_all", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(rows, tmp_path / "out", CONFIG.replace(engine=first))
    begun = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.tar")}
    assert len(begun) == shards
    read = sorted((tmp_path / "out" / ".work").glob("rows-*.json"))
    assert [len(json.loads(path.read_bytes())["rows"]) for path in read] == [40, 40, 40, 35]
    monkeypatch.setattr(scanning, "_scan_unit", lambda *_: pytest.fail("was read already"))
    run(rows, tmp_path / "out", CONFIG.replace(engine=then))
    assert contents(tmp_path / "out") == expected
    assert {path: path.stat().st_mtime_ns for path in begun} == begun
