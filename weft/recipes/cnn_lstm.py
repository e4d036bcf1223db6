"""CNN + LSTM on questions about the generated world: the first model of VQA."""

from weft.architectures.cnn_lstm import cnn_lstm as architecture
from weft.encoders.convnet import ConvNetConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.objectives.matching import MatchingConfig
from weft.recipes._scenes import VOCABULARY
from weft.recipes._scenes_fusion import Task, World, answers, fusion
from weft.runs.recipe import Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.optim import OptimConfig

WIDTHS = {"full": (32, 64, 128, 256), "simple": (32, 64, 128)}
STEPS = {"pretraining": 600, "questions": 3000}


def cnn_lstm(task: Task = "questions", world: World = "full") -> Recipe:
    """CNN + LSTM answers questions about the generated world (VQA 2015), in minutes on two cores."""
    widths = WIDTHS[world]
    model = architecture(
        image=ConvNetConfig(widths=widths, halvings=3, coordinates=True, pooling="max"),
        image_dim=widths[-1],
        vocab_size=VOCABULARY,
        answers=answers(task),
        words=widths[-1] // 2,
        hidden=widths[-1],
        layers=1,
        width=2 * widths[-1],
        dropout=0.0,
        embedding=widths[-1],
        text="text",
    )
    found = fusion(
        task,
        world,
        model,
        {
            "matching": MatchingConfig(negatives="hard"),
            "contrastive": SoftmaxContrastiveConfig(),
        },
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, warmup=0.05, ema=0.99),
        more={"retrieval": RetrievalConfig()},
    )
    steps = STEPS[task]
    run = found.run.replace(
        steps=steps,
        batch_size=128,
        evaluate_every=steps // 3,
        checkpoint_every=steps // 3,
        precision="fp32",
    )
    return found.replace(run=run)
