"""An explanation explains what the run says: its answer, its score, of the inputs that it saw."""

import itertools
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1] / "tasks"))
sys.path.insert(0, str(Path(__file__).parent))

from every_task import CASES, ROWS, WIDTH, dataset, model_config
from random_run import run_of

from weft.commands._explaining import of_deletion, of_rows
from weft.core.display import Display, Picture, Word
from weft.core.errors import WeftError
from weft.core.media import Alternatives, Media, media_of
from weft.core.records import Features, Field
from weft.core.samples import Sample
from weft.inference.config import InferenceConfig
from weft.inference.member import Entry
from weft.inference.predict import predict
from weft.inference.results import Prediction, TaskResult
from weft.report.records import Measured, RunReport
from weft.report.run import render
from weft.runs.explaining import (
    deletion_of_rows,
    explain_predictions,
    explain_rows,
    row_of,
    similarities_of,
)
from weft.runs.run import Run

CPU = torch.device("cpu")


@pytest.mark.parametrize("head", ["label", "votes", "rent", "caption"])
@pytest.mark.parametrize(("models", "views"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_the_answer_and_its_score_are_those_of_predict(head: str, models: int, views: int) -> None:
    runs = [run_of(seed, views) for seed in range(models)]
    rows = dataset("image", {3})
    members = [run._member(rows, {})[0] for run in runs]
    expected = predict(members, rows, head, InferenceConfig(workers=0))
    found = explain_rows(runs, rows, head=head)
    assert [one.answer for one in found] == expected.said
    for row, one in enumerate(found):
        ((_, chance),) = expected.values.best(row, 1)
        if chance is not None:
            assert float(one.score) == pytest.approx(chance, abs=6e-4)
        streams = {"text"} if row == 3 else {"image", "text"}
        assert {part.stream for part in one.parts} == streams
        assert bool(one.note) == (models * views > 1)
    if head == "rent":
        assert all(one.answer.endswith(" euros") and one.title == one.answer for one in found)
    if head in ("label", "votes"):
        assert {one.answer for one in found} <= {"red", "blue", "green"}
        if row == 3:
            assert not one.without  # it has the text alone
    without = [
        Sample(row.id, row.group, {s: v for s, v in row.items.items() if s != "image"}, row.source)
        for row in rows
    ]
    left = predict([run._member(without, {})[0] for run in runs], without, head, InferenceConfig())
    told = [next((w.answer for w in one.without if w.stream == "image"), None) for one in found]
    assert [answer for row, answer in enumerate(told) if row != 3] == [
        answer for row, answer in enumerate(left.said) if row != 3
    ]


def test_rows_of_a_run_without_heads_are_explained_by_each_pair_of_their_streams(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = run_of(heads={})
    rows = [
        replace(row, items={**row.items, "answer": "red"}) for row in list(dataset("image", {3}))
    ]
    assert len(run.streams) == 3
    assert similarities_of(run) == list(itertools.combinations(run.streams, 2))
    sections = of_rows(run, rows, "occlusion", None)
    assert len(sections) == 3
    for pair, section in zip(similarities_of(run), sections, strict=True):
        assert pair is not None
        assert f"Similarity of {pair[0]} and {pair[1]}" in str(section)
        assert str(section).count("similarity (") == len(rows) - ("image" in pair)
    of_deletion(run, rows, "occlusion", None)
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if line.startswith("Similarity of")] == [
        f"Similarity of {first} and {second}"
        for first, second in itertools.combinations(run.streams, 2)
    ]
    assert similarities_of(run_of()) == [None]


def test_a_picture_is_read_once_for_all_models_and_views(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: Counter[Media] = Counter()
    original = Media._loaded

    def counted(media: Media) -> Any:
        reads[media] += 1
        return original(media)

    monkeypatch.setattr(Media, "_loaded", counted)
    explain_rows([run_of(seed, views=2) for seed in (0, 1)], dataset(), head="label")
    assert len(reads) == ROWS
    assert set(reads.values()) == {1}


def test_of_many_streams_without_a_head_the_two_that_are_given_are_explained() -> None:
    run = run_of(heads={})
    row = dataset()[0].items
    given = {"image": row["image"], "text": row["text"], "answer": "red"}
    for pair in itertools.combinations(given, 2):
        (one,) = run.explain(**{stream: given[stream] for stream in pair})
        assert one.answer == "similarity"
        assert {part.stream for part in one.parts} == set(pair)


@dataclass(frozen=True)
class Shown:
    """What a task found, and the explanations of what it shows."""

    result: TaskResult
    rows: list[Sample]
    run: Run


def shown(name: str) -> Shown:
    rows = dataset()
    run = run_of(heads=model_config().heads)
    config = CASES[name].replace(examples=ROWS)
    found = config.build().evaluate([run._member(rows, {})[0]], rows)  # type: ignore[attr-defined]
    return Shown(found, rows, run)


@pytest.mark.parametrize("name", ["matching", "dialog"])
def test_pairs_are_explained_as_they_were_judged(name: str) -> None:
    """The text of another row, or a candidate that is no item of any row."""
    one = shown(name)
    found = explain_predictions([one.run], one.result, one.rows)
    assert not found.missing
    assert len(found.explained) == len(one.result.predictions) > 4
    others = 0
    for number, prediction in enumerate(one.result.predictions):
        explained = found.explained[number]
        assert prediction.score is not None
        score = float(explained.score)
        if name == "matching" and explained.answer == "no match":
            score = 1 - score
        assert score == pytest.approx(prediction.score, abs=6e-4)
        others += len({item.row for item in prediction.inputs}) > 1
        streams = {"image", "text"} | ({"answer"} if name == "dialog" else set())
        assert {part.stream for part in explained.parts} == streams
    assert (others > 0) == (name == "matching")
    page = render(page_of(one, found.explained, found.missing))
    assert page.count(">image: what matters</figcaption>") == len(one.result.predictions)


def page_of(one: Shown, explained: Any, missing: str) -> RunReport:
    measured = Measured(
        "Task", one.result, one.rows, one.run.modalities, explained=explained, missing=missing
    )
    return RunReport(name="r", runs=[], measured=[measured])


def test_what_is_not_explained_is_said_in_one_line() -> None:
    one = shown("matching")
    plain = TaskResult(**{**vars(one.result), "head": None})
    found = explain_predictions([one.run], plain, one.rows)
    assert not found.explained
    assert found.missing in render(page_of(one, found.explained, found.missing))
    assert "no head and no similarity" in found.missing
    nothing = TaskResult(**{**vars(plain), "predictions": ()})
    assert not explain_predictions([one.run], nothing, one.rows).missing


def test_a_prediction_is_a_row_of_what_the_model_saw() -> None:
    rows = dataset()
    rows[4] = Sample("row4", "g", {"text": Alternatives(["one", "two"])}, "made:5")
    seen = (Entry("image", 2), Entry("text", 4, 1))
    found = row_of(Prediction(seen, "yes", (), given={"answer": "blue"}), rows, {})
    assert found.items == {"image": rows[2].items["image"], "text": "two", "answer": "blue"}
    assert (found.id, found.source) == ("row2", "made:3")


class Spectrogram:
    """A modality of another kind: a sound as frequencies by times, whose parts are bands of both."""

    def decode(self, raw: Any) -> Tensor:
        return torch.from_numpy(raw.array()).float()

    def transform(
        self, item: Tensor, *, train: bool, generator: torch.Generator, view: int = 0
    ) -> Tensor:
        return item

    def collate(self, items: Sequence[Tensor]) -> Field:
        return Field(torch.stack(list(items))[:, None])

    def parts(self, field: Field) -> Tensor:
        return torch.ones(len(field), 6, dtype=torch.bool)

    def without(self, field: Field, gone_BP: Tensor) -> Field:
        gone = gone_BP.view(-1, 1, 2, 3).repeat_interleave(4, 2).repeat_interleave(2, 3)
        return Field(field.values.masked_fill(gone, 0), field.mask, field.present)

    def layout(self, field: Field, tokens: int | None = None) -> tuple[int, ...] | None:
        return (2, 3) if tokens in (None, 6) else None

    def show(self, raw: Any) -> Display:
        return Display(words=(Word(f"a sound of {raw.array().shape[1]} steps"),))

    def weighed(self, field: Field, weights: Tensor) -> Display:
        grey = field.values[0, 0].to(torch.uint8).numpy()
        picture = Picture(np.repeat(grey[:, :, None], 3, axis=2), weights.numpy())
        return Display((picture,), (Word("low to high"),))


class Loud(nn.Module):
    """Hears the band in the middle of the upper half."""

    dim = WIDTH

    def forward(self, field: Field) -> Features:
        heard = field.values[:, 0, 4:, 2:4].mean(dim=(1, 2))[:, None].repeat(1, WIDTH)
        return Features(heard[:, None], torch.ones(len(heard), 1, dtype=torch.bool), heard)


def test_a_modality_of_its_own_says_its_parts_and_how_it_is_shown() -> None:
    """Nothing of explanations and reports knows it."""
    run = run_of()
    run.model.encoders["image"] = Loud()
    run.modalities["image"] = Spectrogram()
    random = np.random.default_rng(0)
    rows = [
        Sample(
            f"row{n}",
            f"group{n}",
            {"image": media_of(random.integers(9, 255, (8, 6), dtype=np.uint8), "array")},
            f"made:{n + 1}",
        )
        for n in range(6)
    ]
    with torch.no_grad():
        run.model.heads["rent"].decoder.out.weight.abs_()
    found = explain_rows([run], rows, head="rent")
    weighed = [part.display.pictures[0].weights for one in found for part in one.parts]
    falls = [weights for weights in weighed if weights is not None and weights.any()]
    assert falls, "the number falls without what is heard in no row"
    for weights in falls:
        assert np.flatnonzero(weights).tolist() == [4]
        assert weights.shape == (2, 3)
    (test,) = deletion_of_rows(run, rows, head="rent")
    assert (test.stream, test.rows) == ("image", 6)
    result = TaskResult(
        task="rent",
        protocol={},
        metrics={},
        baselines={},
        predictions=[Prediction((Entry("image", n),), "1", ()) for n in range(6)],
        head="rent",
    )
    explained = explain_predictions([run], result, rows).explained
    page = render(page_of(Shown(result, rows, run), explained, ""))
    assert page.count("a sound of 6 steps") == 6
    assert page.count("low to high") == 6
    assert page.count("<img") == 6


def test_a_stream_without_parts_is_named() -> None:
    run = run_of()

    class Plain:
        def decode(self, raw: Any) -> Tensor:
            return torch.zeros(1, 8, 6)

        def transform(self, item: Tensor, **_: Any) -> Tensor:
            return item

        def collate(self, items: Sequence[Tensor]) -> Field:
            return Field(torch.stack(list(items)))

    run.model.encoders["image"] = Loud()
    run.modalities["image"] = Plain()
    with pytest.raises(WeftError, match=r"stream 'image': values of shape \(1, 1, 8, 6\) have no"):
        explain_rows([run], dataset()[:1], head="rent")
