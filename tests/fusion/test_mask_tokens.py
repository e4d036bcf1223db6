"""What stands for a stream that a row lacks."""

import torch
from tiny_fusions import BLOCKS, TWO, built, streams, without

from weft.core.interfaces import JOINT
from weft.core.records import Features
from weft.fusion.early import EarlyConfig
from weft.fusion.mask_tokens import MaskTokens, MaskTokensConfig

CONFIG = MaskTokensConfig(EarlyConfig(TWO, BLOCKS))


def test_the_fusion_sees_the_learned_vector_in_place_of_a_stream() -> None:
    fusion, given = built(CONFIG), streams(CONFIG)
    assert isinstance(fusion, MaskTokens)
    vector = fusion.token("image").vector.detach()
    learned = Features(
        vector.expand(4, 1, -1), torch.ones(4, 1, dtype=torch.bool), vector.expand(4, -1)
    )
    expected = fusion.fusion({**given, "image": learned})[JOINT].pooled
    torch.testing.assert_close(fusion({"text": given["text"]})[JOINT].pooled, expected)
    lacking = fusion({**given, "image": without(given["image"], 1)})
    torch.testing.assert_close(lacking[JOINT].pooled[1], expected[1])
    whole = fusion.fusion(given)[JOINT].pooled
    torch.testing.assert_close(lacking[JOINT].pooled[[0, 2, 3]], whole[[0, 2, 3]])


def test_only_rows_that_lack_a_stream_teach_its_token() -> None:
    fusion, given = built(CONFIG).train(), streams(CONFIG)
    assert isinstance(fusion, MaskTokens)
    fusion({**given, "text": without(given["text"], 2)})[JOINT].pooled.square().sum().backward()
    assert fusion.token("text").vector.grad.any()
    assert not fusion.token("image").vector.grad.any()
