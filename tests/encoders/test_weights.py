from pathlib import Path

from weft.architectures.model import ModelConfig
from weft.encoders.frozen import FrozenConfig
from weft.encoders.mobilenet import MobileNetV2Config
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.weights import architecture


def test_architecture_reaches_configs_at_any_depth() -> None:
    image = MobileNetV2Config(weights="/gone.safetensors", classes="logits")
    text = TextTransformerConfig(vocab_size=9, weights=str(Path("/gone")))
    config = ModelConfig({"image": FrozenConfig(image, tokens=False), "text": text})
    stripped = architecture(config)
    assert stripped == ModelConfig(
        {
            "image": FrozenConfig(image.replace(weights=None), tokens=False),
            "text": text.replace(weights=None),
        }
    )
    assert architecture(stripped) == stripped
