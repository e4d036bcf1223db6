"""Run the whole pipeline offline in minutes: generate data, check, pretrain, fine-tune, evaluate, report."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from weft.commands._parsing import parse
from weft.core.config import save
from weft.core.errors import WeftError
from weft.data.prepare.check import check
from weft.data.prepare.report import DataReport
from weft.data.sources import FilesConfig
from weft.index import build_index
from weft.recipes import recipe
from weft.report.card import write_card
from weft.runs.measure import Measurement, measure, save_result
from weft.runs.recipe import Recipe
from weft.runs.reporting import report
from weft.runs.run import Run, load
from weft.runs.train import train
from weft.tasks.printing import print_result
from weft.worlds.scenes import SPLITS, ScenesConfig, write_scenes

MARKER = "demo.json"
QUESTIONED = 3
"""One test scene in this number is asked about, with up to six questions each."""


@dataclass(frozen=True)
class Arguments:
    """The sizes of the demo, and its folder."""

    out: Path = Path("runs/demo")
    """Folder for the data, the runs and the report; an earlier demo there is replaced."""
    train: int = 8000
    """Number of training scenes."""
    test: int = 1000
    """Number of scenes in each of the two test splits: compositions seen in training, and never seen."""
    steps: int | None = None
    """Steps of pretraining; the recipe's own number if not given."""
    finetune_steps: int | None = None
    """Steps of fine-tuning; the recipe's own number if not given."""
    seed: int = 0


def main(words: list[str]) -> None:
    """Runs all stages, then prints tables and the path of the report."""
    arguments = parse(Arguments, words, "weft demo")
    began = time.perf_counter()
    worlds = _worlds(arguments)  # everything that may be refused, before an earlier demo is gone
    pretraining = _recipe("scenes", arguments, arguments.steps)
    finetuning = _recipe("scenes_zh", arguments, arguments.finetune_steps)
    captioning = _recipe("scenes_captions", arguments, arguments.finetune_steps)
    answering = _questions(arguments)
    _clear(arguments.out)
    _generate(worlds, _table(arguments))
    pretrained = _train("scenes", pretraining, arguments)
    finetuned = _train("scenes_zh", finetuning.replace(init=pretrained), arguments)
    answers = _train("scenes_questions", answering.replace(init=pretrained), arguments)
    captions = _train("scenes_captions", captioning.replace(init=pretrained), arguments)
    english, chinese = load(pretrained), load(finetuned)
    found = [
        ("English captions, compositions never seen together", _measure(english, "test_heldout")),
        ("English captions, compositions seen in training", _measure(english, "test")),
        (
            "Chinese captions after fine-tuning, compositions never seen",
            _measure(chinese, "test_heldout"),
        ),
        ("Questions after fine-tuning", _measure(load(answers), "test")),
        ("Captions written after fine-tuning", _measure(load(captions), "test")),
    ]
    build_index(english.member(found[0][1].dataset), found[0][1].dataset).save(pretrained / "index")
    for _, one in found:
        print_result(one.result)
    page = report(
        english,
        found,
        name="Weft demo",
        card=_card(_table(arguments)),
        path=arguments.out / "report.html",
    )
    print(f"the whole demo took {time.perf_counter() - began:.0f} s")
    print(f'try: weft search {pretrained} --text "a large red star above a blue square"')
    print(f"     weft explain {answers}")
    print(f"report: {page}")


def _worlds(arguments: Arguments) -> list[ScenesConfig]:
    counts = _counts(arguments)
    return [
        ScenesConfig(
            count=counts.get(split, arguments.test),
            split=split,
            seed=arguments.seed,
            languages=("en", "zh"),
        )
        for split in SPLITS
    ]


def _counts(arguments: Arguments) -> dict[str, int]:
    return {"train": arguments.train, "validation": min(500, arguments.test)}


def _recipe(name: str, arguments: Arguments, steps: int | None) -> Recipe:
    chosen = recipe(name)
    run = chosen.run.replace(seed=arguments.seed)
    source = FilesConfig(_table(arguments))
    return chosen.replace(
        data=chosen.data.replace(source=source),
        run=run if steps is None else run.replace(steps=steps),
    )


def _questions(arguments: Arguments) -> Recipe:
    """The questions of the same scenes: any row is a function of seed, split and number."""
    chosen = recipe("scenes_questions")
    counts = {**_counts(arguments), "test": max(1, arguments.test // QUESTIONED)}
    source = chosen.data.source.replace(**counts, scenes=ScenesConfig(seed=arguments.seed))
    steps = arguments.finetune_steps
    run = chosen.run.replace(seed=arguments.seed)
    return chosen.replace(
        data=chosen.data.replace(source=source),
        run=run if steps is None else run.replace(steps=steps),
    )


def _table(arguments: Arguments) -> Path:
    return arguments.out / "data" / "scenes.jsonl"


def _clear(out: Path) -> None:
    """Removes an earlier demo, and nothing else."""
    if out.exists() and not (out / MARKER).exists() and (out.is_file() or any(out.iterdir())):
        raise WeftError(f"{out}: holds something else than an earlier demo; choose another --out")
    shutil.rmtree(out, ignore_errors=True)
    save(recipe("scenes"), out / MARKER)


def _generate(worlds: Sequence[ScenesConfig], table: Path) -> None:
    """The generated world as a folder of pictures and one table, as a user's own data would be."""
    parts = [write_scenes(world, table.parent) for world in worlds]
    with table.open("wb") as file:
        for part in parts:
            file.write(part.read_bytes())
            part.unlink()
    print(f"generated: {table}")


def _card(data: Path) -> DataReport:
    """The data card, of the validation split for speed; written beside the data."""
    found = check(FilesConfig(data).open("validation"), name="scenes, validation")
    write_card(found, data.parent)
    return found


def _train(name: str, chosen: Recipe, arguments: Arguments) -> Path:
    print(f"training: {name}, {chosen.run.steps} steps of {chosen.run.batch_size} scenes")
    return train(chosen, arguments.out / name).folder


def _measure(run: Run, split: str) -> Measurement:
    task = next(iter(run.recipe.tasks))
    found = measure([run], task, split=split)
    save_result(found.result, run.folder / "metrics" / f"{task}-{split}.json")
    return found
