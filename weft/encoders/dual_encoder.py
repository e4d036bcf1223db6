"""The parts of a dual encoder, whatever layout it was published in, and our names of its weights."""

from dataclasses import dataclass
from typing import ClassVar

from weft.encoders.renaming import Rules
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig

PROJECTION = "projections.{}.layers.0.weight"
"""Our name of a tower's map into the common space."""
SCALE, BIAS = "log_scale", "bias"
"""The logarithm of the factor on cosines, and what SigLIP adds to them."""


@dataclass(frozen=True)
class DualEncoder:
    """A tower of pictures, one of texts, and what compares their vectors.

    image, text: our configs of the towers. embedding: width E of the space that a linear map without bias
    leads each tower into; None where the towers' own vectors are compared. sigmoid: whether a learned
    bias is added to the scaled cosines, as the sigmoid loss of SigLIP needs it. rules: where each weight
    lies in the files of the model; our names are those of `weft.architectures.model.Model`.
    """

    image: ViTConfig
    text: TextTransformerConfig
    embedding: int | None
    sigmoid: bool
    rules: Rules
    beside: ClassVar[tuple[str, ...]] = ()
    """Beginnings of names of weights that others read."""
