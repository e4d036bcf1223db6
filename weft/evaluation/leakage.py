"""Does the evaluated split hold what the model was trained on? Printed above the scores."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from weft.core.text import folded, normalised
from weft.data.formats import Dataset
from weft.data.prepare.engines import Processes, cores
from weft.data.prepare.fingerprints import NOT_FOUND, NearConfig, near_pairs
from weft.data.prepare.scan import RowFacts, scan

EXAMPLES = 10


@dataclass(frozen=True)
class Finding:
    """How many of `total` evaluated things are also in training; None where it was not looked at."""

    found: int | None
    total: int
    examples: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Leakage:
    """What the evaluated split shares with the training split.

    Examples pair an evaluated row's id with a training row's. Captions are compared without regard
    to case, punctuation, width and blanks; short ones are often shared without any harm, so they do not make a leak.
    """

    train_rows: int
    evaluated_rows: int
    ids: Finding
    groups: Finding
    identical_pictures: Finding
    near_duplicate_pictures: Finding
    identical_captions: Finding

    @property
    def clean(self) -> bool:
        """No row, group or picture is shared and none looks alike, as far as was looked."""
        return not self.shared and not self.near_duplicate_pictures.found

    @property
    def shared(self) -> bool:
        """A row, a group or a very picture is in both."""
        return any(f.found for f in (self.ids, self.groups, self.identical_pictures))

    @property
    def verdict(self) -> str:
        """The findings in a few words."""
        if self.clean:
            return "leakage from training: none found"
        if self.shared:
            return "LEAKAGE FROM TRAINING: the scores may be too high"
        return "possible leakage from training: some pictures look much like training pictures"

    def lines(self) -> list[str]:
        """One sentence a check, and one that says what no check finds."""
        found = [
            f"not checked: {what}"
            if finding.found is None
            else f"{finding.found:,} of {finding.total:,} {what}"
            for what, finding in self.findings().items()
        ]
        return [*found, f"not found: training pictures {NOT_FOUND}"]

    def findings(self) -> dict[str, Finding]:
        """What was looked for, in words, and how much of it there is."""
        return {
            "rows have an id that is also in training": self.ids,
            "rows belong to a group that is also in training": self.groups,
            "pictures are identical to a training picture": self.identical_pictures,
            "pictures are near duplicates of a training picture": self.near_duplicate_pictures,
            "captions are also in training word for word": self.identical_captions,
        }

    def to_json(self) -> dict[str, Any]:
        findings = {
            name: {
                "found": finding.found,
                "total": finding.total,
                "examples": [list(pair) for pair in finding.examples],
            }
            for name, finding in vars(self).items()
            if isinstance(finding, Finding)
        }
        return {
            "clean": self.clean,
            "train_rows": self.train_rows,
            "evaluated_rows": self.evaluated_rows,
            **findings,
        }


def audit(
    train: Sequence[RowFacts], evaluated: Sequence[RowFacts], *, near: NearConfig | None = None
) -> Leakage:
    """Looks for everything of `evaluated` in `train`.

    near: when two pictures count as near duplicates. Pictures that are identical are not counted
    again as near duplicates.
    """
    return Leakage(
        train_rows=len(train),
        evaluated_rows=len(evaluated),
        ids=_shared(_named(train, "id"), _named(evaluated, "id")),
        groups=_shared(_named(train, "group"), _named(evaluated, "group")),
        identical_pictures=_shared(_digests(train), _digests(evaluated)),
        near_duplicate_pictures=_near_duplicates(train, evaluated, near or NearConfig()),
        identical_captions=_shared(_captions(train), _captions(evaluated)),
    )


def audit_datasets(
    train: Dataset,
    evaluated: Dataset,
    *,
    near: NearConfig | None = None,
    workers: int | None = None,
    kept: Path | None = None,
) -> Leakage:
    """Reads every row of both once, with `workers` processes (None: one a core), and audits them.

    kept: a folder where what was read of the training rows stays for the next time; rows that have
    changed since are read anew.
    """
    engine = Processes(cores(workers))
    return audit(scan(train, engine=engine, kept=kept), scan(evaluated, engine=engine), near=near)


Keyed = Sequence[tuple[Hashable, str]]
"""What is compared, with the id of the row that it belongs to."""


def _named(facts: Sequence[RowFacts], field: Literal["id", "group"]) -> Keyed:
    """Names in one Unicode form: two tables may spell the same file name in two."""
    return [(normalised(getattr(f, field)), f.id) for f in facts]


def _digests(facts: Sequence[RowFacts]) -> Keyed:
    return [(f.digest, f.id) for f in _pictures(facts)]


def _captions(facts: Sequence[RowFacts]) -> Keyed:
    """Captions without a word or a symbol are alike without being the same."""
    return [(key, f.id) for f in facts for caption in f.captions if (key := folded(caption))]


def _shared(train: Keyed, evaluated: Keyed) -> Finding:
    if not train or not evaluated:
        return Finding(None, len(evaluated))
    known = dict(reversed(train))
    pairs = [(row, known[key]) for key, row in evaluated if key in known]
    return Finding(len(pairs), len(evaluated), tuple(pairs[:EXAMPLES]))


def _pictures(facts: Sequence[RowFacts]) -> list[RowFacts]:
    """The first row of each picture that could be read: several rows may be about one."""
    return list({f.digest: f for f in reversed(facts) if f.look is not None}.values())[::-1]


def _near_duplicates(
    train: Sequence[RowFacts], evaluated: Sequence[RowFacts], near: NearConfig
) -> Finding:
    pictures, known = _pictures(evaluated), _pictures(train)
    if not pictures or not known:
        return Finding(None, len(pictures))
    like = near_pairs([f.look for f in (*known, *pictures)], near, against=len(known))
    closest: dict[int, tuple[float, int]] = {}
    for first, second, similarity in zip(
        like.first.tolist(), like.second.tolist(), like.similarity.tolist(), strict=True
    ):
        row = second - len(known)
        if known[first].digest != pictures[row].digest:
            closest[row] = max(closest.get(row, (-2.0, -1)), (similarity, first))
    pairs = [(pictures[row].id, known[first].id) for row, (_, first) in sorted(closest.items())]
    return Finding(len(pairs), len(pictures), tuple(pairs[:EXAMPLES]))
