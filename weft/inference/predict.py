"""Predictions of a model's head for rows: the one function for evaluation, commands, explanations and reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.interfaces import InTime
from weft.core.records import Features
from weft.core.records import Field as StreamField
from weft.core.tables import TableColumn, TextTable
from weft.core.text import counted
from weft.data.formats import Dataset
from weft.heads.output import Part, Values
from weft.inference.config import InferenceConfig
from weft.inference.encoded import Encoded, EncodedRows, encode_rows, evaluating_all
from weft.inference.member import Member, check_members
from weft.inference.results import NOTEBOOK
from weft.inference.rows import Reading, Selection
from weft.inference.wording import IN_RANDOM_ORDER, OF_ANOTHER

SHOWN = 20
"""Number of rows of predictions that are printed."""


@dataclass(frozen=True)
class Predictions:
    """A head's predictions for N rows, in the order of the data set.

    rows: their numbers in the data set, ids: their ids, groups: (N,). streams: the streams that were read. values:
    N classes, numbers or texts. targets: name -> (N, ...) as read from the rows. swapped: stream -> the N values
    when that stream comes from another row. reordered: video -> the N values when its frames are in random order.
    """

    head: str
    rows: tuple[int, ...]
    ids: tuple[str, ...]
    groups: Tensor
    streams: tuple[str, ...]
    values: Values
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    swapped: Mapping[str, Values] = field(default_factory=dict)
    reordered: Mapping[str, Values] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        more = f"\n... of {counted(len(self), 'row')}" if len(self) > SHOWN else ""
        return self._table().text(NOTEBOOK) + more

    def _repr_html_(self) -> str:
        return self._table().html()

    def _table(self) -> TextTable:
        """A table of the first rows: the prediction, with its probability if it has one."""
        rows = []
        for number, name in enumerate(self.ids[:SHOWN]):
            ((said, chance), *_) = self.values.best(number, 1) or [("", None)]
            rows.append([name, said, "" if chance is None else f"{chance:.3f}"])
        columns = (
            TableColumn("row"),
            TableColumn(self.head),
            TableColumn("probability", right=True),
        )
        return TextTable(columns, rows)

    @property
    def said(self) -> list[str]:
        """The prediction for each row, as text."""
        return [self.values.said(row) for row in range(len(self))]

    @property
    def altered(self) -> dict[str, Values]:
        """Baseline -> the values of the same model with altered input: a stream of another row, or a video with its
        frames in random order.
        """
        return {
            **{f"{stream}{OF_ANOTHER}": values for stream, values in self.swapped.items()},
            **{f"{stream}{IN_RANDOM_ORDER}": values for stream, values in self.reordered.items()},
        }

    @property
    def altered_said(self) -> dict[str, list[str]]:
        """`altered`, with each prediction as text."""
        return {
            name: [values.said(row) for row in range(len(self))]
            for name, values in self.altered.items()
        }


def predict(
    members: Sequence[Member],
    dataset: Dataset,
    head: str,
    config: InferenceConfig,
    *,
    targets: Sequence[str] = (),
    swap: bool | Sequence[str] = False,
    selection: Selection | None = None,
    device: torch.device | str = "cpu",
) -> Predictions:
    """The head's predictions for every row that can be read and has at least one stream that the head reads.

    Several members are an ensemble, and so are the head's evaluation views. targets: also read from the rows. swap:
    also predict with each stream, or with these streams, taken from another row of the batch, if the head reads
    several; and with the frames of each video in random order, if the video is not cached. selection: see
    `read_rows`. Raises WeftError if the members disagree, or no row is left.
    """
    check_members(members)
    views = members[0].model.head(head).views
    seen = [_View(member, view, head) for member in members for view in range(views)]
    streams = seen[0].streams
    readers = [
        (one.member, Reading.of(one.member, dataset, [*one.streams, *targets], one.view))
        for one in seen
    ]
    altered = [s for s in streams if swap is True or (swap and s in swap)]
    parts: list[_Part] = []
    with evaluating_all(members, config, device):
        for read in encode_rows(readers, dataset, config, selection, device=device):
            part = _predicted(seen, read, altered)
            if part is not None:
                parts.append(part)
    if not parts:
        raise WeftError(
            f"no row of the data set can be read, or none has any of: {', '.join(streams)}"
        )
    return _joined(head, streams, parts)


@dataclass(frozen=True)
class _View:
    """A member that sees one evaluation view of the rows."""

    member: Member
    view: int
    head: str

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that the head reads, in the order of the data."""
        read = self.member.model.streams_of(self.head)
        missing = [stream for stream in read if stream not in self.member.sources]
        if len(missing) == len(read):
            raise WeftError(
                f"head '{self.head}' reads {', '.join(read)}, but the data has only: "
                f"{', '.join(self.member.sources)}"
            )
        return tuple(stream for stream in self.member.sources if stream in read)

    def part(self, encoded: Encoded, seeds_B: Tensor | None) -> Part | None:
        """The head's decoder and its input for the rows; None if no row has the head's context."""
        model = self.member.model
        head = model.head(self.head)
        if not encoded or (head.context in model.fused_streams and head.context not in encoded):
            return None
        weights = model.place_weights(self.head, encoded)
        noise = head.output.noise_of_latent
        if noise is None or not model.can_sample(self.head):
            fused = model.fuse(encoded)
        elif seeds_B is None:
            raise ValueError("rows have no seeds, expected some for samples of the latent")
        else:
            fused = model.sample(encoded, seeds_B, noise)
        context = head.reads(fused)
        return Part(head.decoder, context, self.member.learned, weights, seeds_B)


@dataclass(frozen=True)
class _Part:
    """The predictions of one batch."""

    rows: list[int]
    ids: list[str]
    groups: Tensor
    values: Values
    targets: dict[str, Tensor]
    swapped: dict[str, Values]
    reordered: dict[str, Values]


def _predicted(seen: Sequence[_View], read: EncodedRows, altered: Sequence[str]) -> _Part | None:
    """The values of the rows that have any input. altered: streams that replace those of the rows."""
    seeds_B = read.batch.seeds
    parts = _parts(seen, read.streams, seeds_B)
    if parts is None:
        return None
    there_R = parts[0].context.mask.any(dim=1).nonzero()[:, 0]
    if not len(there_R):
        return None
    partner_B = _partners(len(read.numbers), there_R.device)
    others: dict[str, Values] = {}
    for stream in altered if len(seen[0].streams) > 1 else ():
        mixed = [
            {s: f.take(partner_B) if s == stream else f for s, f in one.items()}
            for one in read.streams
        ]
        others[stream] = _values(seen[0], _parts(seen, mixed, seeds_B) or parts, there_R)
    reordered = {
        stream: _values(seen[0], _parts(seen, found, seeds_B) or parts, there_R)
        for stream in altered
        if (found := _in_random_order(seen, read, stream)) is not None
    }
    batch, kept = read.batch, there_R.tolist()
    return _Part(
        rows=[read.numbers[row] for row in kept],
        ids=[batch.ids[row] for row in kept],
        groups=batch.groups[there_R].cpu(),
        values=_values(seen[0], parts, there_R),
        targets={name: target[there_R].cpu() for name, target in batch.targets.items()},
        swapped=others,
        reordered=reordered,
    )


def _in_random_order(
    seen: Sequence[_View], read: EncodedRows, stream: str
) -> list[dict[str, Features]] | None:
    """The encoded streams with the frames of that video in random order; None if the head reads no such video."""
    found: list[dict[str, Features]] = []
    for one, batch, encoded in zip(seen, read.batches, read.streams, strict=True):
        modality, value = one.member.modalities.get(stream), batch.inputs.get(stream)
        if not isinstance(modality, InTime) or not isinstance(value, StreamField):
            return None
        places_BT = batch.uniform("predict: order of frames", value.values.shape[1])
        video = one.member.model.encode(stream, modality.reordered(value, places_BT))
        found.append({**encoded, stream: video})
    return found


def _parts(
    seen: Sequence[_View], encoded: Sequence[Encoded], seeds_B: Tensor | None
) -> list[Part] | None:
    found = [one.part(streams, seeds_B) for one, streams in zip(seen, encoded, strict=True)]
    parts = [part for part in found if part is not None]
    return parts if len(parts) == len(found) else None


def _values(first: _View, parts: Sequence[Part], there_R: Tensor) -> Values:
    if len(there_R) < len(parts[0].context):
        parts = [one.take(there_R) for one in parts]
    return first.member.model.head(first.head).output.read(parts)


def _partners(size: int, device: torch.device) -> Tensor:
    """(B,) for each row another row, half a batch away, since rows of one group are next to each other."""
    return (torch.arange(size, device=device) + size // 2) % size


def _joined(head: str, streams: Sequence[str], parts: Sequence[_Part]) -> Predictions:
    def values(found: Sequence[Values]) -> Values:
        return type(found[0]).join(found)

    return Predictions(
        head=head,
        rows=tuple(row for part in parts for row in part.rows),
        ids=tuple(name for part in parts for name in part.ids),
        groups=torch.cat([part.groups for part in parts]),
        streams=tuple(streams),
        values=values([part.values for part in parts]),
        targets={n: torch.cat([part.targets[n] for part in parts]) for n in parts[0].targets},
        swapped={s: values([part.swapped[s] for part in parts]) for s in parts[0].swapped},
        reordered={s: values([part.reordered[s] for part in parts]) for s in parts[0].reordered},
    )
