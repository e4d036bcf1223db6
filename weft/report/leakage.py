"""One box for all tasks that states whether measured rows are also training rows."""

from collections.abc import Sequence

from weft.core.language import full_stop, listed, say
from weft.evaluation.leakage import Leakage
from weft.report import html
from weft.report.html import Html
from weft.report.records import Measured


def leakage_box(measured: Sequence[Measured]) -> Html:
    """Shows the worst verdict in a sentence; the comparisons are folded."""
    if not measured:
        return Html("")
    audits: dict[str, Leakage] = {}
    titles: dict[str, list[str]] = {}
    absent = [one.title for one in measured if one.result.leakage is None]
    for one in measured:
        if one.result.leakage is not None:
            key = str(one.result.leakage.to_json())
            audits[key] = one.result.leakage
            titles.setdefault(key, []).append(one.title)
    if not audits:
        return html.notice("Leakage from training was not audited.", warning=True)
    alone = len(audits) == 1 and not absent
    worst = min(audits.values(), key=_gravity)
    lines = [listed(_said(worst)) + full_stop()]
    if not alone:
        lines.append(say(f"This finding is about {listed(titles[str(worst.to_json())])}."))
    if absent:
        lines.append(say(f"Not audited: {listed(absent)}."))
    parts = [html.text(" ".join(lines))]
    parts += [
        html.details(
            "What was compared" if alone else f"What was compared: {listed(titles[key])}",
            _table(one),
        )
        for key, one in audits.items()
    ]
    return html.notice(html.join(*parts), warning=bool(absent) or not worst.clean)


def _gravity(leakage: Leakage) -> int:
    """Returns a sort key: the most serious first."""
    return [leakage.shared, leakage.suspected, not leakage.clean, True].index(True)


def _said(leakage: Leakage) -> list[str]:
    """Returns the verdict and the findings, each translated separately, since numbers of one may look like words of
    the next."""
    verdict = leakage.verdict[0].upper() + leakage.verdict[1:]
    found = [
        f"{f.found:,} of {f.total:,} {what}" for what, f in leakage.findings().items() if f.found
    ]
    compared = f"{leakage.evaluated_rows:,} measured rows with {leakage.train_rows:,} training rows"
    return [f"{verdict}, comparing {compared}", *found]


def _table(leakage: Leakage) -> Html:
    findings = leakage.findings()
    rows: list[list[html.Cell]] = [
        [say(what), one.found, one.total] for what, one in findings.items()
    ]
    pairs = [[say(what), *pair] for what, found in findings.items() for pair in found.examples]
    counted = len(findings)
    notes = [html.paragraph(f"{line[:1].upper()}{line[1:]}.") for line in leakage.lines()[counted:]]
    table = html.table(["also in training", "found", "of"], rows)
    if not pairs:
        return html.join(table, *notes)
    header = ["what", "measured row", "training row"]
    return html.join(table, *notes, html.details("Some of them", html.table(header, pairs)))
