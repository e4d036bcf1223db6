"""Encoders refuse to have no layers where their pooled vector would not depend on the input."""

import pytest
from encoders.tiny_encoders import CASES

from weft.core.config import Config
from weft.core.interfaces import Encoder

POOLED_BY_A_TOKEN = [
    "conformer", "speech-transformer", "spectrogram-transformer", "text-clip", "timesformer", "vit", "vivit",
]  # fmt: skip
EMBED_ONLY = ["text-words", "vit-patches"]


@pytest.mark.parametrize("name", POOLED_BY_A_TOKEN)
def test_no_layers_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="depth is 0, expected at least 1"):
        CASES[name].config.replace(depth=0)


@pytest.mark.parametrize("name", EMBED_ONLY)
def test_embeddings_for_a_fusion_need_no_layers(name: str) -> None:
    config: Config[Encoder] = CASES[name].config
    assert config.build().depth == 0
