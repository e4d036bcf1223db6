"""What a generated text may not say next."""

import torch
import torch.nn.functional as F
from torch import Tensor


class Constraints:
    """Takes away the probability of tokens: those not allowed, an end too early, what was said before.

    allowed: (V,) or (B, V) bool, or None for all tokens; the end is always allowed, tokens beyond V
    never. texts: of each of
    the B contexts. min_length: fewest tokens before the end. no_repeat: no sequence of so many
    tokens twice in a text; 0 allows all.
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
        """Log-probabilities of the tokens after `said_RT`, which has the start first."""
        if self._forbidden is not None:
            beyond = log_RV.shape[1] - self._forbidden.shape[-1]
            if beyond:  # the decoder has room for more tokens than there are
                self._forbidden = F.pad(self._forbidden, (0, beyond), value=True)
            log_RV = log_RV.masked_fill(self._forbidden, -torch.inf)
        if said_RT.shape[1] - 1 < self._min_length:
            log_RV = log_RV.index_fill(1, torch.tensor(self._end, device=log_RV.device), -torch.inf)
        if self._no_repeat and said_RT.shape[1] >= self._no_repeat:
            log_RV = log_RV.masked_fill(self._repeating(log_RV, said_RT), -torch.inf)
        return log_RV

    def _repeating(self, log_RV: Tensor, said_RT: Tensor) -> Tensor:
        """(R, V) True where the token would end a sequence that the text has already."""
        size = self._no_repeat
        windows_RWn = said_RT.unfold(1, size, 1)
        latest_R1n = said_RT[:, None, said_RT.shape[1] - size + 1 :]
        same_RW = (windows_RWn[..., :-1] == latest_R1n).all(-1)
        # Added, not set: one token may end a window that fits and another that does not.
        counts_RV = torch.zeros_like(log_RV).scatter_add_(
            1, windows_RWn[..., -1], same_RW.to(log_RV.dtype)
        )
        return counts_RV > 0
