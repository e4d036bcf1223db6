"""A generated world of NLVR's kind: sentences about three boxes of drawn items, true and false."""

from weft.worlds.boxes.dataset import GRID, KINDS, MOST, DrawnBoxes, DrawnBoxesConfig
from weft.worlds.boxes.world import BOXES

__all__ = ["BOXES", "GRID", "KINDS", "MOST", "DrawnBoxes", "DrawnBoxesConfig"]
