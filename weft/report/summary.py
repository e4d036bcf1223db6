"""The summary of a report: what was trained on which data, how good it is, and the cautions."""

from collections.abc import Mapping, Sequence

from weft.core.language import say
from weft.core.naming import plain
from weft.core.text import counted, singular_of
from weft.data.few_rows import few_rows
from weft.evaluation.metric import PERCENT, Metric, Score
from weft.inference.results import TaskResult
from weft.inference.wording import BIASED, HOPED, baseline_words, protocol_words
from weft.report import html
from weft.report.html import Html
from weft.report.records import Measured, RunRecord, RunReport

BETTER = "better than"
"""The verdict on a number whose whole interval is better than the baseline."""
SOUND = "No reason was found to doubt the numbers."


def summary(report: RunReport) -> Html:
    """Returns the three sentences of a report."""
    careful = cautions(report)
    said = ". ".join(careful) + "." if careful else SOUND
    return html.lead(
        [
            ("What was trained", html.text(trained(report)), False),
            ("How good it is", _good(report), False),
            ("Be careful", said, bool(careful)),
        ]
    )


def trained(report: RunReport) -> str:
    """Describes what was trained on which data."""
    sentences = [_trained(run) for run in report.runs[:1]]
    others = [run.name for run in report.runs[1:]]
    if others:
        sentences.append(f"The page shows {listed(others)}, too.")
    return " ".join(map(say, sentences))


def _trained(run: RunRecord) -> str:
    streams = listed([say(plain(stream)) for stream in run.streams])
    what = f"A model that reads {streams}" if streams else "A model"
    size = run.facts.get("parameters")
    sized = f", with {size.partition(', ')[0]} parameters," if isinstance(size, str) else ""
    steps = f"for {run.trained:,} steps " if run.trained else ""
    rows = f"{run.rows:,} rows of " if run.rows else ""
    kept = ""
    if run.chosen is not None and run.evaluations:
        which = "the last step" if run.chosen == run.trained else f"step {run.chosen:,}"
        kept = f"; the weights of {which} were best on the validation split and are used"
    if run.averaged is not None:
        kept = f"; its weights are a weighted mean: {run.averaged.alpha:g} fine-tuned weights, the rest starting weights"
    return (
        f"{what}{sized} was trained {steps}on {rows}{run.data or 'the data of its recipe'}{kept}."
    )


def _good(report: RunReport) -> str:
    if not report.measured:
        return "Nothing was measured."
    return sentence(report.measured[0].result)


def sentence(result: TaskResult) -> str:
    """States the first headline with its interval, compared with the strongest baseline."""
    shown = headlines(result)
    if not shown:
        return "No number was measured."
    name, score = shown[0]
    found = strongest(result.baselines, name, score.metric)
    interval = f" ({words})" if (words := score.interval_words) else ""
    sizes = measured_on(result)
    said = f"On {sizes}, {score.metric.words} is {amount(score)}{interval}"
    if found is None:
        return f"{said}; there is no baseline to compare it with."
    which, value = found
    return (
        f"{said}; {verdict(score, value)} the strongest baseline, "
        f"{baseline_words(which)}: {amount_of(score.metric, value)}."
    )


def amount(score: Score) -> str:
    """Formats the number with its unit."""
    return amount_of(score.metric, score.value)


def amount_of(metric: Metric, value: float) -> str:
    """Formats a value in the metric's unit, with the unit."""
    shown, unit = metric.shown(value), metric.unit
    if unit == PERCENT:
        return f"{shown}%"
    # A sum of percentages may be above 100; with a % sign it would look like a share.
    return shown if unit.endswith(PERCENT) else f"{shown} {say(unit)}".strip()


def verdict(score: Score, baseline: float) -> str:
    """States whether the number, with its interval, is better or worse than a baseline."""
    higher = score.metric.better == "higher"
    worst, best = (score.low, score.high) if higher else (score.high, score.low)
    if score.metric.better_than(worst, baseline):
        return BETTER
    if score.metric.better_than(baseline, best):
        return "worse than"
    return "not clearly different from"


def headlines(result: TaskResult) -> list[tuple[str, Score]]:
    """Returns the numbers displayed large, by name: the headlines, or the first number if there are none."""
    found = [(n, score) for n, score in result.metrics.items() if score.metric.headline]
    return found or list(result.metrics.items())[:1]


def strongest(
    baselines: Mapping[str, Mapping[str, float]], name: str, metric: Metric
) -> tuple[str, float] | None:
    """Returns the best baseline in a metric, and its value. Humans and real values do not count as baselines."""
    found = [(b, v[name]) for b, v in baselines.items() if name in v and b not in HOPED]
    return min(found, key=lambda one: metric.best_first(one[1]), default=None)


def measured_on(result: TaskResult) -> str:
    """Describes how much was measured."""
    protocol = result.protocol
    counts = [
        say(counted(value, singular_of(plain(name)), plain(name)))
        for name, value in protocol.items()
        if isinstance(value, int) and not isinstance(value, bool) and value and _counts(name)
    ]
    split = f" of the {plain(str(protocol['split']))} split" if "split" in protocol else ""
    return f"{listed(counts[:2]) or 'the rows'}{split}"


def _counts(name: str) -> bool:
    """Whether an entry of the protocol is a count of measured items."""
    return not name.startswith(
        ("models", "left", "views", "templates", "answers", "labels", "classes")
    )


def cautions(report: RunReport) -> list[str]:
    """Lists the cautions, the most serious first."""
    found: list[str] = []
    for measured in report.measured:
        found += _leakage(measured)
    if report.measured:
        found += _few(report.measured)
        found += _of_first(report.measured[0].result)
    for measured in report.measured:
        found += _left_out(measured)
        found += _biased(measured)
    for run in report.runs[:1]:
        found += _of_training(run)
    return list(dict.fromkeys(found))


def _leakage(measured: Measured) -> list[str]:
    leakage = measured.result.leakage
    if leakage is None:
        return ["It was not checked whether the measured rows are also training rows"]
    if leakage.shared:
        return ["Measured rows are also training rows, so the scores may be too high"]
    if leakage.suspected:
        return ["Some measured rows look much like training rows, so the scores may be too high"]
    return (
        ["Not every row could be compared with the training rows"] if leakage.not_compared else []
    )


def _few(measured: Sequence[Measured]) -> list[str]:
    """Names each split with few rows or groups; else says if the first number has few groups behind it."""
    said = [
        few_rows(plain(str(one.result.protocol.get("split", "measured"))), one.dataset)
        for one in measured
    ]
    found = [f"{one[0].upper()}{one[1:]}" for one in said if one]
    first = headlines(measured[0].result)
    warning = first[0][1].estimate.warning if first else ""
    return found or [f"The numbers rest on few independent rows ({warning})"] * bool(warning)


def _biased(measured: Measured) -> list[str]:
    return [
        f"{protocol_words(name)} {value.removesuffix(BIASED)} is biased: they are too few"
        for name, value in measured.result.protocol.items()
        if isinstance(value, str) and value.endswith(BIASED)
    ]


def _of_first(result: TaskResult) -> list[str]:
    shown = headlines(result)
    if not shown:
        return []
    (name, score), found = shown[0], []
    baseline = strongest(result.baselines, name, score.metric)
    if baseline is not None and verdict(score, baseline[1]) != BETTER:
        found.append(f"The model is not shown to be better than {baseline_words(baseline[0])}")
    return found


def _left_out(measured: Measured) -> list[str]:
    left = measured.result.protocol.get("left_out_unreadable", 0)
    return [f"{left:,} rows could not be read and were left out"] if left else []


def _of_training(run: RunRecord) -> list[str]:
    found = [note.rstrip(".") for note in run.notes]
    if run.trained is not None and run.steps is not None and run.trained < run.steps:
        found.append(
            f"Training ended after {run.trained:,} of {run.steps:,} steps (stopped early, or not finished)"
        )
    elif len(run.evaluations) > 1 and run.chosen == run.evaluations[-1]:
        found.append("The last step was the best one, so longer training may help")
    return found


def listed(names: Sequence[str]) -> str:
    """Joins the names for a sentence."""
    *first, last = names or [""]
    return f"{', '.join(first)} {say('and')} {last}" if first else last
