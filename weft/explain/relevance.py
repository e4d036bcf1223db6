"""Relevance of tokens for a decision, computed from attention; for any fusion with attention.

Chefer et al. 2021, arXiv:2103.15679, section 3: relevance maps between the tokens of two streams start as
the identity, and every attention layer updates them in the order of computation. Here there is a map for
each pair of streams. So the same computation serves any number of streams, single-stream and
cross-attending fusions, and the encoders below them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from weft.architectures.model import Model
from weft.core.interfaces import JOINT, Filling
from weft.core.records import Batch, Features
from weft.explain.decision import Decision
from weft.heads.output import Values
from weft.layers.recording import Attention, recording

Rule = Literal["relevance", "rollout"]


class NoAttentionError(ValueError):
    """The decision depends on no stream's tokens through attention."""


@dataclass(frozen=True)
class Layer:
    """One attention layer: streams of the queries (T tokens) and keys (L); weights and their gradient (B, N, T, L)."""

    queries: str
    keys: str
    weights: Tensor
    gradient: Tensor

    @property
    def kind(self) -> Literal["self", "cross"]:
        return "self" if self.queries == self.keys else "cross"

    @property
    def mixing(self) -> Tensor:
        """(B, T, L): eq. 5, the mean over heads of the positive part of gradient x attention."""
        return (self.gradient * self.weights).clamp_min(0).mean(1)

    @property
    def read(self) -> Tensor:
        """(B, T): how much the decision depends on each query's output."""
        return self.gradient.abs().sum(dim=(1, 3))


def relevance(
    decision: Decision, batch: Batch, said: Values, rule: Rule = "relevance"
) -> dict[str, Tensor]:
    """Stream -> (B, T) relevance of each token of the encoder's output, not negative, zero in padding.

    rule: relevance is gradient x attention, with the gradient of the logit of the answer `said`. rollout is
    attention alone, averaged over heads, half of it and half of the residual (Abnar & Zuidema 2020,
    arXiv:2005.00928, section 3). Streams that no attention reads are missing. Raises NoAttentionError if
    there are no others.
    """
    if decision.attends:
        raise NoAttentionError("the decision is not made by encoders and fusion alone")
    model = decision.model
    records: dict[str, list[Attention]] = {}
    streams: dict[str, Features] = {}
    with torch.enable_grad():
        for stream, value in batch.inputs.items():
            if stream in decision.reads:
                with recording() as own:
                    streams[stream] = model.encode(stream, value)
                records[stream] = own
        if isinstance(model.fusion, Filling):
            streams = model.fusion.filled(streams)
        with recording() as fused, _order_of_fusion(model) as order:
            total = decision.scores(streams, said).logits.sum()
    layers = _layers(total, {**records, JOINT: fused})
    below = [layer for stream in records for layer in layers[stream]]
    ordered = {s: streams[s] for s in [*order, *streams] if s in streams}
    maps = _Maps(ordered, rule)
    for together in _at_once([*below, *layers[JOINT]]):
        maps.update(together)
    beside = [layer for s in records if s not in model.fused_streams for layer in layers[s]]
    found = maps.read([*layers[JOINT], *beside] if layers[JOINT] else below)
    return {stream: value for stream, value in found.items() if stream in records}


@contextmanager
def _order_of_fusion(model: Model) -> Iterator[list[str]]:
    """Inside, the list fills with the streams as the fusion returns them: in their order in the joint sequence."""
    order: list[str] = []
    if model.fusion is None:
        yield order
        return
    handle = model.fusion.register_forward_hook(lambda _, __, fused: order.extend(fused))
    try:
        yield order
    finally:
        handle.remove()


def _layers(total: Tensor, records: Mapping[str, Sequence[Attention]]) -> dict[str, list[Layer]]:
    """Part of the model -> its attention layers that the decision depends on, with gradients."""
    known = [
        (part, one) for part, some in records.items() for one in some if one.weights.requires_grad
    ]
    if not known:
        raise NoAttentionError("the model has no attention that learns, so none can be followed")
    gradients = torch.autograd.grad(total, [one.weights for _, one in known], allow_unused=True)
    layers: dict[str, list[Layer]] = {part: [] for part in records}
    for (part, one), gradient in zip(known, gradients, strict=True):
        if gradient is not None:
            # An encoder's tokens belong to its stream. A fusion records the stream of its tokens; none
            # means the joint sequence.
            names = [one.queries.stream or part, one.keys.stream or part]
            if part != JOINT:
                names = [part, part]
            layers[part].append(Layer(names[0], names[1], one.weights.detach(), gradient))
    return layers


def _at_once(layers: Sequence[Layer]) -> Iterator[list[Layer]]:
    """Groups layers that read the same tokens: successive cross-attentions of different streams. Keeps the order."""
    together: list[Layer] = []
    for layer in layers:
        asking = {one.queries for one in together}
        cross = layer.kind == "cross" and all(one.kind == "cross" for one in together)
        if together and (not cross or layer.queries in asking):
            yield together
            together = []
        together.append(layer)
    if together:
        yield together


class _Maps:
    """For each pair of streams (B, T, L): relevances of the second's L tokens for the first's T tokens."""

    def __init__(self, streams: Mapping[str, Features], rule: Rule) -> None:
        self._rule = rule
        self._masks = {stream: features.mask for stream, features in streams.items()}
        self._maps: dict[tuple[str, str], Tensor] = {
            (s, s): _identity(mask) for s, mask in self._masks.items()
        }

    def update(self, together: Sequence[Layer]) -> None:
        """Adds the updates of attention layers that read the same tokens; all are computed from the maps before."""
        added: list[tuple[str, str, Tensor]] = []
        for layer in together:
            if JOINT in (layer.queries, layer.keys) and (JOINT, JOINT) not in self._maps:
                self._join(layer.weights.shape[-1])
            self._check(layer)
            if self._rule == "rollout":
                added += self._rolled(layer)
            else:
                added += self._within(layer) if layer.kind == "self" else self._across(layer)
        for asks, other, value in added:
            before = self._maps.get((asks, other))
            self._maps[asks, other] = value if before is None else before + value

    def _within(self, layer: Layer) -> list[tuple[str, str, Tensor]]:
        """Update of a self-attention: eqs. 6 and 7."""
        asks = layer.queries
        return [
            (asks, other, layer.mixing @ self._maps[asks, other]) for other in self._known(asks)
        ]

    def _across(self, layer: Layer) -> list[tuple[str, str, Tensor]]:
        """Update of a cross-attention: eq. 10 for the stream of the keys, eq. 11 for streams that the keys attended to
        before, such as that of the queries."""
        asks, answers = layer.queries, layer.keys
        passed = _normalised(self._maps[asks, asks]).transpose(1, 2) @ layer.mixing
        return [
            (asks, other, passed @ _normalised(there) if other == answers else layer.mixing @ there)
            for other in self._known(answers)
            for there in [self._maps[answers, other]]
        ]

    def _rolled(self, layer: Layer) -> list[tuple[str, str, Tensor]]:
        """Update of rollout: the new map is half of the old one plus half of the attended one. Returns differences."""
        asks, answers = layer.queries, layer.keys
        mean_BTL = layer.weights.mean(1)
        kept = [(asks, other, -self._maps[asks, other] / 2) for other in self._known(asks)]
        brought = [
            (asks, other, mean_BTL @ self._maps[answers, other] / 2)
            for other in self._known(answers)
        ]
        return kept + brought

    def read(self, layers: Sequence[Layer]) -> dict[str, Tensor]:
        """Stream -> (B, T): relevances for the tokens that the decision reads.

        A token is read as much as the gradient reaches its output of the stream's last attention.
        """
        last = {layer.queries: layer for layer in layers}
        found: dict[str, Tensor] = {}
        for asks, layer in last.items():
            read_B1T = layer.read[:, None]
            for other in self._known(asks):
                if other == JOINT:
                    continue
                map_BTL = self._maps[asks, other]
                if asks == other:
                    map_BTL = map_BTL - _identity(self._masks[asks])
                value_BL = (read_B1T @ map_BTL)[:, 0].clamp_min(0)
                found[other] = found.get(other, torch.zeros_like(value_BL)) + value_BL
        if not found:
            raise NoAttentionError("no attention leads from the decision to any stream")
        return {s: value * self._masks[s] for s, value in found.items()}

    def _join(self, length: int) -> None:
        """Starts the maps of the joint sequence: tokens before the streams, then the streams' tokens in their order."""
        counts = {s: mask.shape[1] for s, mask in self._masks.items()}
        start = length - sum(counts.values())
        if start < 0:
            raise NoAttentionError(
                f"a joint sequence of {length} tokens is shorter than its streams: {counts}"
            )
        batch = len(next(iter(self._masks.values())))
        device = next(iter(self._masks.values())).device
        self._maps[JOINT, JOINT] = torch.eye(length, device=device).expand(batch, -1, -1)
        for stream, count in counts.items():
            rows = torch.zeros(batch, length, count, device=device)
            rows[:, start : start + count] = self._maps[stream, stream]
            self._maps[JOINT, stream] = rows
            start += count

    def _check(self, layer: Layer) -> None:
        for stream, size in (
            (layer.queries, layer.weights.shape[2]),
            (layer.keys, layer.weights.shape[3]),
        ):
            known = self._maps.get((stream, stream))
            if known is None or known.shape[1] != size:
                raise NoAttentionError(
                    f"attention over {size} tokens of '{stream}' cannot be followed"
                )

    def _known(self, asks: str) -> list[str]:
        return [other for first, other in self._maps if first == asks]


def _identity(mask_BT: Tensor) -> Tensor:
    return torch.diag_embed(mask_BT.float())


def _normalised(map_BTT: Tensor) -> Tensor:
    """Eqs. 8 and 9: scales the map minus the identity to a sum of 1 in each row, and adds the identity again."""
    identity = torch.diag_embed(torch.ones_like(map_BTT[:, :, 0]))
    added = map_BTT - identity
    total = added.sum(2, keepdim=True)
    return torch.where(total.abs() > 1e-12, added / total.clamp_min(1e-12), 0.0) + identity
