"""Averages the weights of a fine-tuned run with those from which it started.

WiSE-FT: Wortsman et al. 2022, arXiv:2109.01903, section 3, equation 1.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from weft.architectures.model import Model, ModelConfig
from weft.core import config as configs
from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.files import read_file, write_bytes, write_text
from weft.core.interfaces import Encoder
from weft.core.tensors import NUMBERS, read_state
from weft.data.learned import MODALITIES
from weft.encoders.lora import LoraConfig, merged_state
from weft.encoders.pretrained import PretrainedConfig
from weft.encoders.weights import architecture
from weft.evaluation.metric import Metric, Score
from weft.runs.folder import begun, held
from weft.runs.parts import MODEL, WEIGHTS, starting_numbers, write_weights
from weft.runs.recipe import Recipe
from weft.runs.reporting import CURVE
from weft.runs.run import Run
from weft.runs.thresholds import thresholds, write_thresholds
from weft.runs.train import starting_model, validation

ALPHAS = tuple(n / 10 for n in range(11))


@dataclass(frozen=True)
class Curve:
    """A metric on the validation split for each alpha. On a tie the first alpha is the best.

    name: TASK/METRIC, the one that the run monitors. alpha: share of the fine-tuned weights; 0 gives the starting
    model.
    """

    name: str
    metric: Metric
    points: Mapping[float, Score]

    @property
    def best(self) -> float:
        """The chosen alpha."""
        usable = [a for a, score in self.points.items() if not math.isnan(score.value)]
        return min(usable, key=lambda a: (self.metric.best_first(self.points[a].value), a))

    def to_json(self) -> dict[str, object]:
        points = [
            {"alpha": a, "value": s.value, "low": s.low, "high": s.high}
            for a, s in self.points.items()
        ]
        return {"metric": self.name, "alpha": self.best, "curve": points}


def average(run: Run, folder: Path | str, alphas: Sequence[float] = ALPHAS) -> Curve:
    """Writes a run directory with the weights (1 - alpha) start + alpha fine-tuned; alpha is chosen on validation.

    Adapters are merged into the weights first. Raises WeftError if the run started from random weights, has no task
    to choose by, or the run that it started from is missing.
    """
    folder = Path(folder)
    if not alphas or not all(0 <= alpha <= 1 for alpha in alphas):
        raise WeftError(f"alphas are {list(alphas)}, expected one or more numbers from 0 to 1")
    recipe = run.recipe
    if recipe.init is None and architecture(recipe.model) == recipe.model:
        raise WeftError(
            f"{run.folder}: started from random weights; averaging needs a run that was fine-tuned from a "
            "pretrained model or another run (init)"
        )
    first, last = merged_state(starting_model(recipe)), merged_state(run.model)
    whole = recipe.replace(model=without_adapters(recipe.model))
    described = without_adapters(architecture(recipe.model))
    model = described.build().to(run.device).eval()
    with held(folder, new=True), begun(whole, folder):
        curve = _curve(run, whole, model, (first, last), alphas)
        model.load_state_dict(mixed(first, last, curve.best))
        write_bytes(folder / MODALITIES, read_file(run.folder / MODALITIES))
        configs.save(described, folder / MODEL, checked=True)
        write_weights(model, folder, _numbers(run, curve.best))
        write_thresholds(thresholds(whole, model, run.learned, run.device), folder)
        write_text(folder / CURVE, json.dumps(curve.to_json(), indent=2) + "\n")
    return curve


def _curve(
    run: Run,
    recipe: Recipe,
    model: Model,
    ends: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
    alphas: Sequence[float],
) -> Curve:
    validate = validation(recipe, model, run.learned, run.device)
    if validate is None:
        raise WeftError(
            f"{run.folder}: its recipe has no task, so alpha cannot be chosen by a score"
        )
    points: dict[float, Score] = {}
    name = recipe.run.monitor
    for alpha in sorted(set(alphas)):
        model.load_state_dict(mixed(*ends, alpha))
        with torch.no_grad():
            scores = validate(0)
        name = name or next(iter(scores))
        points[alpha] = scores[name]
    assert name is not None
    return Curve(name, points[min(points)].metric, points)


def _numbers(run: Run, alpha: float) -> dict[str, float]:
    """Returns the objectives' learned numbers, averaged like the weights."""
    first = starting_numbers(run.recipe, run.modalities)
    last = read_state(run.folder / WEIGHTS).get(NUMBERS, {})
    return {n: (1 - alpha) * start + alpha * last.get(n, start) for n, start in first.items()}


def mixed(
    first: Mapping[str, Tensor], last: Mapping[str, Tensor], alpha: float
) -> dict[str, Tensor]:
    """Returns (1 - alpha) first + alpha last, tensor by tensor; counters are taken from the last."""
    return {
        name: tensor
        if not tensor.is_floating_point()
        else torch.lerp(first[name].to(tensor), tensor, alpha)
        for name, tensor in last.items()
    }


def without_adapters(config: ModelConfig) -> ModelConfig:
    """Returns the config of the model without adapters in its encoders."""
    return replace(config, encoders={s: _without(e) for s, e in config.encoders.items()})


def _without(encoder: Config[Encoder]) -> Config[Encoder]:
    if isinstance(encoder, LoraConfig):
        return encoder.encoder
    if isinstance(encoder, PretrainedConfig) and encoder.mode == "lora":
        return encoder.replace(mode="full")
    return encoder
