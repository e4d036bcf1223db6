"""Model and objectives as one module: a batch in, a loss out."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from weft.architectures.model import Model
from weft.core.interfaces import Recomputing
from weft.core.records import Batch, Loss
from weft.training.streams import Streams


class TrainStep(nn.Module):
    """Batch -> Loss. The only module that data-parallel wrappers and the compiler wrap.

    It holds the model and the objectives (temperature, heads), so wrapping or saving it covers every
    parameter. All objectives read the same `Streams`, so each stream is encoded once. The total is the
    weighted sum; an objective without a weight has weight 1. Terms are named "objective/term", and
    "objective/loss" is the unweighted total of an objective.
    """

    def __init__(
        self,
        model: Model,
        objectives: Mapping[str, nn.Module],
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        weights = dict(weights or {})
        if not objectives or not weights.keys() <= objectives.keys():
            raise ValueError(
                f"weights are given for {sorted(weights)}, expected some of the objectives "
                f"{sorted(objectives)}, of which there is at least one"
            )
        self.model = model
        self.objectives = nn.ModuleDict(dict(objectives))
        self.weights = {name: weights.get(name, 1.0) for name in objectives}

    def forward(
        self, batch: Batch, objectives: Sequence[str] | None = None, micro_batches: int = 1
    ) -> Loss:
        """Returns the loss of these objectives; None: of all.

        micro_batches: number of parts in which the model computes the batch; see `Streams`.
        """
        rows = -(-len(batch) // micro_batches) if micro_batches > 1 else 0
        streams = Streams(self.model, batch, rows)
        totals: list[Tensor] = []
        terms: dict[str, Tensor] = {}
        for name in self.objectives if objectives is None else objectives:
            loss: Loss = self.objectives[name](self.model, batch, streams)
            totals.append(self.weights[name] * loss.total)
            terms[f"{name}/loss"] = loss.total.detach()
            terms |= {f"{name}/{term}": value for term, value in loss.terms.items()}
        return Loss(torch.stack(totals).sum(), terms)


def numbers_of(objectives: Mapping[str, Tensor]) -> dict[str, float]:
    """The scalars in the state of objectives, such as `contrastive.temperature.log_scale`."""
    return {name: tensor.item() for name, tensor in objectives.items() if tensor.numel() == 1}


def recompute_activations(step: nn.Module) -> None:
    """Makes every stack in `step` keep only the inputs of its blocks, at the cost of a third more computation."""
    stacks = [module for module in step.modules() if isinstance(module, Recomputing)]
    if not stacks:
        raise ValueError("recompute is on, but the model has no transformer blocks to recompute")
    for stack in stacks:
        stack.recompute_activations()
