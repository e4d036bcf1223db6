"""Questions about generated videos: words attend to the frames."""

from weft.architectures.model import ModelConfig
from weft.data.targets.cells import CellsConfig
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.fusion.cross_attention import CrossAttentionConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.layers.transformer import TransformerConfig
from weft.modalities.text import TextConfig
from weft.objectives.classification import ClassificationConfig
from weft.objectives.grid_objects import GridObjectsConfig
from weft.recipes._clips import DIM, LENGTH, SIMPLE, VOCABULARY, encoders, run, streams
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.vqa import VQAConfig
from weft.training.optim import OptimConfig
from weft.worlds.clips import DIRECTIONS, KINDS, QUESTION_TYPES, TIMES
from weft.worlds.clips.source import GeneratedClipsConfig
from weft.worlds.clips.world import OBJECTS
from weft.worlds.scenes import SIZES

ANSWERS = (
    *KINDS, *DIRECTIONS, "0", "1", "2", "3", "yes", "no", *SIMPLE.colors, *SIMPLE.shapes,
    *TIMES,
)  # fmt: skip

ASKED = SIMPLE.replace(questions=(*QUESTION_TYPES, "order", "order"))
"""Asks up to three questions about order: half of the clips have no two events to compare, and order is learned last."""

ATTRIBUTES = ("shape", "color", "size", "action", "turn")
TRACKS = CellsConfig("tracks", cells=SIMPLE.size // 8, attributes=ATTRIBUTES, frames=SIMPLE.frames)
"""The object in each grid cell of each frame, its action and its turn: an auxiliary loss for the video encoder."""
CLASSES = (len(SIMPLE.shapes), len(SIMPLE.colors), len(SIZES), len(DIRECTIONS) + 3, OBJECTS)


def clips_questions() -> Recipe:
    """Questions about generated clips; --init RUN takes the video encoder of `clips_any_to_any`."""
    known, video = streams(), encoders(tokens=True)["video"]
    return Recipe(
        data=DataConfig(
            source=GeneratedClipsConfig(train=8000, clips=ASKED, rows="questions"),
            streams={
                "video": known["video"],
                "question": TextConfig(vocab_size=VOCABULARY, max_length=LENGTH, fit_captions=5000),
            },
            targets={"answer": ClassesConfig("answer", ANSWERS), "tracks": TRACKS},
        ),
        model=ModelConfig(
            encoders={
                "video": video,
                "question": TextTransformerConfig(
                    VOCABULARY, dim=DIM, depth=0, heads=4, max_length=LENGTH
                ),
            },
            fusion=CrossAttentionConfig(
                dict.fromkeys(("question", "video"), DIM),
                TransformerConfig(DIM, depth=3, heads=4),
                queries="question",
                # The mean contains each word that names an object; the first token alone would mix two objects.
                pooling="mean",
            ),
            heads={
                "answer": HeadConfig(ClassifierConfig(DIM, len(ANSWERS)), ClassOutput("answer"))
            },
        ),
        objectives={
            "answer": ClassificationConfig(),
            "objects": GridObjectsConfig(DIM, CLASSES, stream="video", target="tracks"),
        },
        tasks={"vqa": VQAConfig()},
        optim=OptimConfig(lr=1.5e-3, weight_decay=0.05, warmup=0.1, ema=0.98),
        run=run(3000).replace(batch_size=32, monitor="vqa/accuracy"),
    )
