"""Auxiliary loss: which objects a sentence refers to, and their number in each panel; a denser signal than true or
false.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import COUNT, POSITIVE_SHARE, require
from weft.core.records import Batch, Field, Loss
from weft.encoders.points import Points
from weft.objectives._presence import nothing, rows_with
from weft.objectives._sharing import teaching_rows


class Grounding(nn.Module):
    """Predicts from the fused tokens of panels and objects: a count for each panel, yes or no for each object.

    Targets: counts (B, P), and marks (B, P * cells) for the cells that hold an object, -1 for the others. The total
    is the mean cross-entropy of the counts plus that of the marks, each over all ranks.
    """

    def __init__(self, config: "GroundingConfig") -> None:
        super().__init__()
        self.config = config
        self.count = nn.Linear(config.dim, config.max_objects + 1)
        self.mark = nn.Linear(config.dim, 1)

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        config = self.config
        batch, streams = rows_with(batch, streams, (config.stream,))
        encoder, field = model.encoder(config.stream), batch.inputs.get(config.stream)
        if field is None:
            return nothing(self, batch, "counted", "marked")
        if not isinstance(encoder, Points) or not isinstance(field, Field):
            raise ValueError(f"the encoder of '{config.stream}' gives no tokens of objects")
        tokens_BTD = streams.fused()[config.stream].tokens
        panels = field.values.shape[1]
        counts_BPK = self.count(tokens_BTD[:, :panels]).float()
        counts_BP = torch.as_tensor(batch.targets[config.counts])
        counting = F.cross_entropy(counts_BPK.flatten(0, 1), counts_BP.flatten(), reduction="none")
        rows_R = teaching_rows(batch, config.share)
        marks_BT = torch.as_tensor(batch.targets[config.marks])
        marks_S, marked_S = self._marks(
            encoder, field.take(rows_R), tokens_BTD[rows_R, panels:], marks_BT[rows_R]
        )
        marking = F.binary_cross_entropy_with_logits(marks_S, marked_S, reduction="none")
        terms = {
            "counted": mean_of_all((counts_BPK.argmax(2) == counts_BP).float()),
            "marked": mean_of_all(((marks_S > 0) == (marked_S > 0)).float()),
        }
        return Loss(mean_of_all(counting) + mean_of_all(marking), terms)

    def _marks(
        self, encoder: Points, field: Field, tokens_BTD: Tensor, marks_BPT: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits and targets (S,) of the tokens of cells that hold an object."""
        cell_BPM, found_BPM, _ = encoder.find(field)
        marks_BPM = marks_BPT.view(*cell_BPM.shape[:2], encoder.config.grid**2).take_along_dim(
            cell_BPM, dim=2
        )
        real_BT = (found_BPM & (marks_BPM >= 0)).flatten(1)
        logits_S: Tensor = self.mark(tokens_BTD[real_BT])[:, 0].float()
        return logits_S, marks_BPM.flatten(1)[real_BT].float()


@dataclass(frozen=True)
class GroundingConfig(Config[Objective]):
    """Grounding: predicts which objects a sentence describes, and their number in each panel."""

    dim: int
    """Width of the fused tokens."""
    max_objects: int
    """Largest count."""
    stream: str = "image"
    """The stream whose encoder gives tokens of panels and objects."""
    counts: str = "counts"
    """Target with the count of each panel."""
    marks: str = "marks"
    """Target with a mark for each cell: whether the sentence is about its object."""
    share: float = 0.5
    """Share of the rows whose objects are judged, evenly spread over a batch; fewer cost less."""

    def __post_init__(self) -> None:
        require(self, dim=COUNT, max_objects=COUNT, share=POSITIVE_SHARE)

    @property
    def needs(self) -> Needs:
        return Needs(raw=(self.stream,), targets=(self.counts, self.marks))

    def build(self) -> Grounding:
        return Grounding(self)
