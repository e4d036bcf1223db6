"""Encoded items that are kept without padding, to be fused in any combination."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from weft.core.records import Features
from weft.data.formats import Dataset
from weft.data.policy import BadRows
from weft.inference.config import InferenceConfig
from weft.inference.embedding import encode_views, evaluating, views_of
from weft.inference.member import Item, Member


@dataclass(frozen=True)
class EncodedItems:
    """Encoded items of one stream, without padding: (S, D) tokens, lengths and starts (N,)."""

    tokens: Tensor
    lengths: Tensor
    starts: Tensor
    pooled: Tensor

    @classmethod
    def of(
        cls,
        member: Member,
        items: Sequence[Item],
        dataset: Dataset,
        config: InferenceConfig,
        bad: BadRows,
        device: torch.device | str,
    ) -> "EncodedItems":
        """The items, each in the view that it names or the plain one."""
        plain = [replace(item, view=item.view or 0) for item in items]
        stream = items[0].stream
        source = member.sources[stream]
        parts: list[Features] = []
        places: list[int] = []
        with evaluating(member.model, device, config.precision):
            for batch, features, _ in encode_views(
                member.model, source, views_of(plain, source), dataset, config, bad, device
            ):
                if features is not None:
                    parts.append(features.to("cpu"))
                    places += [view.place for view in batch]
        order = torch.tensor(places).argsort()
        lengths = torch.cat([part.mask.sum(1) for part in parts])
        tokens = torch.cat([part.tokens[part.mask] for part in parts])
        starts = lengths.cumsum(0) - lengths
        pooled = torch.cat([part.pooled for part in parts])
        return cls(tokens, lengths[order], starts[order], pooled[order])

    def take(self, index_R: Tensor) -> Features:
        """These items, padded to the longest of them."""
        lengths_R = self.lengths[index_R]
        steps_T = torch.arange(int(lengths_R.max()))
        mask_RT = steps_T < lengths_R[:, None]
        places_RT = (self.starts[index_R][:, None] + steps_T).masked_fill(~mask_RT, 0)
        tokens_RTD = self.tokens[places_RT].masked_fill(~mask_RT[:, :, None], 0)
        return Features(tokens_RTD, mask_RT, self.pooled[index_R])
