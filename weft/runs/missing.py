"""Measures a run with missing modalities: one line for each set of remaining streams."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.core.needs import Needing
from weft.core.records import Features
from weft.evaluation.metric import Score
from weft.inference.encoded_once import encoded_once
from weft.inference.lost_streams import (
    filled,
    mask_tokens,
    mean_features,
    without,
    zero_features,
)
from weft.inference.member import Member
from weft.inference.missing_table import ABSENT, MEAN, TOKEN, ZEROS, MissingLine, MissingTable
from weft.runs.measure import Measurement, task_config, training_rows, validation_rows
from weft.tasks.base import ReadsRows, Task
from weft.tasks.classification import ClassificationTaskConfig
from weft.tasks.regression import RegressionTaskConfig
from weft.tasks.retrieval import RetrievalConfig
from weft.tasks.together import Fillings, found_together

MOST = 4
"""Up to this many streams, every subset is measured; beyond, only all, all but one, each alone and none."""


def belongs_to(found: Measurement, task: str) -> bool:
    """Whether the table is part of every result of the task: a class or a number that is predicted from 2 to MOST
    streams, or a run that was trained with modality dropout.
    """
    head, run = found.result.head, found.runs[0]
    if head is None:
        return False
    predicts = isinstance(
        task_config(run.recipe, task), ClassificationTaskConfig | RegressionTaskConfig
    )
    few = 2 <= len(run.model.streams_of(head)) <= MOST
    return bool(run.recipe.data.modality_dropout) or (predicts and few)


def measure_missing(found: Measurement, task: str) -> MissingTable:
    """Measures the task's first metric again for each set of the streams that it reads.

    - With absent streams, a row that has none of the remaining ones is not measured. No row is measured if the absent
      stream is compared with another one by the task, or is the subject of the metric, such as a reconstruction from
      it.
    - Fillers instead of absence are zeros, the mean of encoded training rows (if they exist) and a fusion's learned
      tokens (`weft.fusion.mask_tokens`).
    - In retrieval, all remaining streams of a row together form the query, with weights that are chosen on the
      validation rows of the first run: see `found_together`.

    Raises WeftError if the task reads no stream of the rows.
    """
    config = task_config(found.runs[0].recipe, task)
    if not isinstance(config, ReadsRows):
        raise WeftError(
            f"task '{task}' does not say which streams it reads, expected 'inference' and 'embedded'"
        )
    training = [training_rows(run) for run in found.runs]
    members = [
        run.member(found.dataset, rows) for run, rows in zip(found.runs, training, strict=True)
    ]
    streams = read_by(config, members[0], task)
    fillings: dict[str, list[Mapping[str, Features]]] = {
        ZEROS: [zero_features(member, streams) for member in members]
    }
    known = [
        (run, rows) for run, rows in zip(found.runs, training, strict=True) if rows is not None
    ]
    if len(known) == len(members):
        fillings[MEAN] = [
            mean_features(run.member(rows, rows), rows, streams, config.inference, run.device)
            for run, rows in known
        ]
    fillings[TOKEN] = [mask_tokens(member, streams) for member in members]
    device = found.runs[0].device
    if isinstance(config, RetrievalConfig):
        sets = {s: subsets([t for t in streams if t != s]) for s in streams}
        validation = validation_rows(found.runs[0], found.split)
        lines, how = found_together(
            config, members, found.dataset, fillings, sets, device, validation
        )
        return MissingTable(task, lines, how)
    first, whole = next(iter(found.result.metrics.items()))
    lines = [MissingLine(streams, ABSENT, whole)]
    members = [
        encoded_once(member, found.dataset, streams, config.inference, device) for member in members
    ]
    settings: Config[Task] = task_config(found.runs[0].recipe, task)
    measured = settings.build()

    def score(altered: Sequence[Member]) -> Score | None:
        return measured.evaluate(altered, found.dataset, device=device).metrics.get(first)

    for left in subsets(streams):
        lost = [stream for stream in streams if stream not in left]
        for filler, altered in _altered(
            members, lost, fillings, _may_lack(config, members[0], lost)
        ):
            one = score(altered) if left or filler != ABSENT else None
            if one is not None:
                lines.append(MissingLine(left, filler, one))
    return MissingTable(task, lines)


def _altered(
    members: Sequence[Member], lost: Sequence[str], fillings: Fillings, absent: bool
) -> list[tuple[str, list[Member]]]:
    """Returns filler -> the members with it in place of these streams, for fillers that exist for all of them."""
    found = [(ABSENT, [without(member, lost) for member in members])] if absent else []
    for filler, of in fillings.items():
        if all(set(lost) <= set(one) for one in of):
            filling = [{stream: one[stream] for stream in lost} for one in of]
            pairs = zip(members, filling, strict=True)
            found.append((filler, [filled(member, one) for member, one in pairs]))
    return found


def _may_lack(config: ReadsRows, member: Member, lost: Sequence[str]) -> bool:
    """Whether the task measures anything if all rows lack these streams."""
    needs = config.needs if isinstance(config, Needing) else None
    if needs is None:
        return True
    contexts = {member.model.head(head).context for head in needs.heads}
    compared = needs.together if len(needs.together) > 1 else ()
    return not {*compared, *contexts, *config.embedded} & set(lost)


def read_by(config: ReadsRows, member: Member, task: str) -> tuple[str, ...]:
    """Returns the streams of the rows that the task reads and the data have.

    Raises WeftError if there are none.
    """
    heads = tuple(config.needs.heads) if isinstance(config, Needing) else ()
    read = [stream for head in heads for stream in member.model.streams_of(head)]
    for name in config.embedded:
        read += member.model.fused_streams if name == JOINT else [name]
    found = tuple(stream for stream in member.sources if stream in read)
    if not found:
        known = ", ".join(member.sources)
        raise WeftError(
            f"task '{task}' reads no stream of the rows, which have: {known}; --missing expects one or more"
        )
    return found


def subsets(streams: Sequence[str]) -> list[tuple[str, ...]]:
    """Returns every proper subset, the largest first and the empty one last. With more than MOST streams, only the
    subsets without one stream and those with one."""
    count = len(streams)
    sizes = range(count - 1, -1, -1) if count <= MOST else (count - 1, 1, 0)
    return [left for size in dict.fromkeys(sizes) for left in combinations(streams, size)]
