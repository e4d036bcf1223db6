"""The data card: the findings of `weft data check`, as a page and as JSON."""

from collections.abc import Sequence
from pathlib import Path

from weft.core.files import write_text
from weft.core.kinds import NOUNS, Kind
from weft.core.language import say
from weft.core.text import counted
from weft.data.prepare.report import (
    DataReport,
    Histogram,
    Listing,
    Pair,
    Problem,
    Recordings,
    SplitCounts,
    split_words,
)
from weft.report import charts, html

OPEN_ROWS, SHOWN_ROWS = 10, 50
OPEN_PAIRS, SHOWN_PAIRS = 4, 24
"""Number of rows and pairs shown unfolded, and in total."""

SOUND = "Every row could be read, and none looks wrong."
NO_DUPLICATES = "No duplicates were found."
NO_LEAKS = "No duplicates were found, and the splits share no rows."
RATES: dict[Kind, str] = {"audio": "samples a second", "video": "frames a second"}
ALTERNATIVES = "alternatives of "


def write_card(report: DataReport, folder: Path | str) -> Path:
    """Writes card.html (self-contained) and card.json into `folder`; returns the page's path."""
    folder = Path(folder)
    page = folder / "card.html"
    title = f"Data card: {report.name}"
    write_text(page, html.page(title, [_lead(report), *card_sections(report)]))
    report.save(folder / "card.json")
    return page


def card_sections(report: DataReport) -> list[html.Html]:
    """Returns the card's sections, for use in another page."""
    sections = [_overview(report)]
    if report.shown:
        sections.append(html.section("Contact sheet", html.grid(_sheet(report), width=80)))
    sections += [_health(report), _leakage(report)]
    if report.captions.total:
        sections.append(_captions(report))
    seconds = [name for name in report.histograms if name.startswith("seconds a")]
    if report.recordings:
        parts = [_recordings(report), *_histograms(report, seconds)]
        sections.append(html.section("Sounds and videos", *parts))
    others = {*seconds, *_text_lengths(report)}
    sizes = [name for name in report.histograms if name not in others]
    if sizes:
        parts = [*_metadata(report), *_histograms(report, sizes)]
        sections.append(html.section("Pictures", *parts))
    return sections


def _lead(report: DataReport) -> html.Html:
    """Summarises the data, their state and the cautions."""
    counts = {what: count for what, count in report.counts(report.total).items() if count}
    holds = ", ".join(f"{count:,} {what}" for what, count in counts.items())
    state = [phrase for phrase, _ in _bad(report)]
    careful = _cautions(report)
    unsuspicious = NO_LEAKS if len(report.splits) > 1 else NO_DUPLICATES
    return html.lead(
        [
            ("Content", f"{holds}, {_division(report)}.", False),
            ("Condition", f"{'; '.join(state)}." if state else SOUND, bool(state)),
            ("Be careful", " ".join(careful) or unsuspicious, bool(careful)),
        ]
    )


def _division(report: DataReport) -> str:
    """How the rows are divided into splits, as the end of a sentence."""
    if report.undivided:
        return "not divided into splits"
    if len(report.splits) == 1:
        return f"all in the split {next(iter(report.splits))}"
    rows = ", ".join(f"{name} {counted.rows:,}" for name, counted in report.splits.items())
    return f"in the splits: {rows}"


def _cautions(report: DataReport) -> list[str]:
    """Lists facts that may distort a measurement."""
    found = []
    if report.leaks:
        found.append(
            f"The splits share rows (leaks: {report.leaks:,}): scores on one of them may be too high."
        )
    within = report.exact.total + report.near.total - report.exact.leaking - report.near.leaking
    if within > 0:
        found.append(f"Pairs of rows that are equal or nearly equal within a split: {within:,}.")
    if report.metadata:
        found.append(
            "The picture files contain metadata, such as the place where a picture was taken."
        )
    return found


def _sheet(report: DataReport) -> list[html.Html]:
    found = (report.thumbnails.get(place) for place in report.shown)
    return [html.figure(thumbnail, width=80) for thumbnail in found if thumbnail is not None]


def _overview(report: DataReport) -> html.Html:
    rows: list[tuple[str, SplitCounts]] = [] if report.undivided else [*report.splits.items()]
    if len(rows) != 1:
        rows.append(("all", report.total))
    counts = html.table(
        ["split", *report.counts(report.total)],
        [[split_words(name), *report.counts(counted).values()] for name, counted in rows],
    )
    columns = html.table(
        ["column", "holds", "rows", "share"],
        [
            [name, _kinds(column.kinds), column.rows, _percent(column.rows, report.total.rows)]
            for name, column in report.columns.items()
        ],
        caption="Columns",
    )
    tiles = html.tiles(
        {
            "rows": report.total.rows,
            "unreadable": report.corrupt_total,
            "suspicious": report.suspicious_total,
            "exact duplicates": report.exact.total,
            "near duplicates": report.near.total,
        }
        | ({"leaks between splits": report.leaks} if len(report.splits) > 1 else {})
    )
    return html.section("Overview", tiles, html.row(counts, columns))


def _bad(report: DataReport) -> list[tuple[str, html.Html]]:
    """Of what cannot be read and of what looks wrong, if there is any: how many, and their table."""
    found = []
    if total := report.corrupt_total:
        what = counted(total, "row or value", "rows or values")
        found.append((f"{what} cannot be read", _problems(report.corrupt, total)))
    if total := report.suspicious_total:
        what = counted(total, "row or value looks", "rows or values look")
        found.append((f"{what} wrong", _problems(report.suspicious, total)))
    if total := report.conflicts_total:
        what = counted(total, "duplicate has", "duplicates have")
        found.append((f"{what} another label", _problems(report.conflicts, total)))
    return found


def _health(report: DataReport) -> html.Html:
    parts: list[html.Html] = []
    for phrase, problems in _bad(report):
        parts += [html.notice(f"{phrase}.", warning=True), problems]
    return html.section("Health", *(parts or [html.notice(SOUND)]))


def _leakage(report: DataReport) -> html.Html:
    parts: list[html.Html] = []
    if report.undivided:
        line = "The rows are not divided into splits, so nothing can leak between them."
        parts.append(html.paragraph(line))
    elif len(report.splits) < 2:
        parts.append(html.paragraph("There is only one split, so nothing can leak between splits."))
    elif report.leaks:
        parts.append(
            html.notice(
                f"The splits overlap: {report.shared_groups:,} shared groups, {report.exact.leaking:,} pairs of "
                f"rows with equal {_media(report)} and {report.near.leaking:,} with nearly equal ones in different "
                "splits.",
                warning=True,
            )
        )
    else:
        parts.append(html.notice(f"No groups and no {_media(report)} are in two splits."))
    if report.corrupt_total and len(report.splits) > 1:
        line = f"Not compared, since they cannot be read: {counted(report.corrupt_total, 'row')}."
        parts.append(html.notice(line, warning=True))
    if report.shared_groups:
        names = "\n".join(report.shared_group_names[:SHOWN_ROWS])
        parts.append(html.details("Groups in more than one split", html.code(names)))
    parts += _pairs("Exact duplicates", report.exact, report)
    parts += _pairs("Near duplicates", report.near, report)
    return html.section("Duplicates and leakage", *parts)


def _media(report: DataReport) -> str:
    """Names the kinds of media that are compared with each other."""
    return ", ".join(f"{NOUNS[kind]}s" for kind in report.total.media) or "pictures"


def _pairs(title: str, listing: Listing, report: DataReport) -> list[html.Html]:
    if not listing.total:
        return []
    shown = listing.pairs[:SHOWN_PAIRS]
    figures = [_pair_figure(pair, report) for pair in shown]
    first, rest = figures[:OPEN_PAIRS], figures[OPEN_PAIRS:]
    parts = [html.heading(f"{title}: {listing.total:,}"), html.grid(first, width=250)]
    if rest:
        parts.append(html.details(counted(len(rest), "more pair"), html.grid(rest, width=250)))
    if listing.total > len(shown):
        rows: list[list[html.Cell]] = [
            [*pair.ids, *pair.splits, pair.similarity] for pair in listing.pairs[:1000]
        ]
        header = ["first", "second", "split", "split", "similarity"]
        parts.append(html.details("As a table", html.table(header, rows)))
    return parts


def _pair_figure(pair: Pair, report: DataReport) -> html.Html:
    places = zip(pair.rows, pair.columns, strict=True)
    made = [report.thumbnails[place] for place in places if place in report.thumbnails]
    pictures = [html.figure(thumbnail, width=132) for thumbnail in made]
    where = f"{pair.splits[0]} and {pair.splits[1]}" if pair.crosses else pair.splits[0]
    details = [] if report.undivided else [where]
    details.append(" and ".join(dict.fromkeys(pair.columns)))
    if pair.similarity < 1:
        details.append(f"similarity {pair.similarity:.2f}, {pair.distance} of 64 bits differ")
    if pair.turn:
        details.append(pair.turn)
    return html.side_by_side(pictures, "\n".join([", ".join(details), *pair.ids]))


def _text_lengths(report: DataReport) -> list[str]:
    return [name for name in report.histograms if name.endswith(f" a {report.captions.called}")]


def _captions(report: DataReport) -> html.Html:
    facts = report.captions
    called = f"{facts.called}s"
    rows: list[tuple[str, int]] = [
        (called, facts.total),
        ("different words, case ignored", facts.vocabulary),
        ("without words", facts.empty),
        ("too long", facts.long),
        ("repeated (case, punctuation and spaces ignored)", facts.repeated),
    ]
    if len(report.splits) > 1:
        rows.append(("also in another split", facts.across_splits))
    languages = [(say(name), float(count)) for name, count in list(facts.languages.items())[:8]]
    per_row = [
        (say(f"{count} a row"), float(rows)) for count, rows in list(facts.per_row.items())[:8]
    ]
    return html.section(
        called.capitalize(),
        html.table(["", "number"], [[say(name), count] for name, count in rows]),
        *_histograms(
            report,
            _text_lengths(report),
            charts.bar_chart(languages, "Language (a hint)", called),
            charts.bar_chart(per_row, f"{called.capitalize()} a row", "rows"),
        ),
    )


def lengths(of: Recordings) -> str:
    """Describes the lengths in words."""
    return (
        f"{of.shortest:.2f} s to {of.longest:.2f} s, median {of.median:.2f} s, "
        f"{of.total / 3600:.2f} h together"
    )


def _recordings(report: DataReport) -> html.Html:
    header = [
        "",
        "shortest, s",
        "median, s",
        "longest, s",
        "together, h",
        "rates",
        "channels of sound",
    ]
    return html.table(
        header,
        [
            [
                f"{NOUNS[kind]}s",
                *(round(seconds, 2) for seconds in (of.shortest, of.median, of.longest)),
                round(of.total / 3600, 2),
                f"{_kinds(of.rates)} {RATES[kind]}",
                _kinds(of.channels),
            ]
            for kind, of in report.recordings.items()
        ],
    )


def _metadata(report: DataReport) -> list[html.Html]:
    if not report.metadata:
        return []
    found = ", ".join(f"{kind} of {count:,}" for kind, count in report.metadata.items())
    return [html.notice(f"The picture files contain metadata: {found}.", warning=True)]


def _histograms(report: DataReport, names: Sequence[str], *others: html.Html) -> list[html.Html]:
    """Describes constant quantities in sentences, and draws charts of the others, with further charts beside them."""
    found = {name: report.histograms[name] for name in names}
    equal = [name for name, one in found.items() if len(one.edges) == 2]
    lines = [f"{_label(name)}: {sum(found[name].edges) / 2:g} everywhere." for name in equal]
    drawn = [_histogram(name, one) for name, one in found.items() if name not in equal]
    return [*map(html.paragraph, lines), html.row(*drawn, *others)]


def _histogram(name: str, found: Histogram) -> html.Html:
    counts = {split: series for split, series in found.counts.items() if any(series)}
    return charts.histogram(counts, found.edges, _label(name), name)


def _label(name: str) -> str:
    return name[:1].upper() + name[1:]


def _problems(problems: Sequence[Problem], total: int) -> html.Html:
    rows = [[problem.id or "–", problem.source, problem.reason] for problem in problems]
    header = ["id", "where", "what"]
    return html.folded_table(header, rows, OPEN_ROWS, f"{len(rows):,} of {total:,} by name")


def _kinds(kinds: dict[str, int]) -> str:
    said = {_kind(kind): count for kind, count in kinds.items()}
    if len(said) == 1:
        return next(iter(said))
    return ", ".join(f"{kind} ({count:,})" for kind, count in said.items())


def _kind(kind: str) -> str:
    """Describes in words what a column holds."""
    several = kind.removeprefix(ALTERNATIVES)
    return say(kind if several == kind else f"several {several}s")


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.1f} %"
