"""The code blocks of README.md and docs/: found, and run or parsed as a reader would type them.

A block runs unless a comment before it says why not: `<!-- parsed only: takes an hour -->`, or for all blocks
of a page `<!-- parsed only on this page: ... -->`. The commands of such a block are parsed: options, values and
names of recipes must exist. A ```text block is the output of the block before it and is compared line by
line, whatever its numbers and blanks.
"""

import contextlib
import io
import re
import runpy
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from weft.cli import main
from weft.commands import _parsing

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(
    r"(?:<!-- parsed only: (?P<reason>[^>]+) -->\n+)?"
    r"^```(?P<language>\w+)(?P<title>[^\n]*)\n(?P<code>.*?)^```$",
    flags=re.DOTALL | re.MULTILINE,
)
SHORTER = {"--run.steps": "2", "--minutes": "0.02", "--deletion": "4", "--budget": "2 steps"}
"""Settings with which a command of a page takes seconds; everything else runs as it stands."""
SET_UP = ("hf", "make", "pip", "source")
"""Programs of blocks that install something: their names of extras and of targets are checked."""


@dataclass(frozen=True)
class Block:
    """One fenced block. `line` is that of its first line of code."""

    page: Path
    line: int
    language: str
    file: str
    code: str
    parsed_only: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def commands(self) -> list[list[str]]:
        """The words of each command of a ```sh block."""
        lines = self.code.replace("\\\n", " ").splitlines()
        words = [shlex.split(line, comments=True) for line in lines]
        return [one for line in words for one in _split(line, "&&") if one]


def _split(words: list[str], mark: str) -> Iterator[list[str]]:
    while mark in words:
        place = words.index(mark)
        yield words[:place]
        words = words[place + 1 :]
    yield words


def pages() -> list[Path]:
    """README.md and every page, without those of the API reference."""
    found = [path for path in DOCS.rglob("*.md") if path.parent.name != "api"]
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(found)]


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    every = re.search(r"<!-- parsed only on this page: ([^>]+) -->", text)
    found = []
    for match in FENCE.finditer(text):
        code = match["code"]
        named = re.search(r'title="([^"]+)"', match["title"]) or re.match(r"# (\w+\.\w+)\n", code)
        found.append(
            Block(
                page=page,
                line=text.count("\n", 0, match.start("code")) + 1,
                language=match["language"],
                file=named[1] if named else "",
                code=code,
                parsed_only=match["reason"] or (every[1] if every else ""),
            )
        )
    return found


class Reader:
    """Types the blocks of one page, in order, in the current folder."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self.said = ""

    def read(self, block: Block) -> None:
        """Runs, writes or compares the block. Fails with its place where something is wrong."""
        if block.language == "text":
            if not block.parsed_only and not block.file:  # with a title it is a file's first rows
                self._compare(block)
        elif block.file:
            with Path(block.file).open("a", encoding="utf-8") as file:
                file.write(f"{block.code}\n\n")
        elif block.language == "sh":
            self.said = "".join(self._typed(words, block) for words in block.commands())
        elif block.language == "bash":
            subprocess.run(["bash", "-n"], input=block.code, text=True, check=True)
        elif block.language == "python":
            code = compile(block.code, block.place, "exec")
            if not block.parsed_only:
                self.said = self._caught(lambda: exec(code, self.names))
        else:
            pytest.fail(f"{block.place}: a block of {block.language} needs a file name")

    def _typed(self, words: list[str], block: Block) -> str:
        if words[0] in SET_UP:
            check_set_up(words, block.place)
            return ""
        if block.parsed_only:
            check_parsed(words, block.place)
            return ""
        if words[0] == "python":
            return self._caught(lambda: runpy.run_path(words[1], run_name="__main__"))
        assert words[0] == "weft", f"{block.place}: '{words[0]}' is not run here"

        def run() -> None:
            spoken = io.StringIO()
            with contextlib.redirect_stderr(spoken):
                code = main(shortened(words[1:]))
            assert code == 0, f"{block.place}: {' '.join(words)}\n{spoken.getvalue()}"

        return self._caught(run)

    @staticmethod
    def _caught(run: Any) -> str:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            run()
        return said.getvalue()

    def _compare(self, block: Block) -> None:
        said = {plain(line) for line in self.said.splitlines()}
        for line in block.code.splitlines():
            if line.strip() not in ("", "..."):
                assert plain(line) in said, f"{block.place}: not said: {line}\n{self.said}"


def plain(line: str) -> str:
    """A line of output without its numbers, blanks and rules, which differ from run to run."""
    line = re.sub(r"[-–+]?\d[\d,.]*", "0", line)
    return re.sub(r"[\s─━]+", "", line)


def shortened(words: list[str]) -> list[str]:
    words = list(words)
    for place, word in enumerate(words[:-1]):
        words[place + 1] = SHORTER.get(word, words[place + 1])
    if "--run.steps" in words and "--run.batch-size" not in words:
        words += ["--run.batch-size", "8"]
    return words


def check_set_up(words: list[str], place: str) -> None:
    """Extras that `pip install` names and targets that `make` names are there."""
    if words[0] == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
        assert {word for word in words[1:] if "=" not in word} <= set(targets), place
    if words[0] == "pip":
        known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        named = re.findall(r"\[([\w,]+)\]", " ".join(words))
        extras = {extra for one in named for extra in one.split(",")}
        assert extras <= set(known["optional-dependencies"]), place


class ParsedError(Exception):
    """Everything on the command line was understood; nothing has run yet."""


def check_parsed(words: list[str], place: str) -> None:
    """The command's options, values and recipe exist. What is no command of weft is left alone."""
    while re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    if words[0] == "torchrun":
        words = ["weft", *words[words.index("weft.cli") + 1 :]]
    if words[0] != "weft":
        return
    tyro = _parsing._tyro

    def parsed(*given: Any) -> None:
        tyro(*given)
        raise ParsedError

    code: int | None = None
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stderr(io.StringIO()) as spoken,
        contextlib.suppress(ParsedError),
    ):
        patch.setattr(_parsing, "_tyro", parsed)
        code = main(words[1:])
    assert code is None, f"{place}: {' '.join(words)}: {spoken.getvalue()}"
