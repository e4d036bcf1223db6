"""Joint coherence: whether all streams generated from one sample of an autoencoder's latent show the same class, as
judges classify them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.samples import Sample
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.metric import Metric, Score, mean_score
from weft.fusion.joint_posterior import JointPosterior, latent
from weft.heads.classes import ClassOutput, ClassValues
from weft.heads.drawn import DrawnOutput, DrawnValues
from weft.heads.output import Part, Values
from weft.heads.texts import TextOutput
from weft.inference.config import BATCH, InferenceConfig
from weft.inference.predict import predict
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


@torch.no_grad()
def with_joint_coherence(
    found: Measurement, judges: Sequence[TrainedModel], samples: int
) -> Measurement:
    """Extends the measurement with the share of coherent ones among `samples` of the latent.

    joint_coherence: of the prior, which a deterministic autoencoder lacks. mixture_coherence: of a mixture fitted to the
    latents of the training rows (see `mixture_samples`). Each judge classifies the stream that it reads. A text has the
    class of the training rows with this text, in the column of the first judge's target. Baseline: streams taken from
    different samples, which agree only by chance. Raises WeftError if the run is no autoencoder, its training rows are
    not on this machine, or fewer than two streams are judged.
    """
    run = found.runs[0]
    fusion = run.model.fusion
    if not isinstance(fusion, JointPosterior):
        raise WeftError(
            f"{run.folder}: has no latent that could be sampled, expected an autoencoder"
        )
    seeds_N = torch.arange(samples, device=run.device)
    latents = {MIXTURE_COHERENCE: mixture_samples(run, fusion, samples)}
    if fusion.config.joining != "mean":
        latents = {JOINT_COHERENCE: prior_samples(fusion, seeds_N), **latents}
    groups = seeds_N.cpu()
    metrics: dict[str, Score] = {}
    by_chance: dict[str, float] = {}
    for metric, latents_NL in latents.items():
        classes = [
            of_stream
            for name in run.model.heads
            if (of_stream := _classes(run, name, latents_NL, seeds_N, judges)) is not None
        ]
        if len(classes) < 2:
            raise WeftError(
                f"judges read {len(classes)} of the streams that {run.folder} generates, expected two or more"
            )
        coherent_N = 100 * same(classes)
        metrics[metric.name] = mean_score(metric, coherent_N, groups, Bootstrap(groups))
        apart = [one[number:] + one[:number] for number, one in enumerate(classes)]
        by_chance[metric.name] = 100 * float(same(apart).mean())
    result = found.result.extended(
        protocol={"samples of the latent": samples},
        metrics=metrics,
        baselines={OTHERS: by_chance},
    )
    return replace(found, result=result)


def same(classes: Sequence[Sequence[str]]) -> Tensor:
    """(N,) float64: 1 if all streams of a sample show the same class, else 0; "" is no class."""
    rows = zip(*classes, strict=True)
    return torch.tensor([len({*row}) == 1 and row[0] != "" for row in rows]).double()


def _classes(
    run: TrainedModel,
    head: str,
    latents_NL: Tensor,
    seeds_N: Tensor,
    judges: Sequence[TrainedModel],
) -> list[str] | None:
    """Returns the class of the head's output for each latent, "" for none; None if nothing can classify it."""
    part = run.model.head(head)
    output = part.output
    judge = _judge_of(output.stream, judges) if isinstance(output, DrawnOutput) else None
    if judge is None and not isinstance(output, TextOutput):
        return None
    made: list[Values] = []
    for start in range(0, len(seeds_N), BATCH):
        rows = slice(start, start + BATCH)
        there = torch.ones(len(seeds_N[rows]), dtype=torch.bool, device=run.device)
        context = latent(latents_NL[rows], there)
        made.append(output.read([Part(part.decoder, context, run.learned, seeds=seeds_N[rows])]))
    values = type(made[0]).join(made)
    if isinstance(output, TextOutput):
        of_text = _classes_of_texts(run, output.stream, judges)
        return [of_text.get(values.said(row), "") for row in range(len(values))]
    assert judge is not None
    assert isinstance(output, DrawnOutput)
    return seen_classes(judge, output.stream, cast(DrawnValues, values))


def _judge_of(stream: str, judges: Sequence[TrainedModel]) -> TrainedModel | None:
    return next((judge for judge in judges if stream in judge.model.encoders), None)


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


def _classes_of_texts(
    run: TrainedModel, stream: str, judges: Sequence[TrainedModel]
) -> Mapping[str, str]:
    """Maps texts of the training rows to their values in the column that the first judge predicts."""
    output = judges[0].model.head(judges[0].head()).output
    rows = training_rows(run)
    if rows is None or not isinstance(output, ClassOutput) or output.target is None:
        raise WeftError(
            "the classes of texts come from the training rows and a judge's target, which are not available"
        )
    column = judges[0].recipe.data.targets[output.target].build().column
    return {str(sample.items.get(stream)): str(sample.items.get(column)) for sample in rows}
