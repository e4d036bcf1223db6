"""Objects as points (Zhou et al. 2019, arXiv:1904.07850): one token for each detected object."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.layers.convolution import (
    Normalize,
    by_pixel,
    channels_last,
    initialize_convolutions,
)
from weft.layers.pooling import pool

_STRIDE = 4


class Points(nn.Module):
    """Panels of a picture -> one token for each object detected in them; pooled is their mean.

    A small convolutional network processes every panel separately and predicts for each cell of a grid whether it
    holds the centre of an object. Detected cells, at most `max_objects` in a panel, become tokens: their features,
    with the position of the cell and the number of the panel. The network is trained only by an objective that calls
    `look` and `classify`; gradients from later layers stop here.
    """

    def __init__(self, config: "PointsConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        first, second, last = config.widths
        # Padding is 0, a middle grey, which convolutions see as a border.
        self.normalize = Normalize((0.5,) * 3, (0.25,) * 3)
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, first, 7, stride=2, padding=3),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(second, last, 3, padding=1),
            nn.ReLU(),
        )
        initialize_convolutions(self)
        self.heat = nn.Linear(last, 1)
        # Lin et al. 2017, arXiv:1708.02002, section 3.3.
        nn.init.constant_(self.heat.bias, math.log(config.prior / (1 - config.prior)))
        self.hidden = nn.Sequential(nn.Linear(last, 2 * last), nn.ReLU())
        self.kinds = nn.Linear(2 * last, config.classes)
        self.feature = nn.Linear(2 * last, config.dim)
        self.norm = nn.LayerNorm(config.dim)
        self.cells = nn.Parameter(0.5 * torch.randn(config.grid**2, config.dim))
        self.panels = nn.Parameter(0.5 * torch.randn(config.panels, config.dim))
        self.panel = nn.Parameter(0.5 * torch.randn(config.dim))
        channels_last(self)

    def forward(self, field: Field) -> Features:
        """Panels (B, P, 3, S, S) uint8 -> tokens (B, P + P * max_objects, D).

        First one token for each panel, always present; then the objects, grouped by panel.
        """
        rows, panels = field.values.shape[:2]
        cell_BPM, found_BPM, hidden_BPMC = self.find(field)
        place_P1D = self.panels[:panels, None]
        tokens_BPMD = self.norm(self.feature(hidden_BPMC)) + F.embedding(cell_BPM, self.cells)
        tokens_BTD = (tokens_BPMD + place_P1D).flatten(1, 2) * found_BPM.flatten(1)[..., None]
        panels_BPD = (place_P1D[:, 0] + self.panel).expand(rows, -1, -1).to(tokens_BTD.dtype)
        tokens_BTD = torch.cat([panels_BPD, tokens_BTD], dim=1)
        always_BP = found_BPM.new_ones(rows, panels)
        mask_BT = torch.cat([always_BP, found_BPM.flatten(1)], dim=1)
        return Features(tokens_BTD, mask_BT, pool(tokens_BTD, mask_BT, "mean"))

    @torch.no_grad()
    def find(self, field: Field) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the cells with the highest heat in each panel (B, P, M), whether each holds an object, and features
        (B, P, M, C)."""
        grid_BTC, heat_BT = self.look(field)
        shape = (*field.values.shape[:2], self.config.grid**2)
        score_BPM, cell_BPM = heat_BT.view(shape).topk(self.config.max_objects, dim=2)
        grid_BPTC = grid_BTC.view(*shape, grid_BTC.shape[2])
        index_BPMC = cell_BPM[..., None].expand(-1, -1, -1, grid_BPTC.shape[3])
        hidden_BPMC = self.hidden(grid_BPTC.gather(2, index_BPMC))
        return cell_BPM, score_BPM > 0, hidden_BPMC

    def look(self, field: Field) -> tuple[Tensor, Tensor]:
        """Panels (B, P, 3, S, S) -> features (B, T, C) and heat (B, T) of the T = P * grid * grid cells.

        Cells are ordered panel by panel and row by row. Heat is the logit that a cell holds the centre of an object.
        """
        check_shape(field.values, "B P 3 H W", "panels", H=self.config.size, W=self.config.size)
        panels, most = field.values.shape[1], self.config.panels
        if panels > most:
            raise ValueError(f"a picture has {panels} panels, expected at most {most}")
        pixels = self.normalize(field.values.flatten(0, 1), self.feature.weight.dtype)
        grid_NCHW = self.convolutions(by_pixel(pixels))
        grid_NTC = grid_NCHW.flatten(2).transpose(1, 2)
        grid_BTC = grid_NTC.unflatten(0, field.values.shape[:2]).flatten(1, 2)
        return grid_BTC, self.heat(grid_BTC)[..., 0].float()

    def classify(self, cells_SC: Tensor) -> Tensor:
        """Features (S, C) of cells -> logits (S, classes) of their content."""
        logits: Tensor = self.kinds(self.hidden(cells_SC))
        return logits


@dataclass(frozen=True)
class PointsConfig(Config[Encoder]):
    """A detector of objects as points (CenterNet); the detected objects are tokens."""

    classes: int
    """Kinds of objects that a cell may hold."""
    dim: int = 128
    size: int = 50
    """Side of a panel in pixels. The grid has one cell for every four."""
    panels: int = 3
    """Maximum number of panels in a picture."""
    max_objects: int = 8
    """Maximum number of objects in a panel."""
    prior: float = 0.02
    """Initial probability that a cell holds an object."""
    widths: tuple[int, int, int] = (16, 32, 96)
    """Channels of the three convolutions."""

    def __post_init__(self) -> None:
        least = {"classes": 1, "dim": 1, "size": 1, "panels": 1, "max_objects": 1}
        for name, smallest in least.items():
            if vars(self)[name] < smallest:
                raise ValueError(f"{name} is {vars(self)[name]}, expected at least {smallest}")
        if not 0 < self.prior < 1:
            raise ValueError(f"prior is {self.prior}, expected a share between 0 and 1")
        if min(self.widths) < 1:
            raise ValueError(f"widths are {self.widths}, expected at least 1 each")
        if self.max_objects > self.grid**2:
            raise ValueError(
                f"max_objects is {self.max_objects}, expected at most {self.grid**2}, the cells"
            )

    @property
    def grid(self) -> int:
        """Cells along each side."""
        return -(-self.size // _STRIDE)

    def build(self) -> Points:
        return Points(self)
