"""A rectified flow: generates pictures from texts in several steps from noise (Liu et al. 2022, arXiv:2209.03003, section 2).

The objective `RectifiedFlow` trains it. With a codec it generates latents, which the codec decodes (Rombach et al. 2022,
arXiv:2112.10752, section 3).
"""

from weft.architectures.model import ModelConfig
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.decoders.drawing import DrawingConfig
from weft.decoders.flow import FlowConfig
from weft.heads.head import HeadConfig
from weft.heads.pictures import PictureOutput


def rectified_flow(
    *, text: Config[Encoder], flow: FlowConfig, drawing: DrawingConfig | None = None
) -> ModelConfig:
    """The head "picture" generates from the text. drawing: steps, guidance and solver, by default those of `DrawingConfig`."""
    output = PictureOutput(drawing=drawing or DrawingConfig())
    return ModelConfig(encoders={"text": text}, heads={"picture": HeadConfig(flow, output, "text")})
