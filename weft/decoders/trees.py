"""Boosted decision trees grown by another program: arrays of nodes, without gradients."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Decoder
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape


class Trees(nn.Module):
    """The context's pooled vector (B, D) -> (B, V): a constant plus the reached leaf of each tree.

    At an inner node a row goes left if its feature is at most the threshold. Trees begin at `roots` and add to the
    outputs `outputs` (J. H. Friedman, Annals of Statistics 29(5), 2001, algorithm 1).
    """

    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    value: Tensor
    roots: Tensor
    outputs: Tensor
    constant: Tensor

    def __init__(self, config: "TreesConfig") -> None:
        super().__init__()
        self.config = config
        nodes, trees = config.nodes, config.trees
        self.register_buffer("feature", torch.zeros(nodes, dtype=torch.int64))
        self.register_buffer("threshold", torch.zeros(nodes, dtype=torch.float64))
        self.register_buffer("left", torch.zeros(nodes, dtype=torch.int64))
        self.register_buffer("right", torch.zeros(nodes, dtype=torch.int64))
        self.register_buffer("value", torch.zeros(nodes, dtype=torch.float64))
        self.register_buffer("roots", torch.zeros(trees, dtype=torch.int64))
        self.register_buffer("outputs", torch.zeros(trees, dtype=torch.int64))
        self.register_buffer("constant", torch.zeros(config.classes, dtype=torch.float64))

    @torch.no_grad()
    def forward(self, context: Features, prefix: Field | None = None) -> Tensor:
        """Reads no prefix. A leaf is its own left and right child."""
        if prefix is not None:
            raise ValueError("trees got a prefix, expected none: they read the context alone")
        check_shape(context.pooled, "B D", "the input of trees", D=self.config.in_dim)
        values_BD = context.pooled.double()
        node_BT = self.roots.expand(len(values_BD), -1)
        for _ in range(self.config.depth):
            goes_left_BT = values_BD.gather(1, self.feature[node_BT]) <= self.threshold[node_BT]
            node_BT = torch.where(goes_left_BT, self.left[node_BT], self.right[node_BT])
        sums_BV = self.constant.expand(len(values_BD), -1).clone()
        return sums_BV.index_add_(1, self.outputs, self.value[node_BT]).float()


@dataclass(frozen=True)
class TreesConfig(Config[Decoder]):
    """The sizes of boosted trees; the nodes themselves are weights."""

    in_dim: int
    """Width D of the vector."""
    classes: int
    """Number of outputs V: logits of classes, or one number."""
    trees: int
    """Number of trees, of all outputs together."""
    nodes: int
    """Number of nodes of all trees together, leaves included."""
    depth: int
    """Maximum number of steps from a root to a leaf."""

    def __post_init__(self) -> None:
        require(self, in_dim=COUNT, classes=COUNT, trees=at_least(0), nodes=at_least(0))
        require(self, depth=at_least(0))

    @property
    def outputs(self) -> int:
        return self.classes

    def build(self) -> Trees:
        return Trees(self)
