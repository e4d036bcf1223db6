"""A multimodal autoencoder: an encoder of each stream into one latent, and a decoder of each stream from it.

The joint posteriors of MVAE, MMVAE, MoPoE and MVTCAE differ in `joining` alone (`weft.fusion.joint_posterior`).
"""

from collections.abc import Mapping

from weft.architectures.model import ModelConfig, PooledConfig
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.fusion.joint_posterior import Joining, JointPosteriorConfig
from weft.heads.head import HeadConfig


def autoencoder(
    *,
    encoders: Mapping[str, Config[Encoder]],
    heads: Mapping[str, HeadConfig],
    dim: int,
    joining: Joining = "product",
) -> ModelConfig:
    """The pooled vector of each of the encoders is `dim` wide: the mean of what its stream says of the latent.

    heads: draw or write a stream each, from JOINT. The embeddings of streams are these means.
    """
    return ModelConfig(
        encoders=dict(encoders),
        fusion=JointPosteriorConfig(tuple(encoders), dim, joining),
        projections={stream: PooledConfig() for stream in encoders},
        heads=dict(heads),
    )
