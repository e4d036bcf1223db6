"""Rows written as several shards."""

import itertools
from collections.abc import Iterable
from pathlib import Path

from weft.core.samples import Sample
from weft.data.formats._tar_writer import write_shard


def write_shards(
    samples: Iterable[Sample],
    folder: Path,
    *,
    prefix: str = "shard",
    samples_per_shard: int = 1000,
) -> list[Path]:
    """Writes folder/prefix-000000.tar, ... with so many samples each; returns them."""
    left, shards = iter(samples), list[Path]()
    while part := list(itertools.islice(left, samples_per_shard)):
        shards.append(folder / f"{prefix}-{len(shards):06d}.tar")
        write_shard(part, shards[-1])
    return shards
