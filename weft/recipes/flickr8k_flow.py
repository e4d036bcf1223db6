"""Flickr8k: photographs of 32 pixels generated from their captions by a rectified flow."""

from weft.architectures.rectified_flow import rectified_flow
from weft.decoders.drawing import DrawingConfig
from weft.decoders.flow import FlowConfig
from weft.decoders.velocity.unet import UNetConfig
from weft.modalities.image import ImageConfig
from weft.objectives.rectified_flow import RectifiedFlowConfig
from weft.recipes._flickr8k import TEXT_DIM, english, minilm, minilm_tokens, mobilenet
from weft.runs.recipe import Recipe
from weft.tasks.generation import GenerationTaskConfig
from weft.tasks.held_out_loss import HeldOutLossConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

SIZE = 32


def flickr8k_flow() -> Recipe:
    """Flickr8k: small photographs from captions, by a flow over pixels that reads MiniLM's vector of the caption."""
    data = english(text=minilm_tokens())
    cache = {stream: kept for stream, kept in data.cache.items() if stream != "image"}
    small = ImageConfig(size=SIZE, fit="squash", crop_scale=None, flip=0.5)
    return Recipe(
        data=data.replace(streams={**data.streams, "image": small}, cache=cache),
        model=rectified_flow(
            text=minilm(),
            flow=FlowConfig(
                UNetConfig(SIZE, TEXT_DIM, widths=(64, 128, 192), patch=2, attention=False)
            ),
            drawing=DrawingConfig(steps=24, guidance=3.0, shift=2.0),
        ),
        objectives={"flow": RectifiedFlowConfig(mean=-0.5, std=1.2)},
        tasks={
            "generation": GenerationTaskConfig(features=mobilenet(), limit=1000),
            "loss": HeldOutLossConfig(),
        },
        optim=OptimConfig(lr=1e-3, weight_decay=0.01, ema=0.998),
        run=RunConfig(
            steps=3000,
            batch_size=64,
            evaluate_every=1000,
            checkpoint_every=500,
            monitor="loss/loss",
            precision="auto",
            workers=1,
        ),
    )
