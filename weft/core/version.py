"""The version of weft."""

import subprocess
from importlib import metadata
from pathlib import Path


def version() -> str:
    """The version of the installed package; in a git checkout, that of its newest tag `v...`.

    The commits of an editable install continue after its installation. Commits after the tag are counted in the
    same way as by setuptools-scm when it builds the package: 0.1.0.post1.dev5+g33bb640.
    """
    described = _described(Path(__file__).parents[2])
    if described:
        tag, commits, node = described.rsplit("-", 2)
        tag = tag.removeprefix("v")
        return tag if commits == "0" else f"{tag}.post1.dev{commits}+{node}"
    return release()


def release() -> str:
    """The version of the installed package only; it stays the same within a process."""
    try:
        return metadata.version("weft")
    except metadata.PackageNotFoundError:
        return "0+unknown"


def _described(checkout: Path) -> str:
    """TAG-COMMITS-gNODE of a checkout; empty if there is no checkout, no tag or no git."""
    if not (checkout / ".git").exists():
        return ""
    words = [
        "git",
        "-C",
        str(checkout),
        "describe",
        "--tags",
        "--long",
        "--abbrev=9",
        "--match",
        "v[0-9]*",
    ]
    try:
        found = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip()
