"""Training rows that permanently lack streams, to measure a model trained on incomplete data."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from weft.core.samples import Sample, group_key
from weft.data.formats import Dataset, columns_of


class Incomplete(Sequence[Sample]):
    """The rows of `dataset`, each without some of its streams. Which ones depends only on the seed and the row's id.

    Of S streams a row loses `share` x S on average: one of the two nearest whole numbers, sampled so that the mean
    holds. Each stream is equally likely to be lost.
    """

    def __init__(
        self, dataset: Dataset, streams: Mapping[str, Sequence[str]], share: float, seed: int
    ) -> None:
        """streams: a stream that a row may lack -> the columns that it reads. Raises ValueError if a row would lose
        all."""
        if not 0 <= share * len(streams) <= len(streams) - 1:
            raise ValueError(
                f"a share of {share} of {len(streams)} streams leaves rows without any, expected one stream or more to stay"
            )
        self.known_columns = columns_of(dataset)
        self._dataset, self._streams = dataset, dict(streams)
        self._share, self._seed = share, seed

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        sample = self._dataset[index]
        lost = {column for stream in self.lost(sample.id) for column in self._streams[stream]}
        kept = {name: value for name, value in sample.items.items() if name not in lost}
        return replace(sample, items=kept)

    def lost(self, name: str) -> list[str]:
        """Returns the streams that the row with this id lacks."""
        random = np.random.default_rng((self._seed, group_key(name) % 2**63))
        count = int(self._share * len(self._streams) + random.random())
        return [str(one) for one in random.permutation(sorted(self._streams))[:count]]
