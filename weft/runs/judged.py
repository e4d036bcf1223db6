"""Evaluates generated values with a judge: another run that was trained only on real values."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from weft.core.errors import WeftError
from weft.core.samples import Sample
from weft.data.formats import Dataset, Subset
from weft.evaluation.bootstrap import Estimate
from weft.evaluation.metric import Metric, Score
from weft.heads.classes import ClassOutput
from weft.heads.drawn import DrawnOutput, DrawnValues
from weft.heads.tags import TagOutput
from weft.inference.config import BATCH, InferenceConfig
from weft.inference.predict import predict
from weft.inference.results import Drawn, TaskResult
from weft.inference.true_values import true_values
from weft.inference.wording import ORIGINAL, REAL
from weft.runs.measure import Measurement, first_task, task_config
from weft.runs.recipe import Recipe
from weft.runs.trained import TrainedModel
from weft.tasks.generation import GenerationTaskConfig

OF_ANOTHER = "generated for another row"
RAREST = Metric(
    "rarest_class",
    digits=0,
    said="rarest class: generated frequency divided by real frequency",
)


def judged(found: Measurement, judge: TrainedModel, name: str) -> Measurement:
    """Adds the metrics of the judge's first task on the generated values, named `name`/METRIC, also row by row.

    Baselines are the judge's metrics on:
    - real values of the same rows, as the run reads and shows them; a perfect generator of that size would reach
      these;
    - real values as they are stored;
    - values generated for another row.

    The judge's modality brings all of them to its size in the same way. If the judge predicts classes, a further
    metric is the rarest class: the minimum over classes of the generated frequency divided by the real one. Raises
    WeftError if nothing was generated, or the judge does not read it.
    """
    drawn = found.result.drawn
    if drawn is None:
        raise _nothing(found.result.task)
    _require_reads(judge, drawn.stream)
    rows = Subset(found.dataset, drawn.rows)
    by_what: dict[str, Dataset] = {
        "": _With(rows, drawn, shift=0),
        # Shifted by half of all rows: in sorted data neighbours are often alike.
        OF_ANOTHER: _With(rows, drawn, shift=max(1, len(rows) // 2)),
    }
    real = _real(found, drawn)
    if real is not None:
        of_real = Subset(found.dataset, real.rows)
        by_what |= {REAL: _With(of_real, real, shift=0), ORIGINAL: of_real}
    task = first_task(judge)
    results = {what: _measured(judge, task, dataset) for what, dataset in by_what.items()}
    metrics = _renamed(results[""].metrics, name)
    if real is not None and _predicts_classes(judge):
        rarest = _rarest(judge, by_what[""], by_what[REAL])
        metrics |= _renamed({RAREST.name: RAREST.score(Estimate.alone(rarest))}, name)
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
        values={f"{name}/{key}": values for key, values in results[""].values.items()},
        baselines={**found.result.baselines, **baselines},
    )
    return replace(found, result=result)


def check_judges(judges: Sequence[TrainedModel], recipe: Recipe, task: str) -> None:
    """Raises WeftError if a judge cannot read what the recipe's task generates, before anything is trained."""
    config = recipe.tasks[task]
    if judges and not isinstance(config, GenerationTaskConfig):
        raise _nothing(task)
    for judge in judges:
        assert isinstance(config, GenerationTaskConfig)
        output = recipe.model.heads[config.head].output
        assert isinstance(output, DrawnOutput)
        _require_reads(judge, output.stream)


def metrics_of(judge: TrainedModel, name: str) -> list[Metric]:
    """Returns the metrics that `judged` adds, named `name`/METRIC: of the judge's first task, and of its classes."""
    task = task_config(judge.recipe, first_task(judge)).build()
    of_classes = [RAREST] if _predicts_classes(judge) else []
    return [metric.of(name) for metric in (*task.metrics, *of_classes)]


def name_of(judge: TrainedModel) -> str:
    """Returns the name of the judge's folder."""
    return judge.folder.resolve().name  # the folder "." has no name


def names_of(judges: Sequence[TrainedModel]) -> dict[str, TrainedModel]:
    """Name of its folder -> judge. Raises WeftError if two have the same name, since their metrics would too."""
    found: dict[str, TrainedModel] = {}
    for judge in judges:
        other = found.setdefault(name_of(judge), judge)
        if other is not judge:
            raise WeftError(
                f"{other.folder} and {judge.folder}: two judges are called '{name_of(judge)}', "
                "expected folders with different names"
            )
    return found


def _nothing(task: str) -> WeftError:
    return WeftError(f"task '{task}' generates nothing that a judge could read")


def _require_reads(judge: TrainedModel, stream: str) -> None:
    if stream not in judge.model.encoders:
        raise WeftError(
            f"{judge.folder}: the judge does not read '{stream}', which is generated, it reads: "
            f"{', '.join(judge.model.encoders)}"
        )


def _real(found: Measurement, drawn: Drawn) -> Drawn | None:
    """Returns the real values of the same rows as the run reads and shows them, for rows that have one; None if no
    row has."""
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
    """Rows with generated values instead of their own. shift: by how many rows the values are shifted."""

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


def _predicts_classes(judge: TrainedModel) -> bool:
    """Whether each row has one class by the judge's first head."""
    output = judge.model.head(judge.head()).output if judge.model.heads else None
    return isinstance(output, ClassOutput) and not isinstance(output, TagOutput)


def _rarest(judge: TrainedModel, drawn: Dataset, real: Dataset) -> float:
    """Returns the minimum over classes of the generated share of rows divided by the real share, as the judge
    classifies them."""
    of_drawn, of_real = (_classes(judge, rows) for rows in (drawn, real))
    scale = of_real.total() / of_drawn.total()
    return min(scale * of_drawn[name] / count for name, count in of_real.items())


def _classes(judge: TrainedModel, rows: Dataset) -> Counter[str]:
    """Counts the classes that the judge's first head predicts."""
    config = InferenceConfig(batch_size=BATCH)
    found = predict(
        [judge.member(rows, cached=False)], rows, judge.head(), config, device=judge.device
    )
    return Counter(found.said)
