"""Imports point one way: a module may import only from rooms above it in the list."""

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

import weft

ROOT = Path(weft.__file__).parent
ROOMS = (
    "core",
    "hub",
    "modalities",
    "data",
    "worlds",
    "evaluation",
    "layers",
    "encoders",
    "fusion",
    "decoders",
    "heads",
    "objectives",
    "architectures",
    "training",
    "inference",
    "tasks",
    "explain",
    "index",
    "report",
    "runs",
    "export",
    "recipes",
    "fitting",
    "serve",
    "commands",
    "cli",
)
MODULES = sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def name_of(path: Path) -> str:
    return ".".join(("weft", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    )


NAMES = {name_of(path): path for path in MODULES}


@cache
def imported(path: Path) -> set[str]:
    """The modules of weft that it imports anywhere: in functions and for the type checker too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & NAMES.keys()
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found |= {inner if inner in NAMES else str(node.module)} & NAMES.keys()
    return found


def circle(imports: Mapping[str, set[str]]) -> list[str]:
    """The modules of a circle, each of which imports the next; empty where there is none."""
    done: set[str] = set()
    trail: list[str] = []

    def follow(name: str) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return []
        trail.append(name)
        found = next(filter(None, map(follow, sorted(imports[name]))), [])
        trail.pop()
        done.add(name)
        return found

    return next(filter(None, map(follow, sorted(imports))), [])


def test_every_room_is_in_the_list() -> None:
    rooms = {room_of(path) for path in MODULES if path.name != "__pycache__"}
    assert rooms - {"__init__", "__main__"} <= set(ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):  # the package's face shows what `weft.load` needs
        return
    above = set(ROOMS[: ROOMS.index(room) + 1])
    rooms = {room_of(NAMES[name]) for name in imported(path)}
    assert rooms <= above, f"{path} imports from a room below its own"


def test_no_modules_import_each_other() -> None:
    # Whatever is imported within a function or for the type checker alone counts too: a circle that
    # happens to load is still one.
    assert circle({name: imported(path) for name, path in NAMES.items()}) == []


def test_a_circle_is_found() -> None:
    imports = {"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"b"}}
    assert circle(imports) == ["b", "d", "b"]
    assert circle({**imports, "d": {"c"}}) == []
