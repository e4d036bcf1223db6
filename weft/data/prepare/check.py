"""`weft data check`: reports the content, the errors, and leaks between splits."""

import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from weft.core.config import Settings
from weft.core.errors import DataError, WeftError
from weft.core.histogram import bin_values
from weft.core.kinds import NOUNS
from weft.core.media import RECORDINGS, Media
from weft.core.ranges import COUNT, at_least, require
from weft.data.formats import Dataset, is_text_column
from weft.data.prepare import captions as text
from weft.data.prepare.conflicts import conflicts
from weft.data.prepare.engines import Processes, cores
from weft.data.prepare.leakage import exact_listing, near_listing, shared_groups
from weft.data.prepare.media_facts import MAX_PIXELS, MediaFacts, media_in
from weft.data.prepare.near_duplicates import NearConfig
from weft.data.prepare.recording_checks import recordings_of, suspicions, voiced_columns
from weft.data.prepare.report import (
    NO_SPLIT,
    CaptionFacts,
    Column,
    DataReport,
    Histogram,
    Problem,
    SplitCounts,
)
from weft.data.prepare.scan import RowFacts, scan
from weft.data.prepare.split import TEST, TRAIN, VALIDATION
from weft.modalities.image_decoding import read_image
from weft.modalities.video_decoding import read_frames, video_facts

USUAL_SPLITS = (TRAIN, VALIDATION, TEST)
THUMBNAIL = 192
SHOWN_PAIRS = 24
Place = tuple[int, str]
"""Row and column of a picture."""


@dataclass(frozen=True)
class CheckConfig(Settings):
    """Settings of `weft data check`."""

    near: NearConfig = field(default_factory=NearConfig)
    """When two pictures count as near duplicates."""
    long_caption: int = 1000
    """Maximum caption length, in characters. Longer captions are listed."""
    named: int = 1000
    """Maximum number of problems and pairs listed by name. All are counted."""
    contact_sheet: int = 40
    """Number of pictures on the contact sheet."""
    workers: int | None = None
    """Number of processes. Default: one per core."""

    def __post_init__(self) -> None:
        require(
            self, long_caption=COUNT, named=at_least(0), contact_sheet=at_least(0), workers=COUNT
        )


def check(
    dataset: Dataset,
    config: CheckConfig | None = None,
    *,
    name: str = "data",
    texts: Sequence[str] = (),
    labels: Sequence[str] = (),
    row_errors: Sequence[DataError] = (),
    progress: bool = False,
) -> DataReport:
    """Reads every row once and reports.

    texts: columns whose strings count as captions, besides those with a caption's name. labels: columns in which
    duplicates should agree. row_errors: rows that the reader of the format left out; they are listed as corrupt.
    """
    config = config or CheckConfig()
    engine = Processes(cores(config.workers))
    facts = scan(dataset, engine=engine, progress=progress, texts=texts)
    return report_of(
        facts,
        dataset,
        config,
        name=name,
        labels=labels,
        row_errors=row_errors,
        progress=progress,
    )


def report_of(
    facts: Sequence[RowFacts],
    dataset: Dataset,
    config: CheckConfig,
    *,
    name: str = "data",
    labels: Sequence[str] = (),
    row_errors: Sequence[DataError] = (),
    progress: bool = False,
) -> DataReport:
    """Makes the report from rows that are already scanned; `dataset` gives the thumbnails."""
    corrupt = [Problem(-1, "", e.source, e.reason) for e in row_errors]
    corrupt += [Problem(n, f.id, f.source, f.error) for n, f in enumerate(facts) if f.error]
    called = _called(facts)
    suspicious = list(_suspicious(facts, config.long_caption, called))
    exact = exact_listing(facts, config.named)
    near = near_listing(facts, config.near, config.named, shown=progress)
    conflicting = conflicts(facts, near.pairs, dataset, labels)
    shared = shared_groups(facts)
    pictures = [
        (row, name)
        for row, fact in enumerate(facts)
        for name, media in fact.media.items()
        if _is_seen(media)
    ]
    distinct = [place for place, media in _distinct(facts).items() if _is_seen(media)]
    shown = _spread(distinct, config.contact_sheet)
    flagged = [
        place
        for listing in (near, exact)
        for pair in listing.pairs[:SHOWN_PAIRS]
        for place in zip(pair.rows, pair.columns, strict=True)
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
        conflicts_total=len(conflicting),
        conflicts=tuple(conflicting[: config.named]),
        shared_groups=len(shared),
        shared_group_names=tuple(shared[: config.named]),
        captions=_caption_facts(facts, config.long_caption, called),
        histograms=_histograms(facts, called),
        metadata=metadata_of(facts),
        recordings=recordings_of(facts),
        shown=tuple(shown),
        thumbnails={
            place: made
            for place in sorted({*shown, *flagged} & set(pictures))
            if (made := _thumbnail(dataset, *place))
        },
    )


def metadata_of(facts: Iterable[RowFacts]) -> dict[str, int]:
    """Maps kinds of private metadata to the number of pictures in these rows whose files contain them."""
    kinds = Counter(kind for f in facts for m in f.media.values() for kind in m.metadata)
    return dict(sorted(kinds.items()))


def _by_split(facts: Iterable[RowFacts]) -> dict[str, list[RowFacts]]:
    rows: dict[str, list[RowFacts]] = defaultdict(list)
    for fact in facts:
        rows[fact.split or NO_SPLIT].append(fact)
    first = [split for split in USUAL_SPLITS if split in rows]
    return {split: rows[split] for split in first + sorted(set(rows) - set(first))}


def _counts(rows: Sequence[RowFacts]) -> SplitCounts:
    return SplitCounts(
        rows=len(rows),
        media=dict(Counter(media.kind for media in _distinct(rows).values())),
        captions=sum(len(row.all_captions) for row in rows),
        groups=len({row.group for row in rows}),
    )


def _columns(facts: Sequence[RowFacts]) -> dict[str, Column]:
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for fact in facts:
        for name, kind in fact.columns.items():
            kinds[name][kind] += 1
    return {name: Column(found.total(), dict(found.most_common())) for name, found in kinds.items()}


def _suspicious(facts: Sequence[RowFacts], long_caption: int, called: str) -> Iterable[Problem]:
    ids: dict[str, str] = {}
    voiced = voiced_columns(facts)
    usual = _usual_captions(facts)
    for row, fact in enumerate(facts):
        if (first := ids.setdefault(fact.id, fact.source)) != fact.source:
            yield Problem(row, fact.id, fact.source, f"id is already used at {first}")
        if fact.captions and not fact.all_captions:
            yield Problem(row, fact.id, fact.source, f"has no {called}")
        for column in sorted(usual - fact.captions.keys()) if fact.error is None else ():
            reason = f"has no '{column}', which most rows have"
            yield Problem(row, fact.id, fact.source, reason)
        for caption in fact.all_captions:
            if not text.words(caption):
                yield Problem(row, fact.id, fact.source, f"{called} without words: {caption!r:.40}")
            elif len(caption) > long_caption:
                yield Problem(row, fact.id, fact.source, f"{called} of {len(caption):,} characters")
        for column, media in fact.media.items():
            if media.size is not None and media.look is None:
                reason = f"{column}: picture is one flat colour"
                yield Problem(row, fact.id, fact.source, reason)
            if media.recording is not None:
                for reason in suspicions(media.recording, voiced=column in voiced):
                    yield Problem(row, fact.id, fact.source, f"{column}: {reason}")


def _called(facts: Sequence[RowFacts]) -> str:
    """Returns the noun for the texts of these rows, after the names of their columns."""
    names = {name for fact in facts for name in fact.captions}
    if all(map(is_text_column, names)):
        return "caption"
    return "question" if all(name.startswith("question") for name in names) else "text"


def _usual_captions(facts: Sequence[RowFacts]) -> set[str]:
    """Returns the caption columns that more than half of the rows have."""
    found = Counter(name for fact in facts for name in fact.captions)
    return {name for name, count in found.items() if 2 * count > len(facts)}


def _caption_facts(facts: Sequence[RowFacts], long_caption: int, called: str) -> CaptionFacts:
    seen: dict[str, set[str | None]] = defaultdict(set)
    vocabulary: set[str] = set()
    languages: Counter[str] = Counter()
    folded: list[str] = []
    for fact in facts:
        for caption in fact.all_captions:
            folded.append(text.folded(caption))
            seen[folded[-1]].add(fact.split)
            vocabulary.update(text.words(caption.casefold()))
            languages[text.language(caption)] += 1
    everything = [caption for fact in facts for caption in fact.all_captions]
    per_row = Counter(len(captions) for fact in facts for captions in fact.captions.values())
    return CaptionFacts(
        called=called,
        total=len(everything),
        empty=folded.count(""),
        long=sum(len(caption) > long_caption for caption in everything),
        repeated=sum(map(bool, folded)) - sum(map(bool, seen)),
        across_splits=sum(len(seen[caption]) > 1 for caption in folded if caption),
        vocabulary=len(vocabulary),
        languages=dict(languages.most_common()),
        per_row={str(count): rows for count, rows in sorted(per_row.items())},
    )


def _histograms(facts: Sequence[RowFacts], called: str) -> dict[str, Histogram]:
    groups = _by_split(facts)
    captions = {s: [c for row in rows for c in row.all_captions] for s, rows in groups.items()}
    media = {s: _distinct(rows).values() for s, rows in groups.items()}
    pictures = {s: [m for m in of if m.size] for s, of in media.items()}
    lengths = {
        f"seconds a {NOUNS[kind]}": {
            s: [m.recording.seconds for m in of if m.recording and m.kind == kind]
            for s, of in media.items()
        }
        for kind in RECORDINGS
    }
    sizes = {s: [m.size for m in of if m.size] for s, of in pictures.items()}
    values: dict[str, dict[str, list[float]]] = {
        f"words a {called}": {
            s: [len(text.words(c)) for c in all_] for s, all_ in captions.items()
        },
        f"characters a {called}": {s: [len(c) for c in all_] for s, all_ in captions.items()},
        "shorter side, pixels": {s: [min(size) for size in all_] for s, all_ in sizes.items()},
        "width / height": {s: [w / h for w, h in all_] for s, all_ in sizes.items()},
        "kilobytes a picture": {s: [m.file_size / 1000 for m in of] for s, of in pictures.items()},
        **lengths,
    }
    return {name: _histogram(of) for name, of in values.items() if any(of.values())}


def _distinct(facts: Sequence[RowFacts]) -> dict[Place, MediaFacts]:
    """Returns each media by its first place. Rows of one group with the same content, such as the captions of a
    picture, share it."""
    seen: set[tuple[str, str]] = set()
    found: dict[Place, MediaFacts] = {}
    for row, fact in enumerate(facts):
        for name, media in fact.media.items():
            if media.digest is None or (fact.group, media.digest) not in seen:
                found[row, name] = media
            if media.digest is not None:
                seen.add((fact.group, media.digest))
    return found


def _histogram(values: dict[str, list[float]]) -> Histogram:
    counts, edges = bin_values({name: of for name, of in values.items() if of})
    return Histogram(tuple(edges), {name: tuple(series) for name, series in counts.items()})


def _spread(places: Sequence[Place], count: int) -> list[Place]:
    """Returns `count` of them, evenly spread."""
    if len(places) <= count:
        return list(places)
    return [places[i] for i in np.linspace(0, len(places) - 1, count).round().astype(int)]


def _is_seen(media: MediaFacts) -> bool:
    """Whether it can be shown as a picture: itself, or a frame of the video."""
    return media.size is not None or media.kind == "video"


def _pixels(media: Media) -> np.ndarray:
    """Returns the picture, or the middle frame of the video."""
    if media.kind != "video":
        return read_image(media.load(), max_pixels=MAX_PIXELS, min_side=THUMBNAIL)
    seconds = video_facts(media).seconds
    middle = seconds / 2 if np.isfinite(seconds) else 0.0
    frame: np.ndarray = read_frames(media, [middle], min_side=THUMBNAIL)[0]
    return frame


def _thumbnail(dataset: Dataset, row: int, column: str) -> bytes | None:
    try:
        media: dict[str, Media] = dict(media_in(dataset[row].items))
        pixels = _pixels(media[column])
    except WeftError:
        return None
    picture = Image.fromarray(pixels)
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=80)
    return encoded.getvalue()
