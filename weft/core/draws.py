"""Random numbers for rows: pure functions of the row's seed, so the division of a batch does not change them."""

import hashlib

import torch
from torch import Tensor

_GOLDEN, _FIRST, _SECOND = (
    number - 2**64 for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
BITS = 24
"""Bits of a number: as many as a float32 below 1 holds without rounding up to 1."""


def uniform(seeds_B: Tensor, name: str, *shape: int) -> Tensor:
    """(B, *shape) float32 in [0, 1). Equal seed, name and position within the row give an equal number.

    The numbers are the finaliser of SplitMix64 (Steele et al. 2014, doi:10.1145/2660193.2660195, section 4) applied
    to a counter, the same on every device. A number depends only on the row's seed and the position, so in a padded
    shape (T,) the numbers of real tokens do not depend on the padding.

    seeds_B: int64. name: the purpose of the numbers; two purposes get different numbers for the same row.
    """
    places = torch.arange(_product(shape), device=seeds_B.device) + 1
    salt = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)
    mixed = _mix(_mix(seeds_B ^ salt)[:, None] + places * _GOLDEN)
    return (_shifted(mixed, 64 - BITS).float() * 2.0**-BITS).view(len(seeds_B), *shape)


def normal(seeds_B: Tensor, name: str, *shape: int) -> Tensor:
    """(B, *shape) float32 of the standard normal distribution, from the numbers of `uniform`; at most 5.3 from 0."""
    # Midpoints between neighbouring numbers, in float64, which can represent them: never 0 or 1, whose
    # quantiles are infinite.
    middle = uniform(seeds_B, name, *shape).double() + 2.0 ** -(BITS + 1)
    found: Tensor = torch.special.ndtri(middle).float()
    return found


def _mix(number: Tensor) -> Tensor:
    number = (number ^ _shifted(number, 30)) * _FIRST
    number = (number ^ _shifted(number, 27)) * _SECOND
    mixed: Tensor = number ^ _shifted(number, 31)
    return mixed


def _shifted(number: Tensor, bits: int) -> Tensor:
    """Logical shift to the right: the sign bit is not copied."""
    shifted: Tensor = (number >> bits) & (2 ** (64 - bits) - 1)
    return shifted


def _product(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
