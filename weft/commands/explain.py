"""Show which parts of the input a run's answers depend on, for your own input or for rows of a split.

weft explain RUN --image FILE --text "..."      explains the answer for this input
weft explain RUN [--rows N] [--deletion N]      explains rows of a split, and runs the deletion test
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._outputs import check_kept, check_output, files_of
from weft.commands._own_input import OwnInput
from weft.commands._parsing import Trusting, parse
from weft.core.errors import WeftError
from weft.core.files import write_text
from weft.core.language import say
from weft.explain.method import Method


@dataclass(frozen=True)
class Arguments(OwnInput, Trusting):
    """The run, the input and the method of explanation."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    head: str | None = None
    """Head whose decision is explained. Default: the first head. In a model without heads, the similarity of the two
    given streams is explained, and for rows of a split that of every two streams."""
    method: Method = "auto"
    """Method of explanation. relevance: gradient x attention. rollout: attention only. occlusion: deletes parts one by
    one, works for any model. auto: relevance for streams read by attention, occlusion for the others."""
    rows: int = 8
    """Number of rows to explain if no input is given. They are sampled at random from the split."""
    deletion: int = 100
    """Number of rows in the deletion test. 0 skips the test."""
    data: Path | None = None
    """Data to use instead of the recipe's own: a file or folder in any known format."""
    split: str | None = None
    """Split from which the rows are sampled. Default: the test split of the recipe."""
    seed: int = 0
    """Random seed for sampling the rows."""
    out: Path | None = None
    """File for the HTML page. Default: RUN/explanation.html for your own input, RUN/explanations.html for rows of a
    split."""


def main(words: list[str]) -> None:
    """Prints the most important parts of each input, and writes a page with pictures."""
    arguments = parse(Arguments, words, "weft explain")
    if arguments.rows < 0 or arguments.deletion < 0:
        raise WeftError("--rows and --deletion are numbers of rows, expected 0 or more")
    own = arguments.given
    path = arguments.out or arguments.run / f"explanation{'' if own else 's'}.html"
    otherwise = "" if arguments.out else "--out FILE names another place"
    check_output(path, [arguments.data, *arguments.files], otherwise)
    from weft.commands._explaining import drawn, of_deletion, of_own_input, of_rows
    from weft.report import html
    from weft.runs.run import load

    run = load(arguments.run, trust=arguments.trust)
    check_kept(path, files_of(run.recipe))
    method, head = arguments.method, arguments.head
    if own:
        sections = of_own_input(run, arguments, method, head)
    else:
        most = max(arguments.rows, arguments.deletion)
        rows = drawn(run, arguments.data, arguments.split, most, arguments.seed)
        sections = [
            *of_deletion(run, rows[: arguments.deletion], method, head),
            *of_rows(run, rows[: arguments.rows], method, head),
        ]
    write_text(path, html.page(f"Explanations: {arguments.run.resolve().name}", sections))
    print(say(f"page: {path}"))
