"""Measures how far the embeddings of an exported tower are from those of the run."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from weft.architectures.model import Model
from weft.core.records import Field
from weft.inference.embedding import evaluating

Embed = Callable[[Field], Tensor]
"""A Field of B rows -> (B, E) embeddings of unit length, float32, on the CPU."""


def eager(model: Model, stream: str, device: torch.device | str = "cpu") -> Embed:
    """Embeds like the run itself, in fp32."""

    def embed(field: Field) -> Tensor:
        with evaluating(model, device, "fp32"):
            return model.embed(stream, model.encode(stream, field.to(device))).cpu()

    return embed


@dataclass(frozen=True)
class Parity:
    """Over `rows` rows: the worst and the mean cosine to the run's own fp32 embeddings, and the largest difference
    of a number.

    batches: the batch sizes. lengths: the shortest and longest batch; None for a stream without a mask.
    """

    rows: int
    worst: float
    mean: float
    difference: float
    batches: tuple[int, ...]
    lengths: tuple[int, int] | None

    def line(self) -> str:
        """One line for the user."""
        width = "" if self.lengths is None else ", lengths {} to {}".format(*self.lengths)
        sizes = ", ".join(map(str, self.batches))
        return (
            f"{self.rows} rows in batches of {sizes}{width}: cosine to eager fp32 {self.mean:.7f}, worst {self.worst:.7f}, "
            f"largest difference {self.difference:.1e}"
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def parity(found: Embed, expected: Embed, fields: Sequence[Field]) -> Parity:
    """Compares two functions that embed, on these Fields. A cosine of NaN counts as -1."""
    pairs = [(found(field).double(), expected(field).double()) for field in fields]
    ours, wanted = (torch.cat(side) for side in zip(*pairs, strict=True))
    cosines = torch.nn.functional.cosine_similarity(ours, wanted).nan_to_num(nan=-1.0)
    widths = [field.mask.shape[1] for field in fields if field.mask is not None]
    return Parity(
        rows=len(ours),
        worst=float(cosines.min()),
        mean=float(cosines.mean()),
        difference=float((ours - wanted).abs().max()),
        batches=tuple(dict.fromkeys(map(len, fields))),
        lengths=(min(widths), max(widths)) if widths else None,
    )
