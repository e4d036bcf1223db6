"""The source distribution and the wheel: built without network, with what belongs in them and no more."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from weft.commands._parsing import parse
from weft.commands.serve import Arguments
from weft.serve.lifecycle import LONGEST_STOP

ROOT = Path(__file__).parents[1]
LIMIT = 300
"""Seconds; building takes at most a tenth."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """dist/ with both, of a copy of the tree without git. The wheel is made of the source distribution."""
    tree = tmp_path_factory.mktemp("exported") / "weft-tree"
    for name in ("weft", "tests", "docs"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copy(path, tree)
    words = [sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist", "."]
    done = subprocess.run(
        words, cwd=tree, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return tree / "dist"


def fallback() -> str:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(settings["tool"]["setuptools_scm"]["fallback_version"])


def test_the_wheel_has_the_package_and_no_more(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert wheel.name == f"weft-{fallback()}-py3-none-any.whl"
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "weft").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    info = wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info"
    assert {name for name in names if not name.startswith(f"{info}/")} == package
    assert "weft/py.typed" in package
    assert f"{info}/licenses/LICENSE" in names
    said = zipfile.ZipFile(wheel).read(f"{info}/METADATA").decode()
    assert "License-Expression: Apache-2.0" in said
    assert re.search(r"^Provides-Extra: docs$", said, flags=re.MULTILINE)
    assert b"weft = weft.cli:main" in zipfile.ZipFile(wheel).read(f"{info}/entry_points.txt")


def test_the_source_distribution_is_what_the_wheel_needs(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    top = {name.split("/")[0] for name in names} - {""}
    assert {"LICENSE", "README.md", "pyproject.toml", "weft"} <= top
    assert not top & {"tests", "benchmarks", "docs", "examples", "runs", ".ci", ".github"}


def test_the_fallback_is_the_newest_version_of_the_changelog() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", changes, flags=re.MULTILINE
    )
    assert versions[0] == fallback()
    assert re.search(r"^## \[Unreleased\]$", changes, flags=re.MULTILINE)


def test_the_image_is_made_of_what_is_there() -> None:
    """No engine that builds images is needed: each file that is copied is there, and is not ignored."""
    said = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    seen = {line[1:] for line in _lines(".dockerignore") if line.startswith("!")}
    for line in re.findall(r"^COPY (?!--from)(.+)$", said, flags=re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name
            assert name in seen, name
    (extras,) = re.findall(r'^ARG EXTRAS="(.+)"$', said, flags=re.MULTILINE)
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(extras.split(",")) <= set(known["optional-dependencies"])
    (user,) = re.findall(r"^USER (.+)$", said, flags=re.MULTILINE)
    assert f"useradd --uid {user} " in said  # a number, which Kubernetes knows not to be root's
    (entry,) = re.findall(r"^ENTRYPOINT (.+)$", said, flags=re.MULTILINE)
    (service,) = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))[
        "services"
    ].values()
    words = [*json.loads(entry), *service["command"]][2:]
    arguments = parse(Arguments, words, "weft serve")
    assert (arguments.host, arguments.port) == ("0.0.0.0", 8000)
    assert arguments.token_file == Path("/run/secrets/token")
    assert int(service["stop_grace_period"].removesuffix("s")) > LONGEST_STOP
    # Docker gives any other folder to root, with the mode that it has in the image.
    assert service["tmpfs"] == ["/tmp"]
    assert service["init"]


def _lines(name: str) -> list[str]:
    return (ROOT / name).read_text(encoding="utf-8").split()
