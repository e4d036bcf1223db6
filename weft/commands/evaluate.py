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
from weft.core.files import check_writable
from weft.core.language import say

if TYPE_CHECKING:
    from weft.runs.against import Against
    from weft.runs.measure import Measurement
    from weft.runs.trained import TrainedModel


MOST_SAMPLES = 100_000
"""Largest number of samples from the prior. A larger one is refused as a typing mistake."""


@dataclass(frozen=True)
class Arguments(OwnData, Trusting):
    """The runs, the task and the rows."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run directories. Several runs form an ensemble, and their similarities are averaged."""
    task: str | None = None
    """Task to evaluate; `weft list tasks` shows all. Default: the first task of the recipe, or else a task that fits
    the run."""
    data: Path | None = None
    """Data to use instead of the recipe's own: a file or folder in any known format."""
    split: str | None = None
    """Split to evaluate on: one split, several joined with a plus sign (validation+test), or all. Default: the test
    split of the recipe."""
    json: Path | None = None
    """JSON file for the result. Default for a single run: RUN/metrics/TASK-SPLIT.json."""
    slices: tuple[str, ...] = ()
    """Columns for sliced scores, instead of those of the recipe. The score is also computed for each value of these
    columns."""
    missing: bool = False
    """If true, also evaluate with every subset of the input streams, while the other streams are absent or filled. This
    is always done for a class or a number that is predicted from two to four streams, and for a run trained with
    data.modality_dropout."""
    noise: float | None = None
    """Signal-to-noise ratio of white noise that is added to every sound, in decibels. It is negative if the noise is
    louder than the sound."""
    against: Path | None = None
    """Another run to compare with on the same rows. The result has the differences, paired by row, with their
    intervals."""
    judge: tuple[Path, ...] = ()
    """Judge runs that were trained on real data. Their first task classifies what this run generates."""
    joint: int = 0
    """Number of samples from the latent of an autoencoder: of its prior, and of a mixture fitted to the training rows. The
    result says how often the judges see the same content in all streams generated from one sample, and how often what is
    generated from a row's other streams shows the row's class."""
    audit: bool = True
    """If true, search the training rows for copies of the evaluated rows. Both are read once."""


def _loaded(folder: Path, arguments: Arguments) -> "TrainedModel":
    """Loads a run. With --noise, its sounds get white noise."""
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


def _check_comparable(
    run: "TrainedModel", other: "TrainedModel", task: str, arguments: Arguments
) -> None:
    """Raises WeftError before anything is measured if the task does not fit the other run, or it has other rows."""
    from weft.runs.against import check_same_rows
    from weft.runs.measure import measured_rows, task_config

    said = arguments.said(arguments.data)
    split, rows = measured_rows(run, data=arguments.data, said=said, split=arguments.split)
    try:
        task_config(other.recipe, task)
        _, others = measured_rows(
            other, data=arguments.data, said=said, split=split, slices=arguments.slices
        )
    except WeftError as error:
        raise WeftError(f"{arguments.against}: {error}") from None
    check_same_rows(rows, others, str(arguments.against))


def _against(
    found: "Measurement",
    other: "TrainedModel",
    task: str,
    judges: "Sequence[TrainedModel]",
    arguments: Arguments,
) -> "Against":
    """Measures the other run on the same split, with the same judges, and prints its differences from the first run."""
    from weft.runs.against import held_against

    split = arguments.split or found.runs[0].recipe.data.test
    measured = _measured([other], task, replace(arguments, split=split))
    measured = _judged(measured, _seeing(judges, measured), samples=0)
    against = held_against(found.result, measured.result, str(arguments.against))
    print(against.table().text())
    return against


def _judges(arguments: Arguments) -> "list[TrainedModel]":
    """Loads the judges before anything is measured. Raises WeftError for an invalid number of samples, for samples
    without a judge, and for two judges with the same name."""
    if not 0 <= arguments.joint <= MOST_SAMPLES:
        raise WeftError(f"--joint is {arguments.joint:,}, expected 0 to {MOST_SAMPLES:,} samples")
    if arguments.joint and not arguments.judge:
        raise WeftError(
            f"--joint is {arguments.joint:,}, but no judge is given, expected one or more runs that classify what the "
            "samples show: --judge RUN"
        )
    if not arguments.judge:
        return []
    from weft.runs.judged import names_of

    return list(names_of([_loaded(folder, arguments) for folder in arguments.judge]).values())


def _judged(found: "Measurement", judges: "Sequence[TrainedModel]", samples: int) -> "Measurement":
    """Adds the results of the judges, if there are any. samples: from the latent, for joint coherence."""
    if not judges:
        return found
    from weft.runs.coherence import with_cross_coherence, with_joint_coherence
    from weft.runs.judged import judged, name_of

    for judge in _seeing(judges, found) if samples else judges:
        found = judged(found, judge, name_of(judge))
    if not samples:
        return found
    return with_cross_coherence(with_joint_coherence(found, judges, samples), judges)


def _seeing(judges: "Sequence[TrainedModel]", found: "Measurement") -> "list[TrainedModel]":
    """The judges that read the stream that the task generated. Joint coherence also needs judges of other streams."""
    drawn = found.result.drawn
    return [one for one in judges if drawn is not None and drawn.stream in one.model.encoders]


def main(words: list[str]) -> None:
    """Prints the result and writes it as JSON."""
    arguments = parse(Arguments, words, "weft evaluate")
    if not arguments.runs:
        raise WeftError("weft evaluate needs one run directory or more")
    from weft.data.few_rows import warn_of_few
    from weft.inference.missing_table import path_beside
    from weft.runs.measure import METRICS, first_task, save_result
    from weft.tasks.printing import print_result

    own = len(arguments.runs) == 1 and arguments.data is None
    if arguments.json is not None:
        check_output(arguments.json, [arguments.data])
    elif own:
        check_writable(arguments.runs[0] / METRICS, "--json FILE names another place", folder=True)
    judges = _judges(arguments)
    runs = [_loaded(folder, arguments) for folder in arguments.runs]
    if arguments.json is not None:
        check_kept(arguments.json, [path for run in runs for path in files_of(run.recipe)])
    other = None if arguments.against is None else _loaded(arguments.against, arguments)
    task = arguments.task or first_task(runs[0])
    if other is not None:
        _check_comparable(runs[0], other, task, arguments)
    found = _measured(runs, task, arguments)
    warn_of_few(found.result.protocol["split"], found.dataset)
    found = _judged(found, judges, arguments.joint)
    print_result(found.result)
    against = None if other is None else _against(found, other, task, judges, arguments)
    table = None
    from weft.runs.missing import belongs_to, measure_missing

    if arguments.missing or belongs_to(found, task):
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
