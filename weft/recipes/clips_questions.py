"""Questions about generated films: words attend to the frames."""

from weft.architectures.model import ModelConfig
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.fusion.cross_attention import CrossAttentionConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.layers.transformer import TransformerConfig
from weft.modalities.text import TextConfig
from weft.objectives.classification import ClassificationConfig
from weft.recipes._clips import DIM, LENGTH, SIMPLE, VOCABULARY, encoders, run, streams
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.vqa import VQAConfig
from weft.training.optim import OptimConfig
from weft.worlds.clips import DIRECTIONS, KINDS
from weft.worlds.clips.source import GeneratedClipsConfig

ANSWERS = (
    *KINDS, *DIRECTIONS, "0", "1", "2", "3", "yes", "no", *SIMPLE.colors, *SIMPLE.shapes,
)  # fmt: skip


def clips_questions() -> Recipe:
    """Questions about generated clips; --init RUN takes the film encoder of `clips_any_to_any`."""
    return answering("video")


def answering(*read: str) -> Recipe:
    """Questions about clips of which the model has these streams."""
    known, parts = streams(), encoders()
    return Recipe(
        data=DataConfig(
            source=GeneratedClipsConfig(clips=SIMPLE, rows="questions"),
            streams={
                **{name: known[name] for name in read},
                "question": TextConfig(vocab_size=VOCABULARY, max_length=LENGTH, fit_captions=5000),
            },
            targets={"answer": ClassesConfig("answer", ANSWERS)},
        ),
        model=ModelConfig(
            encoders={
                **{name: parts[name] for name in read},
                "question": TextTransformerConfig(
                    VOCABULARY, dim=DIM, depth=0, heads=4, max_length=LENGTH
                ),
            },
            fusion=CrossAttentionConfig(
                dict.fromkeys(("question", *read), DIM),
                TransformerConfig(DIM, depth=3, heads=4),
                queries="question",
            ),
            heads={
                "answer": HeadConfig(ClassifierConfig(DIM, len(ANSWERS)), ClassOutput("answer"))
            },
        ),
        objectives={"answer": ClassificationConfig()},
        tasks={"vqa": VQAConfig()},
        optim=OptimConfig(lr=2e-3, weight_decay=0.05, warmup=0.1, ema=0.98),
        run=run(450).replace(monitor="vqa/accuracy"),
    )
