"""`weft data check`: what is in the data, what is broken, and where the splits touch each other."""

import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from weft.core.config import Settings
from weft.core.errors import DataError, WeftError
from weft.core.histogram import bin_values
from weft.core.media import expected
from weft.data.formats import Dataset
from weft.data.prepare import captions as text
from weft.data.prepare.engines import Processes, cores
from weft.data.prepare.fingerprints import NearConfig, near_pairs
from weft.data.prepare.leakage import NO_SPLIT, exact_listing, near_listing, shared_groups
from weft.data.prepare.report import (
    CaptionFacts,
    Column,
    DataReport,
    Histogram,
    Problem,
    SplitCounts,
)
from weft.data.prepare.scan import MAX_PIXELS, RowFacts, scan
from weft.data.prepare.split import TEST, TRAIN, VALIDATION
from weft.modalities.image_decoding import read_image

USUAL_SPLITS = (TRAIN, VALIDATION, TEST)
THUMBNAIL = 192
SHOWN_PAIRS = 24


@dataclass(frozen=True)
class CheckConfig(Settings):
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
    engine = Processes(cores(config.workers))
    facts = scan(dataset, engine=engine, progress=progress)
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
        row
        for listing in (near, exact)
        for pair in listing.pairs[:SHOWN_PAIRS]
        for row in pair.rows
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
        metadata=dict(sorted(Counter(kind for f in facts for kind in f.metadata).items())),
        shown=tuple(shown),
        thumbnails={row: t for row in {*shown, *flagged} if (t := _thumbnail(dataset, row))},
    )


def _by_split(facts: Iterable[RowFacts]) -> dict[str, list[RowFacts]]:
    rows: dict[str, list[RowFacts]] = defaultdict(list)
    for fact in facts:
        rows[fact.split or NO_SPLIT].append(fact)
    first = [split for split in USUAL_SPLITS if split in rows]
    return {split: rows[split] for split in first + sorted(set(rows) - set(first))}


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
        repeated=sum(map(bool, folded)) - sum(map(bool, seen)),
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
        content = expected(dataset[row].items["image"], "image").load()
        pixels = read_image(content, max_pixels=MAX_PIXELS, min_side=THUMBNAIL)
    except WeftError:
        return None
    picture = Image.fromarray(pixels)
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=80)
    return encoded.getvalue()
