"""A generated world in the manner of NLVR: true and false sentences about pictures of three boxes with items."""

from weft.worlds.boxes.dataset import GRID, KINDS, MOST, DrawnBoxes, DrawnBoxesConfig
from weft.worlds.boxes.world import BOXES

__all__ = ["BOXES", "GRID", "KINDS", "MOST", "DrawnBoxes", "DrawnBoxesConfig"]
