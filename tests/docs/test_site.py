"""The site builds without a warning, links lead somewhere, and nothing is loaded from elsewhere."""

import importlib
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

import weft

ROOT = Path(__file__).parents[2]
LIMIT = 300
"""Seconds; a build takes at most a tenth."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site without the API reference, whose pages take three quarters of the time of `make docs`."""
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)],
        cwd=ROOT,
        env={**os.environ, "WEFT_DOCS_API": "false", "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


class Loaded(HTMLParser):
    """Addresses that a browser loads when it opens the page; links are only followed by people."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        kinds = ("script", "img", "iframe", "source", "video", "audio")
        address = values.get("href") if tag == "link" else values.get("src")
        if (tag == "link" and values.get("rel") != "canonical") or tag in kinds:
            self.addresses.append(address or "")


def test_the_site_builds_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert loaded.addresses
        for address in loaded.addresses:
            assert not re.match(r"(\w+:)?//", address), f"{page}: loads {address}"
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(\w+:)?//", style.read_text(encoding="utf-8")), style


def test_every_room_has_a_page_of_the_api_reference() -> None:
    named = {
        name: path
        for path in (ROOT / "docs" / "api").glob("*.md")
        for name in re.findall(r"^::: ([\w.]+)$", path.read_text(encoding="utf-8"), flags=re.M)
    }
    package = Path(weft.__file__).parent
    rooms = {path.stem for path in package.iterdir() if path.suffix in ("", ".py")}
    rooms -= {"cli", "commands"} | {name for name in rooms if name.startswith("__")}
    assert rooms == {name.split(".")[1] for name in named if name.count(".") == 1}
    for name in named:
        module, _, attribute = name.rpartition(".")
        found = importlib.import_module(module)
        if not hasattr(found, attribute):
            importlib.import_module(name)


def test_the_navigation_has_every_page_once() -> None:
    settings = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader=PlainLoader)
    pages = list(pages_of(settings["nav"]))
    assert len(pages) == len(set(pages))
    docs = ROOT / "docs"
    assert set(pages) == {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}


class PlainLoader(yaml.SafeLoader):
    """Reads mkdocs's tags (!ENV, !relative) as nothing."""


PlainLoader.add_multi_constructor("!", lambda loader, tag, node: None)


def pages_of(entry: object) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    inner = entry.values() if isinstance(entry, dict) else entry
    return [page for one in inner for page in pages_of(one)]
