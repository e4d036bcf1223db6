"""Reads the true values of a stream from the rows of a data set, in the form that the model reads."""

from collections.abc import Iterator, Sequence

import torch

from weft.core.records import Field
from weft.data.columns import ModalitySource
from weft.data.formats import Dataset
from weft.inference.config import InferenceConfig
from weft.inference.member import Member
from weft.inference.rows import Reading, Selection, read_rows


def true_values(
    member: Member,
    dataset: Dataset,
    rows: Sequence[int],
    stream: str,
    config: InferenceConfig,
) -> Iterator[tuple[list[int], Field]]:
    """Yields batches of the rows that have the stream: their row numbers, and their values (R, ...) in evaluation
    mode.

    Values are read raw, never from a feature cache, and each row once. The config's error policy applies to rows
    that cannot be read.
    """
    source = ModalitySource(dataset, stream, member.modalities[stream], optional=True)
    selection = Selection(rows=[[row] for row in rows])
    for read in read_rows(
        [Reading({stream: source})], dataset, config, selection, what="true values"
    ):
        value = read.batches[0].inputs.get(stream)
        if not isinstance(value, Field):
            continue  # no row of the batch has the stream
        kept = torch.arange(len(value))
        if value.present is not None:
            kept = value.present.nonzero()[:, 0]
        if len(kept):
            yield [read.numbers[place] for place in kept.tolist()], value.take(kept)
