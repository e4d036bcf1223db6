"""The page as it is sent: one document that asks for nothing else, and says everything in two languages."""

import base64
import hashlib
import re

from weft.core.language import PLACE
from weft.serve.page import FOLDER, chinese, page, policy, sentences

CONTENT = page().decode()
OTHER_ADDRESS = re.compile(
    r"""(?:src|href)="(?!data:,)|url\(|@import|\bimport\s*\(|https?://(?!www\.w3\.org/2000/svg)"""
)
SCRIPT_FROM_TEXT = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|setAttribute\(\"on"
)


def test_the_page_names_no_other_address() -> None:
    assert not OTHER_ADDRESS.findall(CONTENT)


def test_every_file_of_the_folder_is_in_the_page() -> None:
    for path in [*FOLDER.glob("*.js"), *FOLDER.glob("*.css")]:
        assert path.read_text(encoding="utf-8") in CONTENT, path.name
    assert len(list(FOLDER.glob("*.js"))) == CONTENT.count("<script>")


def test_no_script_makes_markup_or_scripts_of_text() -> None:
    for path in FOLDER.glob("*.js"):
        found = SCRIPT_FROM_TEXT.findall(path.read_text(encoding="utf-8"))
        assert not found, path.name


def test_the_policy_allows_the_scripts_and_styles_of_the_page_and_no_others() -> None:
    rules = dict(rule.split(" ", 1) for rule in policy().split("; "))
    assert rules["default-src"] == "'none'"
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        inner = re.findall(rf"<{tag}>(.*?)</{tag}>", CONTENT, flags=re.DOTALL)
        digests = [
            base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in inner
        ]
        assert rules[rule] == " ".join(f"'sha256-{digest}'" for digest in digests)
    assert "unsafe" not in policy()


def test_every_sentence_is_said_in_both_languages() -> None:
    said = sentences()
    assert len(said) > 80
    assert list(chinese()) == said
    for english, translation in chinese().items():
        places = [{place[1] for place in PLACE.finditer(one)} for one in (english, translation)]
        assert places[0] == places[1], english


def test_a_sentence_is_written_where_it_is_said() -> None:
    """`say` of a variable would not be found by `sentences`."""
    for path in FOLDER.glob("*.js"):
        for call in re.finditer(
            r"\bsay\((?!sentence, places)([^)]*)", path.read_text(encoding="utf-8")
        ):
            assert '"' in call[1], f"{path.name}: say({call[1]})"


def test_no_file_is_long() -> None:
    for path in FOLDER.iterdir():
        if path.is_file():
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 250, path.name
