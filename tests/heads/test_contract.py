"""What every kind of output keeps, found by walking weft/heads."""

import importlib
import json
import pkgutil
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import nn

import weft.heads
from weft.core.config import Config, from_json, to_json
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.core.records import Features
from weft.data.targets.classes import ClassesConfig
from weft.data.targets.numbers import NumbersConfig
from weft.decoders.classifier import ClassifierConfig
from weft.decoders.generation import GenerationConfig
from weft.decoders.text import TransformerDecoderConfig
from weft.heads.classes import MATCHING, ClassOutput
from weft.heads.head import Head, HeadConfig
from weft.heads.numbers import NumberOutput
from weft.heads.output import Output, Part, Values
from weft.heads.texts import TextOutput
from weft.modalities.text import TextConfig

WIDTH, ROWS = 8, 5
TEXTS = ["a red star", "two blue rings", "nothing at all"]


@dataclass
class Learned:
    modalities: dict[str, Any] = field(default_factory=dict)
    targets: dict[str, Any] = field(default_factory=dict)


def learned() -> Learned:
    text = TextConfig(kind="word", min_frequency=1, max_length=6).build()
    text.fit(TEXTS)
    answer = ClassesConfig("answer").build()
    answer.fit(["red", "blue", "red"])
    return Learned({"text": text}, {"answer": answer, "score": NumbersConfig("score").build()})


CASES: dict[str, tuple[Output, Config]] = {
    "classes": (ClassOutput("answer"), ClassifierConfig(WIDTH, 3)),
    "named-classes": (MATCHING, ClassifierConfig(WIDTH, 2)),
    "numbers": (NumberOutput("score", unit="kg"), ClassifierConfig(WIDTH, 1)),
    "texts": (
        TextOutput(generation=GenerationConfig(max_length=5)),
        TransformerDecoderConfig(40, WIDTH, dim=8, depth=1, heads=2, max_length=6),
    ),
}
every_output = pytest.mark.parametrize(("output", "decoder"), CASES.values(), ids=CASES)


def test_every_output_is_in_the_suite() -> None:
    found = set()
    for info in pkgutil.iter_modules(weft.heads.__path__):
        for cls in vars(importlib.import_module(f"weft.heads.{info.name}")).values():
            if isinstance(cls, type) and issubclass(cls, Output) and cls is not Output:
                found.add(cls)
    assert found == {type(output) for output, _ in CASES.values()}
    assert len(found) == 3


def context(rows: int = ROWS) -> Features:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(rows, 3, WIDTH, generator=generator)
    return Features(tokens, torch.ones(rows, 3, dtype=torch.bool), tokens.mean(1))


def built(decoder: Any, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    made: nn.Module = decoder.build().eval()
    return made


def said(values: Values) -> list[str]:
    return [values.said(row) for row in range(len(values))]


@every_output
def test_values_of_a_batch_are_those_of_its_rows(output: Output, decoder: Config) -> None:
    part, known = built(decoder), learned()
    together = output.read([Part(part, context(), known)])
    assert len(together) == ROWS
    each = [
        output.read([Part(part, context().rows(slice(row, row + 1)), known)]) for row in range(ROWS)
    ]
    assert said(type(together).join(each)) == said(together)
    for row in range(ROWS):
        best = together.best(row, 2)
        assert best[0][0] == together.said(row)
        chances = [chance for _, chance in best if chance is not None]
        assert chances == sorted(chances, reverse=True)


@every_output
def test_a_part_twice_is_that_part_and_another_changes_it(output: Output, decoder: Config) -> None:
    known = learned()
    one, other = (Part(built(decoder, seed), context(), known) for seed in (0, 1))
    assert said(output.read([one, one])) == said(output.read([one]))
    mean = output.read([one, other])
    if isinstance(output, TextOutput):
        assert len(mean) == ROWS
        return
    numbers = [vars(output.read([part])) for part in (one, other)]
    name = next(name for name, value in numbers[0].items() if isinstance(value, torch.Tensor))
    expected = (numbers[0][name] + numbers[1][name]) / 2
    torch.testing.assert_close(vars(mean)[name], expected)


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
            r"heads.one.decoder.classes is 1, expected at least 2, those of data.targets.answer",
        ),
        (MATCHING, ClassifierConfig(WIDTH, 1), "classes is 1, expected at least 2, its classes"),
        (NumberOutput("score"), ClassifierConfig(WIDTH, 2), "classes is 2, expected 1"),
        (
            TextOutput(),
            TransformerDecoderConfig(4, WIDTH, dim=8, depth=1, heads=2),
            "vocab_size is 4, expected at least",
        ),
        (ClassOutput("score"), ClassifierConfig(WIDTH, 2), "expected classes or answers"),
        (ClassOutput("age"), ClassifierConfig(WIDTH, 2), "unknown target 'age'"),
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
