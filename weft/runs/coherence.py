"""Coherence of an autoencoder, as judges classify what it generates. Joint: all streams generated from one sample of the
latent show the same class. Cross: a stream generated from other streams of a row shows the row's class."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives
from weft.core.missing import is_missing
from weft.core.samples import Sample
from weft.core.text import normalised
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.metric import FAMILY, Metric, Score, mean_score
from weft.fusion.joint_posterior import JointPosterior, latent
from weft.heads.classes import ClassOutput, ClassValues
from weft.heads.drawn import DrawnOutput, DrawnValues
from weft.heads.output import Part, Values
from weft.heads.texts import TextOutput
from weft.inference.config import BATCH, InferenceConfig
from weft.inference.encoded_once import encoded_once
from weft.inference.member import seeing
from weft.inference.predict import predict
from weft.runs.judged import OF_ANOTHER
from weft.runs.latents import mixture_samples, prior_samples
from weft.runs.measure import Measurement, training_rows
from weft.runs.trained import TrainedModel

JOINT_COHERENCE = Metric(
    "joint_coherence",
    headline=True,
    said="samples of the prior whose streams all show the same class",
)
MIXTURE_COHERENCE = Metric(
    "mixture_coherence",
    headline=True,
    said="samples of a mixture fitted to the training latents whose streams all show the same class",
)
OTHERS = "streams of different samples"
CROSS_COHERENCE = Metric(
    f"{FAMILY}/cross_coherence", said=f"{FAMILY}, values that show the class of the row"
)


@torch.no_grad()
def with_joint_coherence(
    found: Measurement, judges: Sequence[TrainedModel], samples: int
) -> Measurement:
    """Extends the measurement with the share of coherent ones among `samples` of the latent.

    joint_coherence: of the prior, which a deterministic autoencoder lacks. mixture_coherence: of a mixture fitted to the
    latents of the training rows (see `mixture_samples`). Each judge classifies the stream that it reads. A text has the
    class of the training rows with this text, in the column of the first judge's target. Streams that nothing
    classifies are left out; the protocol names the others. Baseline: streams taken from different samples, which agree
    only by chance. Raises WeftError if the run is no autoencoder, its training rows are not on this machine, fewer than
    two streams are judged, or there are fewer samples than these.
    """
    run = found.runs[0]
    fusion = run.model.fusion
    if not isinstance(fusion, JointPosterior):
        raise WeftError(
            f"{run.folder}: has no latent that could be sampled, expected an autoencoder"
        )
    seeds_N = torch.arange(samples, device=run.device)
    judged = _judged_heads(run, judges)
    if samples < len(judged):
        raise WeftError(
            f"{samples:,} samples of the latent, expected {len(judged)} or more, the number of judged streams"
        )
    groups = seeds_N.cpu()
    metrics: dict[str, Score] = {}
    by_chance: dict[str, float] = {}
    for metric, latents_NL in _latents(run, fusion, seeds_N).items():
        classes = [
            _classes(run, head, classify, latents_NL, seeds_N)
            for head, (_, classify) in judged.items()
        ]
        coherent_N = 100 * same(classes)
        metrics[metric.name] = mean_score(metric, coherent_N, groups, Bootstrap(groups))
        apart = [one[number:] + one[:number] for number, one in enumerate(classes)]
        by_chance[metric.name] = 100 * float(same(apart).mean())
    streams = ", ".join(stream for stream, _ in judged.values())
    result = found.result.extended(
        protocol={"samples of the latent": samples, "judged streams": streams},
        metrics=metrics,
        baselines={OTHERS: by_chance},
    )
    return replace(found, result=result)


def with_cross_coherence(found: Measurement, judges: Sequence[TrainedModel]) -> Measurement:
    """Extends the measurement with the share of values that show the class of their row, for each judged stream,
    generated from each single other stream and from all others together.

    The class of a row is its value in the column of the first judge's target; rows without one are left out. Baseline:
    values generated for another row. Raises WeftError as `with_joint_coherence` does for judges.
    """
    run, rows, column = found.runs[0], found.dataset, _column(judges[0])
    config = InferenceConfig(batch_size=BATCH, errors=run.recipe.data.errors)
    member = encoded_once(run.reading(rows), rows, run.model.fused_streams, config, run.device)
    metrics: dict[str, Score] = {}
    by_chance: dict[str, float] = {}
    for head, (stream, classify) in _judged_heads(run, judges).items():
        for given in _inputs(run.model.streams_of(head), stream):
            made = predict([seeing(member, head, given)], rows, head, config, device=run.device)
            items = [rows[row].items.get(column) for row in made.rows]
            known = [place for place, value in enumerate(items) if not is_missing(value)]
            if not known:
                continue
            true, groups = [str(items[place]) for place in known], made.groups[known]
            shown = classify(made.values.take(known))
            metric = CROSS_COHERENCE.member(f"{'+'.join(given)} to {stream}")
            right_N = 100 * same([shown, true])
            metrics[metric.name] = mean_score(metric, right_N, groups, Bootstrap(groups))
            half = max(1, len(true) // 2)  # in sorted data neighbours are often alike
            others = true[half:] + true[:half]
            by_chance[metric.name] = 100 * float(same([shown, others]).mean())
    result = found.result.extended(metrics=metrics, baselines={OF_ANOTHER: by_chance})
    return replace(found, result=result)


def _inputs(read: Sequence[str], generated: str) -> list[tuple[str, ...]]:
    """Each single stream but the generated one, and all of these together."""
    others = [stream for stream in read if stream != generated]
    alone: list[tuple[str, ...]] = [(stream,) for stream in others]
    return alone if len(others) < 2 else [*alone, tuple(others)]


def same(classes: Sequence[Sequence[str]]) -> Tensor:
    """(N,) float64: 1 if all streams of a sample show the same class, else 0; "" is no class."""
    rows = zip(*classes, strict=True)
    return torch.tensor([len({*row}) == 1 and row[0] != "" for row in rows]).double()


def _latents(run: TrainedModel, fusion: JointPosterior, seeds_N: Tensor) -> dict[Metric, Tensor]:
    """Maps each metric to its (N, L) samples."""
    mixture = {MIXTURE_COHERENCE: mixture_samples(run, fusion, len(seeds_N))}
    if fusion.config.joining == "mean":
        return mixture
    return {JOINT_COHERENCE: prior_samples(fusion, seeds_N), **mixture}


Classes = Callable[[Any], list[str]]
"""Returns the class of each of a head's generated values, "" for none."""


def _judged_heads(
    run: TrainedModel, judges: Sequence[TrainedModel]
) -> dict[str, tuple[str, Classes]]:
    """Maps the heads whose generated values can be classified to their stream and what classifies it. Raises WeftError
    if there are fewer than two."""
    found: dict[str, tuple[str, Classes]] = {}
    for head in run.model.heads:
        output = run.model.head(head).output
        if isinstance(output, TextOutput):
            of_text = classes_of_texts(run, output.stream, judges[0])
            found[head] = output.stream, partial(said_classes, of_text)
        elif isinstance(output, DrawnOutput):
            reading = (judge for judge in judges if output.stream in judge.model.encoders)
            if judge := next(reading, None):
                found[head] = output.stream, partial(seen_classes, judge, output.stream)
    if len(found) < 2:
        raise WeftError(
            f"judges read {len(found)} of the streams that {run.folder} generates, expected two or more"
        )
    return found


def _classes(
    run: TrainedModel, head: str, classify: Classes, latents_NL: Tensor, seeds_N: Tensor
) -> list[str]:
    """Returns the class of the head's output for each latent, "" for none."""
    part = run.model.head(head)
    made: list[Values] = []
    for start in range(0, len(seeds_N), BATCH):
        rows = slice(start, start + BATCH)
        there = torch.ones(len(seeds_N[rows]), dtype=torch.bool, device=run.device)
        context = latent(latents_NL[rows], there)
        one = Part(part.decoder, context, run.learned, seeds=seeds_N[rows])
        made.append(part.output.read([one]))
    return classify(type(made[0]).join(made))


def seen_classes(judge: TrainedModel, stream: str, drawn: DrawnValues) -> list[str]:
    """Returns the judge's class for each value."""
    rows = [
        Sample(str(row), str(row), {stream: drawn.media(row)}, f"sample {row + 1}")
        for row in range(len(drawn))
    ]
    config = InferenceConfig(batch_size=BATCH)
    found = predict([judge.reading(rows)], rows, judge.head(), config, device=judge.device)
    if not isinstance(found.values, ClassValues):
        raise WeftError(f"{judge.folder}: the judge predicts no class, expected one that does")
    return found.said


def said_classes(of_text: Mapping[str, str], said: Values) -> list[str]:
    """Returns the class of each text, "" for a text without one."""
    return [of_text.get(_folded(said.said(row)), "") for row in range(len(said))]


def classes_of_texts(run: TrainedModel, stream: str, judge: TrainedModel) -> dict[str, str]:
    """Maps texts of the training rows, in lower case, to their value in the column that the judge predicts.

    A text that occurs with several values has no class. Unreadable rows are left out. Raises WeftError if the rows or
    the column are not available, or no text has a class.
    """
    column, rows = _column(judge), training_rows(run)
    if rows is None:
        raise WeftError(
            "the classes of texts come from the training rows and a judge's target, which are not available"
        )
    values: dict[str, set[str]] = defaultdict(set)
    for row in range(len(rows)):
        with suppress(DataError):  # the evaluation names unreadable rows
            items = rows[row].items
            texts, value = items.get(stream), items.get(column)
            for text in texts if isinstance(texts, Alternatives) else (texts,):
                if not is_missing(text) and not is_missing(value):
                    values[_folded(str(text))].add(str(value))
    found = {text: one.pop() for text, one in values.items() if len(one) == 1}
    if not found:
        raise WeftError(
            f"{run.folder}: no text '{stream}' of its training rows occurs with a single value of column '{column}', "
            "which gives texts their class"
        )
    return found


def _column(judge: TrainedModel) -> str:
    """Returns the column of the classes that the judge predicts. Raises WeftError if it predicts none."""
    output = judge.model.head(judge.head()).output
    if not isinstance(output, ClassOutput) or output.target is None:
        raise WeftError(f"{judge.folder}: the judge predicts no class, expected one that does")
    return judge.recipe.data.targets[output.target].build().column


def _folded(text: str) -> str:
    return normalised(text).lower()
