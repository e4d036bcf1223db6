"""Regions of pictures: boxes with classes, attributes or features -> Field (B, R, 4 + F) with its mask.

For the results of a detector. Without a detector, see `grid_regions`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Modality
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Field
from weft.core.text import normalised

CORNERS = 4
"""Numbers of a box: left, top, right, bottom, as shares of the picture's width and height."""
_SLACK = 1e-6


class Regions:
    """Rows of "boxes" (R, 4), with "features" (R, F) or names in "classes", as dicts.

    Features are the given ones, or one number for each known class and attribute, 1 if the region has it. `fit`
    learns these names from the training rows.
    """

    def __init__(self, config: "RegionsConfig") -> None:
        self.config = config
        self.names: tuple[str, ...] = ()
        self._places: dict[str, int] = {}

    @property
    def feature_dim(self) -> int:
        """F: the width of given features, or the number of known names."""
        return self.config.feature_dim if self.config.features == "given" else len(self.names)

    def decode(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """{"boxes": (R, 4) float32 shares, "features": (R, F) or names: R lists of strings}.

        Raises WeftError, without the source, for boxes that are inverted or outside the picture (clipped instead with
        `clip`), and if the numbers of boxes, features and classes disagree.
        """
        if not isinstance(raw, Mapping) or "boxes" not in raw:
            raise WeftError(f"regions are {raw!r:.60}, expected a mapping with 'boxes'")
        boxes_R4 = self._boxes(raw)
        if self.config.features == "given":
            return {"boxes": boxes_R4, "features": self._given(raw, len(boxes_R4))}
        names = region_names(raw)
        if len(names) != len(boxes_R4):
            raise WeftError(f"there are {len(boxes_R4)} boxes and {len(names)} classes")
        return {"boxes": boxes_R4, "names": names}

    def transform(
        self,
        item: Mapping[str, Any],
        *,
        train: bool,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
        view: int = 0,  # noqa: ARG002
    ) -> Tensor:
        """(R, 4 + F) float32, the first `max_regions` regions."""
        boxes_R4 = item["boxes"][: self.config.max_regions]
        if "features" in item:
            features_RF = item["features"][: self.config.max_regions]
        else:
            features_RF = np.zeros((len(boxes_R4), len(self.names)), np.float32)
            for row, names in enumerate(item["names"][: self.config.max_regions]):
                known = [self._places[name] for name in names if name in self._places]
                features_RF[row, known] = 1
        return torch.from_numpy(np.concatenate([boxes_R4, features_RF], axis=1))

    def collate(self, items: Sequence[Tensor]) -> Field:
        """B pictures of (R, 4 + F) -> Field of float32 (B, R, 4 + F), mask True for real regions."""
        lengths = torch.tensor([len(item) for item in items])
        values = torch.nn.utils.rnn.pad_sequence(list(items), batch_first=True)
        return Field(values, torch.arange(values.shape[1]) < lengths[:, None])

    def fit(self, raws: Iterable[Any]) -> None:
        """Learns the names of classes and attributes, in alphabetical order."""
        if self.config.features == "names":
            found = {name for raw in raws for region in _names_or_none(raw) for name in region}
            if not found:
                raise WeftError("no training row has regions with classes")
            self._use(sorted(found))

    def state(self) -> dict[str, Any]:
        return {"names": list(self.names)}

    def restore(self, state: Mapping[str, Any]) -> None:
        names = state.get("names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise WeftError(f"names of regions are {names!r:.60}, expected a list of strings")
        self._use(names)

    def _use(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._places = {name: place for place, name in enumerate(names)}

    def _boxes(self, raw: Mapping[str, Any]) -> np.ndarray:
        boxes_R4 = _numbers(raw["boxes"], "boxes", CORNERS)
        if self.config.format == "xywh":
            boxes_R4 = np.concatenate([boxes_R4[:, :2], boxes_R4[:, :2] + boxes_R4[:, 2:]], axis=1)
        if self.config.pixels:
            boxes_R4 = boxes_R4 / _size(raw)
        for place, (left, top, right, bottom) in enumerate(boxes_R4.tolist()):
            where = f"box {place} of {len(boxes_R4)} is ({left:g}, {top:g}, {right:g}, {bottom:g})"
            if right < left or bottom < top:
                raise WeftError(f"{where}, which is inverted, expected left, top, right, bottom")
            inside = min(left, top) >= -_SLACK and max(right, bottom) <= 1 + _SLACK
            if not inside and not self.config.clip:
                raise WeftError(f"{where}, which leaves the picture; clip cuts such boxes off")
            if max(left, top) > 1 or min(right, bottom) < 0:
                raise WeftError(f"{where}, which lies outside the picture")
        return np.ascontiguousarray(boxes_R4.clip(0, 1), dtype=np.float32)

    def _given(self, raw: Mapping[str, Any], count: int) -> np.ndarray:
        if raw.get("features") is None:
            raise WeftError(f"regions have no 'features', they have: {', '.join(raw)}")
        features_RF = _numbers(raw["features"], "features", self.config.feature_dim)
        if len(features_RF) != count:
            raise WeftError(f"there are {count} boxes and {len(features_RF)} rows of features")
        return features_RF.astype(np.float32)


def region_names(raw: Mapping[str, Any]) -> list[list[str]]:
    """Returns the class of every region, followed by its attributes."""
    classes = raw.get("classes")
    if not isinstance(classes, list | tuple):
        raise WeftError(f"regions have no 'classes', they have: {', '.join(map(str, raw))}")
    attributes = raw.get("attributes") or [[] for _ in classes]
    if not isinstance(attributes, list | tuple) or not all(
        isinstance(some, list | tuple) for some in attributes
    ):
        raise WeftError(f"attributes are {attributes!r:.60}, expected a list of names a region")
    if len(attributes) != len(classes):
        raise WeftError(f"there are {len(classes)} classes and {len(attributes)} attributes")
    return [
        [normalised(str(name)) for name in (kind, *more)]
        for kind, more in zip(classes, attributes, strict=True)
    ]


def _names_or_none(raw: Any) -> list[list[str]]:
    try:
        return region_names(raw)
    except (WeftError, AttributeError, TypeError):
        return []  # the reader of the row reports it


def _numbers(raw: Any, name: str, width: int) -> np.ndarray:
    """(R, width) float64, also if there are no rows."""
    try:
        numbers = np.asarray(raw, dtype=np.float64)
    except (TypeError, ValueError):
        raise WeftError(f"{name} of regions are {raw!r:.60}, expected rows of numbers") from None
    if numbers.size == 0:
        return numbers.reshape(0, width)
    if numbers.ndim != 2 or numbers.shape[1] != width:
        raise WeftError(f"{name} of regions have shape {numbers.shape}, expected (R, {width})")
    if not np.isfinite(numbers).all():
        raise WeftError(f"{name} of regions hold a number that is not finite")
    return numbers


def _size(raw: Mapping[str, Any]) -> np.ndarray:
    """(4,) width, height, width, height of the picture."""
    width, height = raw.get("width"), raw.get("height")
    if not isinstance(width, int | float) or not isinstance(height, int | float):
        raise WeftError(f"regions in pixels need 'width' and 'height', got: {width!r}, {height!r}")
    if width <= 0 or height <= 0:
        raise WeftError(f"the picture of the regions is {width} x {height}, expected more than 0")
    return np.array([width, height, width, height], dtype=np.float64)


@dataclass(frozen=True)
class RegionsConfig(Config[Modality]):
    """Boxes with features of a detector, or with names of classes and attributes."""

    features: Literal["given", "names"] = "names"
    """Description of a region: a vector in the data, or its class and attributes, each a number that is 1 or 0."""
    feature_dim: int = 0
    """Width of given features."""
    format: Literal["corners", "xywh"] = "corners"
    """Format of a box: left, top, right, bottom; or left, top, width, height (COCO)."""
    pixels: bool = False
    """If true, boxes are in pixels, and the row holds the picture's width and height."""
    clip: bool = False
    """If true, clip boxes at the picture's edge. If false, boxes beyond it are errors."""
    max_regions: int = 100
    """Maximum regions of a picture. Of more, the first ones are read."""

    def __post_init__(self) -> None:
        require(self, max_regions=COUNT, feature_dim=at_least(0))
        if (self.features == "given") != (self.feature_dim > 0):
            raise ValueError(
                f"features is '{self.features}' and feature_dim {self.feature_dim}, expected a width "
                "with 'given' and 0 with 'names'"
            )

    def build(self) -> Regions:
        return Regions(self)
