"""Evaluate a run, or an ensemble of runs, on a split: metrics with intervals, chance level, leakage audit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from weft.commands._outputs import check_kept, check_output, files_of
from weft.commands._own_data import OwnData
from weft.commands._parsing import Trusting, parse
from weft.core.errors import WeftError
from weft.core.language import say

if TYPE_CHECKING:
    from weft.runs.measure import Measurement
    from weft.runs.trained import TrainedModel


MOST_SAMPLES = 100_000
"""Of a prior; a larger number is taken for a typing error."""


@dataclass(frozen=True)
class Arguments(OwnData, Trusting):
    """The runs, the task and the rows."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run directories; several are an ensemble, whose similarities are averaged."""
    task: str | None = None
    """Task to evaluate, one that `weft list tasks` shows; the recipe's first if not given, or one that fits the run."""
    data: Path | None = None
    """Other rows than those of the recipe: a file or folder in any known format."""
    split: str | None = None
    """Split to evaluate on, several with a plus between them (validation+test), or all; the recipe's test split if not
    given."""
    json: Path | None = None
    """File for the result; RUN/metrics/TASK-SPLIT.json of a single run if not given."""
    slices: tuple[str, ...] = ()
    """Columns by whose values the score is given, too, instead of those of the recipe."""
    missing: bool = False
    """Also measure every set of the streams that the task reads, the others absent or filled. A run that was trained with
    data.modality_dropout is always measured so."""
    noise: float | None = None
    """Signal-to-noise ratio in decibels: so much white noise is added to every sound; negative where the noise is louder."""
    against: Path | None = None
    """Another run, measured on the same rows: the differences, paired row by row, with their intervals."""
    judge: tuple[Path, ...] = ()
    """Runs that were trained on real values and say what they see in those that this run draws, by their first task."""
    joint: int = 0
    """Of an autoencoder: so many samples of its prior, and how often all that it makes of one shows the same to the judges."""
    audit: bool = True
    """Search the training rows for copies of the evaluated rows; reads both once."""


def _loaded(folder: Path, arguments: Arguments) -> "TrainedModel":
    """The run, whose sounds have noise where that is asked for."""
    from weft.runs.run import load

    run = load(folder, trust=arguments.trust)
    return run if arguments.noise is None else run.in_noise(arguments.noise)


def _measured(runs: "Sequence[TrainedModel]", task: str, arguments: Arguments) -> "Measurement":
    from weft.runs.measure import measure

    found = measure(
        runs,
        task,
        data=arguments.data,
        said=arguments.said(arguments.data),
        split=arguments.split,
        audited=arguments.audit,
        slices=arguments.slices,
    )
    if arguments.noise is None:
        return found
    protocol = {"signal-to-noise ratio": f"{arguments.noise:g} dB, white noise"}
    return replace(found, result=found.result.extended(protocol=protocol))


def _judges(arguments: Arguments) -> "list[TrainedModel]":
    """The judges, before anything is measured. Raises WeftError for a number of samples that cannot be, and where nobody
    judges them."""
    if not 0 <= arguments.joint <= MOST_SAMPLES:
        raise WeftError(f"--joint is {arguments.joint:,}, expected 0 to {MOST_SAMPLES:,} samples")
    if arguments.joint and not arguments.judge:
        raise WeftError("--joint needs judges, which say what is shown: --judge RUN")
    return [_loaded(folder, arguments) for folder in arguments.judge]


def _judged(found: "Measurement", judges: "Sequence[TrainedModel]", samples: int) -> "Measurement":
    """With what the judges say, where there are any. samples: of the prior, for joint coherence."""
    if not judges:
        return found
    from weft.runs.coherence import with_joint_coherence
    from weft.runs.judged import judged

    for judge in _seeing(judges, found) if samples else judges:
        found = judged(found, judge, judge.folder.name)
    return with_joint_coherence(found, judges, samples) if samples else found


def _seeing(judges: "Sequence[TrainedModel]", found: "Measurement") -> "list[TrainedModel]":
    """Those that see what the task drew; joint coherence needs others, too."""
    drawn = found.result.drawn
    return [one for one in judges if drawn is not None and drawn.stream in one.model.encoders]


def main(words: list[str]) -> None:
    """Prints the result and writes it as JSON."""
    arguments = parse(Arguments, words, "weft evaluate")
    if not arguments.runs:
        raise WeftError("weft evaluate needs one run directory or more")
    from weft.inference.missing_table import path_beside
    from weft.runs.measure import METRICS, first_task, save_result, task_config
    from weft.tasks.printing import print_result

    own = len(arguments.runs) == 1 and arguments.data is None
    if arguments.json is not None:
        check_output(arguments.json, [arguments.data])
    elif own:
        check_output(arguments.runs[0] / METRICS / "file", (), "--json FILE names another place")
    judges = _judges(arguments)
    runs = [_loaded(folder, arguments) for folder in arguments.runs]
    if arguments.json is not None:
        check_kept(arguments.json, [path for run in runs for path in files_of(run.recipe)])
    other = None if arguments.against is None else _loaded(arguments.against, arguments)
    task = arguments.task or first_task(runs[0])
    if other is not None:
        task_config(other.recipe, task)  # that does not fit is said before anything is measured
    found = _measured(runs, task, arguments)
    found = _judged(found, judges, arguments.joint)
    print_result(found.result)
    against = None
    if other is not None:
        from weft.runs.against import held_against

        same = replace(arguments, split=arguments.split or runs[0].recipe.data.test)
        result = _measured([other], task, same).result
        against = held_against(found.result, result, str(arguments.against))
        print(against.table().text())
    table = None
    by_itself = runs[0].recipe.data.modality_dropout and found.result.head is not None
    if arguments.missing or by_itself:
        from weft.runs.missing import measure_missing

        table = measure_missing(found, task)
        print(table.table().text())
    path = arguments.json
    if path is None and own:
        split = arguments.split or found.result.protocol["split"]
        noise = "" if arguments.noise is None else f"-noise{arguments.noise:g}"
        path = runs[0].folder / METRICS / f"{task}-{split}{noise}.json"
    if path is not None:
        save_result(found.result, path, against)
        print(say(f"written: {path}"))
        if table is not None:
            beside = path_beside(path)
            table.save(beside)
            print(say(f"written: {beside}"))
