"""Metrics of ranks, which retrieval and dialog share."""

from weft.evaluation.metric import RANK, Metric

MEAN_RANK = Metric("mean_rank", RANK, "lower", row_mean=True)
MRR = Metric("MRR", row_mean=True)


def recall_at(k: int) -> Metric:
    """The share of queries with a right item among the first k."""
    return Metric(f"recall@{k}", headline=k == 1, row_mean=True)
