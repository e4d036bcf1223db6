"""Calibrates the cut-offs of an index with the run that embedded it: the minimum score at which a query has found
something."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.language import say
from weft.core.media import Alternatives
from weft.core.text import counted
from weft.data.formats import Dataset, spread
from weft.index import Index
from weft.index.cutoff import REFUSED, Calibrated, calibrated
from weft.index.nonsense import KINDS, nonsense
from weft.inference.config import InferenceConfig
from weft.inference.embedding import embed_entries
from weft.inference.entries import list_entries
from weft.modalities.stream_kinds import kind_of_stream
from weft.runs.parts import open_split
from weft.runs.trained import TrainedModel


class Counts(NamedTuple):
    """Numbers of queries for calibrating a cut-off."""

    known: int
    real: int
    nonsense: int


TEXTS, OTHERS = Counts(4000, 500, 300), Counts(300, 200, 100)
"""Pictures and sounds take longer to embed than texts."""
FEWEST = 20
"""Minimum number of real queries for estimating a share."""
SEED = 0


def calibrate(run: TrainedModel, index: Index) -> list[str]:
    """Sets the cut-off for queries of each stream of the run. Returns a line on the quality of each, and a line on
    all streams without a cut-off for the same reason.

    Known queries are values of training rows, real ones of validation rows; nonsense is generated. A stream gets no
    cut-off if its rows are missing, or if nonsense cannot be separated from real queries.
    """
    lines: list[str] = []
    without: dict[str, list[str]] = {}
    for stream in run.streams:
        if kind_of_stream(run.modalities[stream]) in KINDS:
            try:
                lines.append(_of_stream(run, index, stream))
            except WeftError as error:
                without.setdefault(str(error), []).append(f"'{stream}'")
    for reason, streams in without.items():
        queries = ", ".join(streams)
        lines.append(
            say(f"queries by {queries} always get results, even if nothing fits: {reason}")
        )
    return lines


def _of_stream(run: TrainedModel, index: Index, stream: str) -> str:
    """Sets the stream's cut-off, and returns a line on it. Raises WeftError if there is none, with the reason."""
    index.set_cutoff(stream, None)
    counts = TEXTS if kind_of_stream(run.modalities[stream]) == "text" else OTHERS
    one = calibration(run, index, stream, counts)
    answered, refused = f"{one.answered:.1%}", f"{one.refused:.1%}"
    if one.cutoff is None:
        raise WeftError(
            f"a minimum score at which {answered} of nonsense queries get results would leave {refused} of real "
            "queries without any"
        )
    index.set_cutoff(stream, one.cutoff)
    return say(
        f"cut-off for '{stream}': {answered} of nonsense queries get results, {refused} of real queries get none"
    )


def calibration(
    run: TrainedModel, index: Index, stream: str, counts: Counts, most: float = REFUSED
) -> Calibrated:
    """Calibrates the cut-off for queries of that stream, with these numbers of queries. most: see `calibrated`.

    Raises WeftError if there are too few real queries.
    """
    data, kind = run.recipe.data, str(kind_of_stream(run.modalities[stream]))
    known = torch.zeros(0, index.dim)
    texts: Sequence[object] = ()
    # The index's own stream needs no known queries: the cosine with its entries is sufficient.
    if counts.known and stream != index.stream:
        rows = open_split(run.recipe, data.train)
        known, texts = _embedded(run, rows, stream, counts.known)
    real, _ = _embedded(run, open_split(run.recipe, data.validation), stream, counts.real)
    if len(real) < FEWEST:
        rows_there = counted(len(real), "row")
        raise WeftError(
            f"{rows_there} of the validation split can be used to find a minimum score, expected {FEWEST}"
        )
    found = run.embed(**{stream: nonsense(kind, counts.nonsense, SEED, texts)})
    assert isinstance(found, Tensor)
    return calibrated(found, real, known, _best(index, found), _best(index, real), most)


def _best(index: Index, queries_QE: Tensor) -> Tensor:
    """(Q,) cosine of the best hit."""
    return torch.tensor([hits[0].score for hits in index.search(queries_QE, 1)])


def _embedded(
    run: TrainedModel, dataset: Dataset, stream: str, most: int
) -> tuple[Tensor, Sequence[object]]:
    """Returns embeddings and raw values of the stream for at most this many rows, evenly spread over the data set.

    There is one for each row. Rows that lack the stream or cannot be read are left out.
    """
    rows = spread(dataset, most)
    config = InferenceConfig(batch_size=64, workers=0, errors=run.recipe.data.errors)
    bad = config.errors.build(len(rows))
    listed = list_entries(rows, (stream,), bad).entries[stream]
    entries = [entry for entry in listed if not entry.alternative]
    if not entries:
        raise WeftError(f"no row has a value of '{stream}'")
    found = embed_entries([run.reading(rows)], entries, rows, config, bad, run.device)
    return found.vectors[0].clone(), [_first(rows[e.row].items[stream]) for e in found.entries]


def _first(raw: object) -> object:
    return raw[0] if isinstance(raw, Alternatives) else raw
