"""What each cell of a picture holds: the objective that teaches an encoder to find objects."""

from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.architectures.model import Model
from weft.core.config import Config
from weft.core.interfaces import EncodedStreams, Objective
from weft.core.needs import Needs
from weft.core.records import Batch, Field, Loss


@runtime_checkable
class Detector(Protocol):
    """An encoder that says which cells of a picture hold something, and what."""

    def look(self, field: Field) -> tuple[Tensor, Tensor]:
        """Field -> features (B, T, C) of T cells, and the logits (B, T) that they hold something."""
        ...

    def classify(self, cells_SC: Tensor) -> Tensor:
        """Features (S, C) of cells -> logits (S, classes) of what they hold."""
        ...


class Detection(nn.Module):
    """Where there is something: a binary cross-entropy a cell; and what it is: one class, since no two
    objects share a cell. Both are sums over cells a found object, as in Zhou et al. 2019,
    arXiv:1904.07850, section 3, whose heat maps these are with a single hot cell an object.

    The target (B, T) is 0 for an empty cell, and 1 + the class of another.
    """

    def __init__(self, config: "DetectionConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: nn.Module, batch: Batch, streams: EncodedStreams) -> Loss:  # noqa: ARG002
        config = self.config
        encoder, field = cast(Model, model).encoder(config.stream), batch.inputs[config.stream]
        if not isinstance(encoder, Detector) or not isinstance(field, Field):
            raise ValueError(f"the encoder of '{config.stream}' finds no objects in a field")
        rows = slice(0, max(1, round(config.share * len(batch))))
        cells_BT = torch.as_tensor(batch.targets[config.target])[rows]
        grid_BTC, heat_BT = encoder.look(field.rows(rows))
        held_BT = cells_BT > 0
        where = F.binary_cross_entropy_with_logits(heat_BT, held_BT.float(), reduction="sum")
        kinds_SK = encoder.classify(grid_BTC[held_BT]).float()
        kind_S = cells_BT[held_BT] - 1
        what = F.cross_entropy(kinds_SK, kind_S, reduction="sum")
        found_BT = (heat_BT > 0) == held_BT
        terms = {
            "found": found_BT.all(dim=1).float().mean(),
            "named": (kinds_SK.argmax(1) == kind_S).float().sum() / max(len(kind_S), 1),
        }
        return Loss((where + what) / max(len(kind_S), 1), terms)


@dataclass(frozen=True)
class DetectionConfig(Config[Objective]):
    """What the cells of a picture hold."""

    target: str = "cells"
    """Target of the batch: the class of each cell."""
    stream: str = "image"
    """The stream whose encoder finds objects."""
    share: float = 1.0
    """Share of the rows that teach, the first ones of a batch; fewer cost less."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share}, expected above 0 up to 1")

    @property
    def needs(self) -> Needs:
        return Needs(raw=(self.stream,), targets=(self.target,))

    def build(self) -> Detection:
        return Detection(self)
