"""The page of `weft search`: the query and the results, with pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weft.core.display import Display, Picture, Recording, Word
from weft.core.files import write_text
from weft.core.media import Media
from weft.index import Hit, Index
from weft.inference.given import given
from weft.modalities.parts import shown_by
from weft.report.hits import Found, hits_page
from weft.runs.run import Run


def write_page(
    path: Path, run: Run, index: Index, query: Mapping[str, Any], hits: Sequence[Hit]
) -> None:
    """Writes the page, with the stored preview of each hit in the index."""
    ((stream, value),) = query.items()
    (row,) = given({stream: value}, run.modalities).samples
    asked = shown_by(run.modalities[stream]).show(row.items[stream])
    found = [Found(hit.score, hit.id, hit.source, _display(index, hit)) for hit in hits]
    write_text(path, hits_page(f"Search in {run.folder.resolve().name}", asked, found))


def _display(index: Index, hit: Hit) -> Display | None:
    preview = index.preview(hit.id)
    if preview is None:
        return None if hit.text is None else Display(words=(Word(hit.text),))
    if preview.media_type.startswith("audio/"):
        return Display(recordings=(Recording(Media.encoded(preview.data, "audio", "mp3")),))
    return Display(pictures=(Picture(Media.encoded(preview.data, "image")),))
