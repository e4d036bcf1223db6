"""The quiz has 32 questions, and each link leads to a heading of another page."""

import re

import pytest
from docs.pages import DOCS
from markdown.extensions.toc import slugify

QUIZ = (DOCS / "quiz.md").read_text(encoding="utf-8")
QUESTION = re.compile(r"^(\d+)\. (.+[?.]) \[([^\]]+)\]\(([\w/.]+)#([\w-]+)\)$", flags=re.MULTILINE)


def test_there_are_thirty_two_questions_with_one_answer_each() -> None:
    asked = QUESTION.findall(QUIZ)
    assert [int(number) for number, *_ in asked] == list(range(1, 33))
    assert len({question for _, question, *_ in asked}) == 32
    assert len(re.findall(r"\]\(", QUIZ)) == 32


@pytest.mark.parametrize(("page", "anchor"), [found[3:] for found in QUESTION.findall(QUIZ)])
def test_a_link_leads_to_a_heading(page: str, anchor: str) -> None:
    path = DOCS / page
    text = path.read_text(encoding="utf-8")
    for root in re.findall(r'^--8<-- "(.+)"$', text, flags=re.MULTILINE):
        text += (DOCS.parent / root).read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    assert anchor in {slugify(heading, "-") for heading in headings}, f"{page}: no #{anchor}"
