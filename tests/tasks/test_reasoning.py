"""Reasoning: accuracy, consistency, averaging over orders, and the swapped-scene check."""

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import nn

from weft.architectures.model import Model
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.core.records import Features, Field
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.data.learned import Learned
from weft.data.targets.classes import ClassesConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import Head
from weft.inference.member import Member
from weft.tasks.reasoning import ReasoningConfig


class Numbers:
    """A modality whose items are numbers."""

    views = 1

    def decode(self, raw: float) -> float:
        return raw

    def transform(
        self, item: float, *, train: bool, generator: torch.Generator, view: int = 0
    ) -> torch.Tensor:
        del train, generator, view
        return torch.tensor([item])

    def collate(self, items: Sequence[torch.Tensor]) -> Field:
        return Field(torch.stack(tuple(items)))


class AsItIs(nn.Module):
    """A number is its own feature."""

    dim = 1

    def forward(self, field: Field) -> Features:
        return Features(field.values[:, None], torch.ones(len(field), 1).bool(), field.values)


class Sum(nn.Module):
    """The sum of both streams."""

    dim, streams = 1, ("image", "text")

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        pooled = torch.stack([f.pooled for f in streams.values()]).sum(0)
        first = next(iter(streams.values()))
        return {**streams, JOINT: Features(first.tokens, first.mask, pooled)}


class Sign(nn.Module):
    """True where the number is above 0."""

    def forward(self, context: Features, prefix: Field | None = None) -> torch.Tensor:
        assert prefix is None
        return torch.cat([-context.pooled, context.pooled], dim=1)


# image + text above 0 says true; rows 0 and 1 are one example, rows 2 and 3 another of one sentence.
ROWS = [
    ("a", "a1", 2.0, 1.0, True),
    ("a", "a1", -1.5, 1.0, True),
    ("b", "b1", -3.0, 1.0, False),
    ("b", "b2", 1.0, 1.0, False),
    ("c", "c1", 1.0, -2.0, False),
]


def dataset(rows: Sequence[tuple[str, str, float, float, bool]] = ROWS) -> list[Sample]:
    return [
        Sample(
            str(n),
            group,
            {"image": image, "text": text, "label": label, "example": example},
            f"rows:{n}",
        )
        for n, (group, example, image, text, label) in enumerate(rows)
    ]


def member(samples: list[Sample]) -> Member:
    model = Model(
        {"image": AsItIs(), "text": AsItIs()},
        Sum(),
        heads={"label": Head(Sign(), ClassOutput("label"))},
    )
    modality = Numbers()
    sources = {name: ModalitySource(samples, name, modality) for name in ("image", "text")}
    return Member(
        model, sources, Learned.of({}, {"label": ClassesConfig("label", ("false", "true"))})
    )


def test_accuracy_consistency_and_baselines_by_hand() -> None:
    samples = dataset()
    result = ReasoningConfig(resamples=50).build().evaluate([member(samples)], samples)
    # Right: rows 0, 2 and 4; of the sentences only c wholly.
    assert result.metrics["accuracy"].value == pytest.approx(60)
    assert result.metrics["consistency"].value == pytest.approx(100 / 3)
    assert result.baselines["majority"]["accuracy"] == pytest.approx(60)
    # The picture of the row two places on: 2->-3, -1.5->1, -3->1, 1->2, 1->-1.5 (counted around).
    assert result.baselines["image of another"]["accuracy"] == pytest.approx(40)
    assert set(result.baselines) == {"majority", "image of another", "text of another"}
    assert result.values["accuracy"].values.tolist() == [100, 0, 100, 0, 100]
    assert result.protocol["sentences"] == 3


def test_orders_of_one_example_share_their_mean() -> None:
    samples = dataset()
    config = ReasoningConfig(resamples=50, average="example")
    result = config.build().evaluate([member(samples)], samples)
    # Row 1 follows row 0, whose picture says true more clearly than its own says false.
    assert result.values["accuracy"].values.tolist() == [100, 100, 100, 0, 100]
    assert result.protocol["averaged_over"] == "example"


def test_baselines_share_the_mean_of_an_example_too() -> None:
    samples = dataset()
    alone = ReasoningConfig(resamples=50)
    # With the text of two rows on the sums are 3, -0.5, -5, 2 and 2: rows 0 and 2 are right. The mean of
    # rows 0 and 1 says true, which is right for both.
    for config, accuracy in ((alone, 40), (alone.replace(average="example"), 60)):
        result = config.build().evaluate([member(samples)], samples)
        assert result.baselines["text of another"]["accuracy"] == pytest.approx(accuracy)


def test_baselines_of_an_ensemble_are_the_ensemble_s() -> None:
    """The second model says the opposite and is surer of it, so the mean says what it says."""
    samples = dataset()
    first, second = member(samples), member(samples)
    second.model.heads["label"].decoder.forward = lambda context, prefix=None: torch.cat(
        [10 * context.pooled, -10 * context.pooled], dim=1
    )
    task = ReasoningConfig(resamples=50).build()
    together = task.evaluate([first, second], samples).baselines
    assert together == task.evaluate([second], samples).baselines
    assert together != task.evaluate([first], samples).baselines


def test_says_what_is_missing() -> None:
    samples = dataset()
    del samples[3].items["example"]
    config = ReasoningConfig(resamples=50, average="example")
    with pytest.raises(WeftError, match="rows:3: has no 'example'"):
        config.build().evaluate([member(samples)], samples)
    with pytest.raises(WeftError, match="unknown head"):
        ReasoningConfig(head="answer").build().evaluate([member(samples)], samples)
