"""Retrieval with one stream and with two as the query: python benchmarks/two_streams.py RUN [--split test]

Of a run whose streams have embeddings in one space: recall@1 from each stream to each other one, every stream embedded
once; then from each pair of streams to each third one. The query of a pair is the weighted sum of its unit embeddings, with
the weights that the rows of the validation split give; its gain is that over the better of the two alone, on the same
resamples. The plain sum stands beside it. Intervals are 95% bootstrap intervals over rows. Of several captions of a row the
first is read. Rows that lack a stream are left out and counted. The measured rows must not be those of the validation split.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import combinations, permutations, product
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

import weft
from weft.core.errors import WeftError
from weft.core.media import Alternatives
from weft.core.missing import is_missing
from weft.core.samples import Sample
from weft.data.formats import Dataset
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.comparison import compare
from weft.evaluation.query_weights import query_weights
from weft.evaluation.ranking import dot_product, rank_queries
from weft.runs.measure import validation_rows
from weft.runs.parts import open_split
from weft.runs.run import Run
from weft.tasks.together import FEWEST_MATCHES


def complete(run: Run, rows: Dataset) -> list[Sample]:
    """The rows that have every stream."""
    return [r for r in rows if not any(is_missing(r.items.get(stream)) for stream in run.streams)]


def weighing_rows(run: Run, split: str) -> list[Sample]:
    """The validation rows that choose the weights. Raises WeftError for too few beside those of the measured split."""
    held_out = validation_rows(run, split)
    rows = [] if held_out is None else complete(run, held_out)
    if len(rows) < FEWEST_MATCHES:
        raise WeftError(
            f"{run.folder}: validation rows that have every stream, beside those of --split {split}: {len(rows)}, "
            f"expected {FEWEST_MATCHES} or more, which choose the weights"
        )
    return rows


def embeddings(run: Run, rows: Sequence[Sample]) -> dict[str, Tensor]:
    """Stream -> (N, E) of every row; of several captions the first is read."""
    found = {}
    for stream in run.streams:
        values = [row.items[stream] for row in rows]
        given = [v[0] if isinstance(v, Alternatives) else v for v in values]
        found[stream] = cast(Tensor, run.embed(**{stream: given}))
    return found


def hits(query_NE: Tensor, gallery_NE: Tensor) -> Tensor:
    """(N,) 1 where the row's own entry ranks first."""
    rows_N = torch.arange(len(gallery_NE))
    ranks = rank_queries(dot_product(query_NE, gallery_NE), rows_N, rows_N)
    return ranks.hits(1).double()


def print_table(run: Run, split: str) -> None:
    """Raises WeftError if no row has every stream, or too few validation rows beside these do."""
    weighing = weighing_rows(run, split)
    rows = open_split(run.recipe, split)
    measured = complete(run, rows)
    count, left_out = len(measured), len(rows) - len(measured)
    if not count:
        raise WeftError(f"no row of {split} has every stream: {', '.join(run.streams)}")
    print(f"recall@1 among {count:,} rows of {split}, chance {100 / count:.2f} %")
    if left_out:
        print(f"rows left out because they lack a stream: {left_out:,}")
    vectors, held_out = embeddings(run, measured), embeddings(run, weighing)
    right_QN = torch.eye(len(weighing), dtype=torch.bool)
    rows_N = torch.arange(count)
    for query, third in permutations(vectors, 2):
        alone_N = hits(vectors[query], vectors[third])
        print(f"{query} -> {third}: {Bootstrap(rows_N).proportion(alone_N, rows_N).percent()}")
    for pair, third in product(combinations(vectors, 2), vectors):
        if third in pair:
            continue
        alone = {name: hits(vectors[name], vectors[third]) for name in pair}
        weights_S = query_weights(
            torch.stack([held_out[one] @ held_out[third].T for one in pair]), right_QN
        )
        both, plain = (
            hits(sum(w * vectors[s] for w, s in zip(of, pair, strict=True)), vectors[third])
            for of in (weights_S.tolist(), (1.0, 1.0))
        )
        better = max(alone.values(), key=lambda one: float(one.mean()))
        found = compare(better, both, rows_N)
        said = ", ".join(f"{name} {100 * float(one.mean()):.1f}" for name, one in alone.items())
        weighed = ", ".join(f"{w:.2f}" for w in weights_S.tolist())
        print(
            f"{' + '.join(pair)} -> {third}: {said}, both {found.second.percent()}, gain "
            f"{found.difference.percent()}; weights {weighed}; plain sum {100 * float(plain.mean()):.1f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--split", default="test")
    arguments = parser.parse_args()
    try:
        print_table(weft.load(arguments.run), arguments.split)
    except WeftError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
