"""Docstrings of modules, read from their source. Nothing is imported, so help is fast."""

import ast
import inspect
import itertools
import pkgutil
import textwrap
from dataclasses import is_dataclass
from types import ModuleType


def summaries(package: ModuleType, *, of_function: bool = False) -> dict[str, str]:
    """Public module -> the first line of its docstring. of_function: of its function of the same name instead."""
    found: dict[str, str] = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.name[0] != "_":
            tree = _tree(info)
            described: ast.Module | ast.FunctionDef = tree
            for node in tree.body if of_function else ():
                if isinstance(node, ast.FunctionDef) and node.name == info.name:
                    described = node
            found[info.name] = first_line(ast.get_docstring(described))
    return found


def field_docs(cls: type) -> dict[str, str]:
    """Field -> the docstring below it, for the class and its base classes."""
    found: dict[str, str] = {}
    for one in reversed([one for one in cls.__mro__ if is_dataclass(one)]):
        (described,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        assert isinstance(described, ast.ClassDef)
        found |= docs_of(described)
    return found


def docs_of(described: ast.ClassDef) -> dict[str, str]:
    """Field -> the docstring below it, in the source of one class."""
    found: dict[str, str] = {}
    for node, below in itertools.pairwise(described.body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            said = below.value if isinstance(below, ast.Expr) else None
            if isinstance(said, ast.Constant) and isinstance(said.value, str):
                found[node.target.id] = " ".join(said.value.split())
    return found


def first_line(text: str | None) -> str:
    """The first line of a docstring; empty if there is none."""
    return (text or "").strip().partition("\n")[0]


def _tree(info: pkgutil.ModuleInfo) -> ast.Module:
    spec = info.module_finder.find_spec(info.name, None)
    source = spec.loader.get_source(spec.name) if spec and spec.loader else None  # type: ignore[attr-defined]
    return ast.parse(source or "")
