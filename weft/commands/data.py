"""Check a data set and write its card, or clean, split and shard it.

weft data check PATH [--out DIR] [--mismatches RUN] [--novelty RUN] [--SETTING VALUE ...]
weft data prepare PATH --out DIR [--SETTING VALUE ...]

--engine chooses what distributes the work: processes (on this machine, the default), daft (on this machine)
or ray (daft on the Ray cluster at RAY_ADDRESS, whose machines share the storage). The output is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._anomalies import searches_of
from weft.commands._help import print_doc
from weft.commands._outputs import check_output
from weft.commands._own_data import OwnData, OwnLabels
from weft.commands._parsing import Trusting, parse
from weft.core.errors import DataError, WeftError, unknown_name
from weft.core.kinds import NOUNS
from weft.core.language import say
from weft.core.text import counted
from weft.data.formats import Dataset, Said, columns_of, open_dataset
from weft.data.prepare.check import CheckConfig, check
from weft.data.prepare.plan import PrepareConfig
from weft.data.prepare.prepare import prepare
from weft.data.prepare.report import DataReport, Problem, SplitCounts, split_words
from weft.data.schema import infer, labels_of, require_files, texts_of
from weft.report.card import RATES, lengths, write_card


@dataclass(frozen=True)
class CheckArguments(OwnLabels, Trusting):
    """The data to check, and the settings of the check."""

    path: Annotated[Path, tyro.conf.Positional]
    """A file or folder in any known format."""
    config: Annotated[CheckConfig, tyro.conf.arg(name="")] = field(default_factory=CheckConfig)
    format: str | None = None
    """Name of the data format. Detected if not given."""
    out: Path | None = None
    """Folder for card.html and card.json. Default: runs/NAME-card."""
    mismatches: Path | None = None
    """Run that embeds two of the columns, such as pictures and captions. It finds rows whose two values do not match
    and writes them to mismatches.csv beside the card."""
    novelty: Path | None = None
    """Run with any model. It finds rows that are unlike its training rows and writes them to novelty.csv beside the
    card."""
    false_alarms: float | None = None
    """False alarm rate of --mismatches and --novelty: the share of matching pairs, or of rows like the training rows,
    that may be reported by mistake. Default: 0.05."""


@dataclass(frozen=True)
class PrepareArguments(OwnData):
    """The data to prepare, and the settings of the preparation."""

    path: Annotated[Path, tyro.conf.Positional]
    """A file or folder in any known format."""
    out: Path
    """Folder for the shards, the data card and the list of dropped rows. An interrupted preparation is resumed."""
    config: Annotated[PrepareConfig, tyro.conf.arg(name="")] = field(default_factory=PrepareConfig)
    format: str | None = None
    """Name of the data format. Detected if not given."""


def main(words: list[str]) -> None:
    """Runs `check` or `prepare`."""
    actions = {"check": _check, "prepare": _prepare}
    if not words or words[0] in ("-h", "--help"):
        print_doc(__doc__)
        return
    if words[0] not in actions:
        raise unknown_name("action of 'weft data'", words[0], actions)
    actions[words[0]](words[1:])


def _check(words: list[str]) -> None:
    arguments = parse(CheckArguments, words, "weft data check")
    said = arguments.said(arguments.path)
    path = arguments.path.resolve()  # the path "." has no name
    out = arguments.out or Path("runs") / f"{path.stem}-card"
    written = ["card.html", "card.json"]
    for found, run in (("mismatches", arguments.mismatches), ("novelty", arguments.novelty)):
        written += [] if run is None else [f"{found}.csv", f"{found}.html"]
    for name in written:
        check_output(out / name, [path])
    searches = searches_of(
        arguments.path,
        said,
        arguments.mismatches,
        arguments.novelty,
        arguments.false_alarms,
        arguments.trust,
    )
    dataset, bad = _open(arguments.path, arguments.format, said)
    schema = infer(dataset, said.columns, said.merge)
    print(schema)
    for item, folder in columns_of(dataset).sought.items():
        print(say(f"the folder of the files of '{item}' is {folder}"))
    report = check(
        dataset,
        arguments.config,
        name=path.name,
        texts=texts_of(schema),
        labels=labels_of(schema),
        row_errors=bad,
        progress=True,
    )
    _summary(report)
    print(say(f"data card: {write_card(report, out)}"))
    for search in searches:
        search(out)
    if report.corrupt_total - len(bad) == report.total.rows:
        first = next(problem for problem in report.corrupt if problem.row >= 0)
        raise WeftError(f"{first.source}: {first.reason}; no row of {arguments.path} can be used")
    require_files(schema, arguments.path)


def _prepare(words: list[str]) -> None:
    arguments = parse(PrepareArguments, words, "weft data prepare")
    dataset, bad = _open(arguments.path, arguments.format, arguments.said(arguments.path))
    result = prepare(
        dataset,
        arguments.out,
        arguments.config,
        name=arguments.path.resolve().name,
        row_errors=bad,
        card=write_card,
        progress=True,
    )
    rows, shards = counted(result.rows_in, "row"), counted(len(result.shards), "shard")
    print(say(f"{rows} in, {result.rows_out:,} out, {shards}"))
    for reason, count in result.dropped.items():
        print(f"  {say(f'dropped, {reason}: {count:,}')}")
    for split, count in result.splits.items():
        print(f"  {split}: {say(counted(count, 'row'))}")
    if result.metadata:
        done = "kept" if arguments.config.keep_metadata else "removed"
        print(f"  {say(f'metadata of pictures, {done}: {_kinds(result.metadata)}')}")
    print(say(f"written: {result.out}"))


def _open(path: Path, format_name: str | None, said: Said) -> tuple[Dataset, list[DataError]]:
    """The readable rows, and an error for each unreadable one."""
    bad: list[DataError] = []
    return open_dataset(path, format=format_name, said=said, on_error=bad.append), bad


def _summary(report: DataReport) -> None:
    total = report.counts(report.total).items()
    print(f"{report.name}: {', '.join(say(f'{count:,} {what}') for what, count in total)}")
    for name, counts in report.splits.items():
        print(f"  {split_words(name)}: {_rows_and_captions(counts, report.captions.called)}")
    print(f"  {say(f'cannot be used: {report.corrupt_total:,}')}")
    _list(report.corrupt)
    print(f"  {say(f'suspicious: {report.suspicious_total:,}')}")
    _list(report.suspicious)
    for kind, of in report.recordings.items():
        print(f"  {say(f'{NOUNS[kind]}s: {lengths(of)}')}")
        print(
            f"    {say(f'{RATES[kind]}: {_counts(of.rates)}; channels of sound: {_counts(of.channels)}')}"
        )
    videos = [
        name for name, column in report.columns.items() if any("video" in k for k in column.kinds)
    ]
    if (
        videos
        and "audio" not in report.recordings
        and "video" in report.recordings
        and set(report.recordings["video"].channels) - {"0"}
    ):
        print(
            f"  {say(f'--columns audio={videos[0]} also reads the sound tracks of these videos')}"
        )
    if report.metadata:
        print(f"  {say(f'metadata of pictures: {_kinds(report.metadata)}')}")
    exact, near = (counted(found.total, "pair") for found in (report.exact, report.near))
    print(f"  {say(f'exact duplicates: {exact}')}")
    print(f"  {say(f'near duplicates: {near}')}")
    if report.conflicts_total:
        rows = counted(report.conflicts_total, "row")
        print(f"  {say(f'WARNING: duplicates with different labels: {rows}')}")
        _list(report.conflicts)
    print(f"  {say(f'leaks between splits: {report.leaks:,}')}")


def _list(problems: Sequence[Problem]) -> None:
    """Prints a line for each of the first ten reasons, with the first three rows that it holds for."""
    sources: dict[str, list[str]] = {}
    for problem in problems:
        sources.setdefault(problem.reason, []).append(problem.source)
    for reason, found in list(sources.items())[:10]:
        more = ", ..." if len(found) > 3 else ""
        print(f"    {', '.join(found[:3])}{more}: {say(reason)}")


def _rows_and_captions(counts: SplitCounts, called: str) -> str:
    """Numbers of rows and texts of a split, in words. called: the noun for a text."""
    said = counted(counts.rows, "row"), counted(counts.captions, called)
    return ", ".join(map(say, said))


def _counts(shares: dict[str, int]) -> str:
    """The five most frequent ones, each with its count."""
    found = [f"{name} ({count:,})" for name, count in shares.items()]
    return ", ".join([*found[:5], *(["..."] if len(found) > 5 else [])])


def _kinds(metadata: dict[str, int]) -> str:
    return ", ".join(f"{kind} of {count:,}" for kind, count in metadata.items())
