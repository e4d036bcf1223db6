"""From a table to a leaderboard and a run that every command takes."""

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fitting_tables import people, without, write_table
from PIL import Image
from tiny_runs import done, refused
from tiny_runs import weft as command

import weft
from weft.core.errors import WeftError
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.sources import FilesConfig
from weft.fitting import trials
from weft.fitting.candidates import Candidate
from weft.fitting.result import FitResult, folder_of, held
from weft.fitting.settings import FitSettings
from weft.fitting.table import read_table
from weft.fitting.trials import Trial
from weft.heads.tags import TagValues
from weft.runs.measure import measure
from weft.runs.new_rows import rows_like
from weft.runs.run import load

PLAIN, FOLDS_2 = FitSettings(networks=False), FitSettings(folds=2)
QUICK = FitSettings(networks=False, folds=2)


@pytest.fixture(scope="module")
def mood(tmp_path_factory: pytest.TempPathFactory) -> FitResult:
    folder = tmp_path_factory.mktemp("mood")
    table = write_table(folder / "people.csv", without(people(), "score"))
    return weft.fit(table, target="mood", out=folder / "run", minutes=1, settings=PLAIN)


def test_the_leaderboard_has_every_candidate_against_the_best(mood: FitResult) -> None:
    names = {entry.candidate.name for entry in mood.board.entries}
    assert names == {
        "always 'good'" if "always 'good'" in names else "always 'bad'",
        "text alone, linear",
        "age alone, boosted trees",
        "colour alone, linear",
        "all columns, linear",
        "all columns, boosted trees",
    }
    best, *others = mood.board.entries
    assert best.difference is None
    assert best.estimate.groups == 30
    worst = next(e for e in others if e.candidate.name == "colour alone, linear")
    assert not worst.tied
    assert mood.board.recommended.tied
    assert mood.board.recommended.candidate.columns in (("text",), ("text", "age", "colour"))
    saved = json.loads((mood.folder / "leaderboard.json").read_text())
    assert saved["recommended"] == mood.board.recommended.candidate.name
    assert len(saved["candidates"]) == 6


def test_the_run_predicts_and_is_measured_like_any_other(mood: FitResult) -> None:
    run = load(mood.folder)
    said = run.predict(text=["bright happy glad lovely tree", "grey sad sorry awful day"]).said
    assert said == ["good", "bad"]
    found = measure([run], "classification", split="train").result
    assert found.metrics["accuracy"].value > 90
    answer = done("ask", mood.folder, "--text", "grey sad sorry awful", "--k", 1)
    assert answer.split()[1] == "bad"


def test_a_report_says_that_it_measures_training_rows(
    mood: FitResult, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = command("report", mood.folder, "--out", tmp_path / "report.html", "--card", "False")
    assert said.code == 0
    assert f"{mood.folder}: has no test rows, so the report measures" in caplog.text


def test_ids_that_give_the_answer_away_are_told_by_any_name(tmp_path: Path) -> None:
    rows = sorted(without(people(), "group", "score"), key=lambda row: row["mood"])
    for name in ("id", "Nr"):
        named = [{name: f"{n:03}", **row} for n, row in enumerate(rows)]
        table = write_table(tmp_path / f"{name}.csv", named)
        found = weft.fit(table, target="mood", out=tmp_path / name, settings=QUICK)
        assert [line for line in found.alarms if line.startswith(f"'{name}' names rows")]


def test_an_interruption_names_no_folder_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("weft.fitting.opening.open_table", stopped)
    said = command("fit", "t.csv", "--target", "mood", "--out", tmp_path / "run")
    assert (said.code, said.err) == (130, "weft: interrupted\n")
    (tmp_path / "run" / "candidates").mkdir(parents=True)
    said = command("fit", "t.csv", "--target", "mood", "--out", tmp_path / "run")
    assert "candidates that are finished are kept" in said.err


def test_an_unknown_task_names_those_that_there_are() -> None:
    said = refused("fit", "t.csv", "--target", "mood", "--task", "klass")
    assert sorted(re.findall(r"'(\w+)'", said)) == ["class", "klass", "number", "tags"]


def test_one_row_is_too_few(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", people()[:1])
    with pytest.raises(WeftError, match="1 row can be used, expected 2 or more"):
        weft.fit(table, target="mood", out=tmp_path / "run", settings=QUICK)


def test_the_columns_that_count_are_found(mood: FitResult) -> None:
    worth = {one.column: one.loss for one in mood.important}
    assert worth.keys() == {"text", "age", "colour"}
    assert worth["text"].low > 10
    assert worth["colour"].low <= 0 <= worth["colour"].high
    page = (mood.folder / "leaderboard.html").read_text()
    assert "Recommended is" in page
    assert "colour alone, linear" in page
    assert not mood.alarms


def test_new_rows_are_predicted_without_the_target(mood: FitResult, tmp_path: Path) -> None:
    rows = without(people(30, seed=5), "mood", "score", "colour")
    table = write_table(tmp_path / "new.csv", rows)
    said = done("predict", mood.folder, table, "--out", tmp_path / "said.csv")
    assert "30 rows predicted, 0 left out" in said
    header, *lines = (tmp_path / "said.csv").read_text().splitlines()
    assert set(header.split(",")) == {"id", "prediction", "probability", "p(good)", "p(bad)"}
    right = [
        line.split(",")[1] == row["mood"]
        for line, row in zip(lines, people(30, seed=5), strict=True)
    ]
    assert sum(right) >= 24
    empty = dict.fromkeys(rows[0], "")
    some = write_table(tmp_path / "some.csv", [{**row, "other": "x"} for row in (rows[0], empty)])
    counted = "left out: 1 row without readable values in the columns that this run reads"
    assert counted in command("predict", mood.folder, some).err
    said = done("predict", mood.folder, some, "--out", tmp_path / "some_said.csv")
    assert said.startswith("1 row predicted, 1 left out: ")
    other = write_table(tmp_path / "other.csv", [{"image": "a.png", "size": 3}])
    assert "none of the columns that this run reads" in refused("predict", mood.folder, other)


def test_a_finished_candidate_is_not_computed_again(
    mood: FitResult, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a candidate was computed again")

    monkeypatch.setattr("weft.fitting.trials._tried", never)
    table = mood.folder.parent / "people.csv"
    again = weft.fit(table, target="mood", out=mood.folder, minutes=1, settings=PLAIN)
    assert again.board.to_json() == mood.board.to_json()


def test_the_run_and_its_table_can_be_moved_together(mood: FitResult, tmp_path: Path) -> None:
    place = Path(shutil.copytree(mood.folder.parent, tmp_path / mood.folder.parent.name))
    shutil.move(mood.folder.parent, tmp_path / "gone")
    try:
        found = measure([load(place / "run")], "classification", split="train").result
    finally:
        shutil.move(tmp_path / "gone", mood.folder.parent)
    assert found.protocol["rows"] == 120


def test_what_is_finished_when_it_is_interrupted_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table = write_table(tmp_path / "people.csv", without(people(40), "score", "text"))
    tried: list[str] = []

    def stopped(candidate: Candidate, *rest: Any) -> Trial:
        if len(tried) == 2:
            raise KeyboardInterrupt
        tried.append(candidate.name)
        return real(candidate, *rest)

    real = trials._tried
    monkeypatch.setattr(trials, "_tried", stopped)
    words = ["fit", table, "--target", "mood", "--out", tmp_path / "run"]
    words += ["--networks", "False", "--folds", "2"]
    said = command(*words)
    assert said.code == 130
    assert "the same command goes on from there" in said.err
    monkeypatch.setattr(trials, "_tried", lambda c, *rest: tried.append(c.name) or real(c, *rest))
    done(*words)
    assert len(tried) == len(set(tried)) == 5


def test_a_run_without_test_rows_points_to_the_scores_of_the_folds(mood: FitResult) -> None:
    with pytest.raises(
        WeftError, match=r"has no test rows; its scores .*leaderboard.html; measure"
    ):
        mood.run.evaluate()


def test_rows_may_be_a_path_or_a_table_and_pictures_lie_where_those_of_training_did(
    mood: FitResult, tmp_path: Path
) -> None:
    rows = [{"text": "bright happy day", "age": "abc"}, {"text": "grey sad day", "age": "50"}]
    table = write_table(tmp_path / "new.csv", rows)
    assert mood.run.predict(table).said[0] == "good"
    assert mood.run.predict([{"text": "grey sad sorry day"}]).said == ["bad"]
    (tmp_path / "old" / "images").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "old" / "images" / "a.png")
    source = FilesConfig(tmp_path / "old" / "rows.csv")
    recipe = mood.run.recipe.replace(data=replace(mood.run.recipe.data, source=source))
    (sample,) = rows_like(recipe, write_table(tmp_path / "p.csv", [{"image": "a.png"}]))
    assert sample.items["image"].path == tmp_path / "old" / "images" / "a.png"


def test_a_column_that_is_not_there_is_said_before_anything_is_read(
    mood: FitResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.fitting.opening.read_table", lambda *_: pytest.fail("read"))
    said = command("fit", mood.folder.parent / "people.csv", "--target", "modo")
    assert "did you mean mood" in said.err
    assert not said.out


def test_near_duplicates_are_of_one_cluster() -> None:
    def row(number: int, picture: Image.Image) -> Sample:
        data = io.BytesIO()
        picture.save(data, "PNG")
        media = Media.encoded(data.getvalue(), "image", "png")
        return Sample(str(number), str(number), {"image": media}, f"row {number}")

    pixels = np.random.default_rng(0).integers(0, 255, (7, 6, 6, 3)).astype(np.uint8)
    pictures = [Image.fromarray(one).resize((60, 60), Image.Resampling.BICUBIC) for one in pixels]
    rows = [row(n, picture) for n, picture in enumerate([*pictures, pictures[0].resize((50, 50))])]
    clusters = read_table(rows, workers=1).clusters.tolist()  # type: ignore[arg-type]
    assert clusters[7] == clusters[0]
    assert len(set(clusters)) == 7


def test_little_time_goes_to_the_linear_model_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("weft.fitting.trials._fits", lambda *_: False)
    rows = without(people(40), "score", "text")
    found = weft.fit(rows, "mood", minutes=0.001, out=tmp_path / "run", settings=QUICK)
    assert [e.candidate.model for e in found.board.entries] in (
        ["linear", "constant"],
        ["constant", "linear"],
    )
    page = (tmp_path / "run" / "leaderboard.html").read_text()
    assert "Not tried for lack of time: age alone" in page


def test_a_table_in_memory_and_columns_of_other_names(tmp_path: Path) -> None:
    rows = [
        {"Befund": row["text"], "Alter": row["age"], "Patient": row["group"], "Art": row["mood"]}
        for row in people(60)
    ]
    columns = {"text": "Befund", "group": "Patient", "label": "Art"}
    found = weft.fit(
        rows,
        target="label",
        out=tmp_path / "run",
        columns=columns,
        settings=FitSettings(networks=False, folds=3),
    )
    assert found.board.entries[0].estimate.groups == 30
    assert {one.column for one in found.important} == {"text", "Alter"}
    new = [{k: v for k, v in row.items() if k not in ("Art", "Patient")} for row in rows[:5]]
    said = done("predict", found.folder, write_table(tmp_path / "new.csv", new))
    written = [line.split(",")[1] for line in said.splitlines()[1:]]
    assert found.run.predict(rows=new).said == written
    assert len(written) == 5
    with pytest.raises(WeftError, match="got a int, expected a table of pandas"):
        weft.fit(3, target="a", out=tmp_path / "other")


def test_a_network_is_trained_on_each_fold_and_once_more_on_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("weft.fitting.trained.TrainedCandidate.plan_steps", lambda *_: 3)
    rows = without(people(40), "score", "age")
    table = write_table(tmp_path / "people.csv", rows)
    found = weft.fit(table, target="mood", out=tmp_path / "run", settings=FOLDS_2)
    entry = next(e for e in found.board.entries if e.candidate.is_trained)
    assert entry.candidate.name == "all columns, classify"
    runs = sorted(path.name for path in (tmp_path / "run" / "candidates").glob("classify*/*"))
    assert [name for name in runs if name.startswith("fold")] == ["fold-0", "fold-1"]
    again = weft.fit(table, target="mood", out=tmp_path / "run", settings=FOLDS_2)
    assert again.board.to_json() == found.board.to_json()


def test_tags_are_predicted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("weft.fitting.trained.TrainedCandidate.plan_steps", lambda *_: 2)
    random, rows = np.random.default_rng(0), []
    for _ in range(60):
        tags = [name for name in ("sea", "dog", "snow") if random.random() < 0.4]
        words = [f"a {tag} here" for tag in tags] + ["some words of a day"]
        rows.append({"text": " ".join(words), "size": random.random(), "tags": tags or ["none"]})
    found = weft.fit(rows, "tags", out=tmp_path / "run", settings=FOLDS_2)
    assert [found.board.metric.name, *(m.name for m in found.board.others)] == [
        "mean_average_precision",
        "micro_f1",
        "macro_f1",
    ]
    scores = {entry.candidate.name: entry.estimate.value for entry in found.board.entries}
    assert scores.keys() >= {"how often each tag is", "all columns, linear", "all columns, tag"}
    assert scores["text alone, linear"] > 90
    assert scores["size alone, linear"] < 60
    assert max(found.board.entries[0].others) <= 100
    values = found.run.predict(text=["a dog here in the snow"]).values
    assert isinstance(values, TagValues)
    order = [values.classes[n] for n in values.probabilities[0].argsort(descending=True)]
    assert set(order[:2]) == {"dog", "snow"}
    measured = measure([found.run], "tagging", split="train").result
    assert measured.metrics["mean_average_precision"].value > 95
    threshold = found.run.learned.thresholds["tags"]
    assert values.threshold == threshold
    assert 0.01 <= threshold <= 0.99


def test_one_process_at_a_time_fits_into_a_folder(mood: FitResult, tmp_path: Path) -> None:
    with held(tmp_path / "run", "mood"), pytest.raises(WeftError, match="another process"):
        weft.fit(people(40), target="mood", out=tmp_path / "run", settings=FOLDS_2)
    (tmp_path / "other").mkdir()
    shutil.copy(mood.folder / "recipe.json", tmp_path / "other")
    with pytest.raises(WeftError, match="holds another run"):
        weft.fit(people(40), target="mood", out=tmp_path / "other", settings=FOLDS_2)


def test_the_folder_of_a_target_lies_below_that_of_all() -> None:
    out = Path("runs")
    assert folder_of("score", out) == out / "score"
    names = {folder_of(target, out).relative_to(out) for target in ("../a", "a/b", "a_b", "..")}
    assert len(names) == 4
    assert all(len(name.parts) == 1 and name.name not in (".", "..") for name in names)


def test_of_many_columns_those_alone_are_not_compared(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = []
    for row in without(people(60), "score", "text"):
        noise = {f"n{k}": round(float(random.normal()), 3) for k in range(12)}
        rows.append({**row, **noise})
    table = write_table(tmp_path / "people.csv", rows)
    found = weft.fit(table, target="mood", out=tmp_path / "run", settings=QUICK)
    compared = [e.candidate.name for e in found.board.entries if e.candidate.role == "compared"]
    assert len(compared) == 3
    assert len(found.board.entries) == 3 + 14
    assert "all 3 pairs of the 3 candidates" in found.board.correction
    assert found.board.entries[0].candidate.role == "compared"


def test_several_pictures_a_row_are_read(tmp_path: Path) -> None:
    rows = []
    for n in range(24):
        names = [f"p{n}-{k}.png" for k in range(1 + n % 2)]
        for name in names:
            value = 40 if n % 3 else 200
            Image.new("RGB", (24, 24), (value, 90 + n, 90)).save(tmp_path / name)
        rows.append({"scans": names, "grade": "high" if n % 3 else "low"})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = weft.fit(tmp_path / "rows.jsonl", target="grade", out=tmp_path / "run", settings=QUICK)
    assert found.board.entries[0].candidate.columns == ("scans",)
    assert found.board.entries[0].estimate.value > 90
    said = done("predict", found.folder, tmp_path / "rows.jsonl").splitlines()
    assert len(said) == 25


def test_a_number_is_predicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft.fitting.trained.TrainedCandidate.plan_steps", lambda *_: 2)
    table = write_table(tmp_path / "people.csv", without(people(), "mood", "colour"))
    found = weft.fit(table, target="score", out=tmp_path / "run", minutes=1, settings=FOLDS_2)
    assert found.board.metric.name == "MAE"
    assert "all columns, regress" in {entry.candidate.name for entry in found.board.entries}
    constant = next(e for e in found.board.entries if e.candidate.model == "constant")
    assert found.board.entries[0].estimate.value < 0.6 * constant.estimate.value
    low, high = (
        load(found.folder)
        .predict(text=["grey sad sorry awful day", "bright happy glad lovely tree"])
        .values.numbers
    )
    assert low < 0 < high


def test_a_column_that_gives_the_answer_away_raises_the_alarm(tmp_path: Path) -> None:
    rows = [
        {**row, "verdict": row["mood"].upper(), "code": f"{row['mood'][0]}x{n}"}
        for n, row in enumerate(without(people(80), "score", "age", "colour"))
    ]
    table = write_table(tmp_path / "people.csv", rows)
    found = weft.fit(table, target="mood", out=tmp_path / "run", settings=QUICK)
    leaks, names = sorted(found.alarms, key=lambda line: "names rows" in line)
    assert leaks.startswith("'verdict' alone predicts 'mood' without errors")
    assert names.startswith("'code' names rows, and it alone predicts 'mood'")
    assert "code" not in found.board.recommended.candidate.columns
    without_it = weft.fit(
        table,
        target="mood",
        out=tmp_path / "b",
        settings=FitSettings(networks=False, folds=2, without=("verdict",)),
    )
    assert not any("verdict" in line for line in without_it.alarms)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("moods", "did you mean mood"),
        ("same", "every row has the same value"),
        ("name", "nearly every row has a value of its own"),
        (
            "when",
            "it holds dates, which are not predicted; add a column with the days since a first day",
        ),
    ],
)
def test_a_target_that_cannot_be_learned(tmp_path: Path, target: str, said: str) -> None:
    rows = [
        {**row, "same": 1, "name": f"n{n}", "when": f"2026-01-{1 + n % 28:02d}"}
        for n, row in enumerate(people(40))
    ]
    table = write_table(tmp_path / "people.csv", rows)
    assert said in refused("fit", table, "--target", target, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_price_in_euros_keeps_its_unit(tmp_path: Path) -> None:
    rows = [
        {"price": f"{1000 + 3 * n},50 €" if n % 20 else "on request", "size": f"{n} m2"}
        for n in range(80)
    ]
    table = write_table(tmp_path / "t.csv", rows)
    found = weft.fit(table, "price", out=tmp_path / "run", settings=FitSettings(networks=False))
    assert found.board.metric.unit == "€"
    assert found.notes == ("4 rows without a 'price' are left out",)
    new = write_table(tmp_path / "new.csv", [{"size": "1.030 m²"}, {"size": "30 m²"}])
    (header, _, last) = done("predict", tmp_path / "run", new).splitlines()
    assert header == "id,prediction,unit"
    assert last.endswith(",€")
    assert float(last.split(",")[1]) == pytest.approx(1090, abs=30)


def test_columns_of_any_name_are_read_and_shown(tmp_path: Path) -> None:
    names = {"text": "note.text", "age": "items", "colour": "label", "mood": "values"}
    rows = [{names.get(k, k): v for k, v in row.items()} for row in without(people(), "score")]
    table = write_table(tmp_path / "t.csv", rows)
    found = weft.fit(table, "values", out=tmp_path / "run", settings=QUICK)
    columns = {name for entry in found.board.entries for name in entry.candidate.columns}
    assert columns == {"note.text", "items", "label"}
    assert set(found.run.predict(rows=rows[:9]).values.classes) == {"good", "bad"}
    assert "note.text" in (tmp_path / "run" / "leaderboard.html").read_text()


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        (["{}.50 €", "{}.20 $"], "values are in several units, € (20) and $ (20)"),
        (["{}.5", "{}", "on request"], "13 of 40 values are no numbers, such as 'on request'"),
    ],
)
def test_why_a_target_is_no_number_is_said(tmp_path: Path, prices: list[str], reason: str) -> None:
    rows = [{"price": prices[n % len(prices)].format(n), "size": n + 0.5} for n in range(40)]
    table = write_table(tmp_path / "t.csv", rows)
    said = refused("fit", table, "--target", "price", "--out", tmp_path / "run", after_steps=True)
    assert reason in said
