"""Which settings of a generation have an effect."""

from weft.architectures.model import Model
from weft.decoders.drawing import OF_LATENT, Drawer


def settings_of(model: Model, head: str) -> frozenset[str]:
    """Returns the names of the settings of `DrawingConfig` that have an effect; none if the head does not generate."""
    decoder = model.head(head).decoder
    if not isinstance(decoder, Drawer):
        return frozenset()
    return decoder.settings | (OF_LATENT if model.samples(head) else frozenset())
