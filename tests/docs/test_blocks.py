"""Every code block of README.md and of docs/ runs, or is parsed where it would take long."""

import sys
from functools import partial
from pathlib import Path

import published_models
import pytest
from docs.pages import DOCS, ROOT, Reader, blocks, pages

from docs import my_data
from weft import hub
from weft.core import trust

OWN_TESTS = (ROOT / "README.md", DOCS / "extending.md")
"""Pages whose blocks another test runs, and looks closer at what they do."""

RUN = [p for p in pages() if p not in OWN_TESTS and p.parent.name != "zh" and blocks(p)]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", RUN, ids=name)
def test_the_blocks_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(trust, "_named", set())
    monkeypatch.setattr(hub, "_on_hub", partial(small_model, tmp_path))
    my_data.put(name(page), tmp_path)
    reader = Reader()
    for block in blocks(page):
        reader.read(block)


def small_model(folder: Path, model: str) -> Path:
    """Instead of a model of the hub a small one of its kind."""
    kinds = {"siglip": published_models.siglip, "clap": published_models.clap}
    make = next((make for kind, make in kinds.items() if kind in model), published_models.clip)
    made = folder / "hub" / model
    return made if made.exists() else make(made)


@pytest.mark.parametrize("page", sorted((DOCS / "zh").glob("*.md")), ids=name)
def test_a_chinese_page_has_the_commands_of_the_english_one(page: Path) -> None:
    english = next((p for p in (DOCS / page.name, DOCS / "guides" / page.name) if p.exists()), None)
    assert english is not None
    if page.stem != "index":
        assert typed(page) == typed(english)


def typed(page: Path) -> list[tuple[str, str]]:
    return [(one.language, one.code) for one in blocks(page) if one.language != "text"]


def test_commands_stand_in_fences() -> None:
    """A block by indentation has no language, so nothing would run it."""
    for page in pages():
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
            assert not line.startswith("    weft "), f"{name(page)}:{number}"
