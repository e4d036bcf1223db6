"""Imports point one way: a module may import only from rooms above it in the list."""

import ast
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
    "commands",
    "cli",
)
MODULES = sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported_rooms(path: Path) -> set[str]:
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names = [f"{module}.{a.name}" for a in node.names] if module == "weft" else [module]
        rooms |= {name.split(".")[1] for name in names if name.startswith("weft.")}
    return {room for room in rooms if not room.startswith("__")}


def test_every_room_is_in_the_list() -> None:
    rooms = {room_of(path) for path in MODULES if path.name != "__pycache__"}
    assert rooms - {"__init__", "__main__"} <= set(ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):  # the package's face shows what `weft.load` needs
        return
    above = set(ROOMS[: ROOMS.index(room) + 1])
    assert imported_rooms(path) <= above, f"{path} imports from a room below its own"
