"""A run's report: one self-contained page with results, examples and the recipe.

The page is a pure function of a `RunReport`: first three sentences, then the results; the rest is folded.
"""

import json
from pathlib import Path

from weft.core.files import write_text
from weft.core.language import say
from weft.report import html
from weft.report.card import card_sections
from weft.report.leakage import leakage_box
from weft.report.records import RunRecord, RunReport
from weft.report.summary import measured_on, summary
from weft.report.task import task_section
from weft.report.training import training_section


def write_report(report: RunReport, path: Path | str) -> Path:
    """Writes the page to `path`, atomically; returns the path."""
    path = Path(path)
    write_text(path, render(report))
    return path


def render(report: RunReport) -> str:
    """The page as HTML."""
    sections: list[str] = [summary(report), leakage_box(report.measured)]
    sections += [
        task_section(measured, number, len(report.measured))
        for number, measured in enumerate(report.measured)
    ]
    sections += training_section(report)
    if report.card is not None:
        card = html.details("What weft data check found", *card_sections(report.card))
        sections.append(html.section("Data", card))
    sections.append(html.section("Recipes", *(_recipe(run) for run in report.runs)))
    subtitle = " · ".join(
        f"{say(m.title)}: {say(measured_on(m.result))}" for m in report.measured[:3]
    )
    return html.page(report.name, sections, subtitle)


def _recipe(run: RunRecord) -> html.Html:
    """Shows the recipe and everything else that determines the result, folded."""
    facts: list[list[html.Cell]] = [
        [say(name), html.said(value)] for name, value in run.facts.items()
    ]
    parts = [html.table(["", "value"], facts)] if facts else []
    text = json.dumps(run.recipe, indent=2, ensure_ascii=False)
    return html.details(f"Recipe of {run.name}", *parts, html.code(text))
