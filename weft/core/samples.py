"""Rows before batching. Nothing here needs torch."""

import hashlib
from dataclasses import dataclass
from typing import Any

from weft.core.text import normalised


@dataclass(frozen=True)
class Sample:
    """One row before batching.

    `items` maps a stream or label name to its raw value: a small one (a string, a number, a list, a small array),
    `Alternatives` (several captions), or a `Media` (a picture, a sound, a video, an array in a file), which is read
    when it is needed. `group`: rows of one group must not be split between training and test or counted twice: the
    image of five captions, the patient, the speaker. `match`: rows with the same match are correct answers to each
    other in contrastive targets and retrieval; None: the group. `source` (file:line or shard:member) is part of
    every data error.
    """

    id: str
    group: str
    items: dict[str, Any]
    source: str
    match: str | None = None

    @property
    def match_name(self) -> str:
        """`match`, or the group if it is None."""
        return self.group if self.match is None else self.match


def group_key(group: str) -> int:
    """A non-negative 63-bit number for the name of a group, the same in every process.

    Names that differ only in their Unicode form get the same number: two tables may spell a file name in two forms.
    """
    digest = hashlib.blake2b(normalised(group).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
