"""The run's report: what must be on the page, and that nothing else gets in."""

import dataclasses
import json
import math
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tasks"))

from tiny_world import tiny_world

from weft.core.language import say, speaking
from weft.data.prepare.check import CheckConfig, check
from weft.data.prepare.scan import RowFacts
from weft.evaluation.bootstrap import Estimate
from weft.evaluation.leakage import Finding, audit
from weft.evaluation.metric import RANK, Metric, Score
from weft.inference.diagnostics import Diagnostics, Slice, Slices, StreamWeight
from weft.inference.member import Entry
from weft.inference.results import Prediction, RecognisedWord
from weft.inference.wording import BIASED
from weft.report.embedding_map import EmbeddingMap, MapPoint, Neighbours
from weft.report.records import Measured, RunRecord, RunReport, chosen_step, read_log
from weft.report.run import render, write_report
from weft.report.summary import amount_of, cautions, sentence, summary
from weft.report.task import OPEN_CHARTS
from weft.tasks.retrieval import RetrievalConfig
from weft.tasks.zero_shot import ZeroShotConfig

LOG = [
    {"step": step, "loss": 5 / step, "contrastive": 5 / step, "samples_per_second": 90.0}
    | {"seconds": 2.0 * step, "peak_memory": 2.0**28}
    | (
        {
            "validation/retrieval/text_to_image/recall@1": 50.0 - abs(step - 20),
            "validation/retrieval/text_to_image/mean_rank": 50.0 / step,
            "validation/retrieval/rsum": 3.0 * step,
        }
        if step % 5 == 0
        else {}
    )
    for step in range(1, 41)
]
METRICS = [metric.of("retrieval") for metric in RetrievalConfig().build().metrics]


@pytest.fixture(scope="module")
def parts():
    w = tiny_world(noise=1.0)
    facts = [RowFacts(r.id, r.group, r.source) for r in w.rows]
    leakage = audit(
        [dataclasses.replace(f, id=f"t{f.id}", group=f"t{f.group}") for f in facts], facts
    )
    result = RetrievalConfig(resamples=60).build().evaluate([w.member()], w.rows, leakage=leakage)
    return w, result


def run_of(**changes):
    values = {
        "name": "tiny",
        "recipe": {"model": {"class": "weft.x", "dim": 12}, "note": "<script>alert(1)</script>"},
        "streams": ("image", "text_zh"),
        "data": "tiny.csv",
        "rows": 1200,
        "log": LOG,
        "facts": {"seed": 0, "torch": "2.9", "parameters": "1,234, 34 trained"},
        "validation": METRICS,
        "chosen": 20,
        "steps": 40,
    }
    return RunRecord(**{**values, **changes})


def report_of(w, result, runs=None, **changes):
    values = {
        "name": "tiny",
        "runs": [run_of()] if runs is None else runs,
        "measured": [Measured("Retrieval", result, w.rows)],
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


def test_page_begins_with_three_sentences(parts):
    w, result = parts
    page = render(report_of(w, result))
    lead = page.split('<dl class="lead">')[1].split("</dl>")[0]
    assert lead.count("<dt>") == 3
    assert "A model that reads image and Chinese text, with 1,234 parameters," in lead
    assert "trained for 40 steps on 1,200 rows of tiny.csv" in lead
    assert "the weights of step 20 were best on the validation split" in lead
    name, score = next((n, s) for n, s in result.metrics.items() if s.metric.headline)
    assert f"{score.metric.words} is {score.shown}% (95% interval {score.interval})" in lead
    assert f"chance: {score.metric.shown(result.baselines['chance'][name])}%" in lead
    assert page.index('class="lead"') < page.index("Leakage from training")
    assert page.index("Leakage from training") < page.index('class="tiles"')


def test_page_shows_numbers_intervals_and_chance(parts):
    w, result = parts
    page = render(report_of(w, result))
    for name, estimate in result.metrics.items():
        assert name.replace("_", " ").replace("/", ", ") in page
        assert f"{estimate.low:.1f} – {estimate.high:.1f}" in page
    assert "chance" in page
    assert "24 images and 72 texts of the test split" in page
    assert "Leakage from training: none found, comparing 24 measured rows" in page


def test_a_sum_of_percentages_is_no_percentage() -> None:
    assert amount_of(Metric("rsum", "sum of %"), 587.1) == "587.1"
    assert amount_of(Metric("accuracy"), 58.71) == "58.7%"
    assert amount_of(Metric("rank", RANK, "lower"), 3.0) == "3.0 rank"
    assert amount_of(Metric("gain"), -0.01) == "-0.01%"
    assert amount_of(Metric("gain"), -0.0) == "0.0%"


def test_few_charts_are_open_and_slices_are_the_last(parts) -> None:
    w, result = parts
    score = next(iter(result.metrics.values()))
    slices = tuple(Slices(name, (Slice("a", 12, score),), 1) for name in ("colour", "size"))
    found = dataclasses.replace(result, diagnostics=Diagnostics(slices=slices))
    page = render(report_of(w, found)).split("<section")[1]
    opened, _, folded = page.partition("2 more: charts")
    assert opened.count('class="chart"') == OPEN_CHARTS
    assert "by the values of size" in folded.split("</details>")[0]


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (60.0, 55.0, 65.0, "better than"),
        (60.0, 45.0, 65.0, "not clearly different from"),
        (40.0, 30.0, 49.0, "worse than"),
    ],
)
def test_a_number_is_judged_against_the_strongest_baseline(parts, value, low, high, said):
    w, result = parts
    accuracy = Metric("accuracy", headline=True)
    found = dataclasses.replace(
        result,
        metrics={"accuracy": Score(accuracy, Estimate(value, low, high, 30))},
        baselines={"chance": {"accuracy": 25.0}, "majority": {"accuracy": 50.0}}
        | {"person": {"accuracy": 99.0}},
        values={},
    )
    said_of_it = sentence(found)
    assert f"{said} the strongest baseline, always the most frequent answer: 50.0%" in said_of_it
    careful = " ".join(cautions(report_of(w, found)))
    assert ("not shown to be better" in careful) == (said != "better than")


@pytest.mark.parametrize(
    ("baseline", "said"),
    [("nothing", "an empty transcript"), ("one transcript", "always the same transcript")],
)
def test_the_baselines_of_a_recogniser_are_said_in_words(parts, baseline, said):
    w, result = parts
    score = Score(Metric("WER", better="lower", headline=True), Estimate(98.0, 95.0, 103.0, 30))
    found = dataclasses.replace(
        result, metrics={"WER": score}, baselines={baseline: {"WER": 100.0}}, values={}
    )
    careful = cautions(report_of(w, found))
    assert f"The model is not shown to be better than {said}" in careful


def test_one_group_has_no_interval(parts):
    _, result = parts
    found = dataclasses.replace(
        result,
        protocol={"groups": 1, "questions": 1, "rows": 20, "split": "test"},
        metrics={
            "a": Score(Metric("accuracy", headline=True), Estimate(60, math.nan, math.nan, 1))
        },
        baselines={},
        values={},
    )
    assert sentence(found) == (
        "On 1 group and 1 question of the test split, accuracy is 60.0% (1 group: no interval); "
        "there is no baseline to compare it with."
    )
    with speaking("zh"):
        assert say(sentence(found)).startswith(
            "在测试集的 1 组 和 1 个问题上，准确率 为 60.0%（1 组：没有区间）"
        )


def test_cautions_say_what_weakens_the_numbers(parts):
    w, result = parts
    leaking = audit(*[[RowFacts(r.id, r.group, r.source) for r in w.rows]] * 2)
    few = {
        n: dataclasses.replace(s, estimate=dataclasses.replace(s.estimate, groups=3))
        for n, s in result.metrics.items()
    }
    worse = dataclasses.replace(
        result, leakage=leaking, metrics=few, protocol={**result.protocol, "left_out_unreadable": 7}
    )
    runs = [run_of(steps=90)]
    found = cautions(report_of(w, worse, runs))
    assert "also training rows" in found[0]
    told = " ".join(found)
    for what in ("few independent rows", "7 rows could not be read", "40 of 90 steps"):
        assert what in told
    assert "longer training may help" in " ".join(
        cautions(report_of(w, result, [run_of(chosen=40)]))
    )
    assert (
        "It was not checked"
        in cautions(report_of(w, dataclasses.replace(result, leakage=None), runs))[0]
    )


def test_a_small_test_split_is_a_caution_whatever_was_measured(parts):
    w, result = parts
    sound = cautions(report_of(w, result))
    assert not any("mean little" in one for one in sound)
    small = [Measured("One", result, w.rows[:8]), Measured("Two", result, w.rows[:8])]
    found = cautions(report_of(w, result, measured=small))
    said = "The test split has 8 rows, expected 20 or more: its metrics mean little"
    assert found.count(said) == 1
    one_group = [dataclasses.replace(row, group="same") for row in w.rows]
    found = cautions(report_of(w, result, measured=[Measured("One", result, one_group)]))
    assert "The test split has 1 group, expected 20 or more: its metrics mean little" in found
    lead = summary(report_of(w, result, measured=small))
    assert f"{said}." in lead
    assert "No reason was found" not in lead


def test_a_biased_metric_is_a_caution(parts):
    w, result = parts
    found = dataclasses.replace(result, protocol={"split": "test", "FID of": f"300 rows{BIASED}"})
    page = render(report_of(w, found))
    assert "FID of 300 rows is biased: they are too few." in page
    assert "No reason was found" not in page
    with speaking("zh"):
        assert "300 行的 FID 有偏：行数太少" in render(report_of(w, found))


def test_the_chosen_step_is_the_first_best_one():
    assert chosen_step(LOG, "retrieval/text_to_image/recall@1", METRICS) == 20
    assert chosen_step(LOG, None, METRICS) == 20
    assert chosen_step(LOG, "retrieval/text_to_image/mean_rank", METRICS) == 40
    assert chosen_step(LOG[:4], None, METRICS) == 4
    assert chosen_step([], None, METRICS) is None


def test_one_leakage_box_for_all_tasks(parts):
    w, result = parts
    several = [Measured(name, result, w.rows) for name in ("One", "Two", "Three")]
    page = render(report_of(w, result, measured=several))
    assert page.count("Leakage from training") == 1
    other = dataclasses.replace(result, leakage=None)
    mixed = [*several[:2], Measured("Unseen", other, w.rows)]
    assert "Not audited: Unseen." in render(report_of(w, result, measured=mixed))


def test_the_leakage_box_is_in_chinese_throughout(parts):
    w, result = parts
    shared = Finding(2, 3)
    leaking = dataclasses.replace(result.leakage, ids=shared, groups=shared, texts=shared)
    with speaking("zh"):
        page = render(report_of(w, dataclasses.replace(result, leakage=leaking)))
    for said in ("3 行中有 2 行的 id 也出现在训练集中", "3 行中有 2 行所属的组也出现在训练集中"):
        assert said in page
    assert "also in training" not in page


def test_every_task_is_one_section_and_every_link_has_its_own_place(parts):
    w, result = parts
    several = [Measured("Retrieval", result, w.rows)] * 3
    page = render(
        report_of(w, result, measured=several, card=check(w.rows, CheckConfig(workers=1)))
    )
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    links = re.findall(r'href="#([^"]+)"', page)
    assert sorted(links) == sorted(ids)
    assert [one for one in ids if one.startswith("retrieval")] == [
        *("retrieval", "retrieval-2", "retrieval-3")
    ]


def test_every_run_has_its_recipe_folded(parts):
    w, result = parts
    runs = [run_of(), run_of(name="second", recipe={"learning": 42}, log=[])]
    page = render(report_of(w, result, runs))
    for name in ("tiny", "second"):
        assert f"<details><summary>Recipe of {name}</summary>" in page
    assert "&quot;learning&quot;: 42" in page


def test_examples_show_both_directions_and_mark_the_right_ones(parts):
    w, result = parts[0], dataclasses.replace(parts[1], worst_examples={})
    page = render(report_of(w, result))
    right = sum(a.right for e in result.examples["text_to_image"] for a in e.answers)
    missed = sum(not any(a.right for a in e.answers) for e in result.examples["text_to_image"])
    assert right > 0
    assert page.count('class="framed"') == right + missed
    said = sum(a.right for e in result.examples["image_to_text"] for a in e.answers)
    assert page.count("✓") == said
    for example in result.examples["image_to_text"]:
        for answer in example.answers:
            assert w.rows[answer.entry.row].items["text"][answer.entry.alternative] in page
    assert page.count("Right answer not first") == 2


def test_worst_errors_map_and_neighbours_are_on_the_page(parts):
    w, result = parts
    drawn = EmbeddingMap(
        [MapPoint(n, "image", float(n), 0.0, "image") for n in range(5)], ["image"]
    )
    wrong = [
        Prediction((Entry("text", n, 0),), f"said {n}", (f"right {n}",), False, 0.9 - n / 10)
        for n in range(3)
    ]
    several = [
        Measured(
            name,
            dataclasses.replace(result, worst=wrong),
            w.rows,
            {"image": None, "text": None},
            map=drawn,
            nearest=[Neighbours(2, [(7, 0.5)])],
            training=w.rows,
            searched=10,
        )
        for name in ("One", "Two")
    ]
    page = render(report_of(w, result, measured=several))
    for what in (
        "Map of the embeddings",
        "Worst errors",
        "Nearest training rows of the worst errors",
    ):
        assert page.count(f"<details open><summary>{what}</summary>") == 2
    assert page.count("<details><summary>Charts, map, examples, all numbers</summary>") == 1
    many = render(report_of(w, result, measured=[*several, *several]))
    assert many.count("<details><summary>Worst errors</summary>") == 4
    assert many.count("<details><summary>Charts, map, examples, all numbers</summary>") == 3
    assert 'name="map-0"' in page
    assert 'name="map-1"' in page
    assert "among 10 of 24 training rows, sampled at random" in page
    assert page.count("said 0") == 2
    worst = max(example.rank for example in result.worst_examples["image_to_text"])
    assert f"right answer at rank {worst}" in page
    right = [
        dataclasses.replace(one, result=dataclasses.replace(result, worst_examples={}))
        for one in several
    ]
    page = render(report_of(w, result, measured=right))
    assert "Nearest training rows of the examples" in page
    assert "worst errors" not in page


def test_below_each_word_how_far_each_stream_was_believed(parts):
    w, result = parts
    words = (
        RecognisedWord("bin", {"audio": 0.9, "video": 0.1}),
        RecognisedWord("<blue>", {"audio": 0.25, "video": 0.75}),
    )
    said = Prediction((Entry("text", 0, 0),), "bin <blue>", ("bin blue",), False, words=words)
    weights = (
        StreamWeight("audio", Estimate(57.5, 50.0, 60.0)),
        StreamWeight("video", Estimate(42.5, 40.0, 50.0)),
    )
    seen = dataclasses.replace(
        result, predictions=[said], worst=[said], diagnostics=Diagnostics(stream_weights=weights)
    )
    page = render(report_of(w, seen))
    assert page.count("below each word: the weight of each stream while") == 2
    assert page.count('title="audio 25 %, video 75 %"><b>&lt;blue&gt;</b>') == 2
    assert page.count("flex:0.900;background:var(--s0)") == 2
    assert page.count("flex:0.100;background:var(--s1)") == 2
    assert "<figcaption>Weight of each stream</figcaption>" in page
    assert "weight of each stream while" not in render(report_of(w, result))


def test_page_is_a_pure_function(parts, tmp_path):
    report = report_of(*parts)
    assert render(report) == render(report)
    path = write_report(report, tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == render(report)


def test_training_curves_come_from_the_log(parts):
    page = render(report_of(*parts))
    assert "<figcaption>Training loss</figcaption>" in page
    assert "On the validation split, sum of %" in page
    recalls = page.split("<figcaption>On the validation split, %")[1].split("</figure>")[0]
    assert "chosen: 20" in recalls
    assert "recall@1" in recalls
    assert "rsum" not in recalls
    assert "On the validation split, rank" not in page  # no headline
    assert "samples per second" not in page
    assert "<td>1 min 20 s</td>" in page.replace(' data-name="time"', "")
    assert "256 MiB" in page
    assert "Training loss" not in render(report_of(*parts, [run_of(log=[])]))


def test_shares_and_percents_are_not_on_one_axis(parts):
    measured = "validation/retrieval/text_to_image/recall@1"
    log = [{"step": s, "contrastive/accuracy": 0.4, measured: 30.0} for s in (1, 2)]
    page = render(report_of(*parts, [run_of(log=log)]))
    batch = page.split("<figcaption>Accuracy in the training batch")[1].split("</figure>")[0]
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
    assert "<h2>Zero-shot</h2>" in page
    assert "macro accuracy" in page
    assert "always the most frequent answer" in page


def test_log_leaves_out_the_line_that_was_not_finished(tmp_path):
    assert read_log(tmp_path) == []
    lines = [json.dumps(line) for line in LOG[:3]] + ["[1]", '{"step": 4, "lo']
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    assert [line["step"] for line in read_log(tmp_path)] == [1, 2, 3]
