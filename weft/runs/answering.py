"""What a run answers to one picture and question, or to whatever else its classifier reads."""

from typing import Any

from weft.core.errors import WeftError
from weft.data.targets.classes import Classes
from weft.data.targets.soft_answers import SoftAnswers
from weft.inference.embedding import evaluating
from weft.objectives.classification import ClassificationConfig
from weft.runs.run import Run


def answer(run: Run, k: int = 5, **streams: Any) -> list[tuple[str, float]]:
    """The k most probable classes and their probabilities, the best first.

    Each keyword is a stream of the model with one value, as `Run.batch` takes them. Raises WeftError
    where the run has no classifier.
    """
    trained = [o for o in run.recipe.objectives.values() if isinstance(o, ClassificationConfig)]
    if not trained:
        raise WeftError(f"{run.folder}: this run was not trained to answer: it has no classifier")
    objective = trained[0]
    target = run.targets[objective.target]
    if not isinstance(target, Classes | SoftAnswers):
        raise WeftError(f"{run.folder}: target '{objective.target}' has no classes")
    batch = run.batch(**streams)
    with evaluating(run.model, run.device, "fp32"):
        encoded = {name: run.model.encode(name, value) for name, value in batch.inputs.items()}
        context = run.model.fuse(encoded)[objective.context]
        logits_BV = run.model.decode(objective.decoder, context)[:, : len(target.classes)]
        best = logits_BV.float().softmax(1)[0].topk(min(k, len(target.classes)))
    names = [target.classes[place] for place in best.indices.tolist()]
    return list(zip(names, best.values.tolist(), strict=True))
