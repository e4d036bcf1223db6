"""What every task keeps, found by walking weft/tasks."""

import importlib
import inspect
import io
import json
import pkgutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from every_task import (
    CASES,
    ROWS,
    SETTINGS,
    dataset,
    measured,
    member,
    model_config,
)
from PIL import Image

import weft.tasks
from weft.core.config import Config, from_json, to_json
from weft.core.errors import DataError, WeftError
from weft.core.interfaces import JOINT
from weft.core.media import Media
from weft.core.needs import Needing, Needs
from weft.core.places import Memory
from weft.core.samples import Sample
from weft.data.policy import ErrorPolicy
from weft.data.sources import FilesConfig
from weft.data.targets.cells import CellsConfig
from weft.data.targets.classes import ClassesConfig
from weft.data.targets.numbers import NumbersConfig
from weft.data.targets.tags import TagsConfig
from weft.data.targets.transcript import TranscriptConfig
from weft.evaluation.metric import FAMILY, find
from weft.inference import lost_streams
from weft.inference.results import TaskResult
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig
from weft.runs.check import check_columns, check_names
from weft.runs.measure import Measurement
from weft.runs.missing import measure_missing
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks import tasks
from weft.tasks.base import Task
from weft.tasks.regression import OF_A_SCALE
from weft.tasks.reranking import RerankingConfig

BROKEN = 5
NOT_IN_THESE_ROWS = {
    "captioning": {"METEOR"},  # is switched off: it needs Java
    "dialog": {"ndcg"},  # of rows with relevances
    # Of rows with equal texts, and where the training rows are at hand.
    "generation": {"variety", "close_to_training"},
    # Of a threshold, which is set on validation rows.
    "mismatch": {f"{p}/found" for p in ("random", "nearest", "wrong")} | {"false_alarms"},
    "novelty": {"found", "false_alarms"},
    "transcription": {"word_time_error", "words_within_100ms"},  # of rows with the times of words
    "regression": {metric.name for metric in OF_A_SCALE if FAMILY not in metric.name},
    "vqa": {"soft_accuracy"},  # of rows with the answers of several annotators
    "vqa-written": {"soft_accuracy", "macro_f1"},  # written answers are of no classes
}
"""Metrics that a task declares and that the rows of this suite do not have."""
ALONE = ("generation", "held_out_loss", "mismatch", "modality_probe", "novelty", "reconstruction")
"""Tasks of one model alone; what is drawn of a row depends on its place in the data set."""
TWICE = ("generation", "reconstruction")
"""Read each picture once more than others: to be drawn from, and as the true one."""
WITHOUT_INTERVAL = ("FID", "precision", "recall", "close_to_training", "gap")
"""Distances of whole sets."""
every_task = pytest.mark.parametrize("name", CASES)


def built(name: str) -> Task:
    task: Task = CASES[name].build()  # type: ignore[attr-defined]
    return task


def with_errors(name: str, policy: ErrorPolicy) -> Config:
    """The case with that error policy."""
    config = CASES[name]
    inference = SETTINGS.replace(errors=policy)
    if isinstance(config, RerankingConfig):
        return config.replace(retrieval=config.retrieval.replace(inference=inference))
    return config.replace(inference=inference)


def values(result: TaskResult) -> dict[str, float]:
    return {n: one.value for n, one in result.metrics.items()}


def numbers(result: TaskResult) -> dict[str, tuple[float, float, float]]:
    return {n: (one.value, one.low, one.high) for n, one in result.metrics.items()}


def test_every_config_is_in_the_suite() -> None:
    found: set[type[Config]] = set()
    for info in pkgutil.iter_modules(weft.tasks.__path__):
        module = importlib.import_module(f"weft.tasks.{info.name}")
        for _, cls in inspect.getmembers(module, inspect.isclass):
            own = cls.__module__ == module.__name__ and issubclass(cls, Config)
            if own and "build" in vars(cls):
                found.add(cls)
    assert found == {type(config) for config in CASES.values()}
    assert found == {type(config) for config in tasks().values()}
    assert len(found) == 21


@every_task
def test_the_config_builds_and_survives_json(name: str) -> None:
    for config in (type(CASES[name])(), CASES[name]):
        written = json.loads(json.dumps(to_json(config)))
        assert from_json(written, Config, "task") == config
        assert config.build().name in tasks()  # type: ignore[attr-defined]
        assert isinstance(config, Needing)


@every_task
def test_every_number_is_declared_and_every_metric_measured(name: str) -> None:
    task, result = built(name), measured(name, dataset())
    for metric, score in result.metrics.items():
        declared = find(task.metrics, metric)
        assert declared.in_unit("euros", 3) == score.metric
    for metric in [*result.values, *(one for b in result.baselines.values() for one in b)]:
        find(task.metrics, metric)
    means = {metric for metric, score in result.metrics.items() if score.metric.row_mean}
    assert means == {metric for metric, found in result.values.items() if found.of is None}
    single = {metric.name for metric in task.metrics if FAMILY not in metric.name}
    assert single - result.metrics.keys() == NOT_IN_THESE_ROWS.get(name, set())
    assert any(metric.headline for metric in task.metrics)


@every_task
def test_protocol_baselines_and_intervals_are_there(name: str) -> None:
    rows = dataset()
    trained = replace(member(rows), training=dataset())
    result = built(name).evaluate([trained], rows)
    assert result.task == built(name).name
    assert "models" in result.protocol
    assert "resamples" in result.protocol["interval"]
    assert any(isinstance(value, int) and value >= ROWS for value in result.protocol.values())
    for score in result.metrics.values():
        if score.metric.name in WITHOUT_INTERVAL:
            assert np.isnan(score.low)
            continue
        assert score.low <= score.value + 1e-9
        assert score.value <= score.high + 1e-9
        assert any(score.low < score.high for score in result.metrics.values())
    assert result.baselines
    for of_one in result.baselines.values():
        assert of_one
        assert np.isfinite(list(of_one.values())).all()
    json.dumps(result.to_json(), allow_nan=False)


@every_task
def test_the_same_numbers_twice(name: str) -> None:
    rows = dataset()
    first = measured(name, rows)
    torch.manual_seed(9)
    np.random.seed(9)
    again = measured(name, rows)
    assert first.to_json() == again.to_json()
    assert first.predictions == again.predictions
    assert first.worst == again.worst
    assert not any(one.right for one in first.worst)
    assert first.examples == again.examples


@every_task
def test_two_models_are_an_ensemble(name: str) -> None:
    rows = dataset()
    one, other = member(rows), member(rows, seed=1)
    if name in ALONE:
        with pytest.raises(WeftError, match="2 models .* expected one"):
            built(name).evaluate([one, other], rows)
        return
    alone = built(name).evaluate([one], rows)
    twice = built(name).evaluate([one, one], rows)
    assert values(twice) == pytest.approx(values(alone))
    both = built(name).evaluate([one, other], rows)
    assert "2" in str(both.protocol["models"])
    assert both.metrics.keys() == alone.metrics.keys()
    turned = built(name).evaluate([other, one], rows)
    assert values(both) == pytest.approx(values(turned))


def recipe(name: str) -> Recipe:
    """A recipe with the case as its only task, and all that it needs."""
    text = TextConfig(kind="word")
    data = DataConfig(
        FilesConfig(Path("rows.jsonl")),
        {"image": ImageConfig(size=8), "text": text, "answer": text},
        {
            "label": ClassesConfig("label"),
            "price": NumbersConfig("price"),
            "spoken": TranscriptConfig("spoken"),
            "tags": TagsConfig("tags"),
            "objects": CellsConfig(cells=2, attributes=("shape", "color")),
        },
    )
    return Recipe(data, model_config(), {}, {name: CASES[name]})


def all_needs(made: Recipe, name: str) -> Needs:
    """What the task needs, and what the outputs of its heads need."""
    needs: Needs = CASES[name].needs  # type: ignore[attr-defined]
    outputs = [made.model.heads[head].output.needs for head in needs.heads]
    return replace(
        needs,
        streams=(*needs.streams, *(s for one in outputs for s in one.streams)),
        targets=(*needs.targets, *(t for one in outputs for t in one.targets)),
    )


def without(parts: dict, key: str) -> dict:
    return {name: part for name, part in parts.items() if name != key}


@every_task
def test_a_recipe_that_lacks_what_a_task_needs_is_refused(name: str) -> None:
    made = recipe(name)
    check_names(made)
    check_columns(made, dataset())
    needs, data, model = all_needs(made, name), made.data, made.model
    lacking: list[tuple[str, Recipe]] = []
    encoded = {s for s in (*needs.encoders, *needs.embeddings) if s != JOINT}
    for stream in {*needs.streams, *encoded}:
        less = data.replace(streams=without(data.streams, stream))
        lacking.append((stream, made.replace(data=less)))
    for part, keys in (
        ("encoders", encoded),
        ("projections", needs.embeddings),
        ("heads", needs.heads),
    ):
        for key in keys:
            less = model.replace(**{part: without(getattr(model, part), key)})
            lacking.append((key, made.replace(model=less)))
    for target in needs.targets:
        lacking.append((target, made.replace(data=data.replace(targets={}))))
    if needs.fusion:
        lacking.append(("fusion", made.replace(model=model.replace(fusion=None))))
    assert lacking
    for missing, less in lacking:
        with pytest.raises(WeftError, match=missing) as caught:
            check_names(less)
        assert "\n" not in str(caught.value)


@every_task
@pytest.mark.parametrize("column", ["label", "text", "candidates", "right", "price", "tags"])
def test_a_column_that_a_task_needs_is_named(name: str, column: str) -> None:
    rows = [replace(row, items=without(row.items, column)) for row in dataset()]
    needed = column in CASES[name].needs.columns  # type: ignore[attr-defined]
    if needed:
        with pytest.raises(DataError, match=rf"made:1: has no '{column}', which tasks\.{name}"):
            check_columns(recipe(name), rows)
    result, message = None, ""
    try:
        result = measured(name, rows)
    except WeftError as error:
        message = str(error)
    if result is None:
        assert column in message
        assert "\n" not in message
    else:
        assert not needed
        assert np.isfinite(list(values(result).values())).all()


def broken(kind: str) -> Sequence[Sample]:
    """The rows, one of which has a picture that is none, that cannot be read at all, or that has no right answer."""
    rows = dataset()
    row = rows[BROKEN]
    items = {
        "picture": {**row.items, "image": Media.encoded(b"no picture", "image")},
        "label": {name: row.items[name] for name in ("image", "text", "caption", "wrong", "kind")}
        | {"right": 7},
    }
    if kind == "row":
        return Unreadable(rows)
    rows[BROKEN] = replace(row, items=items[kind])
    return rows


class Unreadable(list[Sample]):
    """Rows one of which its format cannot read."""

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        row = super().__getitem__(index)
        if index == BROKEN:
            raise DataError("is no row", source=row.source)
        return row


@every_task
@pytest.mark.parametrize("kind", ["picture", "row"])
def test_what_cannot_be_read_follows_the_error_policy(name: str, kind: str, tmp_path: Path) -> None:
    rows = broken(kind)

    def found(policy: ErrorPolicy) -> TaskResult:
        result: TaskResult = (
            with_errors(name, policy)
            .build()
            .evaluate(  # type: ignore[attr-defined]
                [member(rows)], rows
            )
        )
        return result

    with pytest.raises(DataError, match=f"^made:{BROKEN + 1}: ") as caught:
        found(ErrorPolicy("raise"))
    assert "\n" not in str(caught.value)
    with pytest.raises(WeftError, match="more than the limit of 0.0%.*made:6: "):
        found(ErrorPolicy("skip", limit=0.0))
    skipped = found(ErrorPolicy("skip", limit=0.5))
    fewer = [row for n, row in enumerate(dataset()) if n != BROKEN]
    expected = measured(name, fewer)
    if name in ALONE:
        assert skipped.metrics.keys() == expected.metrics.keys()
        assert skipped.protocol["left_out_unreadable"] == 1 or (name, kind) == (
            "reconstruction",
            "picture",  # a row is made from its text
        )
    else:
        assert values(skipped) == pytest.approx(values(expected))
    kept = found(ErrorPolicy("quarantine", tmp_path, limit=0.5))
    np.testing.assert_equal(numbers(kept), numbers(skipped))
    lines = (tmp_path / "errors.jsonl").read_text().splitlines()
    assert [json.loads(line)["source"] for line in lines] == [f"made:{BROKEN + 1}"]
    assert bool(list(tmp_path.glob("row5*"))) == (kind == "picture")


WITHOUT_ANSWERS = (
    *("retrieval", "reranking", "matching", "captioning"),
    *("translation", "contrastive_translation", *ALONE),
)
"""Tasks that read no right answer but the pairing of the streams."""


@every_task
def test_a_row_without_a_right_answer_is_named_or_left_out(name: str) -> None:
    """Also by every model of an ensemble; never measured as if it had one."""
    rows = broken("label")
    lenient = with_errors(name, ErrorPolicy("skip", limit=0.5)).build()  # type: ignore[attr-defined]
    members = [member(rows)] * (1 if name in ALONE else 2)
    found = lenient.evaluate(members, rows)
    if name in WITHOUT_ANSWERS:
        assert values(found) == pytest.approx(values(measured(name, dataset())))
        return
    fewer = [row for n, row in enumerate(dataset()) if n != BROKEN]
    assert values(found) == pytest.approx(values(measured(name, fewer)))
    if name == "zero_shot":
        return  # measures the pictures that have a label
    with pytest.raises(DataError, match=f"^made:{BROKEN + 1}: "):
        measured(name, rows)


@dataclass(frozen=True)
class Counted(Memory):
    """Encoded bytes that count how often they are read."""

    name: str = ""
    reads: Counter[str] = field(default_factory=Counter, compare=False)

    def load(self, limit: int) -> bytes:
        self.reads[self.name] += 1
        return super().load(limit)


@every_task
@pytest.mark.parametrize(("models", "views"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_a_picture_is_read_once(name: str, models: int, views: int) -> None:
    """By all models in all evaluation views."""
    measured(name, dataset())  # the first evaluation of a task is one for its seeds, too (conftest)
    if models > 1 and name in ALONE:
        return
    reads: Counter[str] = Counter()
    rows = counted_rows(reads)
    found = built(name).evaluate([member(rows, seed, views) for seed in range(models)], rows)
    assert str(models) in str(found.protocol["models"])
    times = 1 + (name in TWICE)
    if name == "reconstruction":  # what is encoded is kept, one view after the other
        times = views + 1
    assert reads == {row.id: times for row in rows}


def test_a_picture_that_is_drawn_from_its_text_is_read_once() -> None:
    """To be compared and to be shown."""
    measured("generation", dataset())  # as above
    reads: Counter[str] = Counter()
    rows = counted_rows(reads)
    found = CASES["generation"].replace(inputs=("text",)).build().evaluate([member(rows)], rows)
    assert reads == {row.id: 1 for row in rows}
    assert len(found.drawings) == ROWS
    for drawing in found.drawings:
        (picture,) = drawing.others["real"].pictures
        row = drawing.inputs[0].row
        assert np.array_equal(picture.pixels, dataset()[row].items["image"].array())


def test_of_rows_that_repeat_a_picture_one_is_captioned() -> None:
    """A table with five captions a picture; where the first rows cannot be read, another one."""
    measured("captioning", dataset())  # as above
    reads: Counter[str] = Counter()
    pictures = counted_rows(reads)
    rows = [
        replace(row, id=f"{row.id}-{n}", items={**row.items, "text": f"{row.items['text']} {n}"})
        for row in pictures
        for n in range(5)
    ]
    whole = measured("captioning", rows)
    assert whole.protocol["captions"] == ROWS
    assert whole.protocol["references"] == 5 * ROWS
    assert reads == {row.id: 1 for row in pictures}
    broken = [
        replace(row, items={**row.items, "image": Media.encoded(b"no picture", "image")})
        if n % 5 in (0, 1)
        else row
        for n, row in enumerate(rows)
    ]
    lenient = with_errors("captioning", ErrorPolicy("skip", limit=0.5))
    found = lenient.build().evaluate([member(broken)], broken)  # type: ignore[attr-defined]
    assert values(found) == values(whole)
    assert reads == {row.id: 2 for row in pictures}


def counted_rows(reads: Counter[str]) -> list[Sample]:
    return [
        replace(row, items={**row.items, "image": counted(row.items["image"], row.id, reads)})
        for row in dataset()
    ]


def counted(media: Media, name: str, reads: Counter[str]) -> Media:
    out = io.BytesIO()
    Image.fromarray(media.array()).save(out, "png")
    return replace(media, place=Counted(out.getvalue(), name, reads))


@pytest.mark.parametrize("name", ["reconstruction", "generation"])
def test_a_limit_measures_the_rows_that_it_keeps(name: str) -> None:
    """Streams and true values are of the same rows, spread over all."""
    rows = dataset()
    kept = [rows[n * len(rows) // 4] for n in range(4)]
    limited = CASES[name].replace(limit=4).build().evaluate([member(rows)], rows)
    wanted = built(name).evaluate([member(kept)], kept)
    assert {key: score.value for key, score in limited.metrics.items()} == pytest.approx(
        {key: score.value for key, score in wanted.metrics.items()}
    )


LOST = {
    "reconstruction": CASES["reconstruction"],
    "generation": CASES["generation"].replace(head="drawing"),
}


@pytest.mark.parametrize("name", LOST)
def test_a_stream_that_is_lost_stays_lost(name: str) -> None:
    """However the member reads rows: `weft evaluate --missing` measures it without."""
    rows, task = dataset(), LOST[name].build()
    raw, lost = member(rows), partial(lost_streams.without, lost=["text"])
    reading = replace(raw, reading=lambda some: member(some).sources)
    found, wanted, whole = (
        values(task.evaluate([one], rows)) for one in (lost(reading), lost(raw), raw)
    )
    assert found == wanted
    assert found != whole


def test_a_reconstruction_has_no_number_without_what_it_is_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, config = dataset(), CASES["reconstruction"]
    monkeypatch.setattr("weft.runs.missing.training_rows", lambda _: None)
    monkeypatch.setattr("weft.runs.missing.task_config", lambda *_: config)
    run: Any = SimpleNamespace(recipe=None, member=lambda some, _: member(some), device="cpu")
    whole = config.build().evaluate([member(rows)], rows)
    assert next(iter(whole.metrics)).startswith("image to image")
    found = measure_missing(Measurement(whole, rows, [run]), "reconstruction")
    assert (("image",), "absent") in [(line.streams, line.filler) for line in found.lines]
    assert (("text",), "absent") not in [(line.streams, line.filler) for line in found.lines]
