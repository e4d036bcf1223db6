"""Objectives for a class, several classes or a number, predicted by a head of the model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import SHARE, require
from weft.core.records import Batch, Loss
from weft.data.mixing import mixed_target
from weft.data.targets import NO_CLASS
from weft.heads.output import TargetClasses, Targeted, TargetNumber
from weft.objectives._presence import rows_of

Mixed = tuple[Tensor, Tensor] | None
"""See `mixed_target`."""


class Classification(nn.Module):
    """Cross-entropy against one class (B,) int64; where the classes of the head's output are not
    exclusive, binary cross-entropy of each class against scores (B, V) float.

    Scores may be the shares of annotators who gave an answer (VQA v2; Teney et al. 2018,
    arXiv:1708.02711, section 3.6: binary cross-entropy against soft scores, summed over answers).
    A mean over the rows of all ranks that have a class: those of NO_CLASS count nothing, and a batch of
    such rows alone gives 0.
    """

    def __init__(self, config: "ClassificationConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        batch, streams = rows_of(model, batch, streams, self.config.head)
        target = _target(model, batch, self.config.head)
        logits_BV = decoded(model, streams, self.config.head)
        exclusive = cast(TargetClasses, model.head(self.config.head).output).exclusive
        if target.is_floating_point() == exclusive:
            expected = "one class (B,) int64" if exclusive else "scores (B, V) float"
            raise ValueError(
                f"the output of head '{self.config.head}' says exclusive={exclusive}, so its target is "
                f"expected to be {expected}, got {target.dtype} {tuple(target.shape)}"
            )
        costs = self._one if exclusive else self._each
        return costs(logits_BV, target, _mixed(model, batch, self.config.head))

    def _one(self, logits_BV: Tensor, target_B: Tensor, mixed: Mixed) -> Loss:
        known_B = target_B != NO_CLASS

        def costs_of(classes_B: Tensor) -> Tensor:
            return F.cross_entropy(
                logits_BV,
                classes_B,
                ignore_index=NO_CLASS,
                label_smoothing=self.config.label_smoothing,
                reduction="none",
            )

        costs_B = _weighed(costs_of, target_B, mixed)
        hits_B = (logits_BV.argmax(1) == target_B).float()
        count = known_B.sum()
        terms = {
            "accuracy": mean_of_all(hits_B, count),
            "known": mean_of_all(known_B.float()),
        }
        return Loss(mean_of_all(costs_B, count), terms)

    def _each(self, logits_BV: Tensor, scores_BV: Tensor, mixed: Mixed) -> Loss:
        # A decoder may have more outputs than there are classes; they say nothing.
        logits_BV = logits_BV[:, : scores_BV.shape[1]]

        def costs_of(of_BV: Tensor) -> Tensor:
            return F.binary_cross_entropy_with_logits(logits_BV, of_BV, reduction="none").sum(1)

        costs_B = _weighed(costs_of, scores_BV, mixed)
        found_B = scores_BV.gather(1, logits_BV.argmax(1, keepdim=True))[:, 0]
        return Loss(mean_of_all(costs_B), {"accuracy": mean_of_all(found_B)})


class Regression(nn.Module):
    """Mean absolute or squared error of one number per row, over the rows of all ranks."""

    def __init__(self, config: "RegressionConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        batch, streams = rows_of(model, batch, streams, self.config.head)
        target_B = _target(model, batch, self.config.head)
        found_B1 = decoded(model, streams, self.config.head)
        if found_B1.shape[1] != 1:
            raise ValueError(
                f"head '{self.config.head}' gives {found_B1.shape[1]} numbers a row, expected 1"
            )
        found_B = found_B1[:, 0].float()

        def costs_of(numbers_B: Tensor) -> Tensor:
            errors_B = found_B - numbers_B
            return errors_B.abs() if self.config.error == "absolute" else errors_B.square()

        mixed = _mixed(model, batch, self.config.head)
        cost = mean_of_all(_weighed(costs_of, target_B, mixed))
        absolute = mean_of_all((found_B - target_B).abs())
        return Loss(cost, {"absolute_error": absolute.detach()})


def decoded(model: Reader, streams: EncodedStreams, head: str) -> Tensor:
    """(B, V) logits of the head in fp32, from the fused features if the model fuses."""
    reader = model.head(head)
    context = reader.reads(streams.fused())
    return torch.cat(streams.by_rows(reader.decoder, context)).float()


def _mixed(model: Reader, batch: Batch, head: str) -> Mixed:
    """For a batch whose rows are mixed in pairs: the ratio, and the target of the other row."""
    output = model.head(head).output
    name = output.target if isinstance(output, Targeted) else None
    return None if name is None else mixed_target(batch, name)


def _weighed(costs_of: Callable[[Tensor], Tensor], target: Tensor, mixed: Mixed) -> Tensor:
    """(B,) the cost against the row's target, weighed by the ratio with the cost against the other row's target."""
    if mixed is None:
        return costs_of(target)
    ratio_B, other = mixed
    return ratio_B * costs_of(target) + (1 - ratio_B) * costs_of(other)


def _target(model: Reader, batch: Batch, head: str) -> Tensor:
    """The target that the head predicts. Raises ValueError if the head or the batch has no such target."""
    output = model.head(head).output
    name = output.target if isinstance(output, Targeted) else None
    if name is None:
        raise ValueError(f"head '{head}' predicts no target, expected one that does")
    if name not in batch.targets:
        known = ", ".join(batch.targets) or "none"
        raise ValueError(f"the batch has no target '{name}', it has: {known}")
    return torch.as_tensor(batch.targets[name])


@dataclass(frozen=True)
class ClassificationConfig(Config[Objective]):
    """Cross-entropy over a closed set of classes: answers, labels, true or false."""

    weighs_mixed: ClassVar[bool] = True
    head: str = "answer"
    """Head whose classes are learned."""
    label_smoothing: float = 0.0
    """Share of a hard target that is spread evenly over all classes."""

    def __post_init__(self) -> None:
        require(self, label_smoothing=SHARE)

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: TargetClasses})

    def build(self) -> Classification:
        return Classification(self)


@dataclass(frozen=True)
class RegressionConfig(Config[Objective]):
    """Regression of a number, such as a score or a sentiment."""

    weighs_mixed: ClassVar[bool] = True
    head: str = "score"
    """Head whose number is learned."""
    error: Literal["absolute", "squared"] = "absolute"
    """Error that is averaged."""

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: TargetNumber})

    def build(self) -> Regression:
        return Regression(self)
