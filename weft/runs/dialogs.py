"""A run that is asked one question after another: each is answered by what was asked and answered before it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weft.core.errors import WeftError
from weft.inference.candidates import OWN, ByCosine, score_candidates
from weft.inference.config import InferenceConfig
from weft.modalities.history import History, said_before
from weft.modalities.text import Text
from weft.runs.measure import training_rows
from weft.runs.trained import BATCH, TrainedModel
from weft.tasks.dialog import DialogConfig

Answers = list[tuple[str, float | None]]
"""The best answers, the best first, with their probabilities or cosines where there are any."""


def streams_asked(run: TrainedModel, head: str | None) -> tuple[str, ...]:
    """The streams that an answer reads: those of the head, the first if not named."""
    ranked = head is None and _ranking(run) is not None
    return run.model.fused_streams if ranked else run.model.streams_of(run.head(head))


def converse(
    run: TrainedModel, values: Mapping[str, Any], further: Sequence[str], head: str | None, k: int
) -> Iterator[Answers]:
    """The k best answers to what is asked by `values`, and to each further question by its picture and by what was said.

    values: stream -> its value. Raises WeftError for further questions where the run reads nothing of what was said before.
    """
    texts = {s: m for s, m in run.modalities.items() if isinstance(m, Text) and s in values}
    history = next((s for s, m in run.modalities.items() if isinstance(m, History)), None)
    question = next((stream for stream in texts if stream != history), None)
    if further and (history is None or question is None):
        raise WeftError(
            f"got {len(further) + 1} questions, expected 1: the run {run.folder} reads nothing of what was said before"
        )
    found = answers(run, values, head, k)
    yield found
    turns: list[Any] = [values[history]] if history is not None and history in values else []
    for asked in further:
        assert question is not None
        assert history is not None
        turns.append({"question": values[question], "answer": found[0][0]})
        values = {**values, question: asked, history: said_before(turns)}
        found = answers(run, values, head, k)
        yield found


def answers(run: TrainedModel, values: Mapping[str, Any], head: str | None, k: int) -> Answers:
    """The k best answers of the head, the first if not named; of a run that ranks, those among its training rows' answers."""
    task = _ranking(run)
    if task is None or head is not None:
        return run.predict(head=run.head(head), **values).values.best(0, k)
    rows = training_rows(run)
    names = sorted(task.columns.answers(rows)) if rows is not None else []
    if not names:
        raise WeftError(
            f"{run.folder}: the training rows, whose answers are ranked, cannot be read"
        )
    member, dataset = run.values(**values)
    config = InferenceConfig(batch_size=BATCH, workers=0)
    ranker = ByCosine([member], task.answer, config, run.device)
    found = score_candidates([member], dataset, lambda _: names, ranker, config, device=run.device)
    best = found.scores[OWN][0].topk(min(k, len(names)))
    return [(names[n], float(s)) for n, s in zip(best.indices, best.values, strict=True)]


def _ranking(run: TrainedModel) -> DialogConfig | None:
    """The task of a run that ranks answers and has no head."""
    tasks = run.recipe.tasks.values()
    found = (t for t in tasks if isinstance(t, DialogConfig) and t.head is None)
    return None if run.model.heads else next(found, None)
