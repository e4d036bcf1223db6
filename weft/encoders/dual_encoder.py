"""The parts of a dual encoder, independent of its published layout, and weft's names of its weights."""

from dataclasses import dataclass
from typing import ClassVar

from weft.encoders.renaming import Rules
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig

PROJECTION = "projections.{}.layers.0.weight"
"""weft's name of a tower's projection into the common space."""
SCALE, BIAS = "log_scale", "bias"
"""The logarithm of the factor on cosines, and the bias that SigLIP adds to them."""


@dataclass(frozen=True)
class DualEncoder:
    """A picture tower, a text tower, and the comparison of their vectors.

    image, text: weft's configs of the towers. embedding: width E of the common space, to which a linear map without
    bias projects each tower; None if the towers' vectors are compared directly. sigmoid: whether a learned bias is
    added to the scaled cosines, for SigLIP's sigmoid loss. rules: names of the weights in the model's files; weft's
    names are those of `weft.architectures.model.Model`.
    """

    image: ViTConfig
    text: TextTransformerConfig
    embedding: int | None
    sigmoid: bool
    rules: Rules
    beside: ClassVar[tuple[str, ...]] = ()
    """Prefixes of weights that other code reads."""
