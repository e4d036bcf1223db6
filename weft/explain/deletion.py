"""The deletion test of an explanation: deleting the parts that it marks should change the score more than random parts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.records import Batch
from weft.evaluation.comparison import Comparison, compare
from weft.explain.decision import Decision
from weft.explain.explanation import Saliency, saliencies
from weft.explain.method import Method
from weft.explain.occlusion import raw_field, removable, without_parts
from weft.heads.numbers import NumberOutput
from weft.heads.output import Values

SHARES = (0.1, 0.2, 0.3, 0.5)
"""Shares of the parts that are deleted, the most relevant first."""
RANDOM_ORDERS = 3
_MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""Number of dimensions of the parts' grid -> mode of interpolation of relevances."""


@dataclass(frozen=True)
class Deletion:
    """Change of the score when parts are deleted: random parts (first) and marked parts (second of `comparison`).

    Each is averaged over the deleted shares (Petsiuk et al. 2018, arXiv:1806.07421, section 4.3, deletion). It is the
    drop of the score in percent of the score with all parts; for a predicted number, which has no better direction,
    the absolute change in its unit. method: of the explanation. rows: number of tested rows. number: the output of a
    predicted number, else None.
    """

    stream: str
    method: str
    rows: int
    comparison: Comparison
    number: NumberOutput | None = None

    @property
    def digits(self) -> int:
        """Digits of the changes for display."""
        return 1 if self.number is None else self.number.digits

    @property
    def caution(self) -> str:
        """A warning about the numbers for the reader; "" if there is none."""
        if self.method != "occlusion":
            return ""
        return (
            "occlusion also finds parts by deleting them, so this test is nearly circular: do not use this number "
            "to compare it with other methods"
        )


def deletion_test(
    decision: Decision,
    batches: Iterable[Batch],
    stream: str,
    *,
    method: Method = "auto",
    shares: Sequence[float] = SHARES,
    seed: int = 0,
) -> Deletion:
    """Deletes parts of `stream` by relevance and at random, and compares both, paired by row.

    Raises WeftError if the method does not explain the stream, or without rows.
    """
    generator = torch.Generator().manual_seed(seed)
    marked: list[Tensor] = []
    random: list[Tensor] = []
    groups: list[Tensor] = []
    name = ""
    for batch in batches:
        tested = _Tested.of(decision, batch, stream)
        found = saliencies(decision, batch, tested.said, method).get(stream)
        if found is None:
            raise WeftError(f"method '{method}' does not explain '{stream}'")
        name = found.method
        relevance_BP = tested.over_parts(found)
        marked.append(tested.changes(relevance_BP, shares))
        orders = [torch.rand(relevance_BP.shape, generator=generator) for _ in range(RANDOM_ORDERS)]
        changes = [tested.changes(order.to(relevance_BP.device), shares) for order in orders]
        random.append(torch.stack(changes).mean(0))
        groups.append(batch.groups)
    if not groups:
        raise WeftError("the deletion test got no rows")
    comparison = compare(torch.cat(random).cpu(), torch.cat(marked).cpu(), torch.cat(groups).cpu())
    return Deletion(stream, name, sum(map(len, groups)), comparison, decision.number)


@dataclass(frozen=True)
class _Tested:
    """A batch. said: the answers for its rows with all parts. whole: (B,) their scores."""

    decision: Decision
    batch: Batch
    stream: str
    said: Values
    whole: Tensor

    @classmethod
    def of(cls, decision: Decision, batch: Batch, stream: str) -> "_Tested":
        said = decision.said(batch)
        return cls(decision, batch, stream, said, decision.values(batch, said))

    def changes(self, order_BP: Tensor, shares: Sequence[float]) -> Tensor:
        """(B,) change of the score as in `Deletion`, averaged over the shares.

        order_BP: parts with the highest values are deleted first.
        """
        may_go_BP = removable(self.decision, self.batch, self.stream)
        first_BP = order_BP.masked_fill(~may_go_BP, -1).argsort(dim=1, descending=True, stable=True)
        place_BP = first_BP.argsort(dim=1)
        changes = []
        for share in shares:
            count_B1 = (may_go_BP.sum(dim=1, keepdim=True) * share).ceil()
            altered = without_parts(self.decision, self.batch, self.stream, place_BP < count_B1)
            left_B = self.decision.values(altered, self.said)
            lost_B = self.whole - left_B
            percent_B = 100 * lost_B / self.whole.abs().clamp_min(1e-6)
            changes.append(percent_B if self.decision.number is None else lost_B.abs())
        return torch.stack(changes).mean(0)

    def over_parts(self, found: Saliency) -> Tensor:
        """(B, P): relevances of an encoder's tokens, interpolated to the parts that can be removed."""
        field = raw_field(self.batch, self.stream)
        parts = self.decision.parts(self.stream).layout(field)
        if parts is None or found.layout == parts:
            return found.values
        laid = found.values.view(-1, 1, *found.layout)
        return F.interpolate(laid, size=parts, mode=_MODES[len(parts)]).flatten(1)
