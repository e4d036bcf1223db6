"""The version is that of the tag, counted as setuptools-scm counts when it builds the package."""

import subprocess
from importlib import metadata
from pathlib import Path

import pytest
import setuptools_scm

import weft
from weft.core import version

ROOT = Path(weft.__file__).parents[1]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with the package's file of versions in it."""
    module = tmp_path / "weft" / "core" / "version.py"
    module.parent.mkdir(parents=True)
    module.write_text("")
    monkeypatch.setattr(version, "__file__", str(module))
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    return tmp_path


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", folder, *identity, *words], check=True, capture_output=True)


def test_in_a_checkout_it_is_that_of_the_tag(checkout: Path) -> None:
    git(checkout, "commit", "-m", "one")
    assert version.version() == metadata.version("weft")  # without a tag that of the installation
    git(checkout, "tag", "v1.2.0")
    assert version.version() == "1.2.0"
    git(checkout, "tag", "not-a-version")
    for count in (1, 2):
        git(checkout, "commit", "--allow-empty", "-m", "more")
        found = version.version()
        assert found.startswith(f"1.2.0.post1.dev{count}+g")
        assert found == setuptools_scm.get_version(checkout, version_scheme="no-guess-dev")


def test_without_git_it_is_that_of_the_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version, "__file__", str(tmp_path / "weft" / "core" / "version.py"))
    assert version.version() == metadata.version("weft")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(version, "__file__", str(ROOT / "weft" / "core" / "version.py"))
    assert version.version() == metadata.version("weft")
