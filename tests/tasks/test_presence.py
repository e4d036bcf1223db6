"""Every task on rows that lack a stream: it measures what is there, or says in one line why it cannot."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from weft.architectures.model import Model, ModelConfig, ProjectionConfig
from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.core.media import media_of
from weft.core.needs import Needing
from weft.core.records import Sample
from weft.data.loader import ModalitySource
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.decoders.generation import GenerationConfig
from weft.decoders.text import TransformerDecoderConfig
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.fusion.late import LateConfig
from weft.heads.classes import MATCHING, ClassOutput
from weft.heads.head import HeadConfig
from weft.heads.texts import TextOutput
from weft.inference.embedding import EmbeddingConfig
from weft.inference.member import Member
from weft.inference.results import TaskResult
from weft.inference.rows import RowsConfig
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig
from weft.tasks import tasks
from weft.tasks.captioning import CaptioningTaskConfig
from weft.tasks.classification import ZeroShotConfig
from weft.tasks.dialog import DialogConfig
from weft.tasks.labels import LabelsConfig
from weft.tasks.matching import MatchingConfig
from weft.tasks.reasoning import ReasoningConfig
from weft.tasks.reranking import RerankingConfig
from weft.tasks.retrieval import RetrievalConfig
from weft.tasks.vqa import VQAConfig

ROWS, BATCH, WIDTH = 12, 4, 8
SETTINGS = RowsConfig(batch_size=BATCH, workers=0)
EMBEDDING = EmbeddingConfig(batch_size=BATCH, workers=0)
RETRIEVAL = RetrievalConfig(resamples=20, embedding=EMBEDDING)
CASES: dict[str, Config] = {
    "retrieval": RETRIEVAL,
    "reranking": RerankingConfig(RETRIEVAL, candidates=3),
    "zero_shot": ZeroShotConfig(resamples=20, embedding=EMBEDDING),
    "classification": LabelsConfig(resamples=20, rows=SETTINGS),
    "reasoning": ReasoningConfig(resamples=20, rows=SETTINGS),
    "vqa": VQAConfig("label", question="text", answer="label", resamples=20, rows=SETTINGS),
    "vqa-written": VQAConfig("caption", question="text", answer="label", rows=SETTINGS),
    "captioning": CaptioningTaskConfig(resamples=20, meteor=False, rows=SETTINGS),
    "matching": MatchingConfig(choices=3, resamples=20, rows=SETTINGS),
    "dialog": DialogConfig(ks=(1, 2), resamples=20, rows=SETTINGS),
}
every_task = pytest.mark.parametrize("name", CASES)
STREAMS = ("image", "text")
REMOVED = {"a row": {5}, "a batch": {4, 5, 6, 7}}


def test_every_task_is_in_the_suite() -> None:
    assert {type(one) for one in tasks().values()} == {type(one) for one in CASES.values()}
    assert len(tasks()) == 9
    assert all(isinstance(one, Needing) for one in CASES.values())


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
        }
        if n in (without or ()):
            del items[stream]
        found.append(Sample(f"row{n}", f"group{n}", items, f"made:{n + 1}"))
    return found


def member(rows: list[Sample]) -> Member:
    text = TextConfig(kind="word", min_frequency=1, max_length=12).build()
    text.fit([row.items.get("text", "red") for row in dataset()])
    label = ClassesConfig("label").build()
    label.fit(["red", "blue"])
    modalities = {"image": ImageConfig(size=8).build(), "text": text, "answer": text}
    sources = {s: ModalitySource(rows, s, m, optional=True) for s, m in modalities.items()}
    return Member(model(), sources, modalities, {"label": label})


def model() -> Model:
    torch.manual_seed(0)
    words = WordVectorsConfig(60, WIDTH)
    writer = TransformerDecoderConfig(60, WIDTH, dim=8, depth=1, heads=2, max_length=12)
    output = TextOutput(generation=GenerationConfig(max_length=4))
    return (
        ModelConfig(
            encoders={
                "image": ConvNetConfig(widths=(4, WIDTH)),
                "text": words,
                "answer": words,
            },
            fusion=LateConfig(dict.fromkeys(STREAMS, WIDTH), dim=WIDTH),
            projections={n: ProjectionConfig(WIDTH, 6) for n in (*STREAMS, "answer", JOINT)},
            heads={
                "label": HeadConfig(ClassifierConfig(WIDTH, 2), ClassOutput("label")),
                "caption": HeadConfig(writer, output),
                "matching": HeadConfig(ClassifierConfig(WIDTH, 2), MATCHING),
            },
        )
        .build()
        .eval()
    )


def measured(name: str, rows: list[Sample]) -> TaskResult:
    result: TaskResult = CASES[name].build().evaluate([member(rows)], rows)  # type: ignore[attr-defined]
    return result


@every_task
@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("removed", REMOVED)
def test_rows_that_lack_a_stream(name: str, stream: str, removed: str) -> None:
    found = measured(name, dataset(stream, REMOVED[removed]))
    assert found.metrics
    for metric, estimate in found.metrics.items():
        assert np.isfinite([estimate.value, estimate.low, estimate.high]).all(), metric


@every_task
@pytest.mark.parametrize("stream", STREAMS)
def test_a_data_set_without_a_stream(name: str, stream: str) -> None:
    rows, message = dataset(stream, set(range(ROWS))), ""
    try:
        found = measured(name, rows)
    except WeftError as error:
        message = str(error)
    if message:
        assert "\n" not in message
        assert stream in message
    else:
        assert all(np.isfinite(estimate.value) for estimate in found.metrics.values())


@pytest.mark.parametrize("name", ["retrieval", "zero_shot", "matching"])
@pytest.mark.parametrize("removed", REMOVED)
def test_what_needs_both_measures_the_rows_that_have_both(name: str, removed: str) -> None:
    """As if the others were not in the data."""
    found = measured(name, dataset("image", REMOVED[removed]))
    whole = [row for n, row in enumerate(dataset()) if n not in REMOVED[removed]]
    expected = measured(name, whole)
    assert {n: e.value for n, e in found.metrics.items()} == pytest.approx(
        {n: e.value for n, e in expected.metrics.items()}
    )


@pytest.mark.parametrize("name", ["classification", "reasoning", "vqa", "vqa-written", "dialog"])
def test_what_reads_either_counts_every_row(name: str) -> None:
    found = measured(name, dataset("image", REMOVED["a batch"]))
    assert all(len(values.values) == ROWS for values in found.values.values())
    assert found.protocol["left_out_unreadable"] == 0


def test_a_group_is_captioned_from_the_first_row_that_has_a_picture() -> None:
    rows = [replace(row, group=f"group{n // 2}") for n, row in enumerate(dataset("image", {0, 4}))]
    texts = [replace(row, items={**row.items}) for row in rows]
    result = CASES["captioning"].build().evaluate([member(texts)], texts)  # type: ignore[attr-defined]
    assert result.protocol["captions"] == ROWS // 2
    assert result.protocol["left_out_unreadable"] == 0
