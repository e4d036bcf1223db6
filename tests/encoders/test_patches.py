"""Patches are learned from pictures alone, the same from the same ones, and tell textures apart."""

import torch

from weft.core.records import Field
from weft.encoders.patches import Patches, PatchesConfig


def pictures(across: bool, seed: int) -> torch.Tensor:
    """Grey stripes of random width and strength, across or down."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(20):
        width = int(torch.randint(2, 5, (), generator=generator))
        line = (torch.arange(32) // width % 2).float()
        grid = line[:, None].expand(32, 32) if across else line[None].expand(32, 32)
        colour = 100 + 100 * torch.rand(1, 1, 1, generator=generator)
        found.append((grid * colour + 20 * torch.rand(3, 32, 32, generator=generator)).byte())
    return torch.stack(found)


def learned() -> Patches:
    encoder = PatchesConfig(centroids=16).build()
    both = torch.cat([pictures(True, 0), pictures(False, 1)])
    encoder.learn(lambda: [Field(part) for part in both.split(16)])
    return encoder


def test_textures_are_told_apart_by_their_nearest_neighbours() -> None:
    encoder = learned()
    known = encoder(Field(torch.cat([pictures(True, 2), pictures(False, 3)]))).pooled
    asked = encoder(Field(torch.cat([pictures(True, 4), pictures(False, 5)]))).pooled
    nearest = torch.cdist(asked, known).argmin(dim=1)
    assert torch.equal(nearest < 20, torch.arange(40) < 20)


def test_the_same_pictures_give_the_same_patches() -> None:
    one, other = learned().state_dict(), learned().state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
