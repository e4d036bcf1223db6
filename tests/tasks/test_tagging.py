"""Tagging: numbers are those of scikit-learn; what stands behind classes and tags."""

import io
import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from every_task import BATCH, CASES, dataset, measured, member
from rich.console import Console
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    roc_auc_score,
)

from weft.core.errors import WeftError
from weft.core.samples import Sample
from weft.evaluation.bootstrap import Bootstrap
from weft.heads.classes import ClassOutput, ClassValues
from weft.heads.output import Part
from weft.heads.tags import TagOutput, TagValues, best_threshold
from weft.inference.results import TaskResult
from weft.runs.measure import sliced
from weft.tasks._accuracy import ACCURACY
from weft.tasks.printing import print_result
from weft.tasks.slicing import Measured, require_columns, slices


def run_with(
    name: str, values: ClassValues, monkeypatch: pytest.MonkeyPatch, **changes: object
) -> TaskResult:
    """The task on the suite's rows, where the head says these values."""
    rows = dataset()
    output = TagOutput if name == "tagging" else ClassOutput
    calls = itertools.count()

    def read(_: object, parts: Sequence[Part]) -> ClassValues:
        first = BATCH * (next(calls) // 3)  # of a batch, and of each of two streams of another row
        return values.take(range(first, first + len(parts[0].context)))

    monkeypatch.setattr(output, "read", read)
    config = CASES[name].replace(**changes)  # type: ignore[attr-defined]
    task = config.build()
    result: TaskResult = type(task).evaluate.__wrapped__(task, [member(rows)], rows)
    return result


def chances(classes: int) -> torch.Tensor:
    return torch.rand(12, classes, generator=torch.Generator().manual_seed(0))


def test_numbers_of_tags_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    target = member(dataset()).targets["tags"]
    values = TagValues(chances(3), target.classes, 0.5)  # type: ignore[attr-defined]
    found = run_with(
        "tagging", values, monkeypatch, slices=("label", "price", "tags", "image", "text")
    )
    right = np.array([[n in row.items["tags"] for n in values.classes] for row in dataset()])
    scores = values.probabilities.numpy()
    m = {name: score.value / 100 for name, score in found.metrics.items()}
    assert m["mean_average_precision"] == pytest.approx(average_precision_score(right, scores))
    assert m["auroc"] == pytest.approx(roc_auc_score(right, scores))
    assert found.baselines["tag frequencies"]["auroc"] == pytest.approx(50)
    assert m["micro_f1"] == pytest.approx(f1_score(right, scores >= 0.5, average="micro"))
    assert m["macro_f1"] == pytest.approx(f1_score(right, scores >= 0.5, average="macro"))
    assert m["exact_match"] == pytest.approx(((scores >= 0.5) == right).all(1).mean())
    first = right[np.arange(12), scores.argmax(1)]
    assert m["first_tag"] == pytest.approx(first.mean())
    for place, name in enumerate(values.classes):
        one = average_precision_score(right[:, place], scores[:, place])
        assert m[f"tag/{name}/average_precision"] == pytest.approx(one)
    best = best_threshold(values.probabilities, torch.from_numpy(right))
    assert f1_score(right, scores >= best, average="micro") == pytest.approx(
        max(f1_score(right, scores >= t / 100, average="micro") for t in range(1, 100))
    )
    out = io.StringIO()
    print_result(found, Console(file=out, width=100))
    assert "first tag right, label:\n  blue: " in out.getvalue()
    told = found.diagnostics
    assert told.reliability is not None
    ece = told.reliability.ece
    said = f"for each tag: {ece.shown} % ({ece.interval})"
    assert f"expected calibration error of the probabilities, {said}\n" in out.getvalue()
    assert sum(one.count for one in told.reliability.bins) == right.size
    by_label, by_price, by_tag, by_image, by_text = told.slices
    assert [(one.value, one.rows) for one in by_label.slices] == [("blue", 6), ("red", 6)]
    assert [one.score.value for one in by_label.slices] == pytest.approx(
        [100 * first[1::2].mean(), 100 * first[::2].mean()]
    )
    assert [one.rows for one in by_price.slices] == [3, 3, 3, 3]
    assert by_price.slices[0].value == "0 – 0.4"
    assert {one.value for one in by_tag.slices} == {"red", "large", "blue"}
    assert [one.value for one in by_image.slices] == ["image"]
    assert [one.value for one in by_text.slices] == ["5 words"]
    none = run_with("tagging", values, monkeypatch, slices=("colour",))  # rows of another table
    assert not none.diagnostics.slices


def test_tags_that_are_not_learned_count_as_missed() -> None:
    rows = dataset()
    for row in rows:
        row.items["tags"] = [*row.items["tags"], "never seen"]
    found = CASES["tagging"].build().evaluate([member(rows)], rows)  # type: ignore[attr-defined]
    plain = measured("tagging", dataset())
    assert found.protocol["tags_not_known"] == 12
    assert found.metrics["exact_match"].value == 0
    assert found.metrics["micro_f1"].value < plain.metrics["micro_f1"].value
    assert found.metrics["mean_average_precision"] == plain.metrics["mean_average_precision"]


def test_numbers_of_classes_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = chances(2).softmax(dim=1)
    classes = member(dataset()).targets["label"].classes  # type: ignore[attr-defined]
    found = run_with("classification", ClassValues(chance, classes), monkeypatch, slices=("right",))
    right = [row.items["label"] for row in dataset()]
    said = [classes[place] for place in chance.argmax(1)]
    m = {name: score.value / 100 for name, score in found.metrics.items()}
    assert m["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(right, said))
    assert m["macro_f1"] == pytest.approx(f1_score(right, said, average="macro"))
    areas = [roc_auc_score(np.array(right) == n, chance[:, p]) for p, n in enumerate(classes)]
    assert m["auroc"] == pytest.approx(np.mean(areas))
    told = found.diagnostics
    assert told.confusion is not None
    assert told.class_counts is not None
    assert told.confusion.labels == classes
    expected = confusion_matrix(right, said, labels=list(classes))
    assert [list(row) for row in told.confusion.counts] == expected.tolist()
    assert [(c.name, c.training, c.measured) for c in told.class_counts.counts] == [
        ("blue", None, 6),
        ("red", None, 6),
    ]
    for score in found.metrics.values():
        assert score.low <= score.value <= score.high


def test_regression_has_residuals_and_slices_of_its_error() -> None:
    rows = dataset()
    config = CASES["regression"].replace(slices=("label",))  # type: ignore[attr-defined]
    found = config.build().evaluate([member(rows)], rows)
    told = found.diagnostics
    assert told.residuals is not None
    assert told.residuals.unit == "euros"
    assert sum(one.rows for one in told.residuals.bins) == len(told.residuals.points) == 12
    mean = sum(one.absolute * one.rows for one in told.residuals.bins) / 12
    assert mean == pytest.approx(found.metrics["MAE"].value)
    (by_label,) = told.slices
    assert by_label.slices[0].score.metric.unit == "euros"
    sliced = sum(one.score.value * one.rows for one in by_label.slices) / 12
    assert sliced == pytest.approx(found.metrics["MAE"].value)


def test_slices_of_a_run_are_chosen_afterwards() -> None:
    assert sliced(CASES["tagging"], "tagging", ["label"]).slices == ("label",)  # type: ignore[attr-defined]
    with pytest.raises(
        WeftError, match="task 'retrieval' gives no errors by slice, these do: class"
    ):
        sliced(CASES["retrieval"], "retrieval", ["label"])


def test_all_unknown_columns_of_slices_are_named_at_once() -> None:
    samples = [Sample("0", "0", {"label": "a", "price": 1}, "made:0")]
    with pytest.raises(WeftError) as raised:
        require_columns(["lable", "label", "zzz", "prices"], samples)
    assert str(raised.value) == (
        "no column of slices is called 'lable', 'zzz', 'prices': did you mean lable → label, prices → price? known: "
        "label, price"
    )
    with pytest.raises(WeftError, match="unknown column of slices 'lable': did you mean label"):
        require_columns(["lable", "label"], samples)


def test_numbers_that_count_the_rows_are_cut_at_quartiles() -> None:
    rows = torch.arange(40)
    measured = Measured(ACCURACY, (rows > 29).double(), rows, rows.tolist())
    samples = [Sample(str(n), str(n), {"place": n}, f"made:{n}") for n in range(40)]
    (found,) = slices(measured, samples, ["place"], Bootstrap(rows, resamples=20))
    assert [(one.value, one.rows) for one in found.slices] == [
        ("0 – 9", 10),
        ("10 – 19", 10),
        ("20 – 29", 10),
        ("30 – 39", 10),
    ]
    assert [one.score.value for one in found.slices] == [0, 0, 0, 100]
