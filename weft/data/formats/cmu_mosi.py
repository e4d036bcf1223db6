"""CMU-MOSI (Zadeh et al. 2016, arXiv:1606.06259): sentences of film reviews on video and their sentiment from -3 to 3.

The table is utterances.jsonl with {"id", "video", "clip", "text", "score", "split", "fold"} a line. Vectors of the same
rows stand in mosi_utterances.npz: id (N,), text_feat (N, 100), audio_feat (N, 73) and visual_feat (N, 100), those of
Poria et al. 2017 (ACL). `split` is their division, `fold` the standard one.
"""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from weft.core.errors import DataError
from weft.core.files import open_file
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._captions import column
from weft.data.formats._files import json_objects, named
from weft.data.formats._rows import OnError, UniqueIds, split_name

NAME = "cmu_mosi"
DESCRIPTION = (
    "CMU-MOSI: utterances.jsonl (video, clip, text, score, split, fold), mosi_utterances.npz"
)
VECTORS = ("text_feat", "audio_feat", "visual_feat")
NEEDED = (b'"video"', b'"clip"', b'"text"', b'"score"')


def detect(path: Path) -> bool:
    return path.is_dir() and _table(path) is not None


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a sentence, in the order of its video. The group is the video.

    Items: text (lower case; the transcripts have capitals only), the vectors if they are there, score, video, clip,
    start and end (s), split, fold.
    """
    table = _table(path)
    if table is None:
        return []
    found = list(_samples(path, table, on_error))
    found.sort(key=lambda row: (row.group, row.items["clip"]))
    return found


def _table(path: Path) -> Path | None:
    for file in named(path, "utterances.jsonl"):
        with open_file(file) as opened:
            line = opened.readline(1 << 16)
        if all(name in line for name in NEEDED):
            return file
    return None


def _samples(path: Path, table: Path, on_error: OnError) -> Iterator[Sample]:
    ids = UniqueIds()
    vectors = _vectors(path)
    for source, row in json_objects(table, on_error):
        try:
            name = column(row, "id", str, source)
            ids.claim(name, source)
            video = column(row, "video", str, source)
            items: dict[str, Any] = {
                "text": column(row, "text", str, source).lower(),
                **_vectors_of(name, vectors, source),
                "score": row.get("score"),
                "video": video,
                "clip": column(row, "clip", int, source),
                **{key: row[key] for key in ("start", "end") if key in row},
                **{key: split_name(str(row[key])) for key in ("split", "fold") if key in row},
            }
            yield Sample(name, video, items, source)
        except DataError as error:
            on_error(error)


def _vectors(path: Path) -> dict[str, dict[str, Any]]:
    """Name of a kind of vectors -> id of a row -> its vector. Raises DataError where the archive is damaged."""
    found: dict[str, dict[str, Any]] = {}
    for file in named(path, "mosi_utterances.npz"):
        try:
            with open_file(file) as opened, np.load(opened, allow_pickle=False) as arrays:
                ids = [str(one) for one in arrays["id"]]
                for name in (one for one in VECTORS if one in arrays.files):
                    rows = arrays[name].astype(np.float32)
                    found[name] = dict(zip(ids, rows, strict=True))
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(
                f"is not an archive of vectors that can be read: {error}", source=str(file)
            ) from None
    return found


def _vectors_of(
    name: str, vectors: Mapping[str, Mapping[str, Any]], source: str
) -> dict[str, Media]:
    for kind, rows in vectors.items():
        if name not in rows:
            raise DataError(f"has no {kind}: the archive lacks '{name}'", source=source)
    return {kind: Media.array_of(rows[name]) for kind, rows in vectors.items()}
