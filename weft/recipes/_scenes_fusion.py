"""Shared by the published fusion models on the generated world: pretrained on captions, fine-tuned on questions."""

from dataclasses import dataclass
from typing import Annotated, Literal

from weft.architectures.model import ModelConfig
from weft.core.config import Config
from weft.core.interfaces import Modality, Objective
from weft.data.targets.classes import ClassesConfig
from weft.modalities.grid_regions import GridRegionsConfig
from weft.modalities.image import ImageConfig
from weft.modalities.regions import RegionsConfig as DetectedConfig
from weft.objectives.classification import ClassificationConfig
from weft.objectives.masked import MaskedLanguageConfig
from weft.objectives.masked_regions import MaskedRegionsConfig
from weft.objectives.matching import MatchingConfig
from weft.recipes._scenes import SIMPLE, VOCABULARY, WORLD, data, run
from weft.runs.recipe import Recipe
from weft.tasks.base import Task as TaskConfig
from weft.tasks.matching import MatchingConfig as MatchingTask
from weft.tasks.vqa import VQAConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig
from weft.worlds.scenes import ANSWERS, SIZES
from weft.worlds.scenes.source import GeneratedConfig

Task = Annotated[
    Literal["pretraining", "questions"],
    "Training stage. pretraining: learns from captions. questions: the same model answers questions, and --init RUN loads the pretrained weights.",
]
World = Annotated[
    Literal["full", "simple"],
    "Size of the generated world. simple: three objects on a plain background and a smaller model, trained in minutes. Region models then read the objects instead of a grid.",
]
WORLDS = {"full": WORLD, "simple": SIMPLE}
WIDTHS = {"full": 128, "simple": 64}
HEADS = {"full": None, "simple": 4}
"""World -> attention heads of the models; None: heads of width 64."""
MATCHING, ANSWER = "matching", "answer"


def answers(task: str) -> int:
    """Number of classes of the answer head for the task; 0: no head."""
    return len(ANSWERS) if task == "questions" else 0


@dataclass(frozen=True)
class Regions:
    """The regions of a picture that a model reads. features: width of a region's features."""

    stream: str
    modality: Config[Modality]
    features: int


def regions(world: str) -> Regions:
    """Grid cells, without a detector; in the simple world the objects, as from a perfect detector."""
    if world == "full":
        cells = GridRegionsConfig(ImageConfig(size=WORLD.size, crop_scale=None, flip=0.0), cells=8)
        return Regions("image", cells, cells.feature_dim)
    names = (*SIMPLE.shapes, *SIMPLE.colors, *SIZES)
    return Regions("regions", DetectedConfig(), len(names))


def fusion(
    task: str,
    world: str,
    model: ModelConfig,
    objectives: dict[str, Config[Objective]],
    *,
    optim: OptimConfig,
    image: str = "image",
    more: dict[str, Config[TaskConfig]] | None = None,
) -> Recipe:
    """A recipe that pretrains the model with these objectives, or trains it to answer questions with the same streams.

    image: the stream that is paired with texts. more: tasks of the pretraining besides matching. A question is read as
    the stream "text", so that all parts that learned from captions are used for questions too.
    """
    captions = Recipe(
        data=data(WORLDS[world]),
        model=model,
        objectives=objectives,
        tasks={MATCHING: MatchingTask(image), **(more or {})},
        optim=optim,
        run=fusion_run(),
    )
    return captions if task == "pretraining" else _questions(captions)


def region_fusion(task: str, world: str, model: ModelConfig, *, lr: float) -> Recipe:
    """`fusion` of words and regions: matching, masked words, masked regions."""
    seen = regions(world)
    found = fusion(
        task,
        world,
        model,
        {
            "masked": MaskedLanguageConfig(WIDTHS[world], VOCABULARY),
            MATCHING: MatchingConfig((seen.stream, "text")),
            "regions": MaskedRegionsConfig(WIDTHS[world], seen.features, masked=seen.stream),
        },
        optim=OptimConfig(lr=lr, weight_decay=0.01, warmup=0.1, ema=0.99),
        image=seen.stream,
    )
    streams = {seen.stream: seen.modality, "text": found.data.streams["text"]}
    return found.replace(data=found.data.replace(streams=streams))


def _questions(captions: Recipe) -> Recipe:
    source = captions.data.source
    assert isinstance(source, GeneratedConfig)
    heads = {name: head for name, head in captions.model.heads.items() if name != MATCHING}
    return captions.replace(
        data=captions.data.replace(
            source=source.replace(rows="questions", columns={"text": "question"}),
            targets={ANSWER: ClassesConfig(ANSWER)},
        ),
        model=captions.model.replace(heads=heads, projections={}),
        objectives={ANSWER: ClassificationConfig()},
        tasks={"vqa": VQAConfig()},
        run=captions.run.replace(monitor="vqa/accuracy"),
    )


def fusion_run(steps: int = 600) -> RunConfig:
    """Settings of a run that takes minutes on two cores, for a fusion model that is evaluated by matching."""
    return run(steps).replace(
        batch_size=32,
        evaluate_every=steps // 2,
        checkpoint_every=steps // 2,
        monitor="matching/accuracy",
        precision="auto",
    )
