"""Classes and numbers from fused streams, against values computed by hand and by torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from weft.architectures.model import Model
from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT, Decoder, Objective
from weft.core.records import Batch, Features, Field
from weft.data.learned import Learned
from weft.decoders.classifier import ClassifierConfig
from weft.heads.classes import MATCHING, ClassOutput, ClassValues
from weft.heads.head import Head
from weft.heads.numbers import NumberOutput, NumberValues
from weft.heads.output import Output, Part
from weft.objectives.classification import ClassificationConfig, RegressionConfig
from weft.recipes import recipe
from weft.runs.check import check_names
from weft.training.streams import Streams


class Values(nn.Module):
    dim = 3

    def forward(self, field: Field) -> Features:
        mask = torch.ones(len(field), 1, dtype=torch.bool)
        return Features(field.values[:, None], mask, field.values)


class Sum(nn.Module):
    dim, streams = 3, ("a", "b")

    def forward(self, streams):
        first = next(iter(streams.values()))
        pooled = sum(one.pooled for one in streams.values())
        return {**streams, JOINT: Features(first.tokens, first.mask, pooled)}


def parts(target: torch.Tensor, outputs: int = 4, output: Output | None = None, context=JOINT):
    torch.manual_seed(0)
    decoder = ClassifierConfig(3, outputs).build()
    head = Head(decoder, output or ClassOutput("answer"), context)
    model = Model({"a": Values(), "b": Values()}, fusion=Sum(), heads={"answer": head})
    inputs = {name: Field(torch.randn(5, 3)) for name in ("a", "b")}
    inputs["caption"] = Field(torch.zeros(5, 2))  # a stream without an encoder is not fused
    batch = Batch(inputs, ids="abcde", groups=torch.arange(5), targets={"answer": target})
    logits = decoder.out(inputs["a"].values + inputs["b"].values)
    return model, batch, Streams(model, batch), logits


def test_cross_entropy_where_a_class_is_known() -> None:
    target = torch.tensor([0, 3, -1, 1, -1])
    model, batch, streams, logits = parts(target)
    objective = ClassificationConfig().build()
    assert isinstance(objective, Objective)
    loss = objective(model, batch, streams)
    known = target != -1
    expected = F.cross_entropy(logits[known], target[known], reduction="mean")
    torch.testing.assert_close(loss.total, expected)
    assert loss.terms["known"].item() == pytest.approx(0.6)
    hits = (logits.argmax(1) == target)[known].float().mean()
    assert loss.terms["accuracy"].item() == pytest.approx(hits.item())


def test_label_smoothing_spreads_a_share_of_the_target_over_all_classes() -> None:
    model, batch, streams, logits = parts(torch.tensor([0, 3, -1, 1, -1]))
    loss = ClassificationConfig(label_smoothing=0.2).build()(model, batch, streams)
    log = logits.log_softmax(1)
    costs = [
        -(0.8 * log[row, one] + 0.2 * log[row].mean()) for row, one in ((0, 0), (1, 3), (3, 1))
    ]
    torch.testing.assert_close(loss.total, torch.stack(costs).mean())


def test_no_class_at_all_is_a_loss_of_zero_with_a_gradient() -> None:
    model, batch, streams, _ = parts(torch.full((5,), -1))
    loss = ClassificationConfig(label_smoothing=0.1).build()(model, batch, streams)
    loss.total.backward()
    assert loss.total.item() == 0
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())


def test_soft_scores_are_questions_of_each_answer() -> None:
    scores = torch.tensor([[1.0, 0, 0], [0, 0.3, 0.9], [0, 0, 0], [0.6, 0.6, 0], [0, 1, 0]])
    output = ClassOutput("answer", exclusive=False)
    model, batch, streams, logits = parts(scores, output=output)
    loss = ClassificationConfig().build()(model, batch, streams)
    known = logits[:, :3]  # the decoder has an output more than there are classes
    chance = torch.sigmoid(known)
    by_hand = -(scores * chance.log() + (1 - scores) * (1 - chance).log()).sum(1).mean()
    torch.testing.assert_close(loss.total, by_hand)
    found = scores[torch.arange(5), known.argmax(1)].mean()
    torch.testing.assert_close(loss.terms["accuracy"], found)


@pytest.mark.parametrize(
    ("target", "exclusive", "message"),
    [
        (
            torch.zeros(5, 3),
            True,
            r"expected to be one class \(B,\) int64, got torch.float32 \(5, 3\)",
        ),
        (
            torch.zeros(5).long(),
            False,
            r"expected to be scores \(B, V\) float, got torch.int64 \(5,\)",
        ),
    ],
)
def test_a_target_of_the_other_kind_is_said(target, exclusive, message) -> None:
    model, batch, streams, _ = parts(target, output=ClassOutput("answer", exclusive=exclusive))
    with pytest.raises(ValueError, match=message):
        ClassificationConfig().build()(model, batch, streams)


@pytest.mark.parametrize("error", ["absolute", "squared"])
def test_numbers(error) -> None:
    target = torch.tensor([0.5, -1, 2, 0, 3])
    model, batch, streams, logits = parts(target, outputs=1, output=NumberOutput("answer"))
    settings = RegressionConfig("answer", error=error)
    found = settings.build()(model, batch, streams).total
    torch_loss = F.l1_loss if error == "absolute" else F.mse_loss
    torch.testing.assert_close(found, torch_loss(logits[:, 0], target))


def test_what_is_missing_is_named() -> None:
    target = torch.zeros(5, dtype=torch.int64)
    model, batch, streams, _ = parts(target, output=ClassOutput("label"))
    with pytest.raises(ValueError, match="no target 'label', it has: answer"):
        ClassificationConfig().build()(model, batch, streams)
    model, batch, streams, _ = parts(target, context="text")
    with pytest.raises(WeftError, match="unknown context of the head 'text'"):
        ClassificationConfig().build()(model, batch, streams)
    model, batch, streams, _ = parts(target, output=MATCHING)
    with pytest.raises(ValueError, match="head 'answer' predicts no target"):
        ClassificationConfig().build()(model, batch, streams)
    model, batch, streams, _ = parts(target)
    with pytest.raises(ValueError, match="gives 4 numbers a row, expected 1"):
        RegressionConfig("answer").build()(model, batch, streams)


@dataclass(frozen=True)
class Stars(Output):
    """Another's output: a class, said in stars."""

    target: str | None = "answer"
    exclusive: bool = True

    def check(self, decoder: Config[Decoder], learned: Learned, where: str) -> None: ...

    def read(self, parts: Sequence[Part]) -> ClassValues:
        names = tuple("*" * (1 + place) for place in range(4))
        return ClassValues(parts[0].decoder(parts[0].context).softmax(1), names)


@dataclass(frozen=True)
class Degrees(Output):
    """Another's output: a number, said in degrees."""

    target: str | None = "answer"
    unit: str = "degrees"

    def check(self, decoder: Config[Decoder], learned: Learned, where: str) -> None: ...

    def read(self, parts: Sequence[Part]) -> NumberValues:
        return NumberValues(parts[0].decoder(parts[0].context)[:, 0], self.unit)


def test_outputs_from_outside_are_learned_as_the_packages_own() -> None:
    target = torch.tensor([0, 3, -1, 1, 2])
    losses = [
        ClassificationConfig().build()(*parts(target, output=output)[:3]).total
        for output in (ClassOutput("answer"), Stars())
    ]
    assert torch.equal(*losses)
    numbers = torch.arange(5.0)
    losses = [
        RegressionConfig(head="answer").build()(*parts(numbers, 1, output)[:3]).total
        for output in (NumberOutput("answer"), Degrees())
    ]
    assert torch.equal(*losses)


@pytest.mark.parametrize(
    ("objective", "fits", "other"),
    [
        (ClassificationConfig(), Stars(), Degrees()),
        (RegressionConfig(head="answer"), Degrees(), Stars()),
    ],
)
def test_outputs_of_the_other_kind_are_refused_before_training(objective, fits, other) -> None:
    made = recipe("easy_vqa")
    head = made.model.heads["answer"]

    def checked(output: Output) -> None:
        heads = {"answer": replace(head, output=output)}
        check_names(
            made.replace(
                model=made.model.replace(heads=heads),
                objectives={"answer": objective},
                tasks={},
                weights={},
                run=made.run.replace(monitor=None),
            )
        )

    checked(fits)
    with pytest.raises(WeftError, match=f"it has a {type(other).__name__}"):
        checked(other)
