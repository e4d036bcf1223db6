"""Encoded rows: in batches, for heads, and stored without padding, for fusion in many combinations."""

import contextlib
import functools
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from weft.architectures.model import Model
from weft.core.errors import WeftError
from weft.core.progress import progress
from weft.core.records import Batch, Features
from weft.core.shapes import check_shape
from weft.data.formats import Dataset
from weft.heads.classes import MATCH
from weft.inference.config import InferenceConfig
from weft.inference.embedding import View, evaluating
from weft.inference.member import Entry, Member, check_members
from weft.inference.rows import Reading, Selection, read_rows

Encoded = Mapping[str, Features]
"""Stream -> Features of B rows, for the streams that at least one row has."""


@dataclass(frozen=True)
class EncodedRows:
    """B rows. numbers: their row numbers in the data set. batches, streams: for each reading, before and after
    encoding.
    """

    numbers: Sequence[int]
    batches: Sequence[Batch]
    streams: Sequence[Encoded]

    @property
    def batch(self) -> Batch:
        """The batch of the first reading."""
        return self.batches[0]


def encode_rows(
    readers: Sequence[tuple[Member, Reading]],
    dataset: Dataset,
    config: InferenceConfig,
    selection: Selection | None = None,
    *,
    device: torch.device | str = "cpu",
    what: str = "predicting",
) -> Iterator[EncodedRows]:
    """Yields the rows in batches; each row is read once and encoded by every member. See `read_rows`.

    The caller must be within `evaluating` for the members' models.
    """
    readings = [reading for _, reading in readers]
    for read in read_rows(readings, dataset, config, selection, device=device, what=what):
        streams = [
            {s: member.model.encode(s, value) for s, value in batch.inputs.items()}
            for (member, _), batch in zip(readers, read.batches, strict=True)
        ]
        yield EncodedRows(read.numbers, read.batches, streams)


@contextlib.contextmanager
def evaluating_all(
    members: Sequence[Member], config: InferenceConfig, device: torch.device | str
) -> Iterator[None]:
    """Within it the models of all members are in evaluation mode without gradients. Raises ValueError if there are
    none.
    """
    check_members(members)
    with contextlib.ExitStack() as modes:
        for member in members:
            modes.enter_context(evaluating(member.model, device, config.precision))
        yield


class KeptFeatures:
    """Features of rows of one stream, without padding, in a memory-mapped temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="weft-features-")  # noqa: SIM115
        weakref.finalize(self, self._file.close)  # which removes it
        self._lengths: list[Tensor] = []
        self._pooled: list[Tensor] = []
        self._like = torch.empty(0, 0)

    def __len__(self) -> int:
        return sum(map(len, self._lengths))

    def add(self, features: Features) -> None:
        """Appends rows. Raises WeftError if the disk is full."""
        tokens = features.tokens[features.mask].cpu().contiguous()
        try:
            self._file.write(tokens.flatten().view(torch.uint8).numpy().data)
            self._file.flush()
        except OSError as error:
            raise WeftError(
                f"{tempfile.gettempdir()}: encoded rows cannot be kept here: {error.strerror}; "
                "set TMPDIR to a folder with more room"
            ) from None
        self._lengths.append(features.mask.sum(1).cpu())
        self._pooled.append(features.pooled.cpu())
        self._like = tokens[:0]
        self.__dict__.pop("_whole", None)

    @functools.cached_property
    def _whole(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(S, D) tokens, lengths and starts (N,), pooled (N, D)."""
        lengths_N = torch.cat(self._lengths)
        tokens_SD = self._like
        if lengths_N.sum():
            mapped = np.memmap(self._file, np.uint8, mode="c")
            tokens_SD = (
                torch.from_numpy(mapped).view(self._like.dtype).view(-1, self._like.shape[1])
            )
        return tokens_SD, lengths_N, lengths_N.cumsum(0) - lengths_N, torch.cat(self._pooled)

    def take(self, index_R: Tensor, device: torch.device | str = "cpu") -> Features:
        """The rows with these numbers, padded to the longest of them. Each row is read once."""
        tokens_SD, lengths_N, starts_N, pooled_ND = self._whole
        rows_U, place_R = torch.unique(index_R, return_inverse=True)
        lengths_U = lengths_N[rows_U]
        steps_T = torch.arange(int(lengths_U.max()))
        mask_UT = steps_T < lengths_U[:, None]
        places_UT = (starts_N[rows_U][:, None] + steps_T).masked_fill(~mask_UT, 0)
        tokens_UTD = tokens_SD[places_UT].masked_fill(~mask_UT[:, :, None], 0)
        found = Features(tokens_UTD, mask_UT, pooled_ND[rows_U]).to(device)
        return found.take(place_R.to(device))


class KeptEntries:
    """Features of entries, in one or more evaluation views each."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.features = KeptFeatures()
        self._entries = entries
        self._rows: dict[Entry, dict[int, int]] = {}

    def add(self, views: Sequence[View], features: Features) -> None:
        """Adds views of the entries."""
        for row, view in enumerate(views, len(self.features)):
            self._rows.setdefault(self._entries[view.place], {})[view.view] = row
        self.features.add(features)

    def rows(self, entry: Entry) -> list[int]:
        """The row numbers of the entry among the features, its first view first."""
        return [row for _, row in sorted(self._rows[entry].items())]


def pair_log_odds(
    model: Model,
    head: str,
    kept: Mapping[str, KeptFeatures],
    pairs: Mapping[str, Tensor],
    at_once: int,
    device: torch.device | str,
) -> Tensor:
    """(P,) log odds, from a head of two logits, that the streams of P pairs belong together.

    pairs: stream -> (P,) row number among the kept features. at_once: pairs that are fused in one call.
    """
    count = len(next(iter(pairs.values())))
    scores: list[Tensor] = []
    with progress("matching", count) as advance:
        for start in range(0, count, at_once):
            part = slice(start, start + at_once)
            fused = model.fuse({s: kept[s].take(of[part], device) for s, of in pairs.items()})
            logits_P2 = model.decode(head, fused).float()
            check_shape(logits_P2, "P 2", f"what head '{head}' gives")
            scores.append((logits_P2[:, MATCH] - logits_P2[:, 1 - MATCH]).cpu())
            advance(len(logits_P2))
    return torch.cat(scores)
