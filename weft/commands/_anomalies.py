"""The searches of `weft data check` for mismatched pairs and for rows unlike the training rows of a run."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from weft.core.errors import WeftError
from weft.core.files import write_text
from weft.core.language import say
from weft.core.text import counted
from weft.data.formats import Said
from weft.report import html

if TYPE_CHECKING:
    from weft.report.explanations import Explained
    from weft.runs.mismatches import Detector, PairFound
    from weft.runs.novelty import NoveltyDetector, RowFound
    from weft.runs.recipe import Recipe

Alarm = TypeVar("Alarm", bound="PairFound | RowFound")
SHOWN = 10
"""Number of pairs, or of rows, that are printed."""
Search = Callable[[Path], None]
"""search(out): prints what it finds in the data, and writes a table and a page to the folder `out`."""


def searches_of(
    data: Path,
    said: Said,
    mismatches: Path | None,
    novelty: Path | None,
    share: float | None,
    trust: tuple[str, ...],
) -> list[Search]:
    """Returns the searches of the files at `data` with these runs. Their detectors are fitted here, before the data are
    read, which takes long.

    share: rate of false alarms. Raises WeftError for a rate that cannot be kept, for runs that cannot be used, and for
    data without the columns of the run.
    """
    if share is not None and mismatches is None and novelty is None:
        raise WeftError(
            "--false-alarms needs --mismatches RUN or --novelty RUN: it sets the false alarm rate of that search"
        )
    if share is not None and not 0 < share < 1:
        raise WeftError(f"--false-alarms is {share}, expected a share between 0 and 1")
    found: list[Search] = []
    if mismatches is not None:
        from weft.runs import mismatches as pairs
        from weft.runs.run import load

        run = load(mismatches, trust=trust)
        recipe = pairs.rows_compared(run, data, said)
        found.append(partial(_mismatches, pairs.detector_of(run, share), recipe))
    if novelty is not None:
        from weft.runs.novelty import novelty_detector, rows_compared
        from weft.runs.run import load

        run = load(novelty, trust=trust)
        recipe = rows_compared(run, data, said)
        found.append(partial(_novelty, novelty_detector(run, share), recipe))
    return found


def _mismatches(detector: "Detector", recipe: "Recipe", out: Path) -> None:
    """Prints the reported pairs that match least, and writes all pairs to mismatches.csv."""
    from weft.runs.mismatches import explain_mismatches, find_mismatches

    found = find_mismatches(detector, recipe)
    first, second = found.streams
    alarms, left_out = found.alarms, found.left_out
    print(
        say(
            f"pairs of {first} and {second} that may not belong together: {len(alarms):,} of {len(found.pairs):,}; "
            f"expected false alarms: {100 * found.false_alarms:g} % of correct pairs that the run was not trained on"
        )
    )
    if left_out:
        rows = counted(left_out, "row")
        line = say(f"not compared, no {first} or no {second} that can be read: {rows}")
        print(f"  {line}")
    for pair in alarms[:SHOWN]:
        print(f"  {pair.source}: {pair.text or second} (p = {pair.p_value:.4f})")
    path = out / "mismatches.csv"
    found.save(path)
    print(say(f"all pairs, the most anomalous first: {path}"))
    explain = partial(explain_mismatches, detector, found)
    _page(out / "mismatches.html", alarms[:SHOWN], explain)


def _novelty(detector: "NoveltyDetector", recipe: "Recipe", out: Path) -> None:
    """Prints the reported rows that are least like the training rows, and writes all rows to novelty.csv."""
    from weft.evaluation.conformal import Conformal
    from weft.runs.novelty import explain_novelty, find_novelty

    found = find_novelty(detector, recipe)
    alarms, left_out, run = found.alarms, found.left_out, detector.run.folder
    print(
        say(
            f"rows unlike the training rows of {run}: {len(alarms):,} of {len(found.rows):,}; expected false alarms: "
            f"{100 * found.false_alarms:g} % of rows like the training rows"
        )
    )
    if left_out:
        streams = ", ".join(found.streams)
        rows = counted(left_out, "row")
        line = say(f"not compared, nothing of {streams} that can be read: {rows}")
        print(f"  {line}")
    if found.uncalibrated:
        least, rows = Conformal.least(found.false_alarms), counted(found.uncalibrated, "row")
        line = say(
            f"not compared, fewer than {least:,} validation rows have the same streams: {rows}; "
            "a larger --false-alarms needs fewer"
        )
        print(f"  {line}")
    for row in alarms[:SHOWN]:
        print(f"  {row.source} (p = {row.p_value:.4f})")
    path = out / "novelty.csv"
    found.save(path)
    print(say(f"all rows, the most anomalous first: {path}"))
    explain = partial(explain_novelty, detector, found)
    _page(out / "novelty.html", alarms[:SHOWN], explain)


def _page(
    path: Path, alarms: Sequence[Alarm], explain: "Callable[[Sequence[Alarm]], list[Explained]]"
) -> None:
    """Writes a page with these alarms, and marks the parts that cause them; none without alarms. The page of an
    earlier search is removed."""
    path.unlink(missing_ok=True)
    if not alarms:
        return
    from weft.report.explanations import explained_html, explained_legend

    try:
        shown = explain(alarms)
    except WeftError as error:  # such as a stream without parts; the table is already written
        print(say(f"the alarms are not explained: {error}"))
        return
    parts = [
        html.join(html.heading(f"{one.title}, {alarm.source}"), explained_html(one))
        for alarm, one in zip(alarms, shown, strict=True)
    ]
    section = html.section("What causes the alarms", explained_legend(shown), *parts)
    folder = path.parent.resolve().name  # the folder "." has no name
    write_text(path, html.page(f"Alarms: {folder}", [section]))
    print(say(f"parts that cause the first alarms: {path}"))
