"""What a run draws, judged by another run that was trained on real values alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from weft.core.errors import WeftError
from weft.core.samples import Sample
from weft.data.formats import Dataset, Subset
from weft.evaluation.bootstrap import Estimate
from weft.evaluation.metric import Metric, Score
from weft.heads.classes import ClassValues
from weft.heads.drawn import DrawnOutput, DrawnValues
from weft.inference.config import BATCH, InferenceConfig
from weft.inference.predict import predict
from weft.inference.results import Drawn, TaskResult
from weft.inference.true_values import true_values
from weft.inference.wording import ORIGINAL, REAL
from weft.runs.measure import Measurement, first_task, task_config
from weft.runs.trained import TrainedModel

OF_ANOTHER = "drawn for another row"


def judged(found: Measurement, judge: TrainedModel, name: str) -> Measurement:
    """The measurement with what the judge's first task says of the drawn values, as numbers called `name`/METRIC.

    Beside them the judge's numbers of the real values of the same rows as the run reads and shows them, which a perfect
    generator of its size would reach; of the real values as they are stored; and of what was drawn for another row. The
    judge's modality brings all of them to its size in the same way. Where the judge tells classes apart, also the rarest:
    of each class how often it was drawn, as a share of how often it is real, and of these the least. Raises WeftError
    where nothing was drawn, or the judge does not read it.
    """
    drawn = found.result.drawn
    if drawn is None:
        raise WeftError(f"task '{found.result.task}' draws nothing that a judge could see")
    if drawn.stream not in judge.model.encoders:
        raise WeftError(
            f"{judge.folder}: the judge does not see '{drawn.stream}', which is drawn, it reads: "
            f"{', '.join(judge.model.encoders)}"
        )
    rows = Subset(found.dataset, drawn.rows)
    by_what: dict[str, Dataset] = {
        "": _With(rows, drawn, shift=0),
        # Half of all rows away: neighbours are often alike, where rows are sorted.
        OF_ANOTHER: _With(rows, drawn, shift=max(1, len(rows) // 2)),
    }
    real = _real(found, drawn)
    if real is not None:
        of_real = Subset(found.dataset, real.rows)
        by_what |= {REAL: _With(of_real, real, shift=0), ORIGINAL: of_real}
    task = first_task(judge)
    results = {what: _measured(judge, task, dataset) for what, dataset in by_what.items()}
    metrics = _renamed(results[""].metrics, name)
    rarest = None if real is None else _rarest(judge, by_what[""], by_what[REAL])
    if rarest is not None:
        metric = Metric("rarest_class", digits=0, said="least share of a class's real frequency")
        metrics |= _renamed({metric.name: metric.score(Estimate.alone(rarest))}, name)
    baselines = {
        what: {
            **found.result.baselines.get(what, {}),
            **{f"{name}/{key}": score.value for key, score in result.metrics.items()},
        }
        for what, result in results.items()
        if what
    }
    result = found.result.extended(
        protocol={f"judge {name}": str(judge.folder)},
        metrics=metrics,
        baselines={**found.result.baselines, **baselines},
    )
    return replace(found, result=result)


def _real(found: Measurement, drawn: Drawn) -> Drawn | None:
    """The real values of the same rows as the run reads and shows them, of those that have one; None where none has."""
    run, config = found.runs[0], InferenceConfig(batch_size=BATCH)
    output = run.model.head(drawn.head).output
    assert isinstance(output, DrawnOutput)
    rows: list[int] = []
    values: list[DrawnValues] = []
    member = run.reading(found.dataset)
    for numbers, field in true_values(member, found.dataset, drawn.rows, drawn.stream, config):
        rows += numbers
        values.append(output.as_drawn(field, run.learned))
    if not values:
        return None
    return Drawn(drawn.head, drawn.stream, rows, type(values[0]).join(values))


class _With(Sequence[Sample]):
    """Rows with drawn values in the place of their own. shift: those of the row so many before."""

    def __init__(self, rows: Dataset, drawn: Drawn, shift: int) -> None:
        self._rows, self._drawn, self._shift = rows, drawn, shift

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        sample = self._rows[index]
        value = self._drawn.values.media((index - self._shift) % len(self))
        return replace(sample, items={**sample.items, self._drawn.stream: value})


def _measured(judge: TrainedModel, task: str, rows: Dataset) -> TaskResult:
    built = task_config(judge.recipe, task).build()
    found: TaskResult = built.evaluate(
        [judge.member(rows, cached=False)], rows, device=judge.device
    )
    return found


def _renamed(scores: Mapping[str, Score], name: str) -> dict[str, Score]:
    return {
        f"{name}/{key}": Score(
            replace(score.metric.of(name), headline=score.metric.headline), score.estimate
        )
        for key, score in scores.items()
    }


def _rarest(judge: TrainedModel, drawn: Dataset, real: Dataset) -> float | None:
    """The least ratio over classes of the share of rows for which one is drawn and that for which it is real, by the judge."""
    of_drawn, of_real = (_classes(judge, rows) for rows in (drawn, real))
    if of_drawn is None or of_real is None:
        return None
    scale = of_real.total() / of_drawn.total()
    return min(scale * of_drawn[name] / count for name, count in of_real.items())


def _classes(judge: TrainedModel, rows: Dataset) -> Counter[str] | None:
    """How often the judge's first head says each class; None where it says none."""
    if not judge.model.heads:
        return None
    config = InferenceConfig(batch_size=BATCH)
    found = predict(
        [judge.member(rows, cached=False)], rows, judge.head(), config, device=judge.device
    )
    return Counter(found.said) if isinstance(found.values, ClassValues) else None
