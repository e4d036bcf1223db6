"""Records refuse what does not fit together."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weft.core.records import Batch, Features, Field, group_key
from weft.core.shapes import check_shape


def test_batch_refuses_sizes_that_disagree() -> None:
    field = Field(torch.zeros(3, 5))
    with pytest.raises(ValueError, match=r"inputs\[text\] has 3 rows, expected 2"):
        Batch({"text": field}, ids=("a", "b"), groups=torch.zeros(2))
    batch = Batch({"text": field}, ids="abc", groups=torch.zeros(3))
    assert len(batch) == 3
    assert len(batch.with_inputs(image=Field(torch.zeros(3, 1))).inputs) == 2
    with pytest.raises(ValueError, match="groups has 2 rows"):
        Batch({"text": field}, ids="abc", groups=torch.zeros(2))


def test_field_and_features_check_masks() -> None:
    with pytest.raises(ValueError, match="expected torch.bool"):
        Field(torch.zeros(2, 3), mask=torch.ones(2, 3))
    with pytest.raises(ValueError, match="mask has shape"):
        Field(torch.zeros(2, 3), mask=torch.ones(2, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match="present has shape"):
        Field(torch.zeros(2, 3), present=torch.ones(3, dtype=torch.bool))
    with pytest.raises(ValueError, match="disagree"):
        Features(torch.zeros(2, 3, 4), torch.ones(2, 2, dtype=torch.bool), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="pooled has shape"):
        Features(torch.zeros(2, 3, 4), torch.ones(2, 3, dtype=torch.bool), torch.zeros(3, 4))


@given(st.text())
def test_group_keys_are_stable_and_fit_int64(name: str) -> None:
    key = group_key(name)
    assert key == group_key(name)
    assert int(torch.tensor([key])) == key >= 0


def test_group_key_is_the_same_in_every_process() -> None:
    assert group_key("1000268201_693b08cb0e.jpg") == 4769461703622052916


def test_check_shape() -> None:
    check_shape(torch.zeros(2, 3, 2), "B T B", "x", T=3)
    with pytest.raises(ValueError, match=r"x has shape \(2, 3\), expected \(B B\) with B = 2"):
        check_shape(torch.zeros(2, 3), "B B", "x")
    with pytest.raises(ValueError, match="expected 2 dimensions"):
        check_shape(torch.zeros(2), "B T", "x")
    with pytest.raises(ValueError, match="with 4 = 4"):
        check_shape(torch.zeros(2, 3), "B 4", "x")
