"""Build, extend, shrink or verify the index that `weft search` and `weft serve` use.

weft index build RUN [--data PATH] [--split SPLIT] [--stream STREAM] [--kind KIND] [--metadata COLUMN] [--out FOLDER]
weft index add RUN [FILE ...] [--data PATH] [--metadata COLUMN] [--index FOLDER]
weft index remove RUN ID ...
weft index verify RUN

Entries can be added and removed while others search, also by a server; each command is durable when it returns.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import tyro

from weft.commands._help import print_doc
from weft.commands._outputs import check_kept, check_output, files_of
from weft.commands._parsing import Trusting, parse
from weft.core.errors import WeftError, brief, unknown_name
from weft.core.language import say
from weft.core.text import counted

if TYPE_CHECKING:
    from weft.index import Index, Kind
    from weft.runs.run import Run


@dataclass(frozen=True)
class BuildArguments(Trusting):
    """The run, the rows and the stream to index."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    data: Path | None = None
    """Data to index: a file or folder in any known format. Default: the data of the recipe."""
    split: str | None = None
    """Split to index. Default: the test split of the recipe, or all rows with --data."""
    stream: str | None = None
    """Stream to index, such as image or text. Default: the first image stream."""
    kind: str | None = None
    """Kind of index. flat compares every vector, ivf and hnsw use faiss, int8 is for millions of entries. Default: flat
    for few entries, hnsw for many."""
    metadata: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Columns for filtering a search. Default: short columns of categories, numbers and dates."""
    cutoff: bool = True
    """If true, estimate the score above which a result counts as found. This uses queries from the recipe's rows and
    nonsense queries."""
    out: Path | None = None
    """Folder of the index. Default: RUN/index."""


@dataclass(frozen=True)
class AddArguments(Trusting):
    """The run whose model embeds, and what to add."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    files: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Files to add. The file name is the id. Of a file that the index already holds, only the vector is replaced."""
    data: Path | None = None
    """Rows with metadata to add, instead of files."""
    metadata: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Columns for filtering a search. Default: the columns that the index already has."""
    index: Path | None = None
    """Folder of the index. Default: RUN/index."""


@dataclass(frozen=True)
class RemoveArguments:
    """The entries to remove."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory, or the folder of an index."""
    ids: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Ids of the entries to remove, as `weft search` prints them. Unknown ids are an error, after the others are
    removed."""


@dataclass(frozen=True)
class VerifyArguments:
    """The index to verify."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory, or the folder of an index."""


def main(words: list[str]) -> None:
    """Runs one of the actions."""
    actions = {"build": _build, "add": _add, "remove": _remove, "verify": _verify}
    if not words or words[0] in ("-h", "--help"):
        print_doc(__doc__)
        return
    if words[0] not in actions:
        raise unknown_name("action of 'weft index'", words[0], actions)
    actions[words[0]](words[1:])


def _build(words: list[str]) -> None:
    arguments = parse(BuildArguments, words, "weft index build")
    from weft.index.database import FILE
    from weft.runs.indexing import index_rows
    from weft.runs.own_columns import on_new_files
    from weft.runs.parts import open_split
    from weft.runs.run import load
    from weft.runs.searching import INDEX

    folder = arguments.out or arguments.run / INDEX
    otherwise = "" if arguments.out else "--out FOLDER names another place"
    check_output(folder / FILE, [arguments.data], otherwise)
    run = load(arguments.run, trust=arguments.trust)
    check_kept(folder / FILE, files_of(run.recipe))
    recipe = run.recipe if arguments.data is None else on_new_files(run.recipe, arguments.data)
    split = arguments.split or (run.recipe.data.test if arguments.data is None else None)
    with index_rows(
        run,
        open_split(recipe, split),
        folder,
        stream=arguments.stream,
        kind=cast("Kind | None", arguments.kind),
        metadata=arguments.metadata or None,
        errors=recipe.data.errors,
    ) as index:
        finish_built(run, index, split=split, cutoff=arguments.cutoff)


def finish_built(
    run: "Run", index: "Index", *, split: str | None = None, cutoff: bool = True
) -> None:
    """Prints a sentence about a new index. split: the indexed split; None: all rows. cutoff: whether to calibrate its
    cut-offs and print a line on each."""
    from weft.runs.cutoffs import calibrate

    entries = counted(len(index), "entry", "entries")
    print(say(f"{entries} of stream '{index.stream}' indexed ({index.kind}): {index.folder}"))
    if split is not None:
        print(
            say(
                f"a search finds only rows of the split '{split}'; to index all rows of a data set: "
                f"weft index build {run.folder} --data PATH"
            )
        )
    for line in calibrate(run, index) if cutoff else ():
        print(line)


def _add(words: list[str]) -> None:
    arguments = parse(AddArguments, words, "weft index add")
    from weft.runs.indexing import add_files, add_rows
    from weft.runs.new_rows import rows_like
    from weft.runs.run import load
    from weft.runs.searching import INDEX, open_index

    if bool(arguments.files) == (arguments.data is not None):
        raise WeftError("got neither files nor --data PATH, or both, expected one of them")
    run = load(arguments.run, trust=arguments.trust)
    with open_index(run, arguments.index or arguments.run / INDEX) as index:
        if arguments.data is None:
            changed = add_files(run, index, arguments.files)
        else:
            rows = rows_like(run.recipe, arguments.data)
            changed = add_rows(run, index, rows, arguments.metadata or None)
        index.refresh()
        print(say(f"{changed.added} added, {changed.replaced} replaced: {index.folder}"))


def _remove(words: list[str]) -> None:
    arguments = parse(RemoveArguments, words, "weft index remove")
    if not arguments.ids:
        raise WeftError("weft index remove needs the id of an entry, or several")
    from weft.index import Index
    from weft.runs.indexing import folder_of

    with Index.open(folder_of(arguments.run)) as index:
        ids = dict.fromkeys(arguments.ids)
        unknown = [brief(name) for name in ids if index.entry(name) is None]
        removed = index.remove(ids)
        print(say(f"{removed} removed: {index.folder}"))
        if unknown:
            raise WeftError(f"{index.folder}: holds no entry {', '.join(unknown)}")


def _verify(words: list[str]) -> None:
    arguments = parse(VerifyArguments, words, "weft index verify")
    from weft.index import Index
    from weft.runs.indexing import folder_of

    with Index.open(folder_of(arguments.run)) as index:
        findings = index.verify()
        print(findings)
        if not findings.whole:
            raise WeftError(
                f"{index.folder}: is incomplete; build it again with: weft index build RUN"
            )
