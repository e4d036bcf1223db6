"""The page: HTML, styles and scripts of this folder, joined into one answer that asks for nothing else.

page.html names its styles and scripts as any page does; `page` puts what they hold in the places where they are
named, the colours of the reports before the styles, and the Chinese of what the scripts say.
"""

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path

from weft.core.language import catalogue
from weft.report.style import DARK, LIGHT

FOLDER = Path(__file__).parent
STYLE_NAMED = re.compile(r'<link rel="stylesheet" href="([\w.-]+)">')
SCRIPT_NAMED = re.compile(r'<script src="([\w.-]+)"></script>')
INLINE = {tag: re.compile(rf"<{tag}>(.*?)</{tag}>", flags=re.DOTALL) for tag in ("script", "style")}
CHINESE_PLACE = '<script type="application/json" id="chinese">'
SAID = re.compile(r'\bsay\(((?:[^"(){}]*"(?:[^"\\]|\\.)*")+)')
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
COLOURS = f"""
:root {{ color-scheme: light dark; {LIGHT} }}
:root[data-theme="light"] {{ color-scheme: light; }}
:root[data-theme="dark"] {{ color-scheme: dark; {DARK} }}
@media (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{ {DARK} }} }}
"""


@cache
def page() -> bytes:
    """The page, UTF-8."""
    content = _read("page.html")
    content = STYLE_NAMED.sub(lambda named: f"<style>{_read(named[1])}</style>", content)
    content = content.replace("<style>", f"<style>{COLOURS}</style>\n<style>", 1)
    content = SCRIPT_NAMED.sub(lambda named: f"<script>{_read(named[1])}</script>", content)
    return content.replace(CHINESE_PLACE, CHINESE_PLACE + _as_script(chinese())).encode()


@cache
def policy() -> str:
    """The Content-Security-Policy under which nothing runs but the page's own scripts and styles."""
    scripts, styles = (_hashes(tag) for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src 'self' data: blob:; "
        "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def sentences() -> list[str]:
    """What the scripts say in English, in the order of their names; {name} is a place."""
    found = [
        json.loads(f'"{said[1]}"')
        for path in sorted(FOLDER.glob("*.js"))
        for call in SAID.finditer(path.read_text(encoding="utf-8"))
        for said in STRING.finditer(call[1])
    ]
    return list(dict.fromkeys(found))


def chinese() -> dict[str, str]:
    """English -> Chinese, of what the scripts say and the catalogue has."""
    known = {entry.english: entry.translation for entry in catalogue("zh")}
    return {sentence: known[sentence] for sentence in sentences() if sentence in known}


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _as_script(value: dict[str, str]) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _hashes(tag: str) -> str:
    inner = INLINE[tag].findall(page().decode())
    digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in inner]
    return " ".join(f"'sha256-{digest}'" for digest in digests)
