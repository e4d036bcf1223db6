"""Small fusions of every kind, and streams with NaN wherever there is no token."""

from collections.abc import Sequence

import torch
from torch import nn

from weft.core.config import Config
from weft.core.records import Features
from weft.fusion._streams import FusionConfig
from weft.fusion.coattention import CoAttentionConfig
from weft.fusion.cross_attention import CrossAttentionConfig
from weft.fusion.cross_modality import CrossModalityConfig
from weft.fusion.early import EarlyConfig
from weft.fusion.hierarchical import HierarchicalConfig
from weft.fusion.in_time import InTimeConfig
from weft.fusion.joint_posterior import JointPosteriorConfig
from weft.fusion.late import LateConfig
from weft.fusion.mask_tokens import MaskTokensConfig
from weft.fusion.side_by_side import SideBySideConfig
from weft.fusion.similarity import SimilarityConfig
from weft.layers.transformer import TransformerConfig

LENGTHS = {"text": (5, 2, 7, 1), "image": (4, 4, 4, 4), "audio": (1, 6, 3, 2)}
"""Real tokens of each row."""
TWO = {"text": 12, "image": 8}
THREE = {**TWO, "audio": 6}
BLOCKS = TransformerConfig(dim=16, depth=2, heads=2)
POST = BLOCKS.replace(norm="post")
OWN = {stream: TransformerConfig(width, 1, 2, norm="post") for stream, width in THREE.items()}
PAIRS = {
    "text_image": LateConfig(TWO, dim=10, combine="product"),
    "text_audio": EarlyConfig({"text": 12, "audio": 6}, BLOCKS),
}

CASES: dict[str, Config] = {
    "early": EarlyConfig(TWO, BLOCKS),
    "early-three": EarlyConfig(THREE, BLOCKS, pooling="mean", pooler=True),
    "early-bert": EarlyConfig(
        THREE, BLOCKS.replace(norm="post"), input_norm=True, pooling="first", pooler=True
    ),
    "early-vilt": EarlyConfig(
        {"text": 16, "image": 16}, BLOCKS, maps=False, pooling="first", pooler=True
    ),
    "late-concatenation": LateConfig(TWO, dim=16, activation="relu"),
    "late-concatenation-three": LateConfig(THREE, dim=16, norm=True),
    "late-sum": LateConfig(THREE, dim=16, combine="sum"),
    "late-product": LateConfig(THREE, dim=16, combine="product"),
    "late-gated": LateConfig(TWO, dim=16, combine="gated", activation="tanh"),
    "late-gated-three": LateConfig(THREE, dim=16, combine="gated"),
    "late-attention": LateConfig(THREE, dim=16, combine="attention"),
    "hierarchical": HierarchicalConfig(
        {**PAIRS, "all": LateConfig({"text_image": 10, "text_audio": 16}, dim=5)}
    ),
    "hierarchical-deep": HierarchicalConfig(
        {
            "text_image": PAIRS["text_image"],
            "all": EarlyConfig({"text_image": 10, "audio": 6}, BLOCKS),
        }
    ),
    "hierarchical-one": HierarchicalConfig({"all": LateConfig(TWO, dim=5, combine="sum")}),
    "coattention": CoAttentionConfig(
        {"text": OWN["text"], "image": OWN["image"].replace(depth=0)}, dim=16, depth=2, heads=4
    ),
    "coattention-three": CoAttentionConfig(
        OWN, dim=16, depth=1, heads=4, pooling="mean", merge="sum"
    ),
    "cross-modality": CrossModalityConfig({"text": 16, "image": 16}, POST, maps=False),
    "cross-modality-three": CrossModalityConfig(THREE, POST, pooling="mean", pooler=False),
    "cross-attention": CrossAttentionConfig({"text": 16, "image": 8}, POST, pooler=True),
    "cross-attention-upper": CrossAttentionConfig(THREE, BLOCKS, first=1, pooling="mean"),
    "mask-tokens": MaskTokensConfig(EarlyConfig(TWO, BLOCKS)),
    "mask-tokens-three": MaskTokensConfig(LateConfig(THREE, dim=16, combine="gated")),
    "side-by-side": SideBySideConfig(TWO),
    "side-by-side-three": SideBySideConfig(THREE),
    "in-time": InTimeConfig(TWO, dim=8, repeat={"image": 2}),
    "in-time-three": InTimeConfig(THREE, dim=6),
    "in-time-gate": InTimeConfig(TWO, dim=5, dropout=0.1, gate_only=True),
    # The mean of a mixture needs no variances: tests/fusion/test_joint_posterior.py.
    "joint-mean": JointPosteriorConfig(tuple(TWO), 8, "mean"),
    "joint-product": JointPosteriorConfig(tuple(THREE), 8),
    "joint-mixture-of-products": JointPosteriorConfig(tuple(THREE), 8, "mixture_of_products"),
    "joint-total-correlation": JointPosteriorConfig(tuple(TWO), 6, "total_correlation"),
    "similarity": SimilarityConfig(TWO, dim=8),
    "similarity-three": SimilarityConfig(THREE, dim=16, queries="audio"),
}


def widths(config: Config) -> dict[str, int]:
    assert isinstance(config, FusionConfig)
    return dict(config.widths)


def built(config: Config) -> nn.Module:
    torch.manual_seed(0)
    assert isinstance(config, FusionConfig)
    fusion = config.build()
    # Biases and the like begin at zero, where a mistake in them would not show.
    for parameter in fusion.parameters():
        nn.init.normal_(parameter, std=0.2)
    return fusion.eval()


def streams(config: Config) -> dict[str, Features]:
    """Four rows of every stream, with NaN wherever there is no token."""
    found: dict[str, Features] = {}
    for number, (stream, width) in enumerate(widths(config).items()):
        generator = torch.Generator().manual_seed(number)
        lengths = torch.tensor(LENGTHS[stream])
        tokens = torch.randn(4, int(lengths.max()), width, generator=generator)
        mask = torch.arange(tokens.shape[1]) < lengths[:, None]
        pooled = torch.randn(4, width, generator=generator)
        found[stream] = Features(tokens.masked_fill(~mask[:, :, None], torch.nan), mask, pooled)
    return found


def rows(streams: dict[str, Features], chosen: Sequence[int]) -> dict[str, Features]:
    """Those rows, padded no further than they need."""
    index = torch.tensor(chosen)
    found = {}
    for stream, features in streams.items():
        longest = int(features.mask[index].sum(dim=1).max())
        tokens, mask = features.tokens[index, :longest], features.mask[index, :longest]
        found[stream] = Features(tokens, mask, features.pooled[index])
    return found


def without(features: Features, row: int) -> Features:
    """The stream where that row lacks it."""
    there = torch.arange(len(features)) != row
    return features.where(there)
