"""An explanation of a batch: answers, relevance of the parts of each stream, and answers without each stream."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.records import Batch, Features, Field
from weft.explain.ablation import Ablation, ablate
from weft.explain.decision import Decision, Seen, answer, mean_scores
from weft.explain.method import Method
from weft.explain.occlusion import occlusion
from weft.explain.relevance import NoAttentionError, Rule, relevance
from weft.heads.output import Values


@dataclass(frozen=True)
class Saliency:
    """Relevance of each part of a stream.

    values: (B, T), not negative; the largest of a row is 1, or all are 0. method: relevance, rollout or
    occlusion. layout: shape of the grid of the T parts, such as (rows, columns).
    """

    values: Tensor
    method: str
    layout: tuple[int, ...]


@dataclass(frozen=True)
class Explanation:
    """said: the answers for B rows. scores: (B,) of the answers. streams: relevance of the parts of each stream.
    without: answers without each stream."""

    said: Values
    scores: Tensor
    streams: Mapping[str, Saliency]
    without: Mapping[str, Ablation]


def explain(seen: Sequence[tuple[Decision, Batch]], method: Method = "auto") -> Explanation:
    """Explains the answers for the B rows, from several models or several views together.

    seen: each decision with the rows as its model reads them. Answers, scores and ablations are those of
    the ensemble. `streams` has the relevances for the first decision alone, in scoring the ensemble's
    answers.

    method: auto is gradient x attention for streams that attention reads, and occlusion for the others.
    Raises WeftError if the method explains none of the streams.
    """
    decision, batch = seen[0]
    with torch.no_grad():
        encoded = [Seen(one, one.encode(rows)) for one, rows in seen]
        said = answer(encoded)
        scores_B = mean_scores(encoded, said)
    return Explanation(
        said=said,
        scores=scores_B,
        streams=saliencies(decision, batch, said, method),
        without=ablate(encoded, said),
    )


def saliencies(
    decision: Decision, batch: Batch, said: Values, method: Method = "auto"
) -> dict[str, Saliency]:
    """Stream -> relevance of its parts for the answers `said`; see `explain`."""
    found: dict[str, Saliency] = {}
    if method != "occlusion":
        rule: Rule = "rollout" if method == "rollout" else "relevance"
        found = _by_attention(decision, batch, said, rule)
    for stream, value in batch.inputs.items():
        asked = stream in decision.reads and method in ("auto", "occlusion")
        if asked and stream not in found and isinstance(value, Field):
            parts_BP = occlusion(decision, batch, stream, said)
            layout = decision.parts(stream).layout(value)
            found[stream] = Saliency(_scaled(parts_BP), "occlusion", layout or parts_BP.shape[1:])
    if not found:
        raise WeftError(
            f"method '{method}' explains none of the streams {', '.join(batch.inputs)}: attention reads "
            "none, or their features were cached; occlusion on raw inputs works for every model"
        )
    return found


def _by_attention(
    decision: Decision, batch: Batch, said: Values, rule: Rule
) -> dict[str, Saliency]:
    try:
        tokens = relevance(decision, batch, said, rule)
    except NoAttentionError:
        return {}
    found: dict[str, Saliency] = {}
    for stream, values_BT in tokens.items():
        value = batch.inputs[stream]
        layout: tuple[int, ...] | None = (values_BT.shape[1],)
        if not isinstance(value, Features):
            layout = decision.parts(stream).layout(value, values_BT.shape[1])
        if layout is not None:
            laid_BT = values_BT[:, -math.prod(layout) :]
            found[stream] = Saliency(_scaled(laid_BT), rule, layout)
    return {s: one for s, one in found.items() if one.values.any()}


def _scaled(values_BT: Tensor) -> Tensor:
    largest_B1 = values_BT.amax(dim=1, keepdim=True)
    return torch.where(largest_B1 > 0, values_BT / largest_B1.clamp_min(1e-30), 0.0)
