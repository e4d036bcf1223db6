"""A number with its unit: a score, a sentiment, a length."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Decoder
from weft.core.needs import Needs
from weft.core.ranges import at_least, require
from weft.data.learned import Learned
from weft.evaluation.metric import Metric
from weft.heads.output import Output, Part, Scores, Values, mean, require_outputs


@dataclass(frozen=True)
class NumberValues:
    """numbers: (N,), on the CPU. unit: of the numbers, or empty. digits: for display."""

    numbers: Tensor
    unit: str = ""
    digits: int = 2

    def __len__(self) -> int:
        return len(self.numbers)

    def said(self, row: int) -> str:
        return f"{float(self.numbers[row]):.{self.digits}f} {self.unit}".rstrip()

    def best(self, row: int, k: int) -> list[tuple[str, float | None]]:  # noqa: ARG002
        return [(self.said(row), None)]

    def take(self, rows: Sequence[int]) -> Self:
        return replace(self, numbers=self.numbers[list(rows)])

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        first = parts[0]
        return cls(torch.cat([part.numbers for part in parts]), first.unit, first.digits)


@dataclass(frozen=True)
class NumberOutput(Output):
    """A number."""

    does: ClassVar[str] = "predicts numbers"
    target: str | None = None
    """Target of the prediction, if there is one."""
    unit: str = ""
    """Unit, shown after the number."""
    digits: int = 2
    """Digits shown after the decimal point."""

    def __post_init__(self) -> None:
        require(self, digits=at_least(0, 15))

    @property
    def needs(self) -> Needs:
        return Needs(targets=() if self.target is None else (self.target,))

    def check(self, decoder: Config[Decoder], learned: Learned, where: str) -> None:  # noqa: ARG002
        require_outputs(decoder, 1, "for one number", where, most=1)

    def in_unit(self, metric: Metric) -> Metric:
        """Returns a metric in the target's unit with the unit of the number and one more digit; other metrics
        unchanged."""
        return metric.in_unit(self.unit, self.digits + 1)

    def read(self, parts: Sequence[Part]) -> NumberValues:
        """The mean of the parts' numbers."""
        found_B = mean([self._numbers(part) for part in parts])
        return NumberValues(found_B, self.unit, self.digits)

    def scores(self, part: Part, said: Values) -> Scores:  # noqa: ARG002
        """The numbers themselves."""
        found_B = self._numbers(part)
        return Scores(found_B, found_B)

    def score_text(self, value: float) -> str:  # noqa: ARG002
        return ""

    @staticmethod
    def _numbers(part: Part) -> Tensor:
        """(B,)"""
        found_B1: Tensor = part.decoder(part.context).float()
        if found_B1.shape[1] != 1:
            raise WeftError(f"the decoder gives {found_B1.shape[1]} numbers a row, expected 1")
        return found_B1[:, 0]
