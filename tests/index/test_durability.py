"""Writers in several processes, writers that are killed, full and read-only disks."""

import os
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from made_index import create, entry, numbered, vector

from benchmarks import index_durability
from weft.core.errors import WeftError
from weft.index import Index


@pytest.fixture(autouse=True, scope="module")
def preloaded():
    index_durability.CONTEXT.set_forkserver_preload(["weft.index", "benchmarks.index_durability"])


def test_eight_writers(tmp_path):
    """Each of them adds 1,000 entries while this process searches."""
    create(tmp_path, dim=index_durability.DIM).close()
    with Index.open(tmp_path) as index, ThreadPoolExecutor(1) as pool:
        writing = pool.submit(index_durability.together, tmp_path, 8, 1000, at_once=25)
        counts, query = [0], vector(0, index_durability.DIM)[None]
        while not writing.done():
            counts.append(len(index))
            hits = index.search(query, 5)[0]
            assert len(hits) == min(5, counts[-1]) or len(hits) > counts[-1]
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert writing.result() == [0] * 8
        assert counts == sorted(counts)
        assert len(set(counts)) > 2
        found = index.verify()
        assert (len(index), found.entries, found.lost, found.ghosts) == (8000, 8000, (), ())
        assert found.whole


def test_writes_outlive_a_kill(tmp_path):
    create(tmp_path, dim=index_durability.DIM).close()
    for number, seconds in enumerate((0.05, 0.2, 0.4)):
        writes, wrong = index_durability.killed(tmp_path, f"k{number}", seconds)
        assert writes > 0
        assert wrong == []


FULL = """
import sys
sys.path.insert(0, "tests")
import resource, sys
from made_index import create, entry, numbered
from weft.core.errors import WeftError
from weft.index import Index
index = Index.open(sys.argv[1])
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
for write in (lambda: index.add(numbered(2000, 100)), lambda: create(sys.argv[1], numbered(3000))):
    try:
        write()
    except WeftError as error:
        print(error)
    else:
        sys.exit("was not refused")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
"""


def test_a_full_disk(tmp_path):
    """Nothing of what does not fit is there, and all that was there stays."""
    create(tmp_path / "index", numbered(20)).close()
    words = [sys.executable, "-c", FULL, str(tmp_path / "index")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all("index.db: cannot be written: " in line for line in lines), lines
    with Index.open(tmp_path / "index") as index:
        assert len(index) == 20
        assert index.verify().whole
        assert index.add([entry("new")]).added == 1
    assert [path.name for path in (tmp_path / "index").iterdir() if path.name[0] == "."] == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(tmp_path):
    create(tmp_path / "index", numbered(20)).close()
    (tmp_path / "index").chmod(stat.S_IRUSR | stat.S_IXUSR)
    (tmp_path / "index" / "index.db").chmod(stat.S_IRUSR)
    try:
        _is_read_only(tmp_path / "index")
    finally:
        (tmp_path / "index").chmod(stat.S_IRWXU)


def _is_read_only(folder):
    with Index.open(folder) as index:
        assert index.search(vector(3)[None], 1)[0][0].id == "id3"
        assert index.verify().whole
        with pytest.raises(WeftError, match="index.db: cannot be written"):
            index.add([entry("new")])
        with pytest.raises(WeftError, match="cannot be written"):
            create(folder)


def test_a_read_only_mount(tmp_path):
    """As a container sees it; where mounts are not allowed, this is not tested."""
    create(tmp_path / "index", numbered(20)).close()
    code = (
        "import sys; sys.path[:0] = ['tests', 'tests/index']\n"
        "from test_durability import _is_read_only\n"
        "from pathlib import Path; _is_read_only(Path(sys.argv[1]))"
    )
    folder = tmp_path / "index"
    script = f'mount --bind "{folder}" "{folder}" && mount -o remount,ro,bind "{folder}" || exit 77; exec "$@"'
    if shutil.which("unshare") is None:
        pytest.skip("no unshare")
    words = ["unshare", "-m", "sh", "-c", script, "sh", sys.executable, "-c", code, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode and "Traceback" not in done.stderr:
        pytest.skip("mounts are not allowed here")
    assert done.returncode == 0, done.stderr


def test_what_a_killed_build_has_left_goes(tmp_path):
    create(tmp_path, numbered(3)).close()
    for name, age in ((".index-old", 2 * 86_400), (".index-new", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.db").write_bytes(b"half")
        past = (tmp_path / name).stat().st_mtime - age
        os.utime(tmp_path / name, (past, past))
    create(tmp_path, numbered(3)).close()
    assert [path.name for path in tmp_path.glob(".index-*")] == [".index-new"]
