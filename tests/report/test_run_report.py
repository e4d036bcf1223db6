"""The run's report: what must be on the page, and that nothing else gets in."""

import dataclasses
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tasks"))

from tiny_world import tiny_world

from weft.data.prepare.check import CheckConfig, check
from weft.data.prepare.scan import RowFacts
from weft.evaluation.leakage import audit
from weft.report.run import Measured, RunReport, read_log, render, write_report
from weft.tasks.retrieval import RetrievalConfig
from weft.tasks.zero_shot import ZeroShotConfig

LOG = [
    {"step": step, "loss": 5 / step, "contrastive": 5 / step, "samples_per_second": 90.0}
    | (
        {
            "validation/retrieval/text_to_image/recall@1": step / 2,
            "validation/retrieval/text_to_image/mean_rank": 50.0 / step,
            "validation/retrieval/rsum": 3.0 * step,
        }
        if step % 5 == 0
        else {}
    )
    for step in range(1, 41)
]


@pytest.fixture(scope="module")
def parts():
    w = tiny_world(noise=1.0)
    facts = [RowFacts(r.id, r.group, r.source) for r in w.rows]
    leakage = audit(
        [dataclasses.replace(f, id=f"t{f.id}", group=f"t{f.group}") for f in facts], facts
    )
    result = RetrievalConfig(resamples=60).build().evaluate([w.member()], w.rows, leakage=leakage)
    return w, result


def report_of(w, result, **changes):
    values = {
        "name": "tiny",
        "recipe": {"model": {"class": "weft.x", "dim": 12}, "note": "<script>alert(1)</script>"},
        "measured": [Measured("Retrieval", result, w.rows)],
        "log": LOG,
        "facts": {"seed": 0, "torch": "2.9"},
        "validation": [metric.of("retrieval") for metric in RetrievalConfig().build().metrics],
    }
    return RunReport(**{**values, **changes})


VOID = {"meta", "img", "br", "link", "circle", "rect", "path", "line"}


class Balance(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def test_page_is_whole_and_self_contained(parts):
    page = render(report_of(*parts))
    balance = Balance()
    balance.feed(page)
    assert balance.open == []
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_page_shows_numbers_intervals_and_chance(parts):
    w, result = parts
    page = render(report_of(w, result))
    for name, estimate in result.metrics.items():
        assert name.replace("_", " ").replace("/", ", ") in page
        assert f"{estimate.low:.1f} – {estimate.high:.1f}" in page
    assert "chance" in page
    assert "split test, 24 images, 72 texts" in page
    assert "Leakage from training: none found" in page
    assert page.index("Leakage from training") < page.index("95% interval")


def test_examples_show_both_directions_and_mark_the_right_ones(parts):
    w, result = parts
    page = render(report_of(w, result))
    right = sum(a.right for e in result.examples["text_to_image"] for a in e.answers)
    missed = sum(not any(a.right for a in e.answers) for e in result.examples["text_to_image"])
    assert right > 0
    assert page.count("outline:3px solid var(--good)") == right + missed
    said = sum(a.right for e in result.examples["image_to_text"] for a in e.answers)
    assert page.count("<strong>✓") == said
    for example in result.examples["image_to_text"]:
        for answer in example.answers:
            assert w.rows[answer.entry.row].items["text"][answer.entry.alternative] in page
    assert page.count("Right answer not first") == 2


def test_page_is_a_pure_function(parts, tmp_path):
    report = report_of(*parts)
    assert render(report) == render(report)
    path = write_report(report, tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == render(report)


def test_training_curves_come_from_the_log(parts):
    page = render(report_of(*parts))
    assert "Training loss and its terms" in page
    assert "Validation, sum of %" in page
    recalls = page.split("<figcaption>Validation, %")[1].split("</figure>")[0]
    assert "recall@1" in recalls
    assert "rsum" not in recalls
    assert "Validation, rank" not in page  # no headline
    assert "samples per second" not in page
    assert "Training loss" not in render(report_of(*parts, log=[]))


def test_shares_and_percents_are_not_on_one_axis(parts):
    measured = "validation/retrieval/text_to_image/recall@1"
    log = [{"step": s, "contrastive/accuracy": 0.4, measured: 30.0} for s in (1, 2)]
    page = render(report_of(*parts, log=log))
    batch = page.split("<figcaption>Right in the training batch")[1].split("</figure>")[0]
    assert "contrastive" in batch
    assert "recall@1" not in batch


def test_leaks_are_shown_by_name(parts):
    w, result = parts
    facts = [RowFacts(r.id, r.group, r.source) for r in w.rows]
    leaking = dataclasses.replace(result, leakage=audit(facts, facts))
    page = render(report_of(w, leaking))
    assert "the scores may be too high" in page
    assert "24 of 24 rows belong to a group that is also in training" in page
    unaudited = render(report_of(w, dataclasses.replace(result, leakage=None)))
    assert "Leakage from training was not audited" in unaudited


def test_data_card_and_classification_are_parts_of_the_page(parts):
    w, result = parts
    zero_shot = (
        ZeroShotConfig(resamples=30, templates=("{}",)).build().evaluate([w.member()], w.rows)
    )
    card = check(w.rows, CheckConfig(workers=1))
    measured = [Measured("Retrieval", result, w.rows), Measured("Zero-shot", zero_shot, w.rows)]
    page = render(report_of(w, result, measured=measured, card=card))
    assert "Contact sheet" in page
    assert "Scores: Zero-shot" in page
    assert "macro accuracy" in page
    assert "majority" in page


def test_log_leaves_out_the_line_that_was_not_finished(tmp_path):
    assert read_log(tmp_path) == []
    lines = [json.dumps(line) for line in LOG[:3]] + ["[1]", '{"step": 4, "lo']
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    assert [line["step"] for line in read_log(tmp_path)] == [1, 2, 3]
