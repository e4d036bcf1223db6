"""The page of `weft search`: what was asked and what was found, with pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weft.core.display import Display
from weft.core.errors import WeftError
from weft.core.files import write_text
from weft.core.kinds import kind_of
from weft.core.media import Alternatives, Media
from weft.index import EmbeddingIndex, Hit
from weft.inference.given import given
from weft.modalities.parts import shown_by
from weft.report.hits import Found, hits_page
from weft.runs.parts import open_split
from weft.runs.run import Run


def write_page(
    path: Path, run: Run, index: EmbeddingIndex, query: Mapping[str, Any], hits: Sequence[Hit]
) -> None:
    """Writes the page. A hit that is no file is looked for among the rows of the recipe's test split."""
    ((stream, value),) = query.items()
    (row,) = given({stream: value}, run.modalities).samples
    asked = shown_by(run.modalities[stream]).show(row.items[stream])
    raws = _raws(run, index.stream, hits)
    found = [
        Found(hit.score, hit.id, hit.source, _display(run, index.stream, raws.get(hit)))
        for hit in hits
    ]
    write_text(path, hits_page(f"Search in {run.folder.resolve().name}", asked, found))


def _raws(run: Run, stream: str, hits: Sequence[Hit]) -> dict[Hit, Any]:
    """What could be read of the hits: the value of each."""
    found: dict[Hit, Any] = {
        hit: Media.file(Path(hit.source))
        for hit in hits
        if kind_of(hit.source) != "file" and Path(hit.source).is_file()
    }
    if len(found) == len(hits):
        return found
    try:
        dataset = open_split(run.recipe, run.recipe.data.test)
        for number in range(len(dataset)):
            sample = dataset[number]
            for hit in hits:
                name, _, view = hit.id.partition("#")
                if hit in found or hit.source != sample.source or name != sample.id:
                    continue
                raw = sample.items.get(stream)
                found[hit] = raw[int(view or 0)] if isinstance(raw, Alternatives) else raw
    except WeftError:  # the rows are not on this machine: the page has the names alone
        return found
    return found


def _display(run: Run, stream: str, raw: Any) -> Display | None:
    return None if raw is None else shown_by(run.modalities.get(stream)).show(raw)
