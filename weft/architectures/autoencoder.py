"""A multimodal autoencoder: an encoder from each stream to one latent, and a decoder from it to each stream.

The joint posteriors of MVAE, MMVAE, MoPoE and MVTCAE differ only in `joining` (`weft.fusion.joint_posterior`).
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
    """Each encoder's pooled vector has width `dim`: the mean of its stream's latent distribution.

    heads: each generates a stream from JOINT. The embeddings of streams are these means.
    """
    return ModelConfig(
        encoders=dict(encoders),
        fusion=JointPosteriorConfig(tuple(encoders), dim, joining),
        projections={stream: PooledConfig() for stream in encoders},
        heads=dict(heads),
    )
