"""Masked frames of sounds and patches of films: what is hidden, and what is compared with it."""

import pytest
import torch

from weft.core.records import Batch, Field
from weft.objectives.masked_frames import MaskedFramesConfig
from weft.objectives.masked_video import MaskedVideoConfig


def batch(rows: int) -> Batch:
    names = [str(n) for n in range(rows)]
    return Batch({}, names, torch.arange(rows), seeds=torch.arange(rows))


def test_stretches_of_real_tokens_are_hidden() -> None:
    objective = MaskedFramesConfig(4, bands=2, frames=2, mask_ratio=0.3, span=3).build()
    real = torch.arange(20) < torch.tensor([20, 7, 1])[:, None]
    chosen = objective.choose(batch(3), real)
    assert not (chosen & ~real).any()
    assert chosen.any(dim=1).all()
    first = chosen[0].tolist()
    for start in range(0, 20, 3):
        assert len(set(first[start : start + 3])) == 1
    many = objective.choose(batch(400), torch.ones(400, 60, dtype=torch.bool))
    assert many.float().mean().item() == pytest.approx(0.3, abs=0.03)


def test_a_token_has_its_frames_and_those_behind_the_end_do_not_count() -> None:
    objective = MaskedFramesConfig(4, bands=1, frames=2).build()
    frames = torch.tensor([[[1.0], [2.0], [3.0]]])
    assert objective.by_token(frames)[:, :, :, 0].tolist() == [[[1.0, 2.0], [3.0, 0.0]]]
    real = objective.by_token(torch.ones(1, 3, dtype=torch.bool))
    assert real.tolist() == [[[True, True], [True, False]]]


def test_a_tube_is_hidden_in_all_frames_that_are_there() -> None:
    mask = torch.tensor([[True, True, True], [True, False, False]])
    films = Field(torch.zeros(2, 3, 3, 8, 8, dtype=torch.uint8), mask)
    tubes = MaskedVideoConfig(4, 2, pixels=1, mask_ratio=0.5).build().choose(batch(2), films)
    assert tubes.shape == (2, 3, 4, 4)
    assert torch.equal(tubes[0, 0], tubes[0, 1])
    assert torch.equal(tubes[0, 0], tubes[0, 2])
    assert 0 < tubes[0, 0].sum() < 16
    assert not tubes[1, 1:].any()
    each = MaskedVideoConfig(4, 2, pixels=1, mask_ratio=0.5, tubes=False).build()
    chosen = each.choose(batch(2), films)
    assert not torch.equal(chosen[0, 0], chosen[0, 1])
    assert not chosen[1, 1:].any()
    whole = MaskedVideoConfig(4, 8, pixels=1, mask_ratio=0.4)
    with pytest.raises(ValueError, match="expected tubes False"):
        whole.build().choose(batch(2), films)
    assert whole.replace(tubes=False).build().choose(batch(2), films).shape == (2, 3, 1, 1)


def test_patches_are_made_small_by_averaging() -> None:
    films = torch.zeros(1, 2, 3, 4, 4, dtype=torch.uint8)
    films[0, 1, :, :2, 2:] = 255
    wanted = MaskedVideoConfig(4, 2, pixels=1).build().wanted(films)
    assert wanted.shape == (1, 8, 3)
    assert wanted[0, :, 0].tolist() == [-1.0] * 5 + [1.0] + [-1.0] * 2
