"""Small codecs; pictures have 8 x 8 pixels."""

from tiny_decoders import WIDTH

from weft.core.config import Config
from weft.decoders.codecs.convolutions import PictureCodecConfig
from weft.decoders.flow import FlowConfig
from weft.decoders.velocity.unet import UNetConfig

SIDE, CHANNELS = 8, 4
CONVOLUTIONS = PictureCodecConfig(SIDE, CHANNELS, widths=(6, 8), patch=2)
CODECS: dict[str, Config] = {
    "convolutions": CONVOLUTIONS,
    "convolutions of one level": CONVOLUTIONS.replace(widths=(6,), patch=4),
    "convolutions of pixels": CONVOLUTIONS.replace(widths=(4, 6, 8), patch=1),
}


def over_latents(codec: PictureCodecConfig = CONVOLUTIONS, width: int = WIDTH) -> FlowConfig:
    """A flow over the latents of the codec."""
    channels, side, _ = codec.latents
    return FlowConfig(
        UNetConfig(side, width, widths=(8,), patch=1, condition=8, heads=2, channels=channels),
        codec=codec,
    )
