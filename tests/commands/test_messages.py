"""Values that an option cannot have: the message names the types that it takes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest
import tyro
from tiny_runs import refused

from weft.commands._parsing import parse
from weft.core.errors import WeftError
from weft.core.language import say, speaking


@dataclass(frozen=True)
class Options:
    """An option of each form of type."""

    pair: tuple[float, float] | None = None
    mixed: tuple[str, int] | None = None
    many: tuple[int, ...] | None = None
    either: int | Literal["auto", "all"] = "auto"
    one_or_two: tuple[int, int] | int = 1
    table: dict[str, int] | None = None
    betas: tuple[float, float] = (0.9, 0.999)
    named: tuple[str, int] = ("a", 1)


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
        ("--pair", "--pair needs 2 numbers"),
        ("--one-or-two", "--one-or-two needs 2 whole numbers or a whole number"),
        ("--betas 0.9", "--betas needs 2 values"),
        ("--betas 0.9 x", "--betas is '0.9', 'x', expected 2 numbers"),
        ("--named a x", "--named is 'a', 'x', expected 2 values"),
    ],
)
def test_the_expected_type_is_named(words: str, said: str) -> None:
    with pytest.raises(WeftError) as refused:
        parse(Options, words.split(), "weft")
    assert str(refused.value) == said
    with speaking("zh"):
        assert set("应需") & set(say(said))


@dataclass(frozen=True)
class Places:
    """Arguments that are required, and some that are not."""

    run: Annotated[Path, tyro.conf.Positional]
    out: Annotated[Path, tyro.conf.Positional]
    to: str
    rows_of: int
    ids: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    more: str = "x"


@pytest.mark.parametrize(
    ("words", "needs"),
    [
        ("", "RUN, OUT, --to TO, --rows-of N"),
        ("a", "OUT, --to TO, --rows-of N"),
        ("a b --rows-of 2", "--to TO"),
        ("--to x --rows-of 2 a", "OUT"),
    ],
)
def test_missing_arguments_are_named_as_in_the_help(
    words: str, needs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(WeftError) as missing:
        parse(Places, words.split(), "weft")
    assert str(missing.value) == f"weft needs {needs}; weft --help says more"
    with pytest.raises(SystemExit):
        parse(Places, ["--help"], "weft")
    shown = capsys.readouterr().out
    assert all(f"  {name}" in shown for name in needs.split(", "))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("a --too x", "unknown option --too; did you mean --to?"),  # and not: needs OUT, --to TO
        ("a b --to x --rows_off 2", "unknown option --rows_off; did you mean --rows-of?"),
        ("a b --to x --rows_of 2 --k 3", "unknown option --k"),  # no option is like it
        ("a b --rows_of 2", "weft needs --to TO; weft --help says more"),
    ],
)
def test_an_unknown_flag_is_named_before_what_is_missing(words: str, said: str) -> None:
    with pytest.raises(WeftError) as refused:
        parse(Places, words.split(), "weft")
    assert str(refused.value) == said


def test_arguments_of_which_there_may_be_none_are_not_required() -> None:
    assert "weft index remove needs RUN; " in refused("index", "remove")
