"""Run the whole pipeline offline in minutes: generate data, check, pretrain, fine-tune, evaluate, report."""

from weft.commands._demo_plan import Arguments
from weft.commands._parsing import parse


def main(words: list[str]) -> None:
    """Runs all stages, then prints tables and the path of the report."""
    arguments = parse(Arguments, words, "weft demo")
    from weft.commands._demo import run

    run(arguments)
