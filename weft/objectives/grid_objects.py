"""Auxiliary loss: predict the object in each grid cell of a picture."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import COUNT, POSITIVE_SHARE, require
from weft.core.records import Batch, Features, Loss
from weft.data.targets.cells import NOTHING
from weft.heads.cells import CellsOutput
from weft.objectives._presence import rows_with


class Objects(nn.Module):
    """Cross-entropy of the attributes of the object in each cell, summed over the attributes.

    The loss is a weighted mean over the cells of a row, and a mean over the rows of all ranks.

    A linear map for each attribute reads the stream's tokens before fusion, so attributes are learned separately: a
    colour is learned from all shapes. If objects are known, this trains an encoder with a few thousand pictures;
    with answers alone it takes hundreds of thousands.
    """

    def __init__(self, config: "GridObjectsConfig") -> None:
        super().__init__()
        self.config = config
        # One class more: nothing.
        own = () if config.head is not None else config.classes
        self.heads = nn.ModuleList(nn.Linear(config.dim, n + 1) for n in own)

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        config = self.config
        batch, streams = rows_with(batch, streams, (config.stream,))
        cells_BTA = self._cells(batch)
        tokens_BTD = streams.features(config.stream).tokens
        if not len(batch):  # whose tokens may be none
            tokens_BTD = tokens_BTD.new_zeros(*cells_BTA.shape[:2], config.dim)
        if cells_BTA.shape[:2] != tokens_BTD.shape[:2]:
            raise ValueError(
                f"'{config.stream}' has {tokens_BTD.shape[1]} tokens and target '{config.target}' "
                f"{cells_BTA.shape[1]} cells, expected as many"
            )
        filled_BT = cells_BTA[:, :, 0] != NOTHING
        weights_BT = torch.where(filled_BT, 1.0, config.nothing)
        weights_BT = weights_BT / weights_BT.sum(dim=1, keepdim=True)
        costs_B = tokens_BTD.new_zeros(len(batch), dtype=torch.float32)
        right_BT = filled_BT
        for place, logits_BTV in enumerate(self._logits(model, tokens_BTD)):
            wanted_BT = cells_BTA[:, :, place]
            costs_BT = F.cross_entropy(
                logits_BTV.flatten(0, 1), wanted_BT.flatten(), reduction="none"
            )
            costs_B = costs_B + (costs_BT.view_as(weights_BT) * weights_BT).sum(dim=1)
            right_BT = right_BT & (logits_BTV.argmax(2) == wanted_BT)
        return Loss(mean_of_all(costs_B), {"found": mean_of_all(right_BT, filled_BT.sum())})

    def _logits(self, model: Reader, tokens_BTD: Tensor) -> list[Tensor]:
        """(B, T, V) logits of each attribute, from the objective's own maps or from the head."""
        if self.config.head is None:
            return [head(tokens_BTD).float() for head in self.heads]
        mask_BT = torch.ones(tokens_BTD.shape[:2], dtype=torch.bool, device=tokens_BTD.device)
        context = Features(tokens_BTD, mask_BT, tokens_BTD.sum(1))
        found: Tensor = model.head(self.config.head).decoder(context)
        return list(torch.split(found.float(), [n + 1 for n in self.config.classes], dim=2))

    def _cells(self, batch: Batch) -> Tensor:
        if self.config.target not in batch.targets:
            known = ", ".join(batch.targets) or "none"
            raise ValueError(f"the batch has no target '{self.config.target}', it has: {known}")
        cells_BTA = batch.targets[self.config.target]
        if cells_BTA.ndim != 3 or cells_BTA.shape[2] != len(self.config.classes):
            raise ValueError(
                f"target '{self.config.target}' has shape {tuple(cells_BTA.shape)}, "
                f"expected (B, T, {len(self.config.classes)}), an attribute for each of `classes`"
            )
        return cells_BTA


@dataclass(frozen=True)
class GridObjectsConfig(Config[Objective]):
    """Predicts the object in each cell of a picture from the picture's tokens."""

    dim: int
    """Width of the stream's tokens."""
    classes: tuple[int, ...]
    """Number of classes of each attribute."""
    stream: str = "image"
    """Whose tokens; as many as the target has cells."""
    target: str = "objects"
    """Target of the batch."""
    head: str | None = None
    """Head of the model that says it, with a `CellsOutput`; None: maps of the objective's own, which are not kept."""
    nothing: float = 0.1
    """Weight of a cell without an object, beside 1 of one with."""

    def __post_init__(self) -> None:
        if not self.classes:
            raise ValueError("classes is empty, expected the number of classes of each attribute")
        require(self, dim=COUNT, classes=COUNT, nothing=POSITIVE_SHARE)

    @property
    def needs(self) -> Needs:
        heads: dict[str, type] = {} if self.head is None else {self.head: CellsOutput}
        return Needs(encoders=(self.stream,), targets=(self.target,), heads=heads)

    def build(self) -> Objects:
        return Objects(self)
