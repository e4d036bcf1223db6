"""The sentences that the package says to people, collected from its source.

An f-string is a sentence with places; each becomes {0}, {1}, ... in the order of the source. What stands before the
first ": " of an error is where it happened, and is said as it is.
`python tests/core/sentences.py` prints those without a Chinese translation.
"""

import ast
import dataclasses
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft import commands, recipes
from weft.commands import _essentials, _sources
from weft.commands.list import parts as part_list
from weft.data.formats import formats
from weft.data.prepare.check import CheckConfig
from weft.data.prepare.plan import PrepareConfig
from weft.fitting.settings import FitSettings
from weft.serve.page import sentences as of_the_page
from weft.tasks import tasks

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "weft"
CATALOGUE = PACKAGE / "core" / "language_zh.json"
WHERE = re.compile(r"^(\{\d+\}(:\{\d+\})?: )+")
ERRORS = ("WeftError", "DataError", "IndexFileError", "unknown_name", "unknown_names")
REFUSALS = ("RefusedError", "busy")
"""Errors of the server, whose first argument is a number."""
BLOCKS = ("section", "heading", "paragraph", "notice", "details", "page")
"""Functions of report/html.py that say their first argument."""


@functools.lru_cache(maxsize=1)
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of a module, which more than one function asks for in turn."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def said(
    path: Path, functions: tuple[str, ...] = ("say", "_say", *ERRORS, *REFUSALS, *BLOCKS)
) -> Iterator[tuple[int, str]]:
    """Line and sentence of each call in the module that says one, also by the name of a variable."""
    for node in _nodes(path):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            place = int(name in REFUSALS)
            if name in functions and place < len(node.args):
                for written in _written(path, node.args[place]):
                    sentence = renumbered(WHERE.sub("", _template(written)))
                    if re.search(r"[a-z]{2}", re.sub(r"\{\d+\}", "", sentence)):
                        yield node.lineno, sentence


def _written(path: Path, spoken: ast.expr) -> Iterator[ast.expr]:
    """The strings that are said: the expression itself, or what its function assigns to the variable."""
    values = [spoken]
    if isinstance(spoken, ast.Name) and spoken in _function_of(path):
        values = [
            node.value
            for node in ast.walk(_function_of(path)[spoken])
            if isinstance(node, ast.Assign)
            and any(isinstance(t, ast.Name) and t.id == spoken.id for t in node.targets)
        ]
    for value in values:
        yield from _alternatives(value)


@functools.lru_cache(maxsize=1)
def _function_of(path: Path) -> dict[ast.AST, ast.FunctionDef]:
    """The innermost function that each node of a module is in."""
    functions = [one for one in _nodes(path) if isinstance(one, ast.FunctionDef)]
    return {node: one for one in functions for node in ast.walk(one)}  # outer ones come first


def refused_settings(path: Path) -> Iterator[tuple[int, str]]:
    """Line and sentence of each ValueError with which a config refuses its values; the command line says them."""
    for post in _nodes(path):
        if isinstance(post, ast.FunctionDef) and post.name == "__post_init__":
            for node in ast.walk(post):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ValueError":
                    for written in _alternatives(node.args[0]):
                        yield node.lineno, renumbered(WHERE.sub("", _template(written)))


def help_sentences() -> Iterator[tuple[str, str]]:
    """Where and what: the first lines and the options of all commands, and the settings of `weft train`."""
    for name, line in _sources.summaries(commands).items():
        yield f"weft {name}", line
    for path in sorted((PACKAGE / "commands").glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                for field, doc in _sources.docs_of(node).items():
                    yield f"{path.stem}.{node.name}.{field}", doc
    yield from _listed()
    for config in (CheckConfig(), PrepareConfig(), FitSettings()):
        yield from _settings(config)
    for name, line in _sources.summaries(recipes, of_function=True).items():
        yield f"recipe {name}", line
    for name, kept in _essentials.kept().items():
        for argument in kept.arguments.values():
            yield f"recipe {name}", argument.about
    for _, doc in _essentials.OWN_DATA:
        yield "weft train", doc
    for doc in _essentials.SAID.values():
        yield "weft train", renumbered(doc.replace("{}", "{0}"))


def _listed() -> Iterator[tuple[str, str]]:
    """What `weft list` says of parts, formats and tasks."""
    for name, line in part_list().items():
        yield f"part {name}", line
    for name, module in formats().items():
        yield f"format {name}", module.DESCRIPTION
    for name, task in tasks().items():
        yield f"task {name}", _sources.first_line(task.__doc__)


def _settings(config: Any) -> Iterator[tuple[str, str]]:
    docs = _sources.field_docs(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from _settings(value)
        else:
            yield f"{type(config).__name__}.{field.name}", docs[field.name]


def _alternatives(node: ast.expr) -> Iterator[ast.expr]:
    """The strings that an expression may be: both of `a if b else c`."""
    if isinstance(node, ast.IfExp):
        yield from _alternatives(node.body)
        yield from _alternatives(node.orelse)
    elif isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    ):
        yield node


def _template(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.JoinedStr)
    return "".join(str(p.value) if isinstance(p, ast.Constant) else "{0}" for p in node.values)


def renumbered(sentence: str) -> str:
    """The sentence with its places as {0}, {1}, ..., whatever they are called."""
    places = iter(range(100))
    return re.sub(r"\{\w+\}", lambda _: f"{{{next(places)}}}", sentence)


def catalogue() -> dict[str, str]:
    found: dict[str, str] = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    return found


def missing() -> Iterator[tuple[str, str]]:
    """Where and what is said without a translation."""
    known = {renumbered(english) for english in catalogue()}
    for path in sorted(PACKAGE.rglob("*.py")):
        settings = () if path.is_relative_to(PACKAGE / "core") else refused_settings(path)
        for line, sentence in (*said(path), *settings):  # core refuses shapes, not settings
            if sentence not in known:
                yield f"{path.relative_to(ROOT)}:{line}", sentence
    for place, sentence in help_sentences():
        if sentence not in known:
            yield place, sentence
    # The page looks its sentences up as they are, with the names of their places.
    yield from (("the page", one) for one in of_the_page() if one not in catalogue())


if __name__ == "__main__":
    for place, sentence in missing():
        print(f"{place}\t{sentence}")
