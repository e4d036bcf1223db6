"""Evaluation, report, explanation and questions where rows lack a stream: each row with what it has."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import done, refused

import weft
from weft.architectures.captioner import captioner
from weft.architectures.model import Model, ModelConfig, ProjectionConfig
from weft.core.errors import DataError
from weft.core.media import Media
from weft.data.policy import ErrorPolicy
from weft.data.sources import FilesConfig
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.fusion.late import LateConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.inference.config import InferenceConfig
from weft.inference.encoded_once import encoded_once
from weft.inference.lost_streams import filled, mean_features, without, zero_features
from weft.inference.member import Member
from weft.inference.predict import predict
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig
from weft.objectives.captioning import CaptioningConfig
from weft.objectives.classification import ClassificationConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.runs.explaining import explain_rows
from weft.runs.measure import measure
from weft.runs.missing import measure_missing
from weft.runs.parts import open_split
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.captioning import CaptioningTaskConfig
from weft.tasks.classification import ClassificationTaskConfig
from weft.tasks.retrieval import RetrievalConfig
from weft.training.config import RunConfig

ROWS, WIDTH = 24, 8
STREAMS = ("image", "text")
WITHOUT = {"image": {2, 7, 17}, "text": {5, 7, 20, 22}}
"""Rows that lack a stream; row 7 lacks both."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    lines = []
    for n in range(ROWS):
        row: dict[str, Any] = {"id": f"row{n}", "label": ("red", "blue")[n % 2]}
        row |= dict.fromkeys(STREAMS)  # null where the row has none
        row["split"] = ("train", "validation", "test")[n % 3]
        if n not in WITHOUT["image"]:
            color = (200, 0, 0) if n % 2 == 0 else (0, 0, 200)
            Image.fromarray(np.full((8, 8, 3), color, np.uint8)).save(folder / f"{n}.png")
            row["image"] = f"{n}.png"
        if n not in WITHOUT["text"]:
            row["text"] = f"a {row['label']} thing number {n}"
        lines.append(json.dumps(row))
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "rows.jsonl"


def recipe(table: Path, **parts: Any) -> Recipe:
    run = RunConfig(
        steps=2, batch_size=8, evaluate_every=0, workers=0, device="cpu", precision="fp32"
    )
    return Recipe(
        data=DataConfig(
            source=FilesConfig(table),
            streams={
                "image": ImageConfig(size=8, crop_scale=None, flip=0.0),
                "text": TextConfig(kind="word", min_frequency=1, max_length=12),
            },
            targets={"label": ClassesConfig("label")},
            optional=STREAMS,
            train="all",
            validation="all",
            test="all",
        ),
        run=run,
        **parts,
    )


def labels(table: Path) -> Recipe:
    """Both streams, fused."""
    model = ModelConfig(
        encoders={
            "image": ConvNetConfig(widths=(4, WIDTH)),
            "text": WordVectorsConfig(80, WIDTH),
        },
        fusion=LateConfig(dict.fromkeys(STREAMS, WIDTH), dim=WIDTH),
        heads={"label": HeadConfig(ClassifierConfig(WIDTH, 2), ClassOutput("label"))},
    )
    return recipe(
        table,
        model=model,
        objectives={"label": ClassificationConfig("label")},
        tasks={"classification": ClassificationTaskConfig(resamples=20, examples=ROWS)},
    )


def captions(table: Path) -> Recipe:
    """A decoder that writes about pictures; the texts need no encoder."""
    model = captioner(
        image=ConvNetConfig(widths=(4, WIDTH)),
        image_dim=WIDTH,
        vocab_size=80,
        dim=8,
        heads=2,
        decoder_depth=1,
        max_length=12,
    )
    return recipe(
        table,
        model=model,
        objectives={"captioning": CaptioningConfig()},
        tasks={"captioning": CaptioningTaskConfig(resamples=20, examples=ROWS, meteor=False)},
    )


def pairs(table: Path) -> Recipe:
    """Two towers."""
    model = ModelConfig(
        encoders={
            "image": ConvNetConfig(widths=(4, WIDTH)),
            "text": WordVectorsConfig(80, WIDTH),
        },
        projections={stream: ProjectionConfig(WIDTH, 6) for stream in STREAMS},
    )
    return recipe(
        table,
        model=model,
        objectives={"contrastive": SoftmaxContrastiveConfig()},
        tasks={"retrieval": RetrievalConfig(resamples=20, examples=ROWS)},
    )


RECIPES = {"labels": labels, "captions": captions, "pairs": pairs}
every_recipe = pytest.mark.parametrize("name", RECIPES)


@pytest.fixture(scope="module")
def runs(table: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("runs")
    for name, made in RECIPES.items():
        weft.train(made(table), root / name)
    return {name: root / name for name in RECIPES}


@every_recipe
def test_the_report_shows_every_row_with_what_it_has(name: str, runs: dict[str, Path]) -> None:
    run = runs[name]
    assert done("report", run, "--card", "False").strip() == str(run / "report.html")
    page = (run / "report.html").read_text()
    if name == "labels":
        assert "lacking: image" in page
        assert "lacking: text" in page
    assert "<img" in page


@every_recipe
def test_explanations_of_rows_and_the_deletion_test(name: str, runs: dict[str, Path]) -> None:
    run = runs[name]
    out = done("explain", run, "--rows", ROWS, "--deletion", ROWS)
    page = (run / "explanations.html").read_text()
    assert page.count("<h3>") == ROWS
    there = {
        "labels": "no decision without image and text",
        "captions": "no decision without image",
        "pairs": "no decision without",
    }
    assert there[name] in page
    assert "image, " in out


def test_an_explanation_is_that_of_the_row_alone(table: Path, runs: dict[str, Path]) -> None:
    run = weft.load(runs["labels"])
    dataset = open_split(run.recipe, "all")
    together = explain_rows([run], [dataset[row] for row in range(8)])
    for row in range(8):
        (alone,) = explain_rows([run], [dataset[row]])
        assert (alone.answer, {part.stream for part in alone.parts}) == (
            together[row].answer,
            {part.stream for part in together[row].parts},
        )
        assert alone.score == together[row].score
    assert [part.stream for part in together[2].parts] == ["text"]
    assert [part.stream for part in together[5].parts] == ["image"]
    assert not together[7].parts


def test_one_may_ask_with_one_stream_alone(runs: dict[str, Path], tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "p.png")
    for words in (("--image", tmp_path / "p.png"), ("--text", "a red thing")):
        lines = done("ask", runs["labels"], *words).splitlines()
        assert {line.split()[1] for line in lines} == {"red", "blue"}
        assert done("explain", runs["labels"], *words, "--out", tmp_path / "e.html")
    assert "needs --image or --text" in refused("ask", runs["labels"])
    line = done("explain", runs["pairs"], "--text", "a star", "--out", tmp_path / "e.html")
    assert line.startswith("no decision without image")


def test_a_table_says_what_missing_streams_cost(runs: dict[str, Path], tmp_path: Path) -> None:
    """Absent streams give the numbers of rows that never had them; fillings are zeros and the mean of training."""
    run = weft.load(runs["labels"])
    measured = measure([run], "classification", split="all", audited=False)
    found = measure_missing(measured, "classification")
    assert [(line.streams, line.filler) for line in found.lines] == [
        (("image", "text"), "absent"),
        *((("image",), filler) for filler in ("absent", "zeros", "mean of training")),
        *((("text",), filler) for filler in ("absent", "zeros", "mean of training")),
        *(((), filler) for filler in ("zeros", "mean of training")),
    ]
    first = next(iter(measured.result.metrics.values()))
    assert found.lines[0].score == first
    rows = [
        replace(row, items={k: v for k, v in row.items.items() if k != "text"})
        for row in measured.dataset
    ]
    config = run.recipe.tasks["classification"]
    alone = config.build().evaluate([run.reading(rows)], rows)
    assert found.lines[1].score == next(iter(alone.metrics.values()))
    # Nothing but a filling says the same of every row: as many are right as have one of the classes.
    labels = [row.items["label"] for n, row in enumerate(measured.dataset) if n != 7]
    shares = [100 * labels.count(name) / len(labels) for name in ("red", "blue")]
    assert any(abs(found.lines[-1].score.value - share) < 1e-6 for share in shares)


def test_each_line_of_the_table_reads_what_was_encoded_once(runs: dict[str, Path]) -> None:
    run = weft.load(runs["labels"])
    dataset = open_split(run.recipe, "all")
    member = run.member(dataset)
    rows = dict.fromkeys(STREAMS, 0)

    def count(stream: str) -> Any:
        def hook(_: Any, inputs: Any, __: Any) -> None:
            rows[stream] += len(inputs[0])

        return hook

    for stream in STREAMS:
        run.model.encoder(stream).register_forward_hook(count(stream))
    once = encoded_once(member, dataset, STREAMS, InferenceConfig(batch_size=5))
    zeros = zero_features(member, STREAMS)
    alterations: list[Callable[[Member], Member]] = [
        lambda one: one,
        lambda one: without(one, ["text"]),
        lambda one: without(one, ["image"]),
        lambda one: filled(one, {"image": zeros["image"]}),
    ]
    encoded = [ROWS - len(WITHOUT[stream]) for stream in STREAMS]
    for alter in alterations:
        before = predict([alter(member)], dataset, "label", InferenceConfig(batch_size=7))
        rows.update(dict.fromkeys(STREAMS, 0))
        after = predict([alter(once)], dataset, "label", InferenceConfig(batch_size=7), swap=True)
        assert rows == dict.fromkeys(STREAMS, 0)
        assert after.rows == before.rows
        torch.testing.assert_close(after.values.probabilities, before.values.probabilities)
    encoded_once(member, dataset, STREAMS, InferenceConfig(batch_size=5))
    assert list(rows.values()) == encoded


def test_what_cannot_be_read_is_met_by_whoever_reads_it(runs: dict[str, Path]) -> None:
    run = weft.load(runs["labels"])
    dataset = list(open_split(run.recipe, "all"))
    broken = {**dataset[1].items, "image": Media.encoded(b"no picture", "image")}
    dataset[1] = replace(dataset[1], items=broken)
    once = encoded_once(run.member(dataset), dataset, STREAMS, InferenceConfig(batch_size=5))
    with pytest.raises(DataError, match=r"rows.jsonl:2: "):
        predict([once], dataset, "label", InferenceConfig())
    lenient = InferenceConfig(errors=ErrorPolicy("skip", limit=0.2))
    found = predict([once], dataset, "label", lenient)
    assert found.rows == tuple(row for row in range(ROWS) if row not in (1, 7))


def test_the_table_is_printed_kept_and_reported(runs: dict[str, Path], tmp_path: Path) -> None:
    """A class that is predicted from two streams has the table unasked; a retrieval only with --missing."""
    rows = ("--split", "all", "--audit", "False", "--json")
    out = done("evaluate", runs["labels"], *rows, tmp_path / "r.json")
    assert "image + text" in out
    assert "none → image" not in done("evaluate", runs["pairs"], *rows, tmp_path / "p.json")
    assert not (tmp_path / "p-missing.json").exists()
    assert "none → image" in done(
        "evaluate", runs["pairs"], *rows, tmp_path / "p.json", "--missing"
    )
    written = json.loads((tmp_path / "r-missing.json").read_text())
    assert [line["streams"] for line in written["lines"]][1:3] == [["image"], ["image"]]
    for language, title in (("en", "Where streams are missing"), ("zh", "各流缺失时")):
        page = tmp_path / f"{language}.html"
        done("report", runs["labels"], "--out", page, "--language", language)
        assert title in page.read_text(encoding="utf-8")


def test_a_row_is_found_by_all_that_it_has(runs: dict[str, Path]) -> None:
    """Of two streams each searches the other one; in the place of the only query a filling is the same for all."""
    run = weft.load(runs["pairs"])
    measured = measure([run], "retrieval", split="all", audited=False)
    found = measure_missing(measured, "retrieval")
    assert [(line.label, line.filler) for line in found.lines] == [
        ("text → image", "absent"),
        ("none → image", "zeros"),
        ("none → image", "mean of training"),
        ("image → text", "absent"),
        ("none → text", "zeros"),
        ("none → text", "mean of training"),
    ]
    first = measured.result.metrics["image_to_text/recall@1"]
    assert found.lines[3].score.value == pytest.approx(first.value)


def test_a_filling_is_the_mean_of_what_training_rows_have(runs: dict[str, Path]) -> None:
    run = weft.load(runs["labels"])
    dataset = open_split(run.recipe, "all")
    member = run.member(dataset)
    means = mean_features(member, dataset, ["image"], InferenceConfig(batch_size=5))
    rows = [row for row in range(ROWS) if row not in WITHOUT["image"]]
    pictures = run.reading([dataset[row] for row in rows]).sources["image"]
    values = [
        pictures.load(n, train=False, generator=torch.Generator(), view=0) for n in range(len(rows))
    ]
    with torch.inference_mode():
        features = run.model.eval().encode("image", pictures.collate(values))
    torch.testing.assert_close(means["image"].pooled[0], features.pooled.mean(0))
    altered = filled(member, means).model
    assert type(member.model) is Model
    given = altered.encode("image", pictures.collate(values))
    assert torch.equal(given.pooled, means["image"].pooled.expand(len(rows), -1))
    assert given.mask.all()
