"""Boxes in pixels from the top left corner, as published sets store them, converted to shares of the picture."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from weft.core.errors import DataError

SLACK = 1.0
"""Pixels by which a box may cross the edge: coordinates are rounded."""


@dataclass(frozen=True)
class Size:
    """Width and height of a picture, in pixels."""

    width: float
    height: float

    @classmethod
    def of(cls, row: Mapping[str, Any], source: str) -> "Size":
        """Returns the width and height of the row. Raises DataError if they are missing or invalid."""
        width, height = row.get("width"), row.get("height")
        if not (_is_number(width) and _is_number(height)) or min(width, height) <= 0:
            reason = f"width and height are {width!r:.30} and {height!r:.30}, expected pixels"
            raise DataError(reason, source=source)
        return cls(width, height)

    def share(self, xywh: Any, source: str, *, cut: bool) -> list[float]:
        """Converts a box [x, y, width, height] in pixels to [x0, y0, x1, y1] from 0 to 1.

        cut: clips the box at the picture's edge, for data sets whose annotators draw over it. Otherwise only rounding
        errors are clipped. Raises DataError for a box that is inverted or outside the picture.
        """
        if not isinstance(xywh, Sequence) or len(xywh) != 4 or not all(map(_is_number, xywh)):
            reason = f"the box is {xywh!r:.60}, expected 4 numbers: x, y, width, height"
            raise DataError(reason, source=source)
        x, y, width, height = (float(number) for number in xywh)
        where = f"the box [{x:g}, {y:g}, {width:g}, {height:g}] (x, y, width, height)"
        if width < 0 or height < 0:
            reason = f"{where} is inverted, expected a width and height of 0 or more"
            raise DataError(reason, source=source)
        over = max(-x, -y, x + width - self.width, y + height - self.height)
        apart = x > self.width or y > self.height or x + width < 0 or y + height < 0
        if apart or (over > SLACK and not cut):
            how = "lies outside" if apart else "crosses the edge of"
            reason = f"{where} {how} the picture of {self.width:g} x {self.height:g} pixels"
            raise DataError(reason, source=source)
        sides = (self.width, self.height) * 2
        corners = (x, y, x + width, y + height)
        return [min(max(c / side, 0.0), 1.0) for c, side in zip(corners, sides, strict=True)]


def region_items(
    boxes: list[list[float]], classes: list[str], **others: list[list[str]]
) -> dict[str, Any]:
    """Returns the items for the objects of a picture: boxes, classes, and both as `regions`, together with `others`
    (attributes)."""
    regions = {"boxes": boxes, "classes": classes, **others}
    return {"boxes": boxes, "classes": classes, "regions": regions}


def _is_number(value: Any) -> TypeGuard[int | float]:
    return type(value) in (int, float) and math.isfinite(value)
