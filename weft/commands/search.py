"""Search a run's index with a sentence, a picture or another input."""

import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.cells import cell_len, set_cell_size

from weft.commands._outputs import check_output, files_of
from weft.commands._own_input import OwnInput, options
from weft.commands._parsing import Trusting, parse
from weft.commands._where import parsed_where
from weft.commands.index import finish_built
from weft.core.errors import WeftError
from weft.core.language import say

if TYPE_CHECKING:
    from weft.index import Hit


@dataclass(frozen=True)
class Arguments(OwnInput, Trusting):
    """The query, one input, and the index."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    k: int = 5
    """Number of results to print."""
    index: Path | None = None
    """Folder of an index that `weft index build` wrote. Default: RUN/index. If RUN/index is missing, it is built from
    the test rows."""
    where: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Filter on metadata, as COLUMN=VALUE. If a column is given twice, either value matches. Numbers and dates may be a
    range such as 2019..2021."""
    out: Path | None = None
    """HTML file for the results, with pictures."""
    open: bool = False
    """If true, open the result page in the browser. The page is RUN/search.html if --out is not given."""


def main(words: list[str]) -> None:
    """Prints the nearest entries, best first."""
    arguments = parse(Arguments, words, "weft search")
    if arguments.k < 1:
        raise WeftError(f"--k is {arguments.k}, expected 1 or more")
    from weft.index.database import FILE
    from weft.runs.indexing import index_rows, indexed_stream
    from weft.runs.parts import open_split
    from weft.runs.run import load
    from weft.runs.searching import INDEX, open_index

    folder = arguments.index or arguments.run / INDEX
    run = load(arguments.run, trust=arguments.trust)
    indexed_stream(run)
    if arguments.out is not None:
        check_output(arguments.out, [*arguments.files, *files_of(run.recipe)])
    query = arguments.chosen(run, run.streams)
    if len(query) != 1:
        known = ", ".join(options(run, run.streams).values())
        raise WeftError(f"got {len(query)} queries, expected one of {known}")
    if not (folder / FILE).exists():
        if arguments.index is not None:
            raise WeftError(
                f"{folder}: holds no index; build one with: weft index build {arguments.run}"
            )
        split = run.recipe.data.test
        with index_rows(run, open_split(run.recipe, split), folder) as made:
            finish_built(run, made, split=split)
    page = arguments.out or (arguments.run / "search.html" if arguments.open else None)
    with open_index(run, folder) as index:
        where = parsed_where(arguments.where, index.columns())
        hits = run.search(index, arguments.k, where=where, **query)[0]
        _show(hits)
        if page is not None:
            from weft.commands._searching import write_page

            write_page(page, run, index, query, hits)
            print(say(f"page: {page}"))
    if page is not None and arguments.open:
        webbrowser.open(page.absolute().as_uri())


def _show(hits: list["Hit"]) -> None:
    """Prints one line per hit, in columns. Lines are not wrapped, so that paths can be copied or piped."""
    if not hits:
        print(say("nothing found: no entry passes the filters"))
        return
    print(say("score  id  where"))
    width = max((cell_len(hit.id) for hit in hits), default=0)
    for hit in hits:
        print(f"{hit.score:.3f}  {set_cell_size(hit.id, width)}  {hit.source}")
