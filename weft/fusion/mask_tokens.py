"""Mask tokens: a learned vector replaces each stream that a row lacks.

This applies the mask token of masked autoencoders (He et al. 2022, arXiv:2111.06377, section 3) to whole streams. The
vectors are trained on rows that lack a stream, for example by modality dropout.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import JOINT, Fusion
from weft.core.named_modules import NamedModules
from weft.core.records import Features
from weft.fusion._streams import FusionConfig, Widths, in_order


class MaskToken(nn.Module):
    """One vector: the only token of a missing stream, and its pooled vector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.vector = nn.Parameter(0.02 * torch.randn(width))

    def forward(self, features: Features, gap_B: Tensor) -> Features:
        """Returns the features with this token in the rows of `gap_B`, which have no token."""
        tokens_BTD, mask_BT = features.tokens, features.mask
        if not tokens_BTD.shape[1]:
            tokens_BTD, mask_BT = F.pad(tokens_BTD, (0, 0, 0, 1)), F.pad(mask_BT, (0, 1))
        vector_D = self.vector.to(tokens_BTD.dtype)
        first_T = torch.arange(tokens_BTD.shape[1], device=mask_BT.device) == 0
        place_BT = gap_B[:, None] & first_T
        return Features(
            torch.where(place_BT[:, :, None], vector_D, tokens_BTD),
            mask_BT | place_BT,
            torch.where(gap_B[:, None], vector_D.to(features.pooled.dtype), features.pooled),
        )


class MaskTokens(nn.Module):
    """Applies another fusion with a learned token for each stream that a row lacks.

    A row without any stream gets no mask tokens. Streams are returned as the fusion gives them, without mask tokens.
    JOINT includes the mask tokens.
    """

    def __init__(self, config: "MaskTokensConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.streams = tuple(config.widths)
        self.fusion = config.of.build()
        self.tokens = NamedModules({s: MaskToken(width) for s, width in config.widths.items()})

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """Any of the streams -> those streams and JOINT, (B, T, dim)."""
        given = in_order(streams, self.config.widths)
        fused = cast(Fusion, self.fusion)(self.filled(given))
        own = {stream: fused[stream].where(f.present) for stream, f in given.items()}
        return {**own, JOINT: fused[JOINT]}

    def filled(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """Returns all streams of the fusion: those of the rows, with mask tokens for missing ones."""
        one = next(iter(streams.values()))
        some_B = torch.stack([features.present for features in streams.values()]).any(dim=0)
        found = {}
        for stream, width in self.config.widths.items():
            features = streams.get(stream)
            if features is None:
                features = Features.absent(len(one), width, one.tokens.device)
            found[stream] = self.token(stream)(features, some_B & ~features.present)
        return found

    def token(self, stream: str) -> MaskToken:
        """Returns the mask token of the stream."""
        return cast(MaskToken, self.tokens[stream])


@dataclass(frozen=True)
class MaskTokensConfig(Config[Fusion]):
    """Puts a learned token in place of each missing stream, then applies another fusion."""

    fusion: Config[Fusion]
    """The fusion to apply."""

    def __post_init__(self) -> None:
        if not isinstance(self.fusion, FusionConfig):
            raise ValueError(
                f"fusion is a {type(self.fusion).__name__}, expected the config of a fusion"
            )

    @property
    def of(self) -> FusionConfig:
        """The fusion, checked to be one."""
        return cast(FusionConfig, self.fusion)

    @property
    def widths(self) -> Widths:
        return self.of.widths

    @property
    def dim(self) -> int:
        return self.of.dim

    def build(self) -> MaskTokens:
        return MaskTokens(self)
