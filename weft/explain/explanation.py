"""An explanation of a batch: the answers, what they rest on in each stream, and without each stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.records import Batch, Features, Field
from weft.explain.ablation import Ablation, ablate
from weft.explain.decision import Subject, chosen, scores
from weft.explain.occlusion import grid_of, occlusion
from weft.explain.relevance import NoAttentionError, Rule, relevance

Method = Literal["auto", "relevance", "rollout", "occlusion"]


@dataclass(frozen=True)
class Saliency:
    """How much each part of a stream weighs, and how that was found.

    values: (B, T), not negative; the largest of a row is 1, or all are 0. grid: rows and columns
    where the parts are cells of a picture. method: relevance, rollout or occlusion.
    """

    values: Tensor
    method: str
    grid: tuple[int, int] | None = None


@dataclass(frozen=True)
class Explanation:
    """chosen: (B,) the output. scores: (B,) its probability, or the number itself. streams: what it
    rests on. without: what it becomes without a stream."""

    chosen: Tensor
    scores: Tensor
    streams: Mapping[str, Saliency]
    without: Mapping[str, Ablation]


def explain(subject: Subject, batch: Batch, method: Method = "auto") -> Explanation:
    """Explains the decisions of the batch.

    auto: gradient x attention for the streams that attention reads, occlusion for the others. Raises
    WeftError where the method asked for explains no stream.
    """
    logits_BV = subject.logits(batch)
    chosen_B = chosen(logits_BV)
    return Explanation(
        chosen=chosen_B,
        scores=scores(logits_BV, chosen_B),
        streams=saliencies(subject, batch, method),
        without=ablate(subject, batch),
    )


def saliencies(subject: Subject, batch: Batch, method: Method = "auto") -> dict[str, Saliency]:
    """Stream -> what the decisions rest on; see `explain`."""
    found: dict[str, Saliency] = {}
    if method != "occlusion":
        found = _by_attention(subject, batch, "rollout" if method == "rollout" else "relevance")
    for stream, value in batch.inputs.items():
        raw = isinstance(value, Field)
        if (
            stream not in found
            and stream in subject.decision.reads(subject.model)
            and raw
            and method in ("auto", "occlusion")
        ):
            parts_BT = occlusion(subject, batch, stream)
            grid = grid_of(value) if isinstance(value, Field) and value.values.ndim == 4 else None
            found[stream] = Saliency(_scaled(parts_BT), "occlusion", grid)
    if not found:
        raise WeftError(
            f"method '{method}' explains none of the streams {', '.join(batch.inputs)}: attention reads "
            "none, or their features were cached; occlusion on raw inputs works for every model"
        )
    return found


def _by_attention(subject: Subject, batch: Batch, rule: Rule) -> dict[str, Saliency]:
    try:
        tokens = relevance(subject, batch, rule)
    except NoAttentionError:
        return {}
    found: dict[str, Saliency] = {}
    for stream, values_BT in tokens.items():
        value = batch.inputs[stream]
        if isinstance(value, Field) and value.values.ndim == 4:
            grid = token_grid(values_BT.shape[1], value.values.shape[2], value.values.shape[3])
            cells = grid[0] * grid[1]
            found[stream] = Saliency(_scaled(values_BT[:, -cells:]), rule, grid)
        elif isinstance(value, Features) or values_BT.shape[1] == value.values.shape[1]:
            found[stream] = Saliency(_scaled(values_BT), rule)
    return {s: one for s, one in found.items() if one.values.any()}


def token_grid(tokens: int, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of `tokens` in a picture of that shape; one more token stands before them.

    Raises WeftError where the tokens are no grid of square cells.
    """
    for count in (tokens, tokens - 1):
        rows = round((count * height / width) ** 0.5) if count > 0 else 0
        if (
            rows
            and count % rows == 0
            and abs(count / rows * height - rows * width) < max(height, width)
        ):
            return rows, count // rows
    raise WeftError(f"{tokens} tokens are no grid over a picture of {height} x {width} pixels")


def _scaled(values_BT: Tensor) -> Tensor:
    largest_B1 = values_BT.amax(dim=1, keepdim=True)
    return torch.where(largest_B1 > 0, values_BT / largest_B1.clamp_min(1e-30), 0.0)
