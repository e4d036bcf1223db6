"""Records refuse what does not fit together."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weft.core.records import Batch, Features, Field
from weft.core.samples import group_key
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


def test_rows_are_views_of_every_part() -> None:
    mask = torch.tensor([[True, False], [True, True], [True, True]])
    field = Field(torch.arange(6).view(3, 2), mask, present=mask[:, 1])
    features = Features(torch.arange(6.0).view(3, 2, 1), mask, torch.arange(3.0)[:, None])
    batch = Batch({"a": field, "b": features}, "xyz", torch.arange(3), {"label": torch.arange(3)})
    some = batch.rows(slice(1, 9))
    assert (some.ids, some.groups.tolist()) == ("yz", [1, 2])
    assert some.targets["label"].tolist() == [1, 2]
    assert some.inputs["a"].values.tolist() == [[2, 3], [4, 5]]
    assert some.inputs["a"].present.tolist() == [True, True]
    assert some.inputs["b"].pooled.tolist() == [[1.0], [2.0]]
    assert some.inputs["a"].values.data_ptr() == field.values[1:].data_ptr()
    plain = Field(torch.zeros(3, 1)).rows(slice(1))
    assert (len(plain), plain.mask, plain.present) == (1, None, None)


def test_joined_features_are_padded_to_the_longest() -> None:
    def part(rows: int, width: int) -> Features:
        tokens = torch.rand(rows, width, 2)
        return Features(tokens, torch.ones(rows, width, dtype=torch.bool), tokens.mean(1))

    parts = [part(2, 1), part(1, 3)]
    joined = Features.join(parts)
    assert joined.mask.tolist() == [[True, False, False]] * 2 + [[True] * 3]
    assert torch.equal(joined.tokens[:2, :1], parts[0].tokens)
    assert joined.tokens[:2, 1:].eq(0).all()
    assert torch.equal(joined.tokens[2:], parts[1].tokens)
    assert torch.equal(joined.pooled, torch.cat([p.pooled for p in parts]))
    assert Features.join(parts[:1]) is parts[0]


@given(st.lists(st.booleans(), min_size=1, max_size=6), st.booleans(), st.booleans())
def test_spread_undoes_take_and_leaves_the_others_absent(
    there: list[bool], masked: bool, known: bool
) -> None:
    rows, index_R = len(there), torch.tensor(there).nonzero()[:, 0]
    values = torch.arange(1.0, 1 + rows * 6).view(rows, 3, 2)
    mask = torch.ones(rows, 3, dtype=torch.bool)
    present = torch.arange(rows) % 2 == 0
    field = Field(values, mask if masked else None, present if known else None)
    features = Features(values, mask, values[:, 0])
    there_B = torch.tensor(there)
    spread = field.take(index_R).spread(index_R, rows)
    assert torch.equal(spread.values, values * there_B[:, None, None])
    assert spread.present is not None
    assert torch.equal(spread.present, there_B & present if known else there_B)
    assert (spread.mask is None) is not masked
    found = features.take(index_R).spread(index_R, rows)
    assert torch.equal(found.tokens, spread.values)
    assert torch.equal(found.pooled, values[:, 0] * there_B[:, None])
    assert torch.equal(found.present, there_B)


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
