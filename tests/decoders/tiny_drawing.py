"""Small decoders that draw, and networks of velocities; pictures have 8 x 8 pixels."""

import torch
from tiny_codecs import over_latents
from tiny_decoders import WIDTH
from torch import Tensor

from weft.core.config import Config
from weft.decoders.flow import FlowConfig
from weft.decoders.picture_convolutions import PictureConvolutionsConfig
from weft.decoders.picture_patches import PicturePatchesConfig
from weft.decoders.sound_convolutions import SoundConvolutionsConfig
from weft.decoders.velocity.patches import PatchVelocityConfig
from weft.decoders.velocity.unet import UNetConfig

SIDE, NOISE = 8, 3
UNET = UNetConfig(SIDE, WIDTH, widths=(8, 6), patch=2, condition=8, heads=2)
VELOCITIES: dict[str, Config] = {
    "unet": UNET,
    "unet of the pooled context": UNET.replace(attention=False, widths=(6,), patch=1, blocks=2),
    "patches": PatchVelocityConfig(SIDE, WIDTH, patch=4, dim=8, depth=2, heads=2),
}
CONVOLUTIONS = PictureConvolutionsConfig(WIDTH, widths=(8, 6), condition=8)
PATCHES = PicturePatchesConfig(SIDE, WIDTH, patch=4, dim=8, depth=2, heads=2)
SOUNDS = SoundConvolutionsConfig(WIDTH, frames=8, bands=4, widths=(8, 6), condition=8)
DRAWN: dict[str, Config] = {
    "convolutions": CONVOLUTIONS,
    "convolutions with noise": CONVOLUTIONS.replace(noise=NOISE),
    "patches": PATCHES,
    "patches with noise": PATCHES.replace(noise=NOISE),
    "sounds": SOUNDS,
    "sounds with noise": SOUNDS.replace(noise=NOISE),
    **{f"flow {name}": FlowConfig(network) for name, network in VELOCITIES.items()},
    "flow over latents": over_latents(),
}


def noise_for(shape: tuple[int, ...], rows: int = 3) -> Tensor | None:
    """(rows, *shape); None where a decoder draws from its context alone."""
    if not shape:
        return None
    return torch.randn(rows, *shape, generator=torch.Generator().manual_seed(4))
