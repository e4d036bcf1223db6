"""Run the whole pipeline offline in minutes: generate data, check, pretrain, fine-tune, evaluate, report."""

from dataclasses import dataclass

from weft.commands._demo_plan import Wanted
from weft.commands._parsing import parse


@dataclass(frozen=True)
class Arguments(Wanted):
    """How long the demo takes, and its folder."""


def main(words: list[str]) -> None:
    """Runs all stages, then prints tables and the path of the report."""
    arguments = parse(Arguments, words, "weft demo")
    from weft.commands._demo import run

    run(arguments)
