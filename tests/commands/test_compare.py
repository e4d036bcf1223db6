"""Recipes compared on the same rows, from the command line."""

import json
from pathlib import Path

import pytest
import torch
from tiny_runs import weft

from weft.core.errors import WeftError
from weft.evaluation.metric import by_name, mean_score
from weft.inference.results import TaskResult, Values
from weft.runs.budget import Budget
from weft.runs.compare import row_values
from weft.tasks._accuracy import ACCURACY
from weft.tasks.translation import BLEU
from weft.worlds.scenes import ScenesConfig, write_scenes


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    parts = [
        write_scenes(ScenesConfig(count=count, split=split), folder)
        for split, count in (("train", 8), ("validation", 4), ("test", 6))
    ]
    path = folder / "scenes.jsonl"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()
    return path


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("500", Budget(steps=500)),
        ("7 steps", Budget(steps=7)),
        ("1 step", Budget(steps=1)),
        ("2.5 minutes", Budget(minutes=2.5)),
        ("3min", Budget(minutes=3)),
    ],
)
def test_budgets(text: str, budget: Budget) -> None:
    assert Budget.parse(text) == budget


@pytest.mark.parametrize("text", ["", "0", "soon", "1.5 steps", "-3", "0 min", ". min", "3 hours"])
def test_other_budgets_are_refused(text: str) -> None:
    with pytest.raises(WeftError, match="expected a number of steps or minutes"):
        Budget.parse(text)


def test_only_what_is_a_mean_over_rows_can_be_compared() -> None:
    accuracy = Values(torch.tensor([100.0, 0, 100, 100]), torch.arange(4))
    counts = Values(torch.ones(4, 2), torch.arange(4), of=lambda sums: sums[..., 0])
    scores = by_name([mean_score(one, [1.0], [0]) for one in (ACCURACY, BLEU)])
    values = {"accuracy": accuracy, "BLEU": counts}
    result = TaskResult("vqa", {}, scores, {}, values=values)
    assert row_values(result, "accuracy").values.mean().item() == 75
    for other in ("macro_f1", "BLEU"):
        with pytest.raises(
            WeftError,
            match=f"unknown metric of vqa that is a mean over rows '{other}'.*: accuracy$",
        ):
            row_values(result, other)
    with pytest.raises(
        WeftError, match="'vqa' gives values of acc, expected names of its metrics: acc"
    ):
        TaskResult("vqa", {}, scores, {}, values={"acc": accuracy})


def test_less_is_better_where_the_metric_says_so(table: Path, tmp_path: Path) -> None:
    """By the mean rank the system with the smaller number is the best and the first."""
    for name, rate in (("one", 0.01), ("two", 0.00001)):
        (tmp_path / f"{name}.yaml").write_text(
            f"recipe: scenes\noptim: {{lr: {rate:.5f}}}\nrun: {{batch_size: 4, precision: fp32}}\n"
        )
    out = tmp_path / "out"
    words = ["compare", tmp_path / "one.yaml", tmp_path / "two.yaml", "--data", table, "--out", out]
    words += ["--budget", "2 steps", "--metric", "retrieval/image_to_text/mean_rank"]
    done = weft(*words)
    assert done.code == 0, done.err
    found = json.loads((out / "comparison.json").read_text())
    assert (found["unit"], found["better"]) == ("rank", "lower")
    first, second = found["systems"]
    assert first["value"] < second["value"]
    assert second["against_best"]["value"] > 0
    assert "lower is better" in done.out


def test_two_seeds_of_two_recipes(table: Path, tmp_path: Path) -> None:
    fast = tmp_path / "fast.yaml"
    fast.write_text("recipe: scenes\noptim: {lr: 0.01}\nrun: {batch_size: 4, precision: fp32}\n")
    slow = tmp_path / "slow.yaml"
    slow.write_text("recipe: scenes\noptim: {lr: 0.001}\nrun: {batch_size: 4, precision: fp32}\n")
    out = tmp_path / "out"
    words = ["compare", fast, slow, "--data", table, "--budget", "2 steps", "--out", out]
    done = weft(*words, "--seeds", "0", "1")
    assert done.code == 0, done.err
    assert "training: fast-seed0, 2 steps of 4 rows" in done.out
    found = json.loads((out / "comparison.json").read_text())
    assert [len(s["by_seed"]) for s in found["systems"]] == [2, 2]
    assert {s["name"] for s in found["systems"]} == {"fast", "slow"}
    first, second = found["systems"]
    assert first["against_best"] is None
    assert first["value"] >= second["value"]
    difference = second["against_best"]
    assert difference["value"] == pytest.approx(second["value"] - first["value"])
    assert difference["low"] <= difference["value"] <= difference["high"]
    assert "The best of 2" in found["correction"]
    assert found["correction"] in done.out
    page = (out / "report.html").read_text()
    assert "fast" in page
    assert "image to text, recall@1" in page
    assert " is the best: " in page
    assert found["correction"] in page
    careful = page.split("<dt>Be careful</dt><dd>")[1].split("</dd>")[0]
    for line in careful.removesuffix(".").split(". "):
        assert line in done.out
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/model.safetensors")}
    again = weft(*words, "--seeds", "0", "1")
    assert again.code == 0
    assert (
        json.loads((out / "comparison.json").read_text())["systems"][0]["value"] == first["value"]
    )
    assert before == {path: path.stat().st_mtime_ns for path in out.glob("*/model.safetensors")}
    other = weft(*words[:-3], "3 steps", "--out", out)
    assert other.code == 2
    assert "holds a run of another recipe, budget or seed" in other.err


def test_minutes_become_steps(table: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.yaml"
    small.write_text("recipe: scenes\nrun: {batch_size: 2, precision: fp32}\n")
    other = tmp_path / "other.yaml"
    other.write_text("recipe: scenes\nrun: {batch_size: 2, precision: fp32, seed: 1}\n")
    out = tmp_path / "out"
    words = ("compare", small, other, "--data", table, "--budget", "0.002 minutes", "--out", out)
    assert weft(*words).code == 0
    found = json.loads((out / "comparison.json").read_text())
    assert found["budget"] == "0.002 minutes"
    assert all(system["steps"] >= 1 for system in found["systems"])


@pytest.fixture
def phases(tmp_path: Path) -> tuple[Path, Path]:
    """ViLT with next to nothing in it, on captions and on questions."""
    small = (
        "recipe: vilt\nworld: simple\n"
        "data: {source: {train: 8, validation: 12, test: 6}}\n"
        "model: {fusion: {transformer: {depth: 1}}}\n"
        "run: {batch_size: 4, precision: fp32, workers: 0}\n"
    )
    captions, questions = tmp_path / "captions.yaml", tmp_path / "questions.yaml"
    captions.write_text(small)
    questions.write_text(small + "task: questions\n")
    return captions, questions


def test_pretraining_is_within_the_budget(phases: tuple[Path, Path], tmp_path: Path) -> None:
    """Each seed starts from its own pretraining, whose steps and those that follow are those of the other recipe."""
    captions, questions = phases
    out = tmp_path / "out"
    words = ["compare", f"{captions}+{questions}", questions, "--budget", "4 steps", "--out", out]
    words += ["--pretraining", "0.25", "--seeds", "0", "1"]
    done = weft(*words)
    assert done.code == 0, done.err
    found = json.loads((out / "comparison.json").read_text())
    assert {system["name"]: system["steps"] for system in found["systems"]} == {
        "captions+questions": 4,
        "questions": 4,
    }
    for seed in (0, 1):
        before = out / f"captions+questions-seed{seed}-pretraining1"
        first = json.loads((before / "recipe.json").read_text())
        then = json.loads((out / f"captions+questions-seed{seed}" / "recipe.json").read_text())
        alone = json.loads((out / f"questions-seed{seed}" / "recipe.json").read_text())
        assert [one["run"]["steps"] for one in (first, then, alone)] == [1, 3, 4]
        assert [one["run"]["seed"] for one in (first, then, alone)] == [seed] * 3
        assert (then["init"], alone["init"]) == (str(before), None)
    assert "starting from" in done.out
    kept = {path: path.stat().st_mtime_ns for path in out.glob("*/model.safetensors")}
    assert len(kept) == 6
    assert weft(*words).code == 0
    assert kept == {path: path.stat().st_mtime_ns for path in out.glob("*/model.safetensors")}


def test_minutes_of_pretraining_are_timed_once(phases: tuple[Path, Path], tmp_path: Path) -> None:
    """A second call finds its runs again, whatever the machine does meanwhile."""
    captions, questions = phases
    out = tmp_path / "out"
    words = ["compare", f"{captions}+{questions}", questions, "--out", out]
    words += ["--budget", "0.002 minutes"]
    done = weft(*words)
    assert done.code == 0, done.err
    steps = json.loads((out / "steps.json").read_text())
    assert sorted(len(one) for one in steps.values()) == [1, 2]
    kept = {path: path.stat().st_mtime_ns for path in out.glob("*/model.safetensors")}
    assert weft(*words).code == 0
    assert json.loads((out / "steps.json").read_text()) == steps
    assert kept == {path: path.stat().st_mtime_ns for path in out.glob("*/model.safetensors")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--pretraining", "1"], "the share of pretraining is 1.0, expected above 0 and below 1"),
        (["--budget", "1 steps"], "expected a step or more for each of its 2 recipes"),
    ],
)
def test_a_budget_that_cannot_be_shared(words: list[str], said: str, tmp_path: Path) -> None:
    done = weft("compare", "vilt+vilt", "albef", *words, "--out", tmp_path / "out")
    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / "out").exists()


def test_a_run_is_no_recipe(scenes_run: Path, tmp_path: Path) -> None:
    for command in (["compare", "scenes"], ["train"]):
        done = weft(*command, scenes_run, "--out", tmp_path / "out")
        assert done.code == 2
        assert "is a run, expected a recipe; to compare two runs: weft evaluate" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["scenes"], "needs two recipes or more"),
        (["scenes", "scenes"], "expected each name once"),
        (["scenes", "clipp"], "did you mean clip"),
        (["scenes", "clip", "--budget", "never"], "the budget is 'never'"),
        (["scenes", "clip", "--metric", "vq/a"], "unknown task 'vq'"),
        (
            ["scenes", "clip", "--metric", "retrieval/text_to_image/recal@1"],
            "unknown metric 'retrieval",
        ),
        (
            ["scenes", "clip", "--metric", "retrieval/rsum"],
            "retrieval/rsum has no value for each row, by which recipes are compared; metrics that have: "
            "retrieval/image_to_text/recall@1, ",
        ),
        (
            ["easy_vqa_flow", "easy_vqa_gan", "--metric", "generation/FID"],
            "generation/FID has no value for each row, by which recipes are compared; metrics that have: "
            "generation/KID\n",
        ),
        (
            ["digits_autoencoder", "scenes_autoencoder"],
            "no metric of task 'reconstruction' has a value for each row",
        ),
        (["scenes", "clip", "--sseds", "0"], "--seeds"),
        (["scenes", "clip", "--split", "tset"], "unknown split 'tset': did you mean test?"),
        (["scenes", "clip", "--seeds", "0", "1", "0"], "seeds are [0, 1, 0], expected one or more"),
    ],
)
def test_mistakes_are_one_line(words: list[str], said: str, tmp_path: Path) -> None:
    done = weft("compare", *words, "--out", tmp_path / "out")
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
