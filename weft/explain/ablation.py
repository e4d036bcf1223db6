"""What the answer becomes without a modality."""

from dataclasses import dataclass

import torch
from torch import Tensor

from weft.core.records import Batch
from weft.explain.decision import Subject, chosen, scores


@dataclass(frozen=True)
class Ablation:
    """chosen: (B,) the output that is chosen without the stream. scores: (B,) what is left of the
    score of the output that is chosen with it."""

    chosen: Tensor
    scores: Tensor


@torch.no_grad()
def ablate(subject: Subject, batch: Batch) -> dict[str, Ablation]:
    """Stream -> what the decision is when every row lacks it: no tokens, a pooled vector of zeros.

    Fusions treat such a row as one that never had the modality. A similarity of two streams is 0
    without one of them.
    """
    model, decision = subject.model, subject.decision
    streams = subject.encode(batch)
    logits_BV = decision.logits(model, streams, batch)
    chosen_B = chosen(logits_BV)
    nobody_B = torch.zeros(len(batch), dtype=torch.bool, device=logits_BV.device)
    found: dict[str, Ablation] = {}
    for stream, features in streams.items():
        without = {**streams, stream: features.where(nobody_B)}
        left_BV = decision.logits(model, without, batch)
        found[stream] = Ablation(chosen(left_BV), scores(left_BV, chosen_B))
    return found
