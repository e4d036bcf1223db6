"""Sentences about a picture, each with the count that it states and the amount for which it is true."""

from collections.abc import Callable

from weft.worlds.boxes.box_statements import of_boxes, of_likeness, of_named_tower, of_sized_tower
from weft.worlds.boxes.item_statements import (
    Statement,
    of_all_items,
    of_block_on_block,
    of_end_of_towers,
    of_ends,
    of_items,
    of_placed_items,
)
from weft.worlds.boxes.words import weighed
from weft.worlds.boxes.world import Picture
from weft.worlds.scenes.world import Draws

Maker = Callable[[Draws, Picture], Statement]

_SCATTER: tuple[tuple[float, Maker], ...] = (
    (2.0, of_items),
    (5.0, of_placed_items),
    (0.3, of_all_items),
    (6.0, of_boxes),
    (0.15, of_likeness),
)

_TOWER: tuple[tuple[float, Maker], ...] = (
    (1.2, of_items),
    (1.6, of_ends),
    (0.3, of_end_of_towers),
    (1.2, of_block_on_block),
    (5.0, of_boxes),
    (0.8, of_named_tower),
    (0.8, of_sized_tower),
    (0.3, of_likeness),
)


def statement(draws: Draws, picture: Picture) -> Statement:
    """Samples a sentence that is often true for the picture."""
    made = weighed(draws, _TOWER if picture.kind == "tower" else _SCATTER)(draws, picture)
    return made._replace(text=_written(draws, made.text))


def _written(draws: Draws, text: str) -> str:
    """The text with occasional typing errors, as people make them, and with or without a full stop."""
    if draws.unit() < 0.06:
        words = text.split(" ")
        place = draws.below(len(words))
        slip = draws.below(3)
        word = words[place]
        if slip == 0 and len(word) > 3:
            cut = draws.below(len(word))
            words[place] = word[:cut] + word[cut + 1 :]
        elif slip == 1 and word in ("a", "the"):
            del words[place]
        elif len(word) > 3:
            swap = draws.below(len(word) - 1)
            words[place] = word[:swap] + word[swap + 1] + word[swap] + word[swap + 2 :]
        text = " ".join(words)
    return text[0].upper() + text[1:] + ("." if draws.unit() < 0.7 else "")
