"""Checks whether the evaluated split contains training data. The result is printed above the scores."""

from collections.abc import Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from weft.core.kinds import NOUNS, Kind
from weft.core.text import folded, normalised
from weft.data.formats import Dataset
from weft.data.prepare.engines import Processes, cores
from weft.data.prepare.leakage import Look, like_looks, looks_of
from weft.data.prepare.near_duplicates import (
    NOT_FOUND,
    NOT_FOUND_RECORDINGS,
    OTHER_PARTS,
    NearConfig,
)
from weft.data.prepare.scan import RowFacts, scan
from weft.data.schema import infer

EXAMPLES = 10


@dataclass(frozen=True)
class Finding:
    """The number of `total` evaluated objects that also occur in training."""

    found: int
    total: int
    examples: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Leakage:
    """Overlap of the evaluated split with the training split.

    Every column is compared with every column:
    - identical: pictures, sounds, videos, arrays and files with the same content.
    - near_duplicates: pictures, sounds and videos with similar fingerprints.
    - texts: streams of texts and columns of free text, ignoring case, punctuation, width and blanks.
    - values: rows with none of these, by all their values together.

    The mappings have the kinds that occur in the evaluated rows. not_compared: messages about comparisons that were
    impossible. Examples pair the id of an evaluated row with that of a training row.
    """

    train_rows: int
    evaluated_rows: int
    ids: Finding
    groups: Finding
    identical: Mapping[Kind, Finding]
    near_duplicates: Mapping[Kind, Finding]
    texts: Finding
    values: Finding
    not_compared: tuple[str, ...] = field(default=())

    @property
    def clean(self) -> bool:
        """Whether everything was compared, and nothing but texts is shared or similar."""
        return not (self.shared or self.suspected or self.not_compared)

    @property
    def shared(self) -> bool:
        """Whether both splits share a row, a group, or an identical picture, sound, video or file."""
        recordings = [finding for kind, finding in self.identical.items() if kind != "array"]
        return any(finding.found for finding in (self.ids, self.groups, *recordings))

    @property
    def suspected(self) -> bool:
        """Whether a picture resembles one in training, or an array or a row of values is identical.

        Identical arrays, such as the times of samples, and identical rows of few values may be harmless.
        """
        arrays = [finding for kind, finding in self.identical.items() if kind == "array"]
        alike = (*self.near_duplicates.values(), *arrays, self.values)
        return any(finding.found for finding in alike)

    @property
    def verdict(self) -> str:
        """Summarises the findings in a few words."""
        if self.shared:
            return "LEAKAGE FROM TRAINING: the scores may be too high"
        if self.suspected:
            return "possible leakage from training: some rows are much like training rows"
        if self.not_compared:
            return "leakage from training: not audited, since not everything could be compared"
        return "leakage from training: none found"

    def lines(self) -> list[str]:
        """One sentence for each check, for comparisons that were impossible, and for the limits of all checks."""
        found = [f"{f.found:,} of {f.total:,} {what}" for what, f in self.findings().items()]
        limits = [f"training pictures {NOT_FOUND}"] if "image" in self.near_duplicates else []
        alike = [f"{NOUNS[kind]}s" for kind in self.near_duplicates if kind != "image"]
        if alike:
            limits += [f"training {', '.join(alike)} {NOT_FOUND_RECORDINGS}", OTHER_PARTS]
        others = [
            f"{NOUNS[kind]}s"
            for kind in self.identical
            if kind != "image" and kind not in self.near_duplicates
        ]
        limits += [f"training {', '.join(others)} that differ in a byte"] if others else []
        return [
            *found,
            *(f"not compared: {what}" for what in self.not_compared),
            *(f"this audit cannot find {limit}" for limit in limits),
        ]

    def findings(self) -> dict[str, Finding]:
        """Returns the label of each check -> its finding, without checks for which no row has data."""
        media = {
            f"{NOUNS[kind]}s are identical to a training {NOUNS[kind]}": finding
            for kind, finding in self.identical.items()
        }
        alike = {
            f"{NOUNS[kind]}s are near duplicates of a training {NOUNS[kind]}": finding
            for kind, finding in self.near_duplicates.items()
        }
        found = {
            "rows have an id that is also in training": self.ids,
            "rows belong to a group that is also in training": self.groups,
            **media,
            **alike,
            "texts are also in training word for word": self.texts,
            "rows have the values of a training row": self.values,
        }
        return {what: finding for what, finding in found.items() if finding.total}

    def to_json(self) -> dict[str, Any]:
        return {"clean": self.clean, **asdict(self)}


def audit(
    train: Sequence[RowFacts], evaluated: Sequence[RowFacts], *, near: NearConfig | None = None
) -> Leakage:
    """Compares everything in `evaluated` with `train`.

    near: when two pictures count as near duplicates. Identical pictures are not counted again as near duplicates.
    """
    kinds = [kind for kind in NOUNS if any(_contents(evaluated, (kind,)))]
    known = _contents(train, NOUNS)
    alike = dict.fromkeys(look.kind for look in looks_of(evaluated))
    return Leakage(
        train_rows=len(train),
        evaluated_rows=len(evaluated),
        ids=_shared(_named(train, "id"), _named(evaluated, "id")),
        groups=_shared(_named(train, "group"), _named(evaluated, "group")),
        identical={kind: _shared(known, _contents(evaluated, (kind,))) for kind in kinds},
        near_duplicates={kind: _near_duplicates(train, evaluated, near, kind) for kind in alike},
        texts=_shared(_texts(train), _texts(evaluated)),
        values=_shared(_values(train), _values(evaluated)),
        not_compared=(*_unread(evaluated, "evaluated"), *_unread(train, "training")),
    )


def audit_datasets(
    train: Dataset,
    evaluated: Dataset,
    *,
    near: NearConfig | None = None,
    workers: int | None = None,
    kept: Path | None = None,
    streams: Sequence[str] = (),
) -> Leakage:
    """Reads every row of both once, with `workers` processes (None: one for each core), and audits them.

    streams: columns that the model reads as text. They and the columns of free text are compared as texts; labels and
    names, which many rows share, are not. kept: a folder that stores the facts about training rows for later runs. Rows
    that have changed since are read again.
    """
    engine = Processes(cores(workers))
    known, measured = (
        scan(dataset, engine=engine, kept=folder, texts=_text_columns(dataset, streams), only=True)
        for dataset, folder in ((train, kept), (evaluated, None))
    )
    return audit(known, measured, near=near)


def _text_columns(dataset: Dataset, streams: Sequence[str]) -> list[str]:
    return sorted({*streams, *infer(dataset).of("text")})


Keyed = Iterable[tuple[Hashable, str]]
"""The compared keys, each with the id of its row."""


def _named(facts: Sequence[RowFacts], field: Literal["id", "group"]) -> Keyed:
    """Names in one Unicode form: two tables may encode the same file name differently."""
    return [(normalised(getattr(f, field)), f.id) for f in facts]


def _contents(facts: Sequence[RowFacts], kinds: Container[Kind]) -> Keyed:
    """Returns each content once, with the first row that has it: several rows may be about one picture."""
    media = ((m, f.id) for f in facts for m in f.media.values() if m.kind in kinds)
    found: dict[Hashable, str] = {}
    for each, row in media:
        if each.digest is not None:
            found.setdefault(each.digest, row)
    return found.items()


def _texts(facts: Sequence[RowFacts]) -> Keyed:
    """Leaves out texts without a word or symbol: they would match each other without being the same."""
    return [(key, f.id) for f in facts for text in f.texts if (key := folded(text))]


def _values(facts: Sequence[RowFacts]) -> Keyed:
    return [(f.values, f.id) for f in facts if f.values is not None]


def _unread(facts: Sequence[RowFacts], which: str) -> list[str]:
    bad = [f for f in facts if f.error is not None]
    if not bad:
        return []
    first = f"{bad[0].source}: {bad[0].error}"
    return [f"{len(bad):,} of {len(facts):,} {which} rows, which cannot be read ({first})"]


def _shared(train: Keyed, evaluated: Keyed) -> Finding:
    known: dict[Hashable, str] = {}
    for key, row in train:
        known.setdefault(key, row)
    asked = list(evaluated)
    pairs = [(row, known[key]) for key, row in asked if key in known]
    return Finding(len(pairs), len(asked), tuple(pairs[:EXAMPLES]))


def _looks(facts: Sequence[RowFacts], kind: Kind) -> list[tuple[str, Look]]:
    """Returns each picture, sound or video once, with the id of the first row that has it."""
    found: dict[str, tuple[str, Look]] = {}
    for each in looks_of(facts):
        if each.kind == kind:
            found.setdefault(each.digest, (facts[each.row].id, each))
    return list(found.values())


def _near_duplicates(
    train: Sequence[RowFacts], evaluated: Sequence[RowFacts], near: NearConfig | None, kind: Kind
) -> Finding:
    pictures, known = _looks(evaluated, kind), _looks(train, kind)
    looks = [each for _, each in (*known, *pictures)]
    like = like_looks(looks, near or NearConfig(), against=len(known))
    closest: dict[int, tuple[float, int]] = {}
    for first, second, similarity in zip(
        like.first.tolist(), like.second.tolist(), like.similarity.tolist(), strict=True
    ):
        row = second - len(known)
        if known[first][1].digest != pictures[row][1].digest:
            closest[row] = max(closest.get(row, (-2.0, -1)), (similarity, first))
    pairs = [(pictures[row][0], known[first][0]) for row, (_, first) in sorted(closest.items())]
    return Finding(len(pairs), len(pictures), tuple(pairs[:EXAMPLES]))
