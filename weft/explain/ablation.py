"""Ablation: the answers of a model without a modality."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from weft.core.records import Features
from weft.explain.decision import Encoded, Seen, answer, mean_scores
from weft.heads.output import Values


@dataclass(frozen=True)
class Ablation:
    """Answers without one stream.

    said: the answer for each of the B rows, None for a row without an answer. scores: (B,) score that the
    model without the stream gives to the answer with all streams; 0 for a row without an answer.
    """

    said: tuple[str | None, ...]
    scores: Tensor


@torch.no_grad()
def ablate(seen: Sequence[Seen], said: Values) -> dict[str, Ablation]:
    """Stream -> answers when it is removed from every row: no tokens, and a pooled vector of zeros.

    Fusions treat such a row like one that never had the modality. said: answers with all streams.
    """
    names = dict.fromkeys(stream for one in seen for stream in one.streams)
    found: dict[str, Ablation] = {}
    for stream in names:
        without = [Seen(one.decision, _without(one.streams, stream)) for one in seen]
        there_B = torch.stack([one.decision.there(one.streams) for one in without]).all(dim=0)
        index_R = there_B.nonzero()[:, 0]
        answers: list[str | None] = [None] * len(there_B)
        scores_B = torch.zeros(len(there_B))
        if len(index_R):
            rows: list[int] = index_R.tolist()
            kept = [Seen(d, {s: f.take(index_R) for s, f in e.items()}) for d, e in without]
            left = answer(kept)
            for place, row in enumerate(rows):
                answers[row] = left.said(place)
            scores_B[rows] = mean_scores(kept, said.take(rows))
        found[stream] = Ablation(tuple(answers), scores_B)
    return found


def _without(streams: Encoded, stream: str) -> dict[str, Features]:
    nobody = {s: torch.zeros_like(f.present) for s, f in streams.items() if s == stream}
    return {s: f.where(nobody[s]) if s in nobody else f for s, f in streams.items()}
