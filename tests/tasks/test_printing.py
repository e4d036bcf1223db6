"""What people read on the terminal."""

import io

from rich.console import Console

from weft.data.prepare.scan import RowFacts
from weft.evaluation.leakage import audit
from weft.tasks.printing import print_result
from weft.tasks.retrieval import RetrievalConfig


def printed(result):
    out = io.StringIO()
    print_result(result, Console(file=out, width=100))
    return out.getvalue()


def test_leakage_stands_above_the_scores(world):
    w = world(images=6)
    rows = [RowFacts(r.id, r.group, r.source) for r in w.rows]
    evaluate = RetrievalConfig(resamples=20).build().evaluate
    text = printed(evaluate([w.member()], w.rows, leakage=audit(rows, rows)))
    assert text.index("6 of 6 rows belong to a group that is also in training") < text.index(
        "recall@1"
    )
    assert "the scores may be too high" in text
    assert "chance" in text
    assert "split: test" in text
    unaudited = printed(evaluate([w.member()], w.rows))
    assert "not audited" in unaudited
