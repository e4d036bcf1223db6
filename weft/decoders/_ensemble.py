"""An ensemble of decoders that generate one text together."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.decoders.autoregressive import Part, State


class Ensemble:
    """Decoders with their contexts and states. They step together, and their probabilities are averaged."""

    def __init__(self, parts: Sequence[Part], texts: int, longest: int) -> None:
        sizes = sorted({len(context) for _, context in parts})
        if len(sizes) != 1:
            raise ValueError(f"contexts have {sizes} rows, expected one or more, all equal")
        self.contexts = sizes[0]
        self.rows = sizes[0] * texts
        self.device = parts[0][1].tokens.device
        self._decoders = [decoder for decoder, _ in parts]
        self._states: list[State] = [
            decoder.start(context, texts, longest) for decoder, context in parts
        ]

    def step(self, ids_R: Tensor) -> Tensor:
        """(R, V) log-probabilities in fp32 of the tokens after these."""
        logits = [
            decoder.step(ids_R, state).float()
            for decoder, state in zip(self._decoders, self._states, strict=True)
        ]
        if len(logits) == 1:
            return F.log_softmax(logits[0], dim=-1)
        return torch.stack([one.softmax(-1) for one in logits]).mean(0).log()

    def take(self, rows_R: Tensor) -> None:
        """Continues with these texts."""
        self._states = [state.take(rows_R) for state in self._states]
