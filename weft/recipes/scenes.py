"""The demo's pretraining: photographs of nobody's, captions of everything."""

from weft.architectures.clip import clip
from weft.data.scenes import ScenesConfig
from weft.data.sources import GeneratedConfig
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig


def scenes() -> Recipe:
    """CLIP from scratch on the generated world: learns in minutes on two cores."""
    return Recipe(
        data=DataConfig(
            source=GeneratedConfig(train=20000, scenes=ScenesConfig(size=64)),
            streams={
                "image": ImageConfig(size=64, crop_scale=None, flip=0.0),
                "text": TextConfig(vocab_size=1000, max_length=48),
            },
        ),
        model=clip(
            vocab_size=1000,
            image_size=64,
            patch_size=8,
            width=128,
            depth=6,
            text_depth=3,
            max_length=48,
            embedding=128,
        ),
        objectives={"contrastive": SoftmaxContrastiveConfig()},
        tasks={"retrieval": RetrievalConfig()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.1, warmup=0.1),
        run=RunConfig(
            steps=1000,
            batch_size=128,
            precision="bf16",
            evaluate_every=250,
            checkpoint_every=250,
            monitor="retrieval/rsum",
            workers=2,
        ),
    )
