"""Values that an option cannot have: the message names the types that it takes."""

from dataclasses import dataclass
from typing import Literal

import pytest

from weft.commands._parsing import parse
from weft.core.errors import WeftError


@dataclass(frozen=True)
class Options:
    """An option of each form of type."""

    pair: tuple[float, float] | None = None
    mixed: tuple[str, int] | None = None
    many: tuple[int, ...] | None = None
    either: int | Literal["auto", "all"] = "auto"
    one_or_two: tuple[int, int] | int = 1
    table: dict[str, int] | None = None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--pair 1", "--pair is '1', expected 2 numbers"),
        ("--mixed a b", "--mixed is 'a', 'b', expected 2 values"),
        ("--many 1 x", "--many is '1', 'x', expected whole numbers"),
        ("--either some", "--either is 'some', expected a whole number or auto or all"),
        ("--one-or-two x", "--one-or-two is 'x', expected 2 whole numbers or a whole number"),
        ("--table a x", "--table is 'a', 'x', expected values"),
        ("--either", "--either needs a value"),
    ],
)
def test_the_expected_type_is_named(words: str, said: str) -> None:
    with pytest.raises(WeftError) as refused:
        parse(Options, words.split(), "weft")
    assert str(refused.value) == said
