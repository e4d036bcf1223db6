"""Several streams search together: weights from validation rows, and what they are worth."""

import pytest
import torch
import torch.nn.functional as F

from weft.evaluation.query_weights import query_weights
from weft.inference.member import Entry
from weft.tasks._gallery import Gallery
from weft.tasks.retrieval import RetrievalConfig
from weft.tasks.together import TogetherSearch, Weigher, entries_of

ROWS, DIM = 400, 16
NOISE = {"text": 0.0, "image": 1.0, "audio": 4.0}
CONFIG = RetrievalConfig(streams=tuple(NOISE), resamples=10)


def galleries(seed: int) -> dict[str, Gallery]:
    """Each stream is the same point with more or less noise; the rows of streams are not in the same order."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(ROWS, DIM, generator=generator)
    found = {}
    for stream, noise in NOISE.items():
        rows = torch.randperm(ROWS, generator=generator)
        vectors = points[rows] + noise * torch.randn(ROWS, DIM, generator=generator)
        entries = tuple(Entry(stream, row) for row in rows.tolist())
        found[stream] = Gallery(entries, rows, rows, (F.normalize(vectors, dim=1),))
    return found


def recall(weigher: Weigher, left: tuple[str, ...]) -> float:
    given = galleries(1)
    others = {s: entries_of(given[s]) for s in ("image", "audio")}
    search = TogetherSearch(CONFIG, given["text"], others, "text", weigher)
    return search.line(left, "absent", left, [{}]).score.value


def test_weights_are_those_of_the_validation_rows() -> None:
    given = galleries(0)
    weights = Weigher(given).weights(("image", "audio"), "text")
    ordered = {}
    for stream, gallery in given.items():
        ordered[stream] = gallery.vectors[0][gallery.matches.argsort()]
    similar = torch.stack([ordered[s] @ ordered["text"].T for s in ("image", "audio")])
    expected = query_weights(similar, torch.eye(ROWS, dtype=torch.bool))
    assert list(weights.values()) == pytest.approx(expected.tolist(), abs=1e-6)
    assert weights["image"] == 1
    assert 0 < weights["audio"] < 0.6


def test_a_weak_stream_helps_where_the_plain_sum_costs() -> None:
    alone = recall(Weigher({}), ("image",))
    assert recall(Weigher(galleries(0)), ("image", "audio")) > alone
    assert recall(Weigher({}), ("image", "audio")) < alone


def test_one_stream_or_no_rows_need_no_weights() -> None:
    assert Weigher(galleries(0)).weights(("image",), "text") == {"image": 1.0}
    assert Weigher({}).weights(("image", "audio"), "text") == {"image": 1.0, "audio": 1.0}
