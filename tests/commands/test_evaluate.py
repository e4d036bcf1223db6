"""`weft evaluate` and `weft report`: numbers as JSON and a page that stands on its own."""

import html.parser
import json
import shutil
from pathlib import Path

import pytest
from tiny_runs import caption_table, done, flags, picture, refused, scenes_flags, unchanged

from weft.core.config import to_json
from weft.data.sources import FilesConfig

RECALLS = [f"{way}/recall@{k}" for way in ("image_to_text", "text_to_image") for k in (1, 5, 10)]


def result(path: Path) -> dict:
    return json.loads(path.read_text())


def check_schema(found: dict) -> None:
    assert list(found) == ["task", "protocol", "metrics", "baselines", "leakage", "diagnostics"]
    assert found["task"] == "retrieval"
    assert set(RECALLS) <= set(found["metrics"])
    for estimate in found["metrics"].values():
        assert list(estimate) == ["value", "low", "high", "groups", "unit", "better", "digits"]
        assert estimate["low"] <= estimate["value"] <= estimate["high"]
    for recall in RECALLS:
        assert 0 <= found["metrics"][recall]["value"] <= 100
    total = sum(found["metrics"][recall]["value"] for recall in RECALLS)
    assert found["metrics"]["rsum"]["value"] == pytest.approx(total)
    chance = found["baselines"]["chance"]
    assert chance["text_to_image/recall@1"] == pytest.approx(
        100 / found["protocol"]["images"], rel=1e-6
    )


def test_json(scenes_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "result.json"
    with unchanged(scenes_run / "checkpoints"):
        out = done("evaluate", scenes_run, "--task", "retrieval", "--json", file)
    assert f"written: {file}" in out
    found = result(file)
    check_schema(found)
    assert found["protocol"]["split"] == "test"
    assert found["protocol"]["images"] == 12
    assert found["protocol"]["texts"] == 60
    assert found["protocol"]["models"] == 1
    assert found["leakage"]["train_rows"] == 40
    for name in RECALLS:
        assert name in out
    assert out.index("leakage") < out.index("recall@1")


def test_kept_in_the_run(scenes_copy: Path) -> None:
    done("evaluate", scenes_copy)
    done("evaluate", scenes_copy, "--split", "test_heldout")
    kept = [
        result(scenes_copy / "metrics" / f"retrieval-{split}.json")
        for split in ("test", "test_heldout")
    ]
    for found in kept:
        check_schema(found)
    assert [found["protocol"]["split"] for found in kept] == ["test", "test_heldout"]
    assert kept[0]["metrics"] != kept[1]["metrics"]


def test_without_audit(scenes_run: Path, tmp_path: Path) -> None:
    done("evaluate", scenes_run, "--audit", "False", "--json", tmp_path / "r.json")
    assert result(tmp_path / "r.json")["leakage"] is None


@pytest.mark.parametrize(("command", "option"), [("evaluate", "--json"), ("report", "--out")])
def test_few_measured_rows_are_a_warning(
    command: str, option: str, scenes_run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done(command, scenes_run, option, tmp_path / "result")
    said = "the test split has 12 rows, expected 20 or more: its metrics mean little"
    assert caplog.text.count(said) == 1


def test_an_ensemble(scenes_run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    done("train", "scenes", *scenes_flags(run__seed=1), "--out", other)
    metrics = []
    for runs in ([scenes_run], [scenes_run, scenes_run], [scenes_run, other]):
        file = tmp_path / "r.json"
        done("evaluate", *runs, "--json", file)
        found = result(file)
        check_schema(found)
        assert found["protocol"]["models"] == len(runs)
        metrics.append(found["metrics"])
    assert metrics[0] == metrics[1]
    assert metrics[0] != metrics[2]


def test_other_data(scenes_run: Path, tmp_path: Path) -> None:
    table = caption_table(tmp_path / "mine")
    file = tmp_path / "r.json"
    with unchanged(scenes_run / "checkpoints"):
        done("evaluate", scenes_run, "--data", table, "--split", "dev", "--json", file)
    assert result(file)["protocol"]["images"] == 5


def test_zero_shot_classification_of_class_folders(scenes_run: Path, tmp_path: Path) -> None:
    """A task that the recipe does not name, with its default settings, on all rows of a folder."""
    for number in range(12):
        folder = tmp_path / "classes" / ("star" if number % 3 else "circle")
        folder.mkdir(parents=True, exist_ok=True)
        picture(number).save(folder / f"{number}.png")
    words = ("--data", tmp_path / "classes", "--split", "all", "--task", "zero_shot")
    done("evaluate", scenes_run, *words, "--json", tmp_path / "r.json")
    found = result(tmp_path / "r.json")
    assert list(found) == ["task", "protocol", "metrics", "baselines", "leakage", "diagnostics"]
    assert found["task"] == "zero_shot"
    assert found["metrics"]["accuracy@5"]["value"] == 100
    line = refused("evaluate", scenes_run, *words[:4], "--json", tmp_path / "r.json")
    assert "no row has 'text', the rows have: image, label" in line


def test_training_rows_among_the_measured_ones_are_found(tmp_path: Path) -> None:
    table = caption_table(tmp_path / "mine")
    run, file = tmp_path / "run", tmp_path / "r.json"
    done("train", "scenes", "--data", table, *flags(run__steps=1), "--out", run)
    clean, leaking = (
        done("evaluate", run, "--split", split, "--json", file) for split in ("test", "train")
    )
    assert clean != leaking
    assert result(file)["leakage"]["clean"] is False


def test_an_ensemble_is_not_audited_where_the_training_rows_of_one_are_gone(tmp_path: Path) -> None:
    tables = [caption_table(tmp_path / name) for name in ("mine", "gone")]
    runs, file = [tmp_path / "run1", tmp_path / "run2"], tmp_path / "r.json"
    for table, run in zip(tables, runs, strict=True):
        done("train", "scenes", "--data", table, *flags(run__steps=1), "--out", run)
    shutil.rmtree(tables[1].parent)
    out = done("evaluate", *runs, "--split", "test", "--json", file)
    leakage = result(file)["leakage"]
    assert leakage["clean"] is False
    assert leakage["not_compared"] == [f"the training rows of {runs[1]}, which are not there"]
    assert "not audited" in " ".join(out.split())


def test_the_training_data_may_be_gone(tmp_path: Path) -> None:
    table = caption_table(tmp_path / "mine")
    other = caption_table(tmp_path / "other")
    run, file = tmp_path / "run", tmp_path / "r.json"
    done("train", "scenes", "--data", table, *flags(run__steps=1), "--out", run)
    shutil.rmtree(table.parent)
    done("evaluate", run, "--data", other, "--json", file)
    assert result(file)["leakage"] is None
    assert f"{table}: no such file" in refused("evaluate", run)


class Page(html.parser.HTMLParser):
    """What a page would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if tag == "img":
            self.images.append(values["src"] or "")
        elif tag in ("script", "link", "iframe", "object", "embed", "video", "audio", "source"):
            self.loaded.append(tag)


def check_page(text: str) -> Page:
    page = Page(text)
    assert page.images
    assert all(source.startswith("data:image/") for source in page.images)
    assert page.loaded == []
    assert "url(" not in text.replace("url(data:", "").replace("url(#", "")
    assert "@import" not in text
    return page


def test_a_report_stands_on_its_own(scenes_copy: Path) -> None:
    out = done("report", scenes_copy)
    path = Path(out.strip())
    assert path == scenes_copy / "report.html"
    text = path.read_text(encoding="utf-8")
    page = check_page(text)
    assert len(page.images) >= 20
    for words in ("recall@1", "<svg", "test", "vocab_size", "chance"):
        assert words in text
    assert result(scenes_copy / "metrics" / "retrieval-test.json")["task"] == "retrieval"


def test_a_report_elsewhere(scenes_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    words = ["--split", "validation", "--card", "False", "--out", path]
    assert done("report", scenes_run, *words).strip() == str(path)
    check_page(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", ["evaluate", "report", "search"])
def test_a_run_that_is_none(command: str, tmp_path: Path) -> None:
    assert "recipe.json is missing" in refused(command, tmp_path)
    assert "recipe.json is missing" in refused(command, tmp_path / "absent")


def test_unknown_names(scenes_run: Path, tmp_path: Path) -> None:
    with unchanged(scenes_run):
        assert "did you mean retrieval" in refused("evaluate", scenes_run, "--task", "retreival")
        line = refused("evaluate", scenes_run, "--split", "tset")
        assert "unknown split 'tset': did you mean test?" in line
        assert "did you mean test?" in refused("report", scenes_run, "--split", "tset")
        assert "no such file" in refused("evaluate", scenes_run, "--data", tmp_path / "absent")
        assert "--split" in refused("evaluate", scenes_run, "--splitt", "test")
        assert "'maybe'" in refused("evaluate", scenes_run, "--audit", "maybe")


def test_a_result_that_cannot_be_written(scenes_run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with unchanged(tmp_path):
        line = refused("evaluate", scenes_run, "--json", tmp_path / "file" / "r.json")
    assert f"{tmp_path / 'file' / 'r.json'}: cannot be written" in line


def test_a_recipe_without_tasks_is_measured_by_one_that_fits(scenes_copy: Path) -> None:
    file = scenes_copy / "recipe.json"
    recipe = json.loads(file.read_text())
    file.write_text(json.dumps(recipe | {"tasks": {}, "run": recipe["run"] | {"monitor": None}}))
    out = done("evaluate", scenes_copy, "--audit", "False")
    assert "the recipe has no task: measuring retrieval (others that fit, for --task: " in out
    check = result(scenes_copy / "metrics" / "retrieval-test.json")
    assert check["task"] == "retrieval"
    line = refused("evaluate", scenes_copy, "--task", "vqa")
    assert line.startswith("task 'vqa' does not fit this run, these do: ")
    assert "retrieval" in line
    assert line.endswith("(unknown head of tasks.vqa 'answer': known: none)")


def test_against_another_run_row_by_row(scenes_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    words = ("evaluate", scenes_run, "--task", "retrieval", "--audit", "False", "--json", file)
    out = done(*words, "--split", "test+validation", "--against", scenes_run)
    against = result(file)["against"]
    assert against["other"] == str(scenes_run)
    assert "relative" in out
    for difference in against["differences"].values():
        assert difference["difference"]["value"] == 0
        assert difference["p_value"] == 1
    assert len(against["differences"]) > 1
    assert "is not a trained run" in refused(*words, "--against", tmp_path / "nothing")
    assert "reads no sounds, to which noise" in refused(*words, "--noise", 0)
    assert refused(*words, "--noise", "loud").endswith("--noise is 'loud', expected a number")


def test_a_run_with_other_rows_is_refused_before_the_first_is_measured(
    scenes_run: Path, scenes_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.runs.measure.measure", lambda *_, **__: pytest.fail("measured"))
    file = scenes_copy / "recipe.json"
    recipe = json.loads(file.read_text())
    words = ("evaluate", scenes_run, "--against", scenes_copy)
    recipe["data"]["source"]["test"] = 7
    file.write_text(json.dumps(recipe))
    assert refused(*words) == (
        f"{scenes_copy}: its 7 rows differ from the 12 rows of the first run (shared groups: 7 of 12), expected the "
        "same rows"
    )
    source = FilesConfig(caption_table(tmp_path / "own"))
    recipe["data"]["source"] = to_json(source)
    file.write_text(json.dumps(recipe))
    line = refused(*words, "--split", "test_heldout")
    assert line.startswith(f"{scenes_copy}: {source.path}: unknown split 'test_heldout': ")
