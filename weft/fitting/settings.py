"""The settings of `weft fit`, for the command line and for Python."""

from dataclasses import dataclass
from typing import Literal

from weft.core.cells import Merge, merges_of
from weft.core.errors import WeftError

GoalKind = Literal["class", "number", "tags"]
FOLDS = 5
NO_MODEL = "none"
"""Instead of a published model: features without pretrained weights."""


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """The settings of `weft fit`. Raises WeftError for invalid values."""

    minutes: float = 10
    """Time limit in minutes, shared by all targets. No candidate starts after it."""
    without: tuple[str, ...] = ()
    """Columns to leave out: no model reads them."""
    networks: bool = True
    """If true, also train neural networks on pictures and texts in the remaining time."""
    task: GoalKind | None = None
    """Kind of the target. Default: the kind of its column."""
    image_model: str | None = None
    """Model for pictures: a folder, package:NAME, a hub name, a safetensors file of MobileNetV2, or none."""
    text_model: str | None = None
    """Model for texts: a folder, package:NAME, a hub name, or none."""
    folds: int = FOLDS
    """Number of folds of the cross-validation, which is used for small data."""
    seed: int = 0
    """Random seed of the folds and the models."""
    encoding: str | None = None
    """Text encoding of the table, such as cp1252 or gbk. If not given: the encoding of its byte-order mark, or else
    UTF-8."""

    merge_labels: str = ""
    """Differences between labels to ignore: capital letters (case), spaces (blanks), or both (case,blanks). Such labels
    are merged."""

    @property
    def merge(self) -> tuple[Merge, ...]:
        """`merge_labels` as values."""
        return merges_of(self.merge_labels)

    def __post_init__(self) -> None:
        if not 0 < self.minutes < 1e6:
            raise WeftError(f"--minutes is {self.minutes:g}, expected a number of minutes above 0")
        if self.folds < 2:
            raise WeftError(f"--folds is {self.folds}, expected 2 or more")
        if self.seed < 0:
            raise WeftError(f"--seed is {self.seed}, expected 0 or more")
