"""Ranks both ways from one product against ranks from the whole matrix and its transpose."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.evaluation import ranking_both_ways
from weft.evaluation.ranking import rank_queries
from weft.evaluation.ranking_both_ways import rank_both_ways


def by_the_matrix(first, second, first_groups, second_groups):
    scores = first @ second.T
    return (
        rank_queries(lambda start, stop: scores[start:stop], first_groups, second_groups),
        rank_queries(lambda start, stop: scores.T[start:stop], second_groups, first_groups),
    )


def agree(found, expected):
    for mine, other in zip(found, expected, strict=True):
        assert torch.equal(mine.rank, other.rank)
        assert torch.equal(mine.positives, other.positives)
        torch.testing.assert_close(
            mine.average_precision, other.average_precision, rtol=1e-12, atol=0
        )


def whole_numbers(rows, width, generator):
    """Their products are exact in any order of summation, and many of them tie."""
    return torch.randint(-2, 3, (rows, width), generator=generator).float()


@settings(max_examples=80, deadline=None)
@given(
    groups=st.integers(1, 9),
    spread=st.sampled_from([(1, 1), (1, 5), (3, 2), (20, 2)]),
    tile=st.integers(1, 20),
    seed=st.integers(0, 10_000),
)
def test_one_product_gives_what_two_give(groups, spread, tile, seed):
    generator = torch.Generator().manual_seed(seed)
    sides = []
    for most in spread:
        sizes = torch.randint(1, most + 1, (groups,), generator=generator)
        labels = torch.arange(groups).repeat_interleave(sizes) * 7 + 3
        labels = labels[torch.randperm(len(labels), generator=generator)]
        sides.append((whole_numbers(len(labels), 3, generator), labels))
    (first, first_groups), (second, second_groups) = sides
    case = (first, second, first_groups, second_groups)
    agree(rank_both_ways(*case, tile=tile), by_the_matrix(*case))


@pytest.mark.parametrize("tile", [32, None])
@pytest.mark.parametrize(("pictures", "captions"), [(33, 1), (130, 1), (70, 5)])
def test_a_collapsed_model_is_last_both_ways(pictures, captions, tile):
    """Equal embeddings have equal scores in whichever tile and row they lie."""
    vector = torch.randn(1, 300, generator=torch.Generator().manual_seed(0)) / 17
    groups = torch.arange(pictures)
    texts = groups.repeat_interleave(captions)
    rows, columns = vector.expand(pictures, -1), (vector * 1.3).expand(len(texts), -1)
    by_picture, by_caption = rank_both_ways(rows, columns, groups, texts, tile=tile)
    assert (by_picture.rank == len(texts) - captions + 1).all()
    assert (by_caption.rank == pictures).all()


def test_real_numbers_rank_as_by_the_matrix():
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(333, 40, generator=generator)
    groups = torch.randperm(333, generator=generator)
    second = first.repeat_interleave(3, dim=0) + torch.randn(999, 40, generator=generator)
    case = (first.double(), second.double(), groups, groups.repeat_interleave(3))
    agree(rank_both_ways(*case, tile=64), by_the_matrix(*case))


def test_the_product_is_computed_once(monkeypatch):
    """But for the tiles that hold right pairs, which are read first."""
    places = []
    scores = ranking_both_ways._Tiles.scores

    def counted(self, row, column):
        places.append((row, column))
        return scores(self, row, column)

    monkeypatch.setattr(ranking_both_ways._Tiles, "scores", counted)
    generator = torch.Generator().manual_seed(0)
    groups = torch.randperm(100, generator=generator)
    embeddings = torch.randn(100, 8, generator=generator)
    rank_both_ways(embeddings, embeddings, groups, groups, tile=10)
    assert len(places) == 100 + 10
    assert len(set(places)) == 100


def test_bad_input_is_refused():
    good, groups = torch.ones(2, 3), torch.tensor([4, 7])
    with pytest.raises(ValueError, match="query embeddings hold NaN or infinity"):
        rank_both_ways(good * torch.nan, good, groups, groups)
    with pytest.raises(ValueError, match="1 of 2 queries have no right entry.*first: query 1"):
        rank_both_ways(good, good[:1], groups, groups[:1])
    with pytest.raises(ValueError, match="first_groups"):
        rank_both_ways(good, good, groups[:1], groups)
