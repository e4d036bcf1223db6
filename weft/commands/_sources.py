"""What modules say of themselves, read from their source: nothing is imported, so help is fast."""

import ast
import pkgutil
from types import ModuleType


def summaries(package: ModuleType, *, of_function: bool = False) -> dict[str, str]:
    """Public module -> the first line of its docstring, or of its function of the same name."""
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


def first_line(text: str | None) -> str:
    """The first line of a docstring; empty where there is none."""
    return (text or "").strip().partition("\n")[0]


def _tree(info: pkgutil.ModuleInfo) -> ast.Module:
    spec = info.module_finder.find_spec(info.name, None)
    source = spec.loader.get_source(spec.name) if spec and spec.loader else None  # type: ignore[attr-defined]
    return ast.parse(source or "")
