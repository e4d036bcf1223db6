"""Checks of sounds and videos: suspicious properties, and lengths."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from weft.core.kinds import Kind
from weft.core.media import RECORDINGS
from weft.core.text import counted
from weft.data.prepare.recordings import SILENT, RecordingFacts
from weft.data.prepare.report import Recordings, Shares
from weft.data.prepare.scan import RowFacts

SHORTER, SECONDS_SHORTER = 0.05, 0.5
"""A header is wrong if its length differs from the decoded length by more than this share of it, and by more than
this many seconds or a third of it."""
MOST = 0.5
"""A video without sound is reported if more than this share of the column's videos have sound."""


def suspicions(facts: RecordingFacts, *, voiced: bool) -> Iterator[str]:
    """Yields what looks wrong. voiced: the column's other videos have sound."""
    if facts.silent:
        yield f"silent: no sample is above {SILENT:g} dB of full scale"
    if facts.is_clipped:
        yield f"clipped: {100 * facts.clipped:.1f} % of the samples are at full scale"
    if voiced and not facts.channels:
        yield "video has no sound track that can be read, most others have one"
    if facts.damaged:
        yield f"{counted(facts.damaged, 'frame')} cannot be decoded"
    if facts.beyond > max(SECONDS_SHORTER, SHORTER * facts.seconds):
        yield f"the part ends {facts.beyond:.1f} s after the end of the recording"
    if facts.said is not None:
        off = abs(facts.said - facts.seconds)
        if off > max(min(SECONDS_SHORTER, facts.said / 3), SHORTER * facts.said):
            yield f"header says {facts.said:.1f} s, but {facts.seconds:.1f} s can be decoded"


def voiced_columns(facts: Sequence[RowFacts]) -> set[str]:
    """Returns the columns in which most videos have sound."""
    videos: dict[str, list[bool]] = defaultdict(list)
    for fact in facts:
        for column, media in fact.media.items():
            if media.kind == "video" and media.recording is not None:
                videos[column].append(media.recording.channels > 0)
    return {column for column, found in videos.items() if sum(found) > MOST * len(found)}


def recordings_of(facts: Sequence[RowFacts]) -> dict[Kind, Recordings]:
    """Summarises sounds and videos. Each row counts by itself, since several rows may use parts of one file."""
    found: dict[Kind, Recordings] = {}
    for kind in RECORDINGS:
        media = [m.recording for f in facts for m in f.media.values() if m.kind == kind]
        known = [recording for recording in media if recording is not None]
        if known:
            seconds = [recording.seconds for recording in known]
            found[kind] = Recordings(
                shortest=round(min(seconds), 3),
                median=round(float(np.median(seconds)), 3),
                longest=round(max(seconds), 3),
                total=round(sum(seconds), 3),
                rates=_shares(f"{recording.rate:.6g}" for recording in known),
                channels=_shares(str(recording.channels) for recording in known),
            )
    return found


def _shares(values: Iterator[str]) -> Shares:
    return dict(Counter(values).most_common())
