"""Encodes sounds of equal length together, so that padding is never read."""

from collections.abc import Callable

import torch
from torch import Tensor

from weft.core.records import Features, Field
from weft.layers.padded import is_padded


def by_length(field: Field, encode: Callable[[Tensor], Features], dim: int) -> Features:
    """Returns Features of width `dim` for (B, T, ...), with the row lengths of the mask.

    encode: takes values (R, T, ...) without padding. Raises ValueError in the padded mode, which has a single length.
    """
    if is_padded() and field.mask is not None:
        raise ValueError("it reads sounds one length at a time; weft serve runs it without a file")
    if field.mask is None or not len(field):
        return encode(field.values)
    lengths_B = field.mask.sum(1)
    found: list[Features] = []
    places: list[Tensor] = []
    for length in sorted(set(lengths_B.tolist())):
        index_R = (lengths_B == length).nonzero()[:, 0]
        shape = (len(index_R), length, *field.values.shape[2:])
        values = field.values[index_R][field.mask[index_R]].view(shape)
        if length:
            found.append(encode(values))
        else:
            found.append(Features.absent(len(index_R), dim, field.values.device))
        places.append(index_R)
    return Features.join(found).take(torch.cat(places).argsort())
