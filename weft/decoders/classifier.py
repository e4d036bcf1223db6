"""Logits from one vector: for answers, classes, image-text matching, or a score."""

from dataclasses import dataclass

from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Decoder
from weft.core.ranges import COUNT, FINITE, POSITIVE, SHARE_BELOW_1, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.layers.transformer import Activation, activate


class Classifier(nn.Module):
    """The context's pooled vector (B, D) -> logits (B, V): an MLP, or one linear map."""

    def __init__(self, config: "ClassifierConfig") -> None:
        super().__init__()
        self.config = config
        widths = (config.in_dim, *config.hidden)
        self.hidden = nn.ModuleList(
            nn.Linear(before, after) for before, after in zip(widths, config.hidden, strict=False)
        )
        self.hidden_norms = nn.ModuleList(
            nn.LayerNorm(width) if config.hidden_norm else nn.Identity() for width in config.hidden
        )
        self.norm = nn.LayerNorm(widths[-1]) if config.norm else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        self.out = nn.Linear(widths[-1], config.classes)

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor:
        """Reads no prefix."""
        if prefix is not None:
            raise ValueError("a classifier got a prefix, expected none: it reads the context alone")
        check_shape(context.pooled, "B D", "the input of a classifier", D=self.config.in_dim)
        values_BD = context.pooled
        for layer, norm in zip(self.hidden, self.hidden_norms, strict=True):
            values_BD = self.dropout(activate(norm(layer(values_BD)), self.config.activation))
        logits_BV: Tensor = self.out(self.norm(values_BD)) * self.config.scale + self.config.shift
        return logits_BV


@dataclass(frozen=True)
class ClassifierConfig(Config[Decoder]):
    """A classifier (or, with one output, a regression) on a pooled vector."""

    in_dim: int
    """Width D of the vector."""
    classes: int
    """Number of outputs V; at least the classes of the target."""
    hidden: tuple[int, ...] = ()
    """Widths of hidden layers."""
    activation: Activation = "gelu"
    """Activation after each hidden layer."""
    hidden_norm: bool = False
    """If true, apply a layer norm before each activation."""
    norm: bool = False
    """If true, apply a layer norm before the last map."""
    dropout: float = 0.0
    """Dropout after each hidden layer."""
    scale: float = 1.0
    """Factor of the outputs, such as the standard deviation of the target number, so that the map learns values
    around 0."""
    shift: float = 0.0
    """Offset added to the scaled outputs, such as the mean of the target number."""

    def __post_init__(self) -> None:
        require(self, in_dim=COUNT, classes=COUNT, hidden=COUNT, dropout=SHARE_BELOW_1)
        require(self, scale=POSITIVE, shift=FINITE)

    @property
    def outputs(self) -> int:
        return self.classes

    def build(self) -> Classifier:
        return Classifier(self)
