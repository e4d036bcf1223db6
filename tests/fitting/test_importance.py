"""Columns are exchanged among groups as wholes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from weft.fitting.importance import partner_rows


@given(st.lists(st.integers(0, 5), min_size=2, max_size=40), st.integers(0, 5))
def test_each_row_gets_one_of_another_group_and_a_group_gets_those_of_one(
    groups: list[int], seed: int
) -> None:
    clusters = np.array(groups)
    partners = partner_rows(clusters, seed)
    if len(set(groups)) == 1:
        assert (partners != np.arange(len(groups))).all()
        return
    for group in set(groups):
        given_by = set(clusters[partners[clusters == group]].tolist())
        assert len(given_by) == 1
        assert group not in given_by
