import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.layers.packing import Packing
from weft.layers.pooling import pool

masks = st.integers(1, 5).flatmap(
    lambda width: st.lists(
        st.lists(st.booleans(), min_size=width, max_size=width), min_size=1, max_size=6
    )
)


@given(masks)
@settings(deadline=None, max_examples=60)
def test_unpack_restores_every_real_token_and_leaves_zero_elsewhere(rows: list[list[bool]]) -> None:
    mask = torch.tensor(rows)
    values = torch.arange(1.0, mask.numel() + 1).view(*mask.shape, 1)
    packing = Packing.of(mask)
    packed = packing.pack(values.masked_fill(~mask[:, :, None], torch.nan))
    assert packed.shape == (int(mask.sum()), 1)
    assert torch.equal(packing.unpack(packed), values * mask[:, :, None])


@given(masks)
@settings(deadline=None, max_examples=60)
def test_groups_are_views_of_whole_rows(rows: list[list[bool]]) -> None:
    mask = torch.tensor(rows)
    packing = Packing.of(mask)
    owners = packing.pack(torch.arange(len(mask))[:, None].expand(mask.shape))
    covered = 0
    for group in packing.groups:
        block = owners[group.start : group.stop].view(group.rows, group.length)
        assert (block == block[:, :1]).all()
        assert (mask[block[:, 0]].sum(1) == group.length).all()
        covered += block.numel()
    assert covered == int(mask.sum())
    assert torch.equal(packing.spread(torch.arange(len(mask))), owners)


def test_positions_count_real_tokens_whichever_side_is_padded() -> None:
    mask = torch.tensor([[True, True, False, False], [False, True, True, True]])
    packing = Packing.of(mask)
    padded = packing.unpack(packing.positions() + 1)
    assert padded.tolist() == [[1, 2, 0, 0], [0, 1, 2, 3]]


def test_no_padding_needs_no_gather() -> None:
    packing = Packing.of(torch.ones(3, 4, dtype=torch.bool))
    values = torch.randn(3, 4, 2)
    assert packing.index is None
    assert packing.pack(values).data_ptr() == values.data_ptr()
    assert packing.positions().tolist() == [0, 1, 2, 3] * 3


def test_wrong_mask_and_values_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected torch.bool \(B, T\)"):
        Packing.of(torch.ones(2, 3))
    packing = Packing.of(torch.tensor([[True, False]]))
    with pytest.raises(ValueError, match=r"expected \(1, 2\) first"):
        packing.pack(torch.zeros(1, 3, 4))


@pytest.mark.parametrize("how", ["first", "last", "mean", "max"])
def test_pooling_reads_real_tokens_only(how: str) -> None:
    mask = torch.tensor([[True, True, False], [False, True, True], [False, False, False]])
    values = torch.tensor([[1.0, 4.0, 9.0], [9.0, 2.0, -6.0], [9.0, 9.0, 9.0]])[:, :, None]
    values = values.masked_fill(~mask[:, :, None], torch.nan)
    expected = {
        "first": [1.0, 2.0, 0.0],
        "last": [4.0, -6.0, 0.0],
        "mean": [2.5, -2.0, 0.0],
        "max": [4.0, 2.0, 0.0],
    }
    assert pool(values, mask, how).flatten().tolist() == expected[how]  # type: ignore[arg-type]
