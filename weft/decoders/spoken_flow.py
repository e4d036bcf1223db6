"""Speech from words: predicts the duration of each word, and generates all frames with a flow."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.ranges import COUNT, POSITIVE, require
from weft.core.records import Features
from weft.decoders.drawing import DrawingConfig
from weft.decoders.flow import Flow, FlowConfig, FlowSampler
from weft.decoders.sampler import sample
from weft.layers.positions import sine_positions

PLACES = 32
"""Number of features for a frame's position in its word."""
MOST = 8.0
"""Maximum logarithm of a word's frames."""
STEPS = 20.0
"""Number of positions along a word, for the sine encoding."""


class SpokenFlow(Flow):
    """Each real token of the context is a word, or a part of one, and lasts for a predicted number of frames.

    Each frame receives its word and its position in it (the length regulator of FastSpeech: Ren et al. 2019,
    arXiv:1905.09263, section 3.2); a flow then generates all frames together. Durations are predicted from each word
    and its neighbours.
    """

    def __init__(self, config: "SpokenFlowConfig") -> None:
        super().__init__(config)
        self.spoken = config
        width = config.context_dim
        self.around = nn.Conv1d(width, width, 3, padding=1)
        self.duration = nn.Linear(width, 1)
        nn.init.zeros_(self.duration.weight)
        nn.init.constant_(self.duration.bias, torch.tensor(config.usual).log().item())

    def log_durations(self, context: Features) -> Tensor:
        """(B, L) natural logarithm of the number of frames of each token; padding has arbitrary values."""
        tokens_BLD = context.tokens.masked_fill(~context.mask[..., None], 0)
        # One more position, since a convolution of nothing is an error.
        around_BDL = self.around(F.pad(tokens_BLD.transpose(1, 2), (0, 1)))[..., :-1]
        hidden_BLD = F.gelu(around_BDL.transpose(1, 2)) + tokens_BLD
        found: Tensor = self.duration(hidden_BLD)[..., 0]
        return found.float()

    def ends(self, context: Features) -> Tensor:
        """(B, L) int64 predicted end frame of each token, exclusive. The words of the context must come first
        (`words_first`).

        A word has at least one frame before rounding. If the total exceeds the maximum number of frames, all are
        shortened.
        """
        frames_BL = self.log_durations(context).clamp(0, MOST).exp().masked_fill(~context.mask, 0)
        share_B = (self.shape[0] / frames_BL.sum(1).clamp_min(1)).clamp_max(1)
        # Ends are rounded, not durations, since the sum of rounded durations may exceed the number
        # of frames.
        ends_BL = (frames_BL * share_B[:, None]).cumsum(1).round().long()
        return ends_BL.clamp_max(self.shape[0])

    def lengths(self, context: Features) -> Tensor:
        """(B,) int64 frames of each row; 1 for a row without words."""
        ends_BL = self.ends(words_first(context))
        return F.pad(ends_BL, (1, 0), value=1).amax(1)

    def frames(self, context: Features, ends_BL: Tensor) -> Features:
        """The context of each frame: (B, T, D), up to the longest row.

        ends_BL: the end frame of each token, exclusive and non-decreasing, 0 for padding.
        """
        if not ends_BL.shape[1]:  # adds a word of no frames, for rows without any
            ends_BL, context = ends_BL.new_zeros(len(ends_BL), 1), _one_place(context)
        starts_BL = F.pad(ends_BL, (1, 0))[:, :-1]
        lengths_B = ends_BL.amax(1)
        longest = int(lengths_B.max()) if len(lengths_B) else 0
        places_T = torch.arange(max(1, longest), device=ends_BL.device)
        mask_BT = places_T < lengths_B.clamp_min(1)[:, None]
        # The number of words that ended before a frame is the index of its word.
        word_BT = (ends_BL[:, None, :] <= places_T[None, :, None]).sum(2)
        word_BT = word_BT.clamp_max(max(0, ends_BL.shape[1] - 1))
        begin_BT, end_BT = starts_BL.gather(1, word_BT), ends_BL.gather(1, word_BT)
        share_BT = (places_T - begin_BT + 0.5) / (end_BT - begin_BT).clamp_min(1)
        codes_BTP = sine_positions((share_BT * STEPS).flatten(), PLACES).view(
            *share_BT.shape, PLACES
        )
        index_BTD = word_BT[..., None].expand(*word_BT.shape, context.tokens.shape[2])
        # A row without words still has one frame, without any information.
        said_BLD = context.tokens.masked_fill(~context.mask[..., None], 0)
        tokens_BTD = said_BLD.gather(1, index_BTD)
        tokens_BTK = torch.cat([tokens_BTD, codes_BTP.to(tokens_BTD.dtype)], dim=2)
        pooled_BK = F.pad(context.pooled, (0, PLACES))
        return Features(tokens_BTK.masked_fill(~mask_BT[..., None], 0), mask_BT, pooled_BK)

    def without_context(self, context: Features, gone_B: Tensor) -> Features:
        """Returns frames without their words; their number stays known."""
        token_D, pooled_D = self.no_context.to(context.tokens.dtype)
        tokens = torch.where(gone_B[:, None, None], token_D, context.tokens)
        return Features(
            tokens, context.mask, torch.where(gone_B[:, None], pooled_D, context.pooled)
        )

    def draw(self, context: Features, noise: Tensor | None, way: DrawingConfig) -> Tensor:
        """(B, T, M) from noise (B, frames, M), of which the first T are used; T is the longest row's."""
        if noise is None:
            raise ValueError("a flow got no noise, expected some to draw from")
        packed = words_first(context)
        frames = self.frames(packed, self.ends(packed))
        return sample(FlowSampler(way), (self, frames, noise[:, : frames.tokens.shape[1]]))


def _one_place(context: Features) -> Features:
    """Adds one position of padding to a context without tokens."""
    rows, width = context.pooled.shape
    mask = context.mask.new_zeros(rows, 1)
    return Features(context.pooled.new_zeros(rows, 1, width), mask, context.pooled)


def words_first(context: Features) -> Features:
    """Moves the real tokens of each row to the front, so that the words are contiguous."""
    order_BL = (~context.mask).int().argsort(dim=1, stable=True)
    index_BLD = order_BL[..., None].expand_as(context.tokens)
    return Features(
        context.tokens.gather(1, index_BLD), context.mask.gather(1, order_BL), context.pooled
    )


@dataclass(frozen=True)
class SpokenFlowConfig(FlowConfig):
    """Speech from words: predicted durations and a flow over frames."""

    context_dim: int = 64
    """Width of the words. The network's context is 32 wider, for the position in the word."""
    usual: float = 50.0
    """Initial number of frames of a word."""

    def __post_init__(self) -> None:
        require(self, context_dim=COUNT, usual=POSITIVE)
        if self.codec is not None:
            raise ValueError(
                f"codec is a {type(self.codec).__name__}, expected None: spoken words have different lengths"
            )

    def build(self) -> SpokenFlow:
        return SpokenFlow(self)
