"""From what score on a query has found something."""

import pytest
import torch
import torch.nn.functional as F

from weft.core.errors import WeftError
from weft.index import Cutoff, Index
from weft.index.cutoff import ANSWERED, calibrated, familiarity
from weft.index.nonsense import nonsense

DIM = 16


def unit(seed, count, middle=0.0):
    """Vectors around the first axis, the more so the larger `middle`."""
    noise = torch.randn(count, DIM, generator=torch.Generator().manual_seed(seed))
    noise[:, 0] += middle
    return F.normalize(noise, dim=1)


def test_queries_near_known_ones_pass_where_their_hits_are_no_better():
    """Best hits of both are drawn alike, so only the known queries can tell nonsense."""
    real, known, strange = unit(0, 200, 12.0), unit(1, 300, 12.0), unit(2, 300)
    best = torch.rand(500, generator=torch.Generator().manual_seed(3))
    found = calibrated(strange, real, known, best[:300], best[200:400])
    assert found.answered <= ANSWERED
    assert found.refused <= 0.01
    assert found.cutoff is not None
    assert found.cutoff.weight > 0
    strengths = found.cutoff.weight * familiarity(real, known) + best[200:400]
    refused = (best[200:400] < found.cutoff.of(real)).float().mean()
    assert refused == pytest.approx(found.refused)
    assert refused == (strengths < found.cutoff.threshold).float().mean()


def test_without_known_queries_the_best_hit_decides():
    nothing = torch.zeros(0, DIM)
    found = calibrated(
        unit(0, 100), unit(1, 50), nothing, torch.linspace(0, 0.4, 100), torch.full((50,), 0.6)
    )
    assert (found.refused, found.cutoff.weight) == (0.0, 0.0)
    assert 0.38 < found.cutoff.threshold < 0.4
    assert torch.equal(
        found.cutoff.of(unit(2, 3)), torch.tensor([found.cutoff.threshold]).expand(3)
    )


def test_there_is_no_cut_off_that_tells_nothing_apart():
    best = torch.rand(300, generator=torch.Generator().manual_seed(3))
    found = calibrated(unit(0, 150), unit(1, 150), unit(2, 150), best[:150], best[150:])
    assert found.cutoff is None
    assert found.refused > 0.5


def test_a_cut_off_is_kept_with_the_index(tmp_path):
    index = Index.create(tmp_path / "index", dim=DIM, stream="image")
    assert index.cutoff("text") is None
    made = Cutoff(0.7, 2.0, unit(0, 5))
    index.set_cutoff("text", made)
    found = Index.open(index.folder).cutoff("text")
    assert (found.threshold, found.weight) == (0.7, 2.0)
    assert torch.equal(found.known, made.known)
    assert index.cutoff("image") is None
    index.set_cutoff("text", None)
    assert index.cutoff("text") is None
    with pytest.raises(ValueError, match="known queries"):
        index.set_cutoff("text", Cutoff(0.7, 2.0, torch.zeros(2, DIM + 1)))


def test_a_damaged_cut_off_is_named(tmp_path):
    index = Index.create(tmp_path / "index", dim=DIM, stream="image")
    index.set_cutoff("text", Cutoff(0.7, 2.0, unit(0, 5)))
    with index._database.writing() as connection:
        connection.execute("UPDATE cutoffs SET known = X'00112233'")
    with pytest.raises(WeftError, match="is damaged: the cut-off of 'text'"):
        index.cutoff("text")


@pytest.mark.parametrize("kind", ["text", "image", "audio"])
def test_nonsense_is_the_same_for_the_same_seed(kind):
    first, again, other = (nonsense(kind, 12, seed, ["红色"]) for seed in (0, 0, 1))
    assert len(first) == 12
    assert str(first) == str(again) != str(other)
    if kind == "text":
        joined = "".join(nonsense(kind, 200, 0, ["红色"]))
        assert "红" in joined
        assert "q" in joined


def test_no_nonsense_is_known_of_a_video():
    assert nonsense("video", 3, 0) == []
