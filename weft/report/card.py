"""The data card: what `weft data check` found, as a page and as JSON."""

from collections.abc import Sequence
from pathlib import Path

from weft.core.files import write_text
from weft.core.kinds import NOUNS
from weft.data.prepare.report import DataReport, Histogram, Listing, Pair, Problem, SplitCounts
from weft.report import charts, html

SHOWN_ROWS = 50
SHOWN_PAIRS = 24


def write_card(report: DataReport, folder: Path | str) -> Path:
    """Writes card.html (self-contained) and card.json into `folder`; returns the page's path."""
    folder = Path(folder)
    page = folder / "card.html"
    title = f"Data card: {report.name}"
    write_text(page, html.page(title, card_sections(report), _subtitle(report)))
    report.save(folder / "card.json")
    return page


def card_sections(report: DataReport) -> list[html.Html]:
    """The card's sections, for a page of one's own."""
    sections = [_overview(report), _health(report), _leakage(report)]
    if report.captions.total:
        sections.append(_captions(report))
    sizes = [name for name in report.histograms if "caption" not in name]
    if sizes:
        parts = [*_metadata(report), *_histograms(report, sizes)]
        sections.append(html.section("Pictures", *parts))
    if report.shown:
        sheet = [
            html.figure(report.thumbnails[place], width=96)
            for place in report.shown
            if place in report.thumbnails
        ]
        sections.append(html.section("Contact sheet", html.grid(sheet, width=96)))
    return sections


def _subtitle(report: DataReport) -> str:
    counts = {**report.counts(report.total), "splits": len(report.splits)}
    return " · ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _overview(report: DataReport) -> html.Html:
    rows: list[tuple[str, SplitCounts]] = list(report.splits.items())
    if len(rows) > 1:
        rows.append(("all", report.total))
    counts = html.table(
        ["split", *report.counts(report.total)],
        [[name, *report.counts(counted).values()] for name, counted in rows],
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
            "leaks between splits": report.leaks,
        }
    )
    return html.section("Overview", tiles, counts, columns)


def _health(report: DataReport) -> html.Html:
    if not report.corrupt_total and not report.suspicious_total:
        return html.section("Health", html.notice("Every row could be read, and none looks wrong."))
    parts: list[html.Html] = []
    for what, total, problems in (
        ("cannot be read", report.corrupt_total, report.corrupt),
        ("look wrong", report.suspicious_total, report.suspicious),
    ):
        if total:
            parts.append(html.notice(f"{total:,} rows or values {what}.", warning=True))
            parts.append(_problems(problems, total))
    return html.section("Health", *parts)


def _leakage(report: DataReport) -> html.Html:
    parts: list[html.Html] = []
    if len(report.splits) < 2:
        parts.append(html.paragraph("There is only one split, so nothing can leak between splits."))
    elif report.leaks:
        parts.append(
            html.notice(
                f"The splits touch each other: {report.shared_groups:,} shared groups, "
                f"{report.exact.leaking:,} pairs of rows with equal {_media(report)} and "
                f"{report.near.leaking:,} with nearly equal pictures in different splits.",
                warning=True,
            )
        )
    else:
        parts.append(html.notice(f"No groups and no {_media(report)} are in two splits."))
    if report.corrupt_total and len(report.splits) > 1:
        line = f"{report.corrupt_total:,} rows cannot be read, and were not compared."
        parts.append(html.notice(line, warning=True))
    if report.shared_groups:
        names = "\n".join(report.shared_group_names[:SHOWN_ROWS])
        parts.append(html.details("Groups in more than one split", html.code(names)))
    parts += _pairs("Exact duplicates", report.exact, report)
    parts += _pairs("Near duplicates", report.near, report)
    return html.section("Duplicates and leakage", *parts)


def _media(report: DataReport) -> str:
    """What of the data is compared with each other, in words."""
    return ", ".join(f"{NOUNS[kind]}s" for kind in report.total.media) or "pictures"


def _pairs(title: str, listing: Listing, report: DataReport) -> list[html.Html]:
    if not listing.total:
        return []
    shown = listing.pairs[:SHOWN_PAIRS]
    figures = [_pair_figure(pair, report) for pair in shown]
    parts = [html.heading(f"{title}: {listing.total:,}"), html.grid(figures, width=270)]
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
    details = [where, " and ".join(dict.fromkeys(pair.columns))]
    if pair.similarity < 1:
        details.append(f"similarity {pair.similarity:.2f}, {pair.distance} of 64 bits differ")
    if pair.turn:
        details.append(pair.turn)
    return html.side_by_side(pictures, "\n".join([", ".join(details), *pair.ids]))


def _captions(report: DataReport) -> html.Html:
    facts = report.captions
    rows: list[Sequence[html.Cell]] = [
        ["captions", facts.total],
        ["different words, case ignored", facts.vocabulary],
        ["without words", facts.empty],
        ["too long", facts.long],
        ["repeated (case, punctuation and spaces ignored)", facts.repeated],
        ["also in another split", facts.across_splits],
    ]
    lengths = [name for name in report.histograms if "caption" in name]
    languages = [(name, float(count)) for name, count in list(facts.languages.items())[:8]]
    per_row = [(f"{count} a row", float(rows)) for count, rows in list(facts.per_row.items())[:8]]
    return html.section(
        "Captions",
        html.table(["", "number"], rows),
        *_histograms(report, lengths),
        charts.bar_chart(languages, "Language (a hint)", "captions"),
        charts.bar_chart(per_row, "Captions a row", "rows"),
    )


def _metadata(report: DataReport) -> list[html.Html]:
    if not report.metadata:
        return []
    found = ", ".join(f"{kind} of {count:,}" for kind, count in report.metadata.items())
    return [html.notice(f"The pictures' files tell more than the pixels: {found}.", warning=True)]


def _histograms(report: DataReport, names: Sequence[str]) -> list[html.Html]:
    return [_histogram(name, report.histograms[name]) for name in names]


def _histogram(name: str, found: Histogram) -> html.Html:
    label = name[:1].upper() + name[1:]
    if len(found.edges) == 2:  # all values are equal
        return html.paragraph(f"{label}: {sum(found.edges) / 2:g} everywhere.")
    counts = {split: series for split, series in found.counts.items() if any(series)}
    return charts.histogram(counts, found.edges, label, name)


def _problems(problems: Sequence[Problem], total: int) -> html.Html:
    rows = [[problem.id or "–", problem.source, problem.reason] for problem in problems]
    header = ["id", "where", "what"]
    first = html.table(header, rows[:SHOWN_ROWS])
    if len(rows) <= SHOWN_ROWS:
        return first
    rest = html.table(header, rows[SHOWN_ROWS:])
    return html.join(first, html.details(f"{len(rows):,} of {total:,} by name", rest))


def _kinds(kinds: dict[str, int]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    return ", ".join(f"{kind} ({count:,})" for kind, count in kinds.items())


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.1f} %"
