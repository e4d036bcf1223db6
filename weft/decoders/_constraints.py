"""Restrictions on the next token of a generated text."""

import torch
import torch.nn.functional as F
from torch import Tensor


class Constraints:
    """Excludes tokens: those not allowed, an early end, and repetitions.

    allowed: (V,) or (B, V) bool, or None for all tokens; the end is always allowed, tokens beyond V never. texts:
    number for each of the B contexts. min_length: minimum tokens before the end. no_repeat: no sequence of this many
    tokens may occur twice in a text; 0 allows all.
    """

    def __init__(
        self, allowed: Tensor | None, end: int, *, texts: int, min_length: int, no_repeat: int
    ) -> None:
        self._forbidden: Tensor | None = None
        if allowed is not None:
            if allowed.dtype != torch.bool or allowed.ndim not in (1, 2):
                raise ValueError(
                    f"allowed is {allowed.dtype} of shape {tuple(allowed.shape)}, expected torch.bool "
                    "(V,) or (B, V)"
                )
            forbidden = ~allowed
            forbidden[..., end] = False
            self._forbidden = (
                forbidden if allowed.ndim == 1 else forbidden.repeat_interleave(texts, 0)
            )
        self._end = end
        self._min_length = min_length
        self._no_repeat = no_repeat

    def __call__(self, log_RV: Tensor, said_RT: Tensor) -> Tensor:
        """Restricts the log-probabilities of the tokens after `said_RT`, which includes the start token."""
        if self._forbidden is not None:
            beyond = log_RV.shape[1] - self._forbidden.shape[-1]
            if beyond:  # the decoder has outputs for more tokens than exist
                self._forbidden = F.pad(self._forbidden, (0, beyond), value=True)
            log_RV = log_RV.masked_fill(self._forbidden, -torch.inf)
        if said_RT.shape[1] - 1 < self._min_length:
            log_RV = log_RV.index_fill(1, torch.tensor(self._end, device=log_RV.device), -torch.inf)
        if self._no_repeat and said_RT.shape[1] >= self._no_repeat:
            log_RV = log_RV.masked_fill(self._repeating(log_RV, said_RT), -torch.inf)
        return log_RV

    def _repeating(self, log_RV: Tensor, said_RT: Tensor) -> Tensor:
        """(R, V) True if the token would complete a sequence that already occurs in the text."""
        size = self._no_repeat
        windows_RWn = said_RT.unfold(1, size, 1)
        latest_R1n = said_RT[:, None, said_RT.shape[1] - size + 1 :]
        same_RW = (windows_RWn[..., :-1] == latest_R1n).all(-1)
        # Added, not set: for one token some windows may match and others not.
        counts_RV = torch.zeros_like(log_RV).scatter_add_(
            1, windows_RWn[..., -1], same_RW.to(log_RV.dtype)
        )
        return counts_RV > 0
