"""Which objects a sentence is about, and how many in each panel: denser than whether it is true."""

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.architectures.model import Model
from weft.core.config import Config
from weft.core.interfaces import EncodedStreams, Objective
from weft.core.needs import Needs
from weft.core.records import Batch, Field, Loss
from weft.encoders.points import Points


class Grounding(nn.Module):
    """Reads the fused tokens of panels and objects: a count of each panel, yes or no of each object.

    Targets: counts (B, P), and marks (B, P * cells) of the cells that hold an object, -1 of the others.
    """

    def __init__(self, config: "GroundingConfig") -> None:
        super().__init__()
        self.config = config
        self.count = nn.Linear(config.dim, config.max_objects + 1)
        self.mark = nn.Linear(config.dim, 1)

    def forward(self, model: nn.Module, batch: Batch, streams: EncodedStreams) -> Loss:
        config = self.config
        encoder, field = cast(Model, model).encoder(config.stream), batch.inputs[config.stream]
        if not isinstance(encoder, Points) or not isinstance(field, Field):
            raise ValueError(f"the encoder of '{config.stream}' gives no tokens of objects")
        tokens_BTD = streams.fused()[config.stream].tokens
        panels = field.values.shape[1]
        counts_BPK = self.count(tokens_BTD[:, :panels]).float()
        counts_BP = torch.as_tensor(batch.targets[config.counts])
        counting = F.cross_entropy(counts_BPK.flatten(0, 1), counts_BP.flatten())
        rows = slice(0, max(1, round(config.share * len(batch))))
        marks_R, marked_R = self._marks(encoder, field.rows(rows), tokens_BTD[rows, panels:], batch)
        marking = F.binary_cross_entropy_with_logits(marks_R, marked_R, reduction="sum")
        total = counting + marking / max(len(marks_R), 1)
        terms = {
            "counted": (counts_BPK.argmax(2) == counts_BP).float().mean(),
            "marked": ((marks_R > 0) == (marked_R > 0)).float().sum() / max(len(marks_R), 1),
        }
        return Loss(total, terms)

    def _marks(
        self, encoder: Points, field: Field, tokens_BTD: Tensor, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """Logits and targets (R,) of the tokens that stand for a cell which holds an object."""
        cell_BPM, found_BPM, _ = encoder.find(field)
        marks_BPT = torch.as_tensor(batch.targets[self.config.marks])[: len(field)]
        marks_BPM = marks_BPT.view(*cell_BPM.shape[:2], -1).take_along_dim(cell_BPM, dim=2)
        real_BT = (found_BPM & (marks_BPM >= 0)).flatten(1)
        logits_R: Tensor = self.mark(tokens_BTD[real_BT])[:, 0].float()
        return logits_R, marks_BPM.flatten(1)[real_BT].float()


@dataclass(frozen=True)
class GroundingConfig(Config[Objective]):
    """Which objects a sentence is about, and how many in each panel."""

    dim: int
    """Width of the fused tokens."""
    max_objects: int
    """Largest count."""
    stream: str = "image"
    """The stream whose encoder gives tokens of panels and objects."""
    counts: str = "counts"
    """Target with the count of each panel."""
    marks: str = "marks"
    """Target that says of each cell whether the sentence is about its object."""
    share: float = 0.5
    """Share of the rows whose objects are judged; fewer cost less."""

    def __post_init__(self) -> None:
        if self.dim < 1 or self.max_objects < 1:
            raise ValueError(
                f"dim is {self.dim} and max_objects {self.max_objects}, expected at least 1 each"
            )
        if not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share}, expected above 0 up to 1")

    @property
    def needs(self) -> Needs:
        return Needs(raw=(self.stream,), targets=(self.counts, self.marks))

    def build(self) -> Grounding:
        return Grounding(self)
