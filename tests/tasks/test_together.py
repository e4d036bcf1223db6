"""Several streams search together: weights from validation rows, and what they are worth."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from three_texts import WORDS, trained, write

import weft
from weft.core.samples import Sample
from weft.data.formats import Said
from weft.evaluation.query_weights import query_weights
from weft.inference.member import Entry
from weft.inference.missing_table import EQUAL, WEIGHED, MissingTable
from weft.runs.measure import measure
from weft.runs.missing import measure_missing
from weft.tasks import together
from weft.tasks._gallery import Gallery
from weft.tasks.retrieval import RetrievalConfig
from weft.tasks.together import TogetherSearch, Weigher, complete_matches, entries_of

ROWS, DIM = 400, 16
NOISE = {"text": 0.0, "image": 1.0, "audio": 4.0}
CONFIG = RetrievalConfig(streams=tuple(NOISE), resamples=10)


def galleries(seed: int) -> dict[str, Gallery]:
    """Each stream is the same point with more or less noise; the rows of streams are not in the same order."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(ROWS, DIM, generator=generator)
    found = {}
    for stream, noise in NOISE.items():
        rows = torch.randperm(ROWS, generator=generator)
        vectors = points[rows] + noise * torch.randn(ROWS, DIM, generator=generator)
        entries = tuple(Entry(stream, row) for row in rows.tolist())
        found[stream] = Gallery(entries, rows, rows, (F.normalize(vectors, dim=1),))
    return found


def recall(weigher: Weigher, left: tuple[str, ...]) -> float:
    given = galleries(1)
    others = {s: entries_of(given[s]) for s in ("image", "audio")}
    search = TogetherSearch(CONFIG, given["text"], others, "text", weigher)
    return search.line(left, "absent", left, [{}]).score.value


def test_weights_are_those_of_the_validation_rows() -> None:
    given = galleries(0)
    weights = Weigher(given).weights(("image", "audio"), "text")
    ordered = {}
    for stream, gallery in given.items():
        ordered[stream] = gallery.vectors[0][gallery.matches.argsort()]
    similar = torch.stack([ordered[s] @ ordered["text"].T for s in ("image", "audio")])
    expected = query_weights(similar, torch.eye(ROWS, dtype=torch.bool))
    assert list(weights.values()) == pytest.approx(expected.tolist(), abs=1e-6)
    assert weights["image"] == 1
    assert 0 < weights["audio"] < 0.6


def test_a_weak_stream_helps_where_the_plain_sum_costs() -> None:
    alone = recall(Weigher({}), ("image",))
    assert recall(Weigher(galleries(0)), ("image", "audio")) > alone
    assert recall(Weigher({}), ("image", "audio")) < alone


def test_one_stream_or_no_rows_need_no_weights() -> None:
    assert Weigher(galleries(0)).weights(("image",), "text") == {"image": 1.0}
    assert Weigher({}).weights(("image", "audio"), "text") == {"image": 1.0, "audio": 1.0}


def test_a_row_that_lacks_the_strong_stream_is_searched_by_the_weak_one() -> None:
    """Of two streams of which one says nothing, its weight is 0; alone it is all that a row has."""
    on_validation = galleries(0)
    opposite = tuple(-vectors for vectors in on_validation["text"].vectors)
    on_validation["audio"] = replace(on_validation["text"], vectors=opposite)
    weigher = Weigher(on_validation)
    assert weigher.weights(("image", "audio"), "text") == {"image": 1.0, "audio": 0.0}
    given = galleries(1)
    others = {stream: entries_of(given[stream]) for stream in ("image", "audio")}
    halves = {"image": range(ROWS // 2), "audio": range(ROWS // 2, ROWS)}
    for stream, half in halves.items():
        places = {match: others[stream].places[match] for match in half}
        others[stream] = replace(others[stream], places=places)
    search = TogetherSearch(CONFIG, given["text"], others, "text", weigher)
    alone = [search.line((s,), "absent", (s,), [{}]).score.value for s in halves]
    both = search.line(tuple(halves), "absent", tuple(halves), [{}])
    assert min(alone) > 0
    assert both.score.value == pytest.approx(sum(alone) / 2)
    assert both.weights == {"image": 1.0, "audio": 0.0}


def test_weights_of_a_set_of_streams_are_chosen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int] = []

    def counted(*given: torch.Tensor) -> torch.Tensor:
        chosen.append(1)
        return query_weights(*given)

    monkeypatch.setattr(together, "query_weights", counted)
    weigher = Weigher(galleries(0))
    first = weigher.weights(("image", "audio"), "text")
    assert weigher.weights(("audio", "image"), "text") == first
    assert len(chosen) == 1


def test_rows_of_a_match_are_chosen_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten matches with one row for each stream, of which the last lacks a stream, three."""
    monkeypatch.setattr(together, "MOST_MATCHES", 3)
    rows = [
        Sample(f"{match} {stream}", str(match), {stream: "a value"}, "here")
        for stream in NOISE
        for match in range(10)
        if (match, stream) != (9, "audio")
    ]
    chosen = complete_matches(rows, CONFIG)
    assert [(row.group, *row.items) for row in chosen] == [
        (match, stream) for stream in NOISE for match in ("0", "3", "6")
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("run"))


def table(folder: Path, split: str = "test", **how: Any) -> MissingTable:
    run = weft.load(folder / "run")
    measured = measure([run], "retrieval", split=split, audited=False, **how)
    return measure_missing(measured, "retrieval")


def test_the_note_says_whether_streams_were_weighed(run: Path) -> None:
    """Two validation rows with all streams are needed, beside the measured ones."""
    write(run, [WORDS, WORDS, ("one",)])
    assert table(run).how == WEIGHED
    other = run / "other.jsonl"
    shutil.copy(run / "rows.jsonl", other)
    assert table(run, "validation", data=other).how == WEIGHED
    for how in ({}, {"data": run / "rows.jsonl"}, {"said": Said(columns={"id": "id"})}):
        assert table(run, "validation", **how).how == EQUAL
    for validation in ([WORDS, ("one",)], [("one", "two")] * 4, [("three",)]):
        write(run, validation)
        found = table(run)
        assert found.how == EQUAL
        assert found.note.endswith(
            "fewer than 2 validation rows beside the measured ones have every stream"
        )


def test_the_file_holds_the_weights_and_how_they_were_chosen(run: Path) -> None:
    """A filled stream is weighed, too."""
    write(run, [WORDS, WORDS, ("one",)])
    found = table(run)
    found.save(run / "missing.json")
    written = json.loads((run / "missing.json").read_text())
    assert written["how"] == WEIGHED
    weights = {
        (*line["streams"], line["filler"]): line["weights"]
        for line in written["lines"]
        if line["found"] == "one"
    }
    assert weights["two", "absent"] == {"two": 1.0}
    both = weights["two", "three", "absent"]
    assert both.keys() == {"two", "three"}
    assert max(both.values()) == 1
    assert weights["two", "zeros"] == both
