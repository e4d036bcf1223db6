"""`weft train`: from a recipe, one's own folder, a YAML file, another run."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from tiny_runs import (
    SCENES,
    TINY,
    caption_table,
    contents,
    done,
    flags,
    picture_folder,
    read_rows,
    refused,
    scenes_flags,
    unchanged,
)
from tiny_runs import weft as tiny_weft

from weft.commands._starting_point import starting_point
from weft.commands._training import show
from weft.core.config import load
from weft.core.tensors import read_tensors
from weft.data.sources import FilesConfig
from weft.encoders.resnet import ResNetConfig
from weft.evaluation.metric import Metric
from weft.fusion.late import LateConfig
from weft.runs.recipe import Recipe
from weft.runs.run import load as weft_load
from weft.runs.train import TrainResult
from weft.training import checkpoint
from weft.training.loop import FitResult


def recipe_of(run: Path) -> Recipe:
    return load(run / "recipe.json", Recipe)


def test_a_run_directory_is_whole(scenes_run: Path) -> None:
    names = {path.name for path in scenes_run.iterdir()}
    files = {"recipe.json", "model.json", "modalities.json", "model.safetensors", "log.jsonl"}
    assert names >= {*files, "checkpoints"}
    assert not [name for name in contents(scenes_run) if "tmp" in name]
    recipe = recipe_of(scenes_run)
    assert recipe.run.steps == 3
    assert recipe.data.streams["text"].vocab_size == 300
    assert read_rows(scenes_run / "log.jsonl")[-1]["step"] == 3


def test_what_it_prints(tmp_path: Path) -> None:
    out = done("train", "scenes", *scenes_flags(), "--out", tmp_path / "run")
    assert "trained 3 steps" in out
    assert "validation retrieval/text_to_image/recall@1" in out
    assert out.splitlines()[-1] == f"run directory: {tmp_path / 'run'}"


def test_the_run_is_named_after_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done("train", "scenes", *scenes_flags(run__steps=1))
    assert (tmp_path / "runs" / "scenes" / "model.safetensors").exists()


def test_the_same_command_gives_the_same_bytes(scenes_run: Path, tmp_path: Path) -> None:
    done("train", "scenes", *scenes_flags(run__workers=2), "--out", tmp_path / "again")
    done("train", "scenes", *scenes_flags(run__seed=1), "--out", tmp_path / "other")
    weights = [
        (run / "model.safetensors").read_bytes()
        for run in (scenes_run, tmp_path / "again", tmp_path / "other")
    ]
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


@pytest.mark.parametrize("form", ["two words", "one word"])
def test_a_folder_of_pictures_without_splits(form: str, tmp_path: Path) -> None:
    data, run = picture_folder(tmp_path / "mine"), tmp_path / "run"
    words = ["--data", data] if form == "two words" else [f"--data={data}"]
    done("train", "scenes", *words, *flags(), "--out", run)
    source = recipe_of(run).data.source
    assert isinstance(source, FilesConfig)
    assert source.path == data
    rows = {
        split: {sample.id for sample in source.open(split)}
        for split in ("train", "validation", "test")
    }
    assert sum(map(len, rows.values())) == 40
    assert len(set.union(*rows.values())) == 40
    assert min(map(len, rows.values())) >= 1
    out = done("evaluate", run)
    assert f"  images: {len(rows['test'])}\n" in out


def test_division_and_format_are_flags(tmp_path: Path) -> None:
    data, run = picture_folder(tmp_path / "mine"), tmp_path / "run"
    division = ("--data.source.division.test", "0.4", "--data.source.format", "folder")
    done("train", "scenes", "--data", data, *division, *flags(run__steps=1), "--out", run)
    assert len(recipe_of(run).data.source.open("test")) > 8


def test_splits_of_the_data_are_kept(tmp_path: Path) -> None:
    table = caption_table(tmp_path / "mine")
    done("train", "scenes", "--data", table, *flags(run__steps=1), "--out", tmp_path / "run")
    source = recipe_of(tmp_path / "run").data.source
    assert [len(source.open(split)) for split in ("train", "validation", "test")] == [20, 5, 5]


def settings(**more: object) -> dict[str, object]:
    """The flags of a tiny run as a YAML file nests them."""
    nested: dict[str, object] = {}
    for name, value in {**SCENES, **TINY}.items():
        place = nested
        *path, last = name.replace("-", "_").split(".")
        for part in path:
            place = place.setdefault(part, {})
        place[last] = list(value) if isinstance(value, tuple) else value
    return {"recipe": "scenes", **nested, **more}


def test_a_yaml_file_is_a_starting_point(
    tmp_path: Path, scenes_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(settings()))
    monkeypatch.chdir(tmp_path)
    done("train", file)
    run = tmp_path / "runs" / "mine"
    assert recipe_of(run) == recipe_of(scenes_run)
    assert (run / "model.safetensors").read_bytes() == (
        scenes_run / "model.safetensors"
    ).read_bytes()


def test_flags_lie_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(settings()))
    done("train", file, "--run.steps", 1, "--weights.contrastive", 0.5, "--out", tmp_path / "run")
    recipe = recipe_of(tmp_path / "run")
    assert recipe.run.steps == 1
    assert recipe.weights == {"contrastive": 0.5}


def test_a_file_may_name_data(tmp_path: Path) -> None:
    values = settings(data=str(picture_folder(tmp_path / "mine")))
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({**values, "model": settings()["model"]}))
    image = ("--data.streams.image.size", "32")
    done("train", file, *image, "--run.steps", 1, "--out", tmp_path / "run")
    assert recipe_of(tmp_path / "run").data.source == FilesConfig(tmp_path / "mine")


def test_paths_in_a_file_are_relative_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So are a recipe of one's own and a run to start from; data and streams may be set together."""
    picture_folder(tmp_path / "project" / "mine", 2)
    (tmp_path / "project" / "own_recipe_a.py").write_text(
        "import weft\n\ndef small():\n    return weft.recipe('scenes')\n"
    )
    file = tmp_path / "project" / "recipe.yaml"
    file.write_text(
        "recipe: own_recipe_a.py:small\ninit: before\n"
        "data: {path: mine, streams: {image: {size: 16}}}\n"
    )
    monkeypatch.chdir(tmp_path)
    point = starting_point("project/recipe.yaml")
    name, found = point.name, point.recipe()
    assert name == "project"
    assert found.data.source == FilesConfig(tmp_path / "project" / "mine")
    assert found.data.streams["image"].size == 16
    assert found.init == Path("project/before")


def test_parts_have_short_names_and_streams_can_be_removed(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "recipe: scenes_vqa\n"
        "data: {streams: {question: null}}\n"
        "model:\n"
        "  encoders: {question: null, image: encoders.ResNet}\n"
        "  fusion: {class: fusion.Late, widths: {image: 128}, dim: 64}\n"
        "objectives: {objects: null}\n"
    )
    found = starting_point(str(file)).recipe()
    assert list(found.data.streams) == ["image"]
    assert found.model.encoders == {"image": ResNetConfig()}
    assert list(found.objectives) == ["answer"]
    assert isinstance(found.model.fusion, LateConfig)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("run: {steps: 3}", "has no key 'recipe'"),
        ("recipe: scenes\ndata: {streams: {txt: null}}", "'txt': did you mean text?"),
        ("recipe: scenes\ndata: 3", "{file}: data: got 3 (int), expected dict"),
        ("recipe: scenes\ndata: {path: 3}", "{file}: data: path: got 3, expected a path"),
        ("recipe: scenes\ndata: a\ndata: {train: b}", "{file}:3: the key 'data' stands twice"),
        (
            "recipe: scenes\nmodel: {encoders: {image: encoders.ResNeet}}",
            "'encoders.ResNeet': did you mean encoders.ResNet",
        ),
        (
            "recipe: scenes\nmodel: {encoders: {image: objectives.Matching}}",
            "class MatchingConfig is a config of Objective, expected one of Encoder",
        ),
        ("recipe: scnes", "did you mean scenes"),
        ("recipe: scenes\nrun: {stepz: 3}", "setting of RunConfig in {file}: run 'stepz': did you"),
        ("recipe: scenes\nrun: {batch_size: 0}", "{file}: run: batch_size is 0, expected 1 to"),
        ("recipe: scenes\nrun: {batch_size: many}", "{file}: run: batch_size: got 'many' (str)"),
        ("recipe: scenes\nrun: {precision: fp8}", "precision 'fp8': "),
        (
            "recipe: scenes\noptim: {lr: -1}",
            "{file}: optim: lr is -1.0, expected a finite number above 0",
        ),
        ("recipe: scenes\nrun: 3", "{file}: run: got 3 (int), expected dict"),
        ("recipe: scenes\nrun:\n  steps: [", "{file}:4: is not YAML"),
        ("- recipe", "{file}: holds a list, expected a mapping"),
        (
            "recipe: scenes\nobjectives: {contrastive: {class: os.path.join}}",
            "'os.path.join' is not the name of a config class of weft",
        ),
    ],
)
def test_a_bad_file_is_named(values: str, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(values + "\n")
    with unchanged(tmp_path):
        line = refused("train", file, "--out", tmp_path / "run")
    assert expected.format(file=file) in line
    assert "no such file" in refused("train", tmp_path / "absent.yaml")


def test_resuming_a_finished_run_changes_nothing(scenes_copy: Path) -> None:
    with unchanged(scenes_copy):
        out = done("train", "--resume", scenes_copy)
        assert "nothing left to do: already trained 3 steps, best at step" in out
        done("train", f"--resume={scenes_copy}")


def test_a_run_is_never_overwritten(scenes_copy: Path) -> None:
    with unchanged(scenes_copy):
        line = refused("train", "scenes", *scenes_flags(), "--out", scenes_copy)
    assert f"{scenes_copy}: already holds a run" in line
    assert f"--resume {scenes_copy}" in line


def test_nothing_to_resume(tmp_path: Path) -> None:
    assert "holds no run to resume" in refused("train", "--resume", tmp_path)
    assert "--resume" in refused("train", "--resume")


def test_the_runs_in_a_folder_are_named(scenes_run: Path, tmp_path: Path) -> None:
    there = tmp_path / "runs" / "first"
    there.mkdir(parents=True)
    shutil.copy(scenes_run / "recipe.json", there)
    for words in (("train", "--resume"), ("search",), ("evaluate",)):
        text = ("--text", "a") if words[0] == "search" else ()
        assert f"; runs in it: {there}" in refused(*words, there.parent, *text)
    for number in range(10):
        shutil.copytree(there, there.with_name(f"r{number}"))
    line = refused("evaluate", there.parent)
    assert f"; 11 runs in it, such as {there}, " in line
    assert line.rstrip().endswith("r8")
    assert f"; did you mean {there}?" in refused("evaluate", there.with_name("frist"))


@pytest.mark.parametrize("words", [("--resum", "run"), ("scenes_clip", "--resume", "run")])
def test_resume_has_a_hint(words: tuple[str, ...]) -> None:
    assert "weft train --resume RUN" in refused("train", *words)


def test_a_folder_may_be_called_resume() -> None:
    assert "limit is 2.0" in refused("train", "scenes", "--out", "resume", "--data.errors.limit", 2)


def test_the_chosen_target_and_few_rows_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [f"{'ab'[n % 2]},{n % 7},{n / 3:.2f}\n" for n in range(40)]
    (tmp_path / "rows.csv").write_text("colour,size,score\n" + "".join(rows))
    words = ("--data", tmp_path / "rows.csv", "--out", tmp_path / "run", "--run.steps", 2)
    said = tiny_weft("train", "classify", *words)
    assert "the predicted column is colour; --target COLUMN chooses another" in said.out
    assert "rows, expected 20 or more: its metrics mean little" in caplog.text


def test_fine_tuning_starts_from_another_run(scenes_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "finetuned"
    words = scenes_flags(run__steps=1, optim__lr=1e-12, optim__weight_decay=0.0)
    out = done("train", "scenes", *words, "--init", scenes_run, "--out", run)
    assert f"starting from {scenes_run}" in out
    before, _ = read_tensors(scenes_run / "model.safetensors")
    after, _ = read_tensors(run / "model.safetensors")
    parameters = [n for n in before if not any(word in n for word in ("running", "num_batches"))]
    assert max(float((before[n] - after[n]).abs().max()) for n in parameters) < 1e-9
    modalities = [(place / "modalities.json").read_bytes() for place in (scenes_run, run)]
    assert modalities[0] == modalities[1]


def test_fine_tuning_on_another_language(scenes_run: Path, tmp_path: Path) -> None:
    words = [word.replace(".text.", ".text_zh.") for word in scenes_flags(run__steps=2)]
    out = done("train", "scenes_zh", *words, "--init", scenes_run, "--out", tmp_path / "zh")
    assert f"starting from {scenes_run}" in out
    assert "text_zh_to_image/recall@1" in done("evaluate", tmp_path / "zh")


def test_only_a_run_can_be_started_from(tmp_path: Path) -> None:
    line = refused("train", "scenes", *scenes_flags(), "--init", tmp_path, "--out", tmp_path / "r")
    assert f"{tmp_path}: is not a trained run to start from" in line


def test_a_run_that_failed_at_once_leaves_its_folder_free(tmp_path: Path) -> None:
    run = tmp_path / "run"
    line = refused(
        "train", "scenes", *scenes_flags(model__encoders__text__max_length=4), "--out", run
    )
    assert "model.encoders.text.max_length is 4, expected at least 48" in line
    assert list(tmp_path.iterdir()) == []
    assert "holds no run to resume" in refused("train", "--resume", run)
    done("train", "scenes", *scenes_flags(run__steps=1), "--out", run)


def test_a_tokenizer_of_other_data_is_not_taken_over(scenes_copy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "modalities.json").write_bytes((scenes_copy / "modalities.json").read_bytes())
    data = picture_folder(tmp_path / "mine")
    done("train", "scenes", "--data", data, *flags(run__steps=1), "--out", folder)
    assert "thing" in (folder / "modalities.json").read_text()


def test_a_run_that_failed_later_can_be_resumed(tmp_path: Path) -> None:
    """A number that grows out of bounds loses nothing that was saved before."""
    run = tmp_path / "run"
    words = scenes_flags(run__steps=6, run__checkpoint_every=1, optim__lr=1e30)
    words += ["--optim.warmup", "0", "--optim.clip-norm", "None"]
    line = refused("train", "scenes", *words, "--out", run, after_steps=True)
    assert "training stopped at step" in line
    assert "train-" in line
    assert json.loads((run / "nonfinite.json").read_text())["ids"]
    assert checkpoint.latest(run) is not None
    again = refused("train", "--resume", run, after_steps=True)
    assert again == line


def test_precision_auto_is_settled_when_the_run_begins(tmp_path: Path) -> None:
    done("train", "scenes", *scenes_flags(run__precision="auto"), "--out", tmp_path / "run")
    assert recipe_of(tmp_path / "run").run.precision in ("fp32", "bf16")


def test_metrics_of_classes_do_not_stop_the_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A class may have any name; its metric belongs to a family that only the data fills."""
    metrics = (
        Metric("label/class/{}/accuracy"),
        Metric("label/accuracy", headline=True),
        Metric("label/error", "EUR", headline=True),
    )
    values = {"label/error": 4.0, "label/class/n/a/accuracy": 10.0, "label/accuracy": 33.333}
    fitted = FitResult(tmp_path, 8, 0, 4, values, stopped_early=False, seconds=2.0)
    show(TrainResult(tmp_path, fitted, metrics))
    assert capsys.readouterr().out.splitlines() == [
        "trained 8 steps in 2 s, best at step 4",
        "  validation label/accuracy: 33.3 %",
        "  validation label/error: 4.0 EUR",
        f"run directory: {tmp_path}",
    ]


def test_data_of_a_recipe_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEFT_DATA", str(tmp_path))
    line = refused("train", "nlvr", "--out", tmp_path / "run")
    assert f"{tmp_path / 'nlvr'}" in line
    assert "set WEFT_DATA to the folder that holds nlvr" in line
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_run_says_so(
    scenes_copy: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    weft_load(scenes_copy)
    assert caplog.text == ""
    monkeypatch.setattr(checkpoint, "progress", lambda _: (3, 2000))
    weft_load(scenes_copy)
    assert (
        "its training has not ended, 3 of 2,000 steps are done; these are its best" in caplog.text
    )
