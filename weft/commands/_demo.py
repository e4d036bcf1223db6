"""The stages of `weft demo`."""

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from weft.commands._demo_plan import PRETRAINING, Plan, Wanted, plan
from weft.commands.index import finish_built
from weft.core.config import save
from weft.core.errors import WeftError
from weft.core.files import write_bytes
from weft.core.language import say
from weft.data.prepare.check import check
from weft.data.prepare.report import DataReport
from weft.data.sources import DataSource, FilesConfig, read_once
from weft.evaluation.leakage import Leakage
from weft.recipes import recipe
from weft.report.card import write_card
from weft.runs.indexing import index_rows
from weft.runs.measure import METRICS, Measurement, measure, save_result
from weft.runs.recipe import Recipe
from weft.runs.reporting import report
from weft.runs.run import Run, load
from weft.runs.timing import seconds_per_step
from weft.runs.train import train
from weft.tasks.printing import print_result
from weft.tasks.translation import texts_of
from weft.worlds.scenes import SPLITS, ScenesConfig, write_scenes
from weft.worlds.scenes.source import GeneratedConfig

MARKER = "demo.json"
QUESTIONED = 3
"""One in this many test scenes has questions, up to six each."""
COLUMNS = ("text", "text_zh", "objects")
"""Columns of the table that training reads."""
VALIDATION = 100
"""Largest number of scenes in the validation split."""
WORKERS = 1
"""Threads of a training that read rows, and processes of an audit. Starting more of them, each with torch, takes longer
than reading these few, small rows."""
SHOWN = (
    (
        PRETRAINING,
        PRETRAINING,
        "test_heldout",
        "English captions, compositions never seen together",
    ),
    ("seen", PRETRAINING, "test", "English captions, compositions seen in training"),
    (
        "scenes_zh",
        "scenes_zh",
        "test_heldout",
        "Chinese captions after fine-tuning, compositions never seen",
    ),
    ("scenes_questions", "scenes_questions", "test", "Questions after fine-tuning"),
    ("scenes_captions", "scenes_captions", "test", "Captions written after fine-tuning"),
)
"""Sections of the report, the most important first: (name, run, split, title)."""
TIMED_SCENES = 128
"""Number of scenes for measuring the machine's speed."""
WARM, TIMED = 2, 12
"""Numbers of warm-up steps and of timed steps."""


def run(wanted: Wanted) -> None:
    """Runs all stages, then prints tables and the path of the report."""
    began = time.perf_counter()
    # One core is left for reading rows: on it, models this small would compute little faster. NumPy gets the same
    # number of threads, because its waiting threads keep cores busy.
    threads = max(1, torch.get_num_threads() - 1)
    torch.set_num_threads(threads)
    with (
        threadpool_limits(threads),
        read_once(),
    ):  # an earlier demo's table is gone before this one's is read
        _run(wanted, began)


def _run(wanted: Wanted, began: float) -> None:
    # All checks come first: before time is spent and before an earlier demo is removed.
    _require_demo(wanted.out)
    _recipes(wanted, plan(1, wanted.minutes))
    sizes = plan(wanted.speed or _measured(), wanted.minutes)
    recipes = _recipes(wanted, sizes)
    _clear(wanted.out, sizes)
    print(_described(sizes))
    if sizes.is_late:
        print(
            say(
                f"this machine is slow: the demo needs {sizes.seconds / 60:.0f} minutes instead of "
                f"{sizes.minutes:g}, so that the models train for enough steps"
            )
        )
    _generate(_worlds(wanted, sizes), _table(wanted))
    folders = _train_all(recipes, wanted.out)
    runs = {name: load(folder) for name, folder in folders.items()}
    found = _measure_all(runs)
    for name in (PRETRAINING, "scenes_zh"):
        with index_rows(runs[name], found[name][1].dataset) as index:
            finish_built(runs[name], index)
    for _, one in found.values():
        print_result(one.result)
    page = report(
        runs[PRETRAINING],
        list(found.values()),
        name="Weft demo",
        card=_card(_table(wanted)),
        path=wanted.out / "report.html",
    )
    print(say(f"the whole demo took {time.perf_counter() - began:.0f} s"))
    text, chinese = (
        texts_of(found[name][1].dataset[0], stream)[0]
        for name, stream in ((PRETRAINING, "text"), ("scenes_zh", "text_zh"))
    )
    print(say(f'try: weft search {folders[PRETRAINING]} --text "{text}"'))
    print(f'     weft search {folders["scenes_zh"]} --text "{chinese}"')
    print(f"     weft explain {folders['scenes_questions']}")
    print(f"     weft serve {' '.join(map(str, folders.values()))}")
    print(say(f"report: {page}"))


def _measured() -> int:
    """Measures the pretraining speed with a few steps, in scenes per second."""
    print(say("measuring how fast this machine trains"))
    pretraining = recipe(PRETRAINING)
    with tempfile.TemporaryDirectory() as place:
        world = _scenes(pretraining).replace(count=TIMED_SCENES, languages=("en", "zh"))
        for split in ("train", "validation"):
            write_scenes(world.replace(split=split), place, columns=COLUMNS)
        source = FilesConfig(Path(place))
        run = pretraining.run.replace(workers=WORKERS)
        timed = pretraining.replace(data=pretraining.data.replace(source=source), run=run)
        step = seconds_per_step(timed, warm=WARM, timed=TIMED)
        return max(1, round(pretraining.run.batch_size / step))


def _described(sizes: Plan) -> str:
    steps = ", ".join(f"{name} {number}" for name, number in sizes.steps.items())
    return say(
        f"{sizes.train:,} training scenes; steps: {steps}; about {sizes.seconds / 60:.1f} minutes at "
        f"{sizes.speed} scenes a second (--speed {sizes.speed} chooses the same sizes again)"
    )


def _scenes(chosen: Recipe) -> ScenesConfig:
    source = chosen.data.source
    assert isinstance(source, GeneratedConfig)
    return source.scenes


def _worlds(wanted: Wanted, sizes: Plan) -> list[ScenesConfig]:
    world = _scenes(recipe(PRETRAINING)).replace(seed=wanted.seed, languages=("en", "zh"))
    counts = _counts(wanted, sizes)
    return [world.replace(split=split, count=counts[split]) for split in SPLITS]


def _counts(wanted: Wanted, sizes: Plan) -> dict[str, int]:
    return {
        "train": sizes.train,
        "validation": min(VALIDATION, wanted.test),
        "test": wanted.test,
        "test_heldout": wanted.test,
    }


def _recipes(wanted: Wanted, sizes: Plan) -> dict[str, Recipe]:
    """The recipe of each training, on the demo's data. Raises ValueError for sizes that are out of range."""
    _worlds(wanted, sizes)
    files = FilesConfig(_table(wanted))
    return {
        name: _on(
            recipe(name),
            _questions(wanted, sizes) if name == "scenes_questions" else files,
            steps,
            wanted.seed,
        )
        for name, steps in sizes.steps.items()
    }


def _on(chosen: Recipe, source: DataSource, steps: int, seed: int) -> Recipe:
    every = max(1, steps)  # once, at the end
    run = chosen.run.replace(
        steps=steps, seed=seed, evaluate_every=every, checkpoint_every=every, workers=WORKERS
    )
    return chosen.replace(data=chosen.data.replace(source=source), run=run)


def _questions(wanted: Wanted, sizes: Plan) -> GeneratedConfig:
    """Questions about the same scenes: any row is a function of seed, split and number."""
    source = recipe("scenes_questions").data.source
    assert isinstance(source, GeneratedConfig)
    counts = _counts(wanted, sizes)
    return source.replace(
        train=counts["train"],
        validation=counts["validation"],
        test=max(1, wanted.test // QUESTIONED),
        scenes=source.scenes.replace(seed=wanted.seed),
    )


def _table(wanted: Wanted) -> Path:
    return wanted.out / "data" / "scenes.jsonl"


def _require_demo(out: Path) -> None:
    """Raises WeftError if the folder holds anything but an earlier demo."""
    if out.exists() and not (out / MARKER).exists() and (out.is_file() or any(out.iterdir())):
        raise WeftError(f"{out}: holds something else than an earlier demo; choose another --out")


def _clear(out: Path, sizes: Plan) -> None:
    """Removes an earlier demo, and saves the sizes of this one."""
    shutil.rmtree(out, ignore_errors=True)
    save(sizes, out / MARKER)


def _generate(worlds: Sequence[ScenesConfig], table: Path) -> None:
    """Writes the generated world as a folder of pictures and one table, like a user's own data."""
    parts = [write_scenes(world, table.parent, columns=COLUMNS) for world in worlds]
    write_bytes(table, b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()
    print(say(f"generated: {table}"))


def _card(data: Path) -> DataReport:
    """Makes the data card and writes it beside the data; only of the validation split, for speed."""
    found = check(FilesConfig(data).open("validation"), name="scenes, validation")
    write_card(found, data.parent)
    return found


def _train_all(recipes: Mapping[str, Recipe], out: Path) -> dict[str, Path]:
    """Runs all trainings. All but the first start from the weights of the first. Returns their run directories."""
    folders: dict[str, Path] = {}
    for name, chosen in recipes.items():
        size = chosen.run.batch_size
        print(say(f"training: {name}, {chosen.run.steps} steps of {size} rows"))
        start = folders.get(PRETRAINING)
        folders[name] = train(chosen.replace(init=start), out / name).folder
    return folders


def _measure_all(runs: Mapping[str, Run]) -> dict[str, tuple[str, Measurement]]:
    """Measures the sections of the report, the most important first: (title, measurement)."""
    audits: dict[tuple[str, str], Leakage | None] = {}
    found = {}
    for key, name, split, title in SHOWN:
        run = runs[name]
        task = next(iter(run.recipe.tasks))
        rows = repr(run.recipe.data.source), split
        one = measure([run], task, split=split, leakage=audits.get(rows), workers=WORKERS)
        audits[rows] = one.result.leakage
        save_result(one.result, run.folder / METRICS / f"{task}-{split}.json")
        found[key] = title, one
    return found
