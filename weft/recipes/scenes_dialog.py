"""Dialogs about the generated world: the questions about a scene, each with those before it."""

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.core.interfaces import JOINT
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.recurrent import RecurrentConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.fusion.late import LateConfig
from weft.modalities.text import TextConfig
from weft.objectives.answer_ranking import AnswerRankingConfig
from weft.recipes._scenes import VOCABULARY, data, run
from weft.runs.recipe import Recipe
from weft.tasks.dialog import DialogConfig
from weft.training.optim import OptimConfig

WIDTHS, WORDS, EMBEDDING = (32, 64, 128, 256), 256, 128


def scenes_dialog() -> Recipe:
    """Dialog on the generated world: late fusion ranks the answers (Visual Dialog 2017), in minutes."""
    scenes = data()
    return Recipe(
        data=scenes.replace(
            source=scenes.source.replace(rows="dialogs"),
            streams={
                "image": scenes.streams["image"],
                "text": TextConfig(
                    vocab_size=VOCABULARY,
                    max_length=128,
                    truncation_side="left",
                    fit_captions=50_000,
                ),
                "answer": TextConfig(vocab_size=300, max_length=8, fit_captions=50_000),
            },
        ),
        model=ModelConfig(
            encoders={
                "image": ConvNetConfig(widths=WIDTHS, halvings=3, coordinates=True, pooling="max"),
                "text": RecurrentConfig(VOCABULARY, embedding=128, hidden=WORDS),
                "answer": WordVectorsConfig(300, dim=WORDS),
            },
            fusion=LateConfig({"image": WIDTHS[-1], "text": WORDS}, dim=512, combine="product"),
            projections={
                JOINT: ProjectionConfig(512, EMBEDDING, hidden=(512,)),
                "answer": ProjectionConfig(WORDS, EMBEDDING),
            },
        ),
        objectives={"ranking": AnswerRankingConfig()},
        tasks={"dialog": DialogConfig()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, warmup=0.05, ema=0.99),
        run=run(2000).replace(
            evaluate_every=500, checkpoint_every=1000, monitor="dialog/MRR", precision="auto"
        ),
    )
