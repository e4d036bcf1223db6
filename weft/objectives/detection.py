"""Detection of the object in each cell of a picture: trains an encoder to find objects."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import POSITIVE_SHARE, require
from weft.core.records import Batch, Field, Loss
from weft.objectives._presence import nothing, rows_with
from weft.objectives._sharing import teaching_rows


@runtime_checkable
class Detector(Protocol):
    """An encoder that detects which cells of a picture hold an object, and its class."""

    def look(self, field: Field) -> tuple[Tensor, Tensor]:
        """Field -> features (B, T, C) of T cells, and the logits (B, T) that a cell holds an object."""
        ...

    def classify(self, cells_SC: Tensor) -> Tensor:
        """Features (S, C) of cells -> logits (S, classes) of their objects."""
        ...


class Detection(nn.Module):
    """A binary cross-entropy per cell for the presence of an object, and a cross-entropy for its class, since no
    two objects share a cell. Both are sums over the cells of all ranks, divided by the number of objects in them,
    as in Zhou et al. 2019, arXiv:1904.07850, section 3, here with heat maps of a single hot cell per object.

    The target (B, T) is 0 for an empty cell, otherwise 1 + the class.
    """

    def __init__(self, config: "DetectionConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        config = self.config
        batch, streams = rows_with(batch, streams, (config.stream,))
        encoder, field = model.encoder(config.stream), batch.inputs.get(config.stream)
        if field is None:
            return nothing(encoder, batch, "found", "named")
        if not isinstance(encoder, Detector) or not isinstance(field, Field):
            raise ValueError(f"the encoder of '{config.stream}' finds no objects in a field")
        rows_R = teaching_rows(batch, config.share)
        cells_RT = torch.as_tensor(batch.targets[config.target])[rows_R]

        def measure(field: Field, cells_RT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            grid_RTC, heat_RT = encoder.look(field)
            held_RT = cells_RT > 0
            where_RT = F.binary_cross_entropy_with_logits(
                heat_RT.float(), held_RT.float(), reduction="none"
            )
            kinds_SK, kind_S = encoder.classify(grid_RTC[held_RT]).float(), cells_RT[held_RT] - 1
            cost = where_RT.sum() + F.cross_entropy(kinds_SK, kind_S, reduction="sum")
            found_R = ((heat_RT > 0) == held_RT).all(dim=1)
            return cost[None], found_R, kinds_SK.argmax(1) == kind_S

        parts = streams.by_rows(measure, field.take(rows_R), cells_RT)
        costs, found_R, named_S = (torch.cat(values) for values in zip(*parts, strict=True))
        terms = {"found": mean_of_all(found_R.float()), "named": mean_of_all(named_S.float())}
        return Loss(mean_of_all(costs, (cells_RT > 0).sum()), terms)


@dataclass(frozen=True)
class DetectionConfig(Config[Objective]):
    """Detection: predicts the contents of a picture's cells."""

    target: str = "cells"
    """Target of the batch: the class of each cell."""
    stream: str = "image"
    """The stream whose encoder finds objects."""
    share: float = 1.0
    """Share of the rows that teach, evenly spread over a batch; fewer cost less."""

    def __post_init__(self) -> None:
        require(self, share=POSITIVE_SHARE)

    @property
    def needs(self) -> Needs:
        return Needs(raw=(self.stream,), targets=(self.target,))

    def build(self) -> Detection:
        return Detection(self)
