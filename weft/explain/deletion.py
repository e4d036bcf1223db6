"""Does an explanation find what the decision rests on? Delete what it marks, and parts at random."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.records import Batch, Field
from weft.evaluation.comparison import Comparison, compare
from weft.explain.decision import Subject, chosen, scores
from weft.explain.explanation import Method, Saliency, saliencies
from weft.explain.occlusion import grid_of, raw_field, removable, without_parts

SHARES = (0.1, 0.2, 0.3, 0.5)
"""Shares of the parts that are deleted, the most relevant first."""
RANDOM_ORDERS = 3


@dataclass(frozen=True)
class Deletion:
    """The fall of the score by deleting at random (first) and by what is marked (second), in percent.

    Each is the mean over the shares that are deleted, of the score with all parts (Petsiuk et al. 2018,
    arXiv:1806.07421, section 4.3, deletion). method: how it was marked. rows: how many were tested.
    """

    stream: str
    method: str
    rows: int
    comparison: Comparison

    @property
    def caution(self) -> str:
        """What a reader must know of the numbers, or nothing."""
        if self.method != "occlusion":
            return ""
        return (
            "occlusion marks parts by deleting each alone in the same way, so the test is nearly "
            "circular: do not compare it with other methods by this number"
        )


def deletion_test(
    subject: Subject,
    batches: Iterable[Batch],
    stream: str,
    *,
    method: Method = "auto",
    shares: Sequence[float] = SHARES,
    seed: int = 0,
) -> Deletion:
    """Deletes parts of `stream` by relevance and at random, on all rows, paired row by row.

    Raises WeftError where the method does not explain the stream.
    """
    generator = torch.Generator().manual_seed(seed)
    marked: list[Tensor] = []
    random: list[Tensor] = []
    groups: list[Tensor] = []
    name = ""
    for batch in batches:
        found = saliencies(subject, batch, method).get(stream)
        if found is None:
            raise WeftError(f"method '{method}' does not explain '{stream}'")
        name = found.method
        tested = _Tested.of(subject, batch, stream)
        relevance_BT = _over_parts(found, raw_field(batch, stream))
        marked.append(tested.falls(relevance_BT, shares))
        orders = [torch.rand(relevance_BT.shape, generator=generator) for _ in range(RANDOM_ORDERS)]
        falls = [tested.falls(order.to(relevance_BT.device), shares) for order in orders]
        random.append(torch.stack(falls).mean(0))
        groups.append(batch.groups)
    if not groups:
        raise WeftError("the deletion test got no rows")
    comparison = compare(torch.cat(random).cpu(), torch.cat(marked).cpu(), torch.cat(groups).cpu())
    return Deletion(stream, name, sum(map(len, groups)), comparison)


@dataclass(frozen=True)
class _Tested:
    """A batch, and the outputs that its rows choose with all parts, with their scores (B,)."""

    subject: Subject
    batch: Batch
    stream: str
    chosen: Tensor
    whole: Tensor

    @classmethod
    def of(cls, subject: Subject, batch: Batch, stream: str) -> "_Tested":
        logits_BV = subject.logits(batch)
        chosen_B = chosen(logits_BV)
        return cls(subject, batch, stream, chosen_B, scores(logits_BV, chosen_B))

    def falls(self, order_BT: Tensor, shares: Sequence[float]) -> Tensor:
        """(B,) percent of the score that is lost, the mean over the shares; the highest go first."""
        field = raw_field(self.batch, self.stream)
        may_go_BT = removable(self.subject, self.batch, self.stream)
        first_BT = order_BT.masked_fill(~may_go_BT, -1).argsort(dim=1, descending=True, stable=True)
        place_BT = first_BT.argsort(dim=1)
        lost = []
        for share in shares:
            count_B1 = (may_go_BT.sum(dim=1, keepdim=True) * share).ceil()
            without = without_parts(field, place_BT < count_B1)
            altered = self.batch.with_inputs(**{self.stream: without})
            left_B = scores(self.subject.logits(altered), self.chosen)
            lost.append(100 * (self.whole - left_B) / self.whole.abs().clamp_min(1e-6))
        return torch.stack(lost).mean(0)


def _over_parts(found: Saliency, field: Field) -> Tensor:
    """Relevances of tokens as those of the parts that can be taken away."""
    if found.grid is None or found.grid == grid_of(field):
        return found.values
    cells_B1HW = F.interpolate(
        found.values.view(-1, 1, *found.grid), size=grid_of(field), mode="bilinear"
    )
    return cells_B1HW.flatten(1)
