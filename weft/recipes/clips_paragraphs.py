"""Videos of several clips and paragraphs of several sentences: contrast of both levels."""

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.modalities.frame_sampling import FrameSamplingConfig
from weft.modalities.image import ImageConfig
from weft.modalities.video import VideoConfig
from weft.objectives.hierarchical import HierarchicalContrastiveConfig
from weft.recipes._clips import DIM, EMBEDDING, SIMPLE, data, encoders, run
from weft.runs.recipe import Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig
from weft.worlds.clips.source import GeneratedClipsConfig

PAIR = ("video", "text")
FRAMES, PARTS = 4, 3
"""Frames of a clip, and clips of a video."""
WORLD = SIMPLE.replace(frames=16, captions=1, questions=())


def clips_paragraphs() -> Recipe:
    """Clip-sentence and video-paragraph contrast on the events of generated clips, and retrieval on both levels."""
    image = ImageConfig(size=WORLD.size, crop_scale=None, flip=0.0)
    found = encoders()
    of_clips = data(*PAIR)
    return Recipe(
        data=of_clips.replace(
            source=GeneratedClipsConfig(validation=200, clips=WORLD, rows="events"),
            streams={
                **of_clips.streams,
                "video": VideoConfig(FrameSamplingConfig(frames=FRAMES), image),
            },
            by_group=True,
        ),
        model=ModelConfig(
            encoders={name: found[name] for name in PAIR},
            projections={name: ProjectionConfig(DIM, EMBEDDING) for name in PAIR},
        ),
        objectives={"hierarchical": HierarchicalContrastiveConfig(PAIR)},
        tasks={
            "paragraphs": RetrievalConfig("video", "text", by_group=True),
            "sentences": RetrievalConfig("video", "text"),
        },
        optim=OptimConfig(lr=2e-3, weight_decay=0.1, warmup=0.1, ema=0.98),
        run=run(1200).replace(batch_size=32 * PARTS, monitor="paragraphs/rsum"),
    )
