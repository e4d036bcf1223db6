"""Values that are already read: embedded by a backend in batches that fit into memory."""

from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.samples import Sample
from weft.inference.config import BATCH, InferenceConfig
from weft.inference.preloaded import Preloaded

DIM = 4


class Backend:
    """Embeds a value as its first numbers, and keeps the sizes of its batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, values: list[Tensor]) -> Tensor:
        self.sizes.append(len(values))
        return F.normalize(torch.stack([value.flatten()[:DIM] for value in values]), dim=-1)


def embedded(rows: list[list[Tensor]]) -> tuple[Tensor, list[int]]:
    samples = [Sample(f"row{n}", f"group{n}", {}, "given") for n in range(len(rows))]
    backend: Any = Backend()
    modality: Any = SimpleNamespace(collate=list)
    found = Preloaded(samples, {"text": rows}).embedded("text", modality, backend)
    return found, backend.sizes


def test_views_are_averaged_in_the_order_of_the_rows() -> None:
    rows = [[torch.randn(length), torch.randn(9)] for length in (8, 5, 7, 6)]
    found, sizes = embedded(rows)
    expected = [sum(F.normalize(view[:DIM], dim=0) for view in views) for views in rows]
    torch.testing.assert_close(found, F.normalize(torch.stack(expected), dim=-1))
    assert sizes == [8]


def test_batches_are_bounded_in_rows_and_in_bytes() -> None:
    assert embedded([[torch.ones(DIM)]] * (BATCH + 1))[1] == [BATCH, 1]
    large = torch.ones(1, InferenceConfig.batch_bytes // 8)
    assert embedded([[large]] * 5)[1] == [2, 2, 1]
