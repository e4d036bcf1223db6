"""A tree of fusions computes what its nodes compute one after another."""

import pytest
import torch

from weft.architectures.model import ProjectionConfig
from weft.core.interfaces import JOINT
from weft.core.records import Features
from weft.fusion.early import EarlyConfig
from weft.fusion.hierarchical import HierarchicalConfig
from weft.fusion.late import LateConfig
from weft.layers.transformer import TransformerConfig

PAIR = EarlyConfig({"audio": 4, "text": 6}, TransformerConfig(dim=8, depth=1, heads=2))
ROOT = LateConfig({"speech": 8, "image": 5}, dim=3, combine="product")
TREE = HierarchicalConfig({"speech": PAIR, "all": ROOT})


def features(width: int) -> Features:
    tokens = torch.randn(2, 3, width, generator=torch.Generator().manual_seed(width))
    return Features(tokens, torch.ones(2, 3, dtype=torch.bool), tokens.mean(dim=1))


def test_nodes_one_after_another() -> None:
    fusion = TREE.build().eval()
    streams = {"image": features(5), "text": features(6), "audio": features(4)}
    fused = fusion(streams)
    speech = fusion.nodes["speech"]({"audio": streams["audio"], "text": streams["text"]})
    root = fusion.nodes["all"]({"speech": speech[JOINT], "image": streams["image"]})
    assert fused.keys() == {"image", "text", "audio", JOINT}
    assert torch.equal(fused[JOINT].pooled, root[JOINT].pooled)
    assert torch.equal(fused["audio"].tokens, speech["audio"].tokens)
    assert fused["image"] is streams["image"]


def test_a_tree_is_a_fusion_in_a_tree() -> None:
    outer = HierarchicalConfig({"inner": TREE, "top": LateConfig({"inner": 3, "video": 7}, dim=2)})
    assert outer.widths == {"audio": 4, "text": 6, "image": 5, "video": 7}
    assert outer.dim == 2
    fused = outer.build()({"text": features(6), "video": features(7)})
    assert fused.keys() == {"text", "video", JOINT}
    assert fused[JOINT].pooled.shape == (2, 2)


def test_trees_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="expects 'speech' 9 wide, but that node's dim is 8"):
        HierarchicalConfig({"speech": PAIR, "all": LateConfig({"speech": 9}, dim=3)})
    with pytest.raises(ValueError, match="node 'all' reads 'speech', expected it before 'all'"):
        HierarchicalConfig({"all": ROOT, "speech": PAIR})
    with pytest.raises(ValueError, match="node 'speech' is read by no other"):
        HierarchicalConfig({"speech": PAIR, "all": LateConfig({"image": 5}, dim=3)})
    with pytest.raises(ValueError, match="expects 'text' 7 wide, another 6"):
        HierarchicalConfig({"speech": PAIR, "all": LateConfig({"speech": 8, "text": 7}, dim=3)})
    with pytest.raises(ValueError, match="is a ProjectionConfig, expected the config of a fusion"):
        HierarchicalConfig({"all": ProjectionConfig(3, 4)})
    with pytest.raises(ValueError, match="nodes are empty"):
        HierarchicalConfig({})
