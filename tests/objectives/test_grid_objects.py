"""The auxiliary loss that predicts the object in each grid cell, against the sum written out."""

import pytest
import torch
import torch.nn.functional as F

from weft.core.records import Batch, Features, Field
from weft.objectives.grid_objects import GridObjectsConfig


class Streams:
    def __init__(self, tokens_BTD: torch.Tensor) -> None:
        mask = torch.ones(tokens_BTD.shape[:2], dtype=torch.bool)
        self._features = Features(tokens_BTD, mask, tokens_BTD.mean(1))

    def features(self, stream: str) -> Features:
        assert stream == "image"
        return self._features


def batch(cells_BTA: torch.Tensor) -> Batch:
    ids = [str(n) for n in range(len(cells_BTA))]
    inputs = {"image": Field(torch.zeros(len(ids), 1))}
    return Batch(inputs, ids, torch.arange(len(ids)), {"objects": cells_BTA})


@torch.no_grad()
def test_the_loss_is_the_weighted_mean_of_each_row() -> None:
    torch.manual_seed(0)
    objective = GridObjectsConfig(5, (3, 2), nothing=0.2).build()
    tokens = torch.randn(2, 4, 5)
    cells = torch.tensor(
        [[[1, 2], [0, 0], [3, 1], [0, 0]], [[0, 0], [0, 0], [0, 0], [2, 2]]], dtype=torch.int64
    )
    loss = objective(None, batch(cells), Streams(tokens))
    expected, found = 0.0, []
    for row in range(2):
        weights = [1.0 if cells[row, t, 0] else 0.2 for t in range(4)]
        for t in range(4):
            logits = [head(tokens[row, t]) for head in objective.heads]
            cost = sum(F.cross_entropy(z, c) for z, c in zip(logits, cells[row, t], strict=True))
            expected += float(cost) * weights[t] / sum(weights) / 2
            if cells[row, t, 0]:
                right = [z.argmax() == c for z, c in zip(logits, cells[row, t], strict=True)]
                found.append(float(all(right)))
    assert float(loss.total) == pytest.approx(expected, abs=1e-6)
    assert float(loss.terms["found"]) == pytest.approx(sum(found) / len(found))
    halves = [
        objective(None, batch(cells[n : n + 1]), Streams(tokens[n : n + 1])).total for n in range(2)
    ]
    assert float(sum(halves) / 2) == pytest.approx(float(loss.total), abs=1e-6)


def test_it_is_learned() -> None:
    torch.manual_seed(0)
    objective = GridObjectsConfig(8, (3,)).build()
    cells = torch.randint(0, 4, (16, 9, 1))
    streams = Streams(F.one_hot(cells[:, :, 0], 8).float())
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.1)
    for _ in range(60):
        loss = objective(None, batch(cells), streams)
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
    assert loss.total.item() < 0.1
    assert loss.terms["found"].item() == 1


def test_sizes_that_disagree() -> None:
    objective = GridObjectsConfig(5, (3, 2)).build()
    tokens = Streams(torch.randn(2, 4, 5))
    with pytest.raises(ValueError, match="has 4 tokens and target 'objects' 9 cells"):
        objective(None, batch(torch.zeros(2, 9, 2, dtype=torch.int64)), tokens)
    with pytest.raises(ValueError, match=r"expected \(B, T, 2\)"):
        objective(None, batch(torch.zeros(2, 4, 3, dtype=torch.int64)), tokens)
    with pytest.raises(ValueError, match="no target 'objects'"):
        objective(None, Batch({}, ["a"], torch.arange(1)), tokens)
