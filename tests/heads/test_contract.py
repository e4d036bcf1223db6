"""What every kind of output keeps, found by walking weft/heads."""

import importlib
import inspect
import json
import pkgutil
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

import weft.heads
from weft.core.config import Config, from_json, to_json
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT, Decoder
from weft.core.records import Features, Field
from weft.data.learned import Learned
from weft.data.targets.cells import CellsConfig
from weft.data.targets.classes import ClassesConfig
from weft.data.targets.numbers import NumbersConfig
from weft.data.targets.soft_answers import SoftAnswersConfig
from weft.data.targets.tags import TagsConfig
from weft.data.targets.transcript import TranscriptConfig
from weft.decoders.cells import CellClassifierConfig
from weft.decoders.classifier import ClassifierConfig
from weft.decoders.ctc import CTCDecoderConfig
from weft.decoders.drawing import DrawingConfig
from weft.decoders.flow import FlowConfig
from weft.decoders.generation import GenerationConfig
from weft.decoders.joint import JointDecoderConfig
from weft.decoders.picture_convolutions import PictureConvolutionsConfig
from weft.decoders.spoken_flow import PLACES, SpokenFlowConfig
from weft.decoders.text import TransformerDecoderConfig
from weft.decoders.velocity.frames import FrameVelocityConfig
from weft.decoders.velocity.unet import UNetConfig
from weft.heads.cells import CellsOutput
from weft.heads.classes import MATCHING, ClassOutput
from weft.heads.drawn import DrawnOutput, DrawnValues
from weft.heads.head import Head, HeadConfig
from weft.heads.numbers import NumberOutput, NumberValues
from weft.heads.output import Output, Part, Scored, Values
from weft.heads.pictures import PictureOutput, PictureValues
from weft.heads.sounds import SoundOutput
from weft.heads.tags import NO_TAG, TagOutput, TagValues
from weft.heads.texts import TextOutput, TextValues
from weft.heads.transcripts import TranscriptOutput
from weft.modalities.audio import AudioConfig
from weft.modalities.image import ImageConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.modalities.text import TextConfig

WIDTH, ROWS = 8, 5
SIDE, BANDS = 8, 16
AUDIO = AudioConfig(
    rate=8000, output="spectrogram", normalise="fixed", spectrogram=SpectrogramConfig(mels=BANDS)
)
STEPS = DrawingConfig(steps=2)
TEXTS = ["a red star", "two blue rings", "nothing at all"]


def learned() -> Learned:
    text = TextConfig(kind="word", min_frequency=1, max_length=6).build()
    text.fit(TEXTS)
    answer = ClassesConfig("answer").build()
    answer.fit(["red", "blue", "red"])
    votes = SoftAnswersConfig("votes").build()
    votes.fit([["red", "red", "blue"]])
    score = NumbersConfig("score").build()
    tags = TagsConfig("tags").build()
    tags.fit([["red", "round"], ["new"]])
    objects = CellsConfig(cells=1, attributes=("shape", "color")).build()
    box = [0.1, 0.1, 0.4, 0.4]
    objects.fit(
        [
            [
                {"shape": "star", "color": "red", "box": box},
                {"shape": "heart", "color": "blue", "box": box},
            ]
        ]
    )
    transcript = TranscriptConfig("text").build()
    transcript.fit(TEXTS)
    targets = {
        "transcript": transcript,
        "objects": objects,
        "answer": answer,
        "votes": votes,
        "score": score,
        "tags": tags,
    }
    modalities = {"text": text, "image": ImageConfig(size=SIDE).build(), "audio": AUDIO.build()}
    return Learned(modalities, targets)


CASES: dict[str, tuple[Output, Config]] = {
    "classes": (ClassOutput("answer"), ClassifierConfig(WIDTH, 3)),
    "classes-at-once": (ClassOutput("votes", exclusive=False), ClassifierConfig(WIDTH, 3)),
    "tags": (TagOutput("tags", threshold=0.4), ClassifierConfig(WIDTH, 4)),
    "transcripts": (TranscriptOutput(), CTCDecoderConfig(WIDTH, 30)),
    "transcripts-joint": (
        TranscriptOutput(search="joint", beams=3),
        JointDecoderConfig(WIDTH, 30, dim=8, heads=2, max_length=12),
    ),
    "transcripts-beam": (
        TranscriptOutput(search="beam", blank_penalty=1.0),
        CTCDecoderConfig(WIDTH, 30),
    ),
    "named-classes": (MATCHING, ClassifierConfig(WIDTH, 2)),
    "numbers": (NumberOutput("score", unit="kg"), ClassifierConfig(WIDTH, 1)),
    "texts": (
        TextOutput(generation=GenerationConfig(max_length=5)),
        TransformerDecoderConfig(40, WIDTH, dim=8, depth=1, heads=2, max_length=6),
    ),
    "cells": (CellsOutput("objects"), CellClassifierConfig(WIDTH, (2, 2))),
    "pictures": (PictureOutput(), PictureConvolutionsConfig(WIDTH, (4, 4), noise=3)),
    "pictures-flow": (
        PictureOutput(drawing=STEPS.replace(guidance=2.0)),
        FlowConfig(UNetConfig(SIDE, WIDTH, (4, 8), condition=4, heads=2), "velocity"),
    ),
    "sounds": (
        SoundOutput(drawing=STEPS),
        SpokenFlowConfig(
            FrameVelocityConfig(BANDS, WIDTH + PLACES, frames=30, dim=8, depth=2, heads=2),
            "velocity",  # whose values differ before anything is learned
            context_dim=WIDTH,
            usual=4.0,
        ),
    ),
}


@dataclass(frozen=True)
class Foreign(Config[Decoder]):
    """A person's own decoder, which calls the number of its outputs in another way."""

    answers: int


@dataclass(frozen=True)
class Sized(Config[Decoder]):
    """One that says it, but not how many tokens it can write."""

    outputs: int


every_output = pytest.mark.parametrize(("output", "decoder"), CASES.values(), ids=CASES)


def test_every_output_is_in_the_suite() -> None:
    found = set()
    for info in pkgutil.iter_modules(weft.heads.__path__):
        for cls in vars(importlib.import_module(f"weft.heads.{info.name}")).values():
            if isinstance(cls, type) and issubclass(cls, Output) and not inspect.isabstract(cls):
                found.add(cls)
    assert found == {type(output) for output, _ in CASES.values()}
    assert len(found) == 8


def context(rows: int = ROWS) -> Features:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(rows, 3, WIDTH, generator=generator)
    return Features(tokens, torch.ones(rows, 3, dtype=torch.bool), tokens.mean(1))


def built(decoder: Any, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    made: nn.Module = decoder.build().eval()
    return made


def part_of(decoder: Any, known: Learned, rows: slice = slice(0, ROWS)) -> Part:
    return Part(decoder, context().rows(rows), known, seeds=torch.arange(20, 20 + ROWS)[rows])


def said(values: Values) -> list[str]:
    return [values.said(row) for row in range(len(values))]


@every_output
def test_values_of_a_batch_are_those_of_its_rows(output: Output, decoder: Config) -> None:
    part, known = built(decoder), learned()
    together = output.read([part_of(part, known)])
    assert len(together) == ROWS
    each = [output.read([part_of(part, known, slice(row, row + 1))]) for row in range(ROWS)]
    assert said(type(together).join(each)) == said(together)
    for row in range(ROWS):
        best = together.best(row, 2)
        if not isinstance(together, TagValues):
            assert best[0][0] == together.said(row)
        chances = [chance for _, chance in best if chance is not None]
        assert chances == sorted(chances, reverse=True)


@every_output
def test_a_part_twice_is_that_part_and_another_changes_it(output: Output, decoder: Config) -> None:
    known = learned()
    one, other = (part_of(built(decoder, seed), known) for seed in (0, 1))
    if isinstance(output, DrawnOutput):
        with pytest.raises(WeftError, match="2 models or views cannot generate together"):
            output.read([one, other])
        return
    assert said(output.read([one, one])) == said(output.read([one]))
    mean = output.read([one, other])
    if isinstance(output, TextOutput | TranscriptOutput | CellsOutput):
        assert len(mean) == ROWS
        return
    numbers = [vars(output.read([part])) for part in (one, other)]
    name = next(name for name, value in numbers[0].items() if isinstance(value, torch.Tensor))
    expected = (numbers[0][name] + numbers[1][name]) / 2
    torch.testing.assert_close(vars(mean)[name], expected)


@every_output
def test_scores_are_those_of_what_was_said(output: Output, decoder: Config) -> None:
    """Differentiable, of each row by itself, and what `read` shows where it shows a number."""
    known = learned()
    part = part_of(built(decoder), known)
    said_values = output.read([part])
    if isinstance(output, DrawnOutput | CellsOutput):
        assert not isinstance(output, Scored)
        return
    assert isinstance(output, Scored)
    scores = output.scores(part, said_values)
    assert scores.logits.shape == scores.values.shape == (ROWS,)
    assert scores.logits.requires_grad
    assert scores.values.requires_grad
    for row in range(ROWS):
        ((_, chance),) = said_values.best(row, 1)
        if isinstance(said_values, TagValues):
            chances = [one for _, one in said_values.tags(row)] or [chance]
            assert scores.values[row].item() == pytest.approx(sum(chances) / len(chances))
        elif chance is not None:
            assert scores.values[row].item() == pytest.approx(chance)
    if isinstance(said_values, NumberValues):
        torch.testing.assert_close(scores.values.detach(), said_values.numbers)
        assert output.score_text(2.5) == ""
    else:
        assert "0.25" in output.score_text(0.25)
    short = Part(part.decoder, context().rows(slice(0, 1)), known)
    alone = output.scores(short, output.read([short]))
    torch.testing.assert_close(alone.values[0], scores.values[0], atol=1e-5, rtol=0)


drawn_outputs = pytest.mark.parametrize(
    ("output", "decoder"),
    [case for case in CASES.values() if isinstance(case[0], DrawnOutput)],
    ids=[name for name, case in CASES.items() if isinstance(case[0], DrawnOutput)],
)


@drawn_outputs
def test_what_is_drawn_is_a_function_of_the_row_and_the_seed(
    output: DrawnOutput, decoder: Config
) -> None:
    """It is read back as it was, and what is written is a file of its kind."""
    part, known = built(decoder), learned()
    together = output.read([part_of(part, known)])
    assert isinstance(together, DrawnValues)
    whole = output.values_of(together.field())
    for row in range(ROWS):
        alone = output.read([part_of(part, known, slice(row, row + 1))])
        own = output.values_of(alone.field())[0]
        torch.testing.assert_close(own, whole[row, : len(own)], atol=0.01, rtol=0)
    assert not torch.allclose(whole[0, :2], whole[1, :2])
    drawing = output.drawing.replace(seed=1)
    again = type(output)(drawing=drawing).read([part_of(part, known)])
    other = output.values_of(again.field())
    assert other.shape != whole.shape or not torch.allclose(other, whole)
    raw = known.modalities[output.stream].decode(together.media(0))
    assert output.suffix in (".png", ".wav")
    assert len(together.encoded(0)) > 40
    assert len(together.whole()) == (1 if output.joined else ROWS)
    if isinstance(together, PictureValues):
        assert torch.equal(torch.as_tensor(raw), together.pixels[0])
    assert len(together.take([1, 0])) == 2
    assert together.display(0)


@drawn_outputs
def test_true_values_are_shown_as_drawn_ones_are(output: DrawnOutput, decoder: Config) -> None:
    """Without their padding; sounds through the same vocoder."""
    known = learned()
    drawn = output.read([part_of(built(decoder), known)])
    assert isinstance(drawn, DrawnValues)
    again = output.as_drawn(drawn.field(), known)
    assert type(again) is type(drawn)
    assert said(again) == said(drawn)
    for row in range(ROWS):
        assert again.encoded(row) == drawn.encoded(row)


def test_pictures_become_a_grid_row_by_row() -> None:
    pixels = torch.arange(5, dtype=torch.uint8)[:, None, None, None].expand(5, 3, 4, 6)
    grid = PictureValues(pixels).grid()
    assert grid.pixels.shape == (1, 3, 2 * 6 - 2, 3 * 8 - 2)
    for number in range(5):
        top, left = number // 3 * 6, number % 3 * 8
        assert (grid.pixels[0, :, top : top + 4, left : left + 6] == number).all()
    assert (grid.pixels[0, :, 6:, 16:] == 255).all()
    assert PictureValues(pixels[:1]).grid().pixels.shape == (1, 3, 4, 6)


def test_the_score_of_a_text_is_the_mean_log_probability_of_its_tokens() -> None:
    output, decoder = CASES["texts"]
    known = learned()
    part = Part(built(decoder), context(1), known)
    text = known.modalities["text"]
    assert isinstance(output, TextOutput)
    found = output.scores(part, TextValues(("a blue star",)))
    ids = torch.tensor([text.encode("a blue star")])
    chances = part.decoder(part.context, Field(ids[:, :-1])).log_softmax(2)[0]
    by_hand = sum(chances[n, ids[0, n + 1]] for n in range(ids.shape[1] - 1))
    torch.testing.assert_close(found.values[0], by_hand / (ids.shape[1] - 1))
    assert output.attends


def test_classes_that_hold_at_once_have_each_a_probability() -> None:
    known = learned()
    decoder = lambda features: torch.tensor([[2.0, -1.0, 9.0]]).expand(len(features), 3)  # noqa: E731
    part = Part(decoder, context(), known)
    chances = {
        exclusive: ClassOutput(target, exclusive=exclusive).read([part]).probabilities[0]
        for target, exclusive in (("answer", True), ("votes", False))
    }
    # The third logit is of no class that was learned.
    torch.testing.assert_close(chances[True], torch.tensor([2.0, -1.0]).softmax(0))
    torch.testing.assert_close(chances[False], torch.tensor([2.0, -1.0]).sigmoid())


@every_output
def test_a_head_survives_json(output: Output, decoder: Config) -> None:
    head = HeadConfig(decoder, output, context="image", views=2)
    assert from_json(json.loads(json.dumps(to_json(head))), HeadConfig, "here") == head


@every_output
def test_a_decoder_that_is_large_enough_passes(output: Output, decoder: Config) -> None:
    output.check(decoder, learned(), "model.heads.one")


@pytest.mark.parametrize(
    ("output", "decoder", "message"),
    [
        (
            ClassOutput("answer"),
            ClassifierConfig(WIDTH, 1),
            r"heads.one.decoder has 1 outputs, expected at least 2, the classes of data.targets.answer",
        ),
        (
            ClassOutput("votes"),
            ClassifierConfig(WIDTH, 3),
            "heads.one.output.exclusive is True, but data.targets.votes holds scores of several classes "
            "a row, expected False",
        ),
        (
            ClassOutput("answer", exclusive=False),
            ClassifierConfig(WIDTH, 3),
            "exclusive is False, but data.targets.answer holds one class a row, expected True",
        ),
        (MATCHING, ClassifierConfig(WIDTH, 1), "has 1 outputs, expected at least 2, its classes"),
        (
            NumberOutput("score"),
            ClassifierConfig(WIDTH, 2),
            "has 2 outputs, expected 1, for one number",
        ),
        (
            TextOutput(),
            TransformerDecoderConfig(4, WIDTH, dim=8, depth=1, heads=2),
            "has 4 outputs, expected at least",
        ),
        *(
            (
                output,
                Foreign(1),
                "Foreign does not say how many `outputs` it has, expected at least",
            )
            for output in (ClassOutput("answer"), NumberOutput("score"), TextOutput())
        ),
        (TextOutput(), Sized(99), "max_length is 0, expected at least 6"),
        (ClassOutput("score"), ClassifierConfig(WIDTH, 2), "expected classes or answers"),
        (ClassOutput("age"), ClassifierConfig(WIDTH, 2), "unknown target 'age'"),
        (
            PictureOutput(),
            PictureConvolutionsConfig(WIDTH, (4,)),
            r"decoder generates \(3, 4, 4\), expected \(3, 8, 8\), the pictures of data.streams.image",
        ),
        (PictureOutput(), ClassifierConfig(WIDTH, 2), "decoder generates nothing, expected"),
        (
            PictureOutput("text"),
            PictureConvolutionsConfig(WIDTH, (4, 4)),
            "output.stream is 'text', expected a stream of pictures",
        ),
        (TextOutput("title"), ClassifierConfig(WIDTH, 2), "no stream of texts 'title'"),
    ],
)
def test_what_does_not_fit_is_said_before_training(
    output: Output, decoder: Config, message: str
) -> None:
    with pytest.raises(WeftError, match=message):
        output.check(decoder, learned(), "model.heads.one")


def test_classes_are_those_of_a_target_or_named() -> None:
    for wrong in ({}, {"target": "answer", "classes": ("a",)}):
        with pytest.raises(ValueError, match="expected one or the other"):
            ClassOutput(**wrong)
    values = MATCHING.read([Part(built(ClassifierConfig(WIDTH, 2)), context(), learned())])
    assert set(said(values)) <= {"match", "no match"}
    torch.testing.assert_close(values.probabilities.sum(1), torch.ones(ROWS))


def test_a_number_is_shown_with_its_unit() -> None:
    decoder = lambda features: features.pooled[:, :1] * 0 + 1.255  # noqa: E731
    values = NumberOutput("score", unit="kg", digits=1).read([Part(decoder, context(), learned())])
    assert said(values) == ["1.3 kg"] * ROWS
    bare = NumberOutput("score").read([Part(decoder, context(), learned())])
    assert bare.said(0) in ("1.25", "1.26")


def test_a_head_reads_what_it_names() -> None:
    head = Head(built(ClassifierConfig(WIDTH, 2)), MATCHING)
    fused = {"image": context(), JOINT: context()}
    assert head(fused).shape == (ROWS, 2)
    with pytest.raises(WeftError, match="unknown context of the head 'joint': known: image"):
        head({"image": context()})


def test_tags_from_the_threshold_on_are_said() -> None:
    values = TagValues(
        torch.tensor([[0.5, 0.4, 0.9], [0.1, 0.2, 0.3]]), ("red", "round", "new"), threshold=0.5
    )
    assert [values.said(row) for row in (0, 1)] == ["new; red", NO_TAG]
    assert values.tags(0) == [("new", pytest.approx(0.9)), ("red", 0.5)]
    assert values.tags(1) == []
    assert values.take([1, 0]).said(1) == "new; red"
    with pytest.raises(ValueError, match="threshold"):
        TagOutput("tags", threshold=2.0)
    with pytest.raises(ValueError, match="a row may have several tags"):
        TagOutput("tags", exclusive=True)
