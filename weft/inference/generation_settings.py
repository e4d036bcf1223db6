"""Which settings of a generation have an effect."""

from weft.architectures.model import Model
from weft.decoders.drawing import OF_LATENT, drawer_of
from weft.heads.drawn import DrawnOutput


def settings_of(model: Model, head: str) -> frozenset[str]:
    """Returns the names of the settings of `DrawingConfig` that have an effect; none if the head does not generate."""
    part = model.head(head)
    if not isinstance(part.output, DrawnOutput):
        return frozenset()
    settings = drawer_of(part.decoder).settings
    return settings | (OF_LATENT if model.can_sample(head) else frozenset())
