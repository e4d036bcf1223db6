"""CNN + LSTM on questions about the generated world: the first model of VQA."""

from weft.architectures.cnn_lstm import cnn_lstm as architecture
from weft.data.targets.classes import ClassesConfig
from weft.encoders.convnet import ConvNetConfig
from weft.modalities.text import TextConfig
from weft.objectives.classification import ClassificationConfig
from weft.recipes._scenes import LENGTH, VOCABULARY, data, run
from weft.runs.recipe import Recipe
from weft.tasks.vqa import VQAConfig
from weft.training.optim import OptimConfig
from weft.worlds.scenes.questions import ANSWERS

WIDTHS = (32, 64, 128, 256)


def cnn_lstm() -> Recipe:
    """CNN + LSTM answers questions about the generated world (VQA 2015), in minutes on two cores."""
    scenes = data()
    return Recipe(
        data=scenes.replace(
            source=scenes.source.replace(rows="questions"),
            streams={
                "image": scenes.streams["image"],
                "question": TextConfig(vocab_size=VOCABULARY, max_length=LENGTH),
            },
            targets={"answer": ClassesConfig("answer")},
        ),
        model=architecture(
            image=ConvNetConfig(widths=WIDTHS, halvings=3, coordinates=True, pooling="max"),
            image_dim=WIDTHS[-1],
            vocab_size=VOCABULARY,
            answers=len(ANSWERS),
            words=128,
            hidden=256,
            layers=1,
            width=512,
            dropout=0.0,
        ),
        objectives={"answer": ClassificationConfig()},
        tasks={"vqa": VQAConfig()},
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, warmup=0.05, ema=0.99),
        run=run(3000).replace(evaluate_every=1000, checkpoint_every=1000, monitor="vqa/accuracy"),
    )
