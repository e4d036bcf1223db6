"""`weft data check`: what is in the data, what is broken, and where the splits touch each other."""

import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from weft.core.config import Config
from weft.core.errors import DataError, WeftError
from weft.core.histogram import bin_values
from weft.data.formats import Dataset
from weft.data.prepare import captions as text
from weft.data.prepare.fingerprints import LikePairs, NearConfig, near_pairs
from weft.data.prepare.parallel import cores
from weft.data.prepare.report import (
    CaptionFacts,
    Column,
    DataReport,
    Histogram,
    Listing,
    Pair,
    Problem,
    SplitCounts,
)
from weft.data.prepare.scan import MAX_PIXELS, RowFacts, scan
from weft.modalities.image_decoding import read_image

NO_SPLIT = "(none)"
THUMBNAIL = 192
SHOWN_PAIRS = 24


@dataclass(frozen=True)
class CheckConfig(Config):
    """What `weft data check` looks for."""

    near: NearConfig = field(default_factory=NearConfig)
    """When two pictures count as near duplicates."""
    long_caption: int = 1000
    """Captions with more characters are listed."""
    named: int = 1000
    """Most problems and pairs that are listed by name; all are counted."""
    contact_sheet: int = 40
    """Pictures shown on the contact sheet."""
    workers: int | None = None
    """Processes; by default one a core."""


def check(
    dataset: Dataset,
    config: CheckConfig | None = None,
    *,
    name: str = "data",
    row_errors: Sequence[DataError] = (),
    progress: bool = False,
) -> DataReport:
    """Reads every row once and reports.

    row_errors: rows that the reader of the format had to leave out; they are listed as corrupt.
    """
    config = config or CheckConfig()
    facts = scan(dataset, workers=cores(config.workers), progress=progress)
    return report_of(facts, dataset, config, name=name, row_errors=row_errors)


def report_of(
    facts: Sequence[RowFacts],
    dataset: Dataset,
    config: CheckConfig,
    *,
    name: str = "data",
    row_errors: Sequence[DataError] = (),
) -> DataReport:
    """The report on rows that are scanned already; `dataset` gives the thumbnails."""
    corrupt = [Problem(-1, "", e.source, e.reason) for e in row_errors]
    corrupt += [Problem(n, f.id, f.source, f.error) for n, f in enumerate(facts) if f.error]
    suspicious = list(_suspicious(facts, config.long_caption))
    exact = exact_listing(facts, config.named)
    near = near_listing(facts, near_pairs([f.look for f in facts], config.near), config.named)
    shared = shared_groups(facts)
    readable = [n for n, f in enumerate(facts) if f.size is not None]
    shown = _spread(readable, config.contact_sheet)
    flagged = [
        row for listing in (near, exact) for pair in _most_telling(listing) for row in pair.rows
    ]
    return DataReport(
        name=name,
        total=_counts(facts),
        splits={s: _counts(rows) for s, rows in _by_split(facts).items()},
        columns=_columns(facts),
        corrupt_total=len(corrupt),
        corrupt=tuple(corrupt[: config.named]),
        suspicious_total=len(suspicious),
        suspicious=tuple(suspicious[: config.named]),
        exact=exact,
        near=near,
        shared_groups=len(shared),
        shared_group_names=tuple(shared[: config.named]),
        captions=_caption_facts(facts, config.long_caption),
        histograms=_histograms(facts),
        shown=tuple(shown),
        thumbnails={row: t for row in {*shown, *flagged} if (t := _thumbnail(dataset, row))},
    )


def exact_listing(facts: Sequence[RowFacts], named: int) -> Listing:
    """Rows with the same picture, each paired with the first of its kind.

    Rows of one group are left out, here and among the near duplicates: the data says itself that
    they belong together, as the questions about one picture do.
    """
    first: dict[str, int] = {}
    pairs: list[Pair] = []
    for row, fact in enumerate(facts):
        if fact.digest is not None and (
            facts[seen := first.setdefault(fact.digest, row)].group != fact.group
        ):
            pairs.append(_pair(facts, seen, row))
    return _listing(pairs, named)


def near_listing(facts: Sequence[RowFacts], like: LikePairs, named: int) -> Listing:
    """Pairs that look alike without being the same file."""
    pairs = [
        _pair(facts, int(a), int(b), int(distance), round(float(similarity), 4), bool(mirrored))
        for a, b, distance, similarity, mirrored in zip(
            like.first, like.second, like.distance, like.similarity, like.mirrored, strict=True
        )
        if facts[a].digest != facts[b].digest and facts[a].group != facts[b].group
    ]
    return _listing(sorted(pairs, key=lambda pair: -pair.similarity), named)


def shared_groups(facts: Sequence[RowFacts]) -> list[str]:
    """Groups that have rows in more than one split."""
    splits: dict[str, set[str | None]] = defaultdict(set)
    for fact in facts:
        splits[fact.group].add(fact.split)
    return sorted(group for group, found in splits.items() if len(found) > 1)


def _listing(pairs: Sequence[Pair], named: int) -> Listing:
    """Pairs across splits are named first: they are the ones that spoil a measurement."""
    ordered = sorted(pairs, key=lambda pair: not pair.crosses)
    return Listing(len(pairs), sum(pair.crosses for pair in pairs), tuple(ordered[:named]))


def _most_telling(listing: Listing) -> tuple[Pair, ...]:
    return listing.pairs[:SHOWN_PAIRS]


def _pair(
    facts: Sequence[RowFacts],
    first: int,
    second: int,
    distance: int = 0,
    similarity: float = 1.0,
    mirrored: bool = False,
) -> Pair:
    a, b = facts[first], facts[second]
    splits = (a.split or NO_SPLIT, b.split or NO_SPLIT)
    return Pair((first, second), (a.id, b.id), splits, distance, similarity, mirrored)


def _by_split(facts: Iterable[RowFacts]) -> dict[str, list[RowFacts]]:
    rows: dict[str, list[RowFacts]] = defaultdict(list)
    for fact in facts:
        rows[fact.split or NO_SPLIT].append(fact)
    return dict(rows)


def _counts(rows: Sequence[RowFacts]) -> SplitCounts:
    return SplitCounts(
        rows=len(rows),
        pictures=sum(row.size is not None for row in rows),
        captions=sum(len(row.captions) for row in rows),
        groups=len({row.group for row in rows}),
    )


def _columns(facts: Sequence[RowFacts]) -> dict[str, Column]:
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for fact in facts:
        for name, kind in (fact.columns or {}).items():
            kinds[name][kind] += 1
    return {name: Column(found.total(), dict(found.most_common())) for name, found in kinds.items()}


def _suspicious(facts: Sequence[RowFacts], long_caption: int) -> Iterable[Problem]:
    ids: dict[str, str] = {}
    for row, fact in enumerate(facts):
        if (first := ids.setdefault(fact.id, fact.source)) != fact.source:
            yield Problem(row, fact.id, fact.source, f"id is already used at {first}")
        if "text" in (fact.columns or {}) and not fact.captions:
            yield Problem(row, fact.id, fact.source, "has no caption")
        for caption in fact.captions:
            if not text.words(caption):
                yield Problem(row, fact.id, fact.source, f"caption without words: {caption!r:.40}")
            elif len(caption) > long_caption:
                yield Problem(row, fact.id, fact.source, f"caption of {len(caption):,} characters")
        if fact.size is not None and fact.look is None:
            yield Problem(row, fact.id, fact.source, "picture is one flat colour")


def _caption_facts(facts: Sequence[RowFacts], long_caption: int) -> CaptionFacts:
    seen: dict[str, set[str | None]] = defaultdict(set)
    vocabulary: set[str] = set()
    languages: Counter[str] = Counter()
    folded: list[str] = []
    for fact in facts:
        for caption in fact.captions:
            folded.append(text.folded(caption))
            seen[folded[-1]].add(fact.split)
            vocabulary.update(text.words(caption.casefold()))
            languages[text.language(caption)] += 1
    everything = [caption for fact in facts for caption in fact.captions]
    per_row = Counter(len(fact.captions) for fact in facts if "text" in (fact.columns or {}))
    return CaptionFacts(
        total=len(everything),
        empty=folded.count(""),
        long=sum(len(caption) > long_caption for caption in everything),
        repeated=len(everything) - len(seen),
        across_splits=sum(len(seen[caption]) > 1 for caption in folded if caption),
        vocabulary=len(vocabulary),
        languages=dict(languages.most_common()),
        per_row={str(count): rows for count, rows in sorted(per_row.items())},
    )


def _histograms(facts: Sequence[RowFacts]) -> dict[str, Histogram]:
    groups = _by_split(facts)
    captions = {s: [c for row in rows for c in row.captions] for s, rows in groups.items()}
    sizes = {s: [row.size for row in rows if row.size] for s, rows in groups.items()}
    values: dict[str, dict[str, list[float]]] = {
        "words a caption": {s: [len(text.words(c)) for c in all_] for s, all_ in captions.items()},
        "characters a caption": {s: [len(c) for c in all_] for s, all_ in captions.items()},
        "shorter side, pixels": {s: [min(size) for size in all_] for s, all_ in sizes.items()},
        "width / height": {s: [w / h for w, h in all_] for s, all_ in sizes.items()},
        "kilobytes a picture": {
            s: [row.file_size / 1000 for row in rows if row.size] for s, rows in groups.items()
        },
    }
    return {name: _histogram(of) for name, of in values.items() if any(of.values())}


def _histogram(values: dict[str, list[float]]) -> Histogram:
    counts, edges = bin_values({name: of for name, of in values.items() if of})
    return Histogram(tuple(edges), {name: tuple(series) for name, series in counts.items()})


def _spread(rows: Sequence[int], count: int) -> list[int]:
    """`count` rows spread evenly over all."""
    if len(rows) <= count:
        return list(rows)
    return [rows[i] for i in np.linspace(0, len(rows) - 1, count).round().astype(int)]


def _thumbnail(dataset: Dataset, row: int) -> bytes | None:
    try:
        pixels = read_image(dataset[row].items["image"], max_pixels=MAX_PIXELS, min_side=THUMBNAIL)
    except WeftError:
        return None
    picture = Image.fromarray(pixels)
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=80)
    return encoded.getvalue()
