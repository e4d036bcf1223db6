"""The notebook of examples/ runs from its first cell to its last, and shows its results."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[1] / "examples" / "weft_from_python.ipynb"


def shown(cell: str, names: dict[str, Any]) -> Any:
    """Runs a cell; gives the value of its last line where that is an expression, as a notebook does."""
    tree = ast.parse(cell)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, FILE.name, "exec"), names)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), FILE.name, "eval"), names)


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebook = json.loads(FILE.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    cells = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    names: dict[str, Any] = {}
    values = [shown("".join(cell["source"]), names) for cell in cells]
    assert "trained 3 steps" in repr(values[0])
    assert repr(values[1]).startswith("Run(runs/notebook")
    assert "recall@1" in values[2]._repr_html_()
    assert values[3] == 1.0
    assert values[4].shape == (1, 2)
    assert "similarity" in repr(values[5])
    assert "srcdoc" in values[5]._repr_html_()
    assert values[6] == Path("runs/notebook/report.html")
    assert (tmp_path / values[6]).exists()
