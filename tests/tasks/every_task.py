"""A case of every task, and a small world with all that they need: rows, a model that reads them."""

from typing import Any

import numpy as np
import torch

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.core.config import Config
from weft.core.interfaces import JOINT
from weft.core.media import media_of
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.data.formats import Dataset
from weft.data.learned import Learned
from weft.data.targets.cells import CellsConfig
from weft.data.targets.classes import ClassesConfig
from weft.data.targets.numbers import NumbersConfig
from weft.data.targets.tags import TagsConfig
from weft.data.targets.transcript import TranscriptConfig
from weft.decoders.cells import CellClassifierConfig
from weft.decoders.classifier import ClassifierConfig
from weft.decoders.ctc import CTCDecoderConfig
from weft.decoders.drawing import DrawingConfig
from weft.decoders.flow import FlowConfig
from weft.decoders.generation import GenerationConfig
from weft.decoders.picture_convolutions import PictureConvolutionsConfig
from weft.decoders.text import TransformerDecoderConfig
from weft.decoders.velocity.unet import UNetConfig
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.fusion.late import LateConfig
from weft.heads.cells import CellsOutput
from weft.heads.classes import MATCHING, ClassOutput
from weft.heads.head import HeadConfig
from weft.heads.numbers import NumberOutput
from weft.heads.pictures import PictureOutput
from weft.heads.tags import TagOutput
from weft.heads.texts import TextOutput
from weft.heads.transcripts import TranscriptOutput
from weft.inference.config import InferenceConfig
from weft.inference.member import Member
from weft.inference.results import TaskResult
from weft.modalities.image import ImageConfig, mirrored
from weft.modalities.text import TextConfig
from weft.objectives.rectified_flow import RectifiedFlowConfig
from weft.tasks.captioning import CaptioningTaskConfig
from weft.tasks.classification import ClassificationTaskConfig
from weft.tasks.composition import CompositionTaskConfig
from weft.tasks.contrastive_translation import ContrastiveTranslationConfig
from weft.tasks.dialog import DialogConfig
from weft.tasks.generation import GenerationTaskConfig
from weft.tasks.held_out_loss import HeldOutLossConfig
from weft.tasks.matching import MatchingConfig
from weft.tasks.mismatch import MismatchConfig
from weft.tasks.modality_probe import ModalityProbeConfig
from weft.tasks.novelty import NoveltyConfig
from weft.tasks.reasoning import ReasoningConfig
from weft.tasks.reconstruction import ReconstructionTaskConfig
from weft.tasks.regression import RegressionTaskConfig
from weft.tasks.reranking import RerankingConfig
from weft.tasks.retrieval import RetrievalConfig
from weft.tasks.tagging import TaggingConfig
from weft.tasks.transcription import TranscriptionTaskConfig
from weft.tasks.translation import TranslationTaskConfig
from weft.tasks.vqa import VQAConfig
from weft.tasks.zero_shot import ZeroShotConfig

ROWS, BATCH, WIDTH = 12, 4, 8
STREAMS = ("image", "text")
SETTINGS = InferenceConfig(batch_size=BATCH, workers=0)
RETRIEVAL = RetrievalConfig(resamples=20, inference=SETTINGS)
CASES: dict[str, Config] = {
    "retrieval": RETRIEVAL,
    "reranking": RerankingConfig(RETRIEVAL, candidates=3),
    "zero_shot": ZeroShotConfig(resamples=20, inference=SETTINGS),
    "classification": ClassificationTaskConfig(resamples=20, inference=SETTINGS),
    "tagging": TaggingConfig(resamples=20, inference=SETTINGS),
    "regression": RegressionTaskConfig(head="price", resamples=20, inference=SETTINGS),
    "reasoning": ReasoningConfig(resamples=20, inference=SETTINGS),
    "transcription": TranscriptionTaskConfig(resamples=20, inference=SETTINGS),
    "vqa": VQAConfig("label", question="text", answer="label", resamples=20, inference=SETTINGS),
    "vqa-written": VQAConfig("caption", question="text", answer="label", inference=SETTINGS),
    "captioning": CaptioningTaskConfig(resamples=20, meteor=False, inference=SETTINGS),
    "translation": TranslationTaskConfig("caption", "caption", resamples=20, inference=SETTINGS),
    "contrastive_translation": ContrastiveTranslationConfig(
        "caption",
        references="caption",
        words={"colours": "red|blue"},
        resamples=20,
        inference=SETTINGS,
    ),
    "matching": MatchingConfig(choices=3, resamples=20, inference=SETTINGS),
    "generation": GenerationTaskConfig("flow", resamples=20, inference=SETTINGS),
    "held_out_loss": HeldOutLossConfig(
        RectifiedFlowConfig("flow"), resamples=20, inference=SETTINGS
    ),
    "reconstruction": ReconstructionTaskConfig(
        ("drawing", "caption"), resamples=20, inference=SETTINGS
    ),
    "composition": CompositionTaskConfig(resamples=20, inference=SETTINGS),
    "mismatch": MismatchConfig(
        partners=("random", "nearest", "wrong"), head="matching", resamples=20, inference=SETTINGS
    ),
    "novelty": NoveltyConfig(
        "kind", ("small",), (*STREAMS, JOINT), resamples=20, inference=SETTINGS
    ),
    "modality_probe": ModalityProbeConfig(resamples=20, inference=SETTINGS),
    "dialog": DialogConfig(ks=(1, 2), resamples=20, inference=SETTINGS),
}


def dataset(stream: str = "", without: set[int] | None = None) -> list[Sample]:
    """Rows with everything, but for the stream that some lack."""
    random = np.random.default_rng(0)
    found = []
    for n in range(ROWS):
        label = ("red", "blue")[n % 2]
        items: dict[str, Any] = {
            "image": media_of(random.integers(0, 256, (8, 8, 3), dtype=np.uint8), "image"),
            "text": f"a {label} thing number {n}",
            "label": label,
            "candidates": ["red", "blue"],
            "right": n % 2,
            "price": n * n / 10,
            "spoken": f"a {label} thing",
            "caption": f"a {label} thing number {n}",
            "wrong": f"a green thing number {n}",
            "asked": {"objects": [{"shape": "star", "color": label}]},
            "kind": "small" if n % 3 else "large",
            "tags": [label, *(("large",) if n % 3 else ())],
        }
        if n in (without or ()):
            del items[stream]
        found.append(Sample(f"row{n}", f"group{n}", items, f"made:{n + 1}"))
    return found


def member(rows: Dataset, seed: int = 0, views: int = 1) -> Member:
    """views: of each picture, whose embeddings and probabilities are averaged."""
    text = TextConfig(kind="word", min_frequency=1, max_length=12).build()
    text.fit([row.items.get("text", "red") for row in dataset()])
    label = ClassesConfig("label").build()
    label.fit(["red", "blue"])
    tags = TagsConfig("tags").build()
    tags.fit([["red", "large"], ["blue"]])
    spoken = TranscriptConfig("spoken").build()
    spoken.fit(["a red thing", "a blue thing"])
    objects = CellsConfig(cells=2, attributes=("shape", "color")).build()
    box = [0.1, 0.1, 0.4, 0.4]
    objects.fit(
        [
            [
                {"shape": s, "color": c, "box": box}
                for s, c in zip(("star", "heart"), ("red", "blue"), strict=True)
            ]
        ]
    )
    targets = {
        "objects": objects,
        "spoken": spoken,
        "label": label,
        "price": NumbersConfig("price").build(),
        "tags": tags,
    }
    modalities = {
        "image": ImageConfig(size=8, eval_views=mirrored()[:views]).build(),
        "text": text,
        "answer": text,
    }
    sources = {s: ModalitySource(rows, s, m, optional=True) for s, m in modalities.items()}
    torch.manual_seed(seed)
    return Member(model_config(views).build().eval(), sources, Learned(modalities, targets))


def model_config(views: int = 1) -> ModelConfig:
    writer = TransformerDecoderConfig(60, WIDTH, dim=8, depth=1, heads=2, max_length=12)
    written = TextOutput(generation=GenerationConfig(max_length=4))
    words = WordVectorsConfig(60, WIDTH)
    flow = FlowConfig(UNetConfig(8, WIDTH, (4, 8), condition=4, heads=2))
    drawn = PictureOutput(drawing=DrawingConfig(steps=2, guidance=2.0))
    return ModelConfig(
        encoders={"image": ConvNetConfig(widths=(4, WIDTH)), "text": words, "answer": words},
        fusion=LateConfig(dict.fromkeys(STREAMS, WIDTH), dim=WIDTH),
        projections={n: ProjectionConfig(WIDTH, 6) for n in (*STREAMS, "answer", JOINT)},
        heads={
            "label": HeadConfig(ClassifierConfig(WIDTH, 2), ClassOutput("label"), views=views),
            "caption": HeadConfig(writer, written, views=views),
            "price": HeadConfig(
                ClassifierConfig(WIDTH, 1), NumberOutput("price", "euros"), views=views
            ),
            "tags": HeadConfig(ClassifierConfig(WIDTH, 3), TagOutput("tags"), views=views),
            "transcript": HeadConfig(
                CTCDecoderConfig(WIDTH, 16), TranscriptOutput("spoken"), views=views
            ),
            "objects": HeadConfig(
                CellClassifierConfig(WIDTH, (2, 2)), CellsOutput(), "image", views=views
            ),
            "flow": HeadConfig(flow, drawn, "text"),
            "drawing": HeadConfig(PictureConvolutionsConfig(WIDTH, (4, 4), condition=8), drawn),
            "matching": HeadConfig(ClassifierConfig(WIDTH, 2), MATCHING),
        },
    )


def measured(name: str, rows: Dataset) -> TaskResult:
    result: TaskResult = CASES[name].build().evaluate([member(rows)], rows)  # type: ignore[attr-defined]
    return result
