"""What a model's classifier says of every row, as it is and with a stream of another row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from weft.architectures.model import Model
from weft.core.errors import WeftError, unknown_name
from weft.core.records import Batch, Features
from weft.data.formats import Dataset
from weft.data.targets import NO_CLASS
from weft.data.targets.classes import Classes
from weft.data.targets.soft_answers import SoftAnswers
from weft.inference.embedding import evaluating
from weft.inference.member import Member
from weft.inference.rows import RowsConfig, read_rows


@dataclass(frozen=True)
class Reading:
    """Which decoder is asked, what it reads, and the target whose classes its logits are."""

    streams: tuple[str, ...]
    target: str
    decoder: str
    context: str


@dataclass(frozen=True)
class Predictions:
    """N rows in the order of the data set, on the CPU.

    rows: their numbers. groups: (N,). probabilities: (N, V), the mean over the members. target: (N,)
    the right class, or NO_CLASS where it is none of `classes`. swapped: stream -> (N, V) the mean
    probabilities when that stream is another row's.
    """

    rows: tuple[int, ...]
    groups: Tensor
    probabilities: Tensor
    target: Tensor
    classes: tuple[str, ...]
    swapped: dict[str, Tensor]

    @property
    def predicted(self) -> Tensor:
        """(N,) the most probable class."""
        return self.probabilities.argmax(dim=1)

    def said(self) -> list[str]:
        """The name of each row's most probable class."""
        return self.names(self.predicted)

    def said_with_swapped(self) -> dict[str, list[str]]:
        """Stream -> the same when that stream is another row's."""
        return {s: self.names(p_NV.argmax(dim=1)) for s, p_NV in self.swapped.items()}

    def averaged(self, keys: Tensor) -> "Predictions":
        """Rows with the same key (N,) share the mean of their probabilities, swapped ones too."""
        _, place_N, size_K = torch.unique(keys, return_inverse=True, return_counts=True)

        def mean(probabilities_NV: Tensor) -> Tensor:
            sums_KV = probabilities_NV.new_zeros(len(size_K), probabilities_NV.shape[1])
            sums_KV = sums_KV.index_add(0, place_N, probabilities_NV)
            means_NV: Tensor = (sums_KV / size_K[:, None])[place_N]
            return means_NV

        swapped = {stream: mean(values) for stream, values in self.swapped.items()}
        return replace(self, probabilities=mean(self.probabilities), swapped=swapped)

    def names(self, places: Tensor) -> list[str]:
        """The names of these classes."""
        return [self.classes[place] for place in places.tolist()]


def predict_classes(
    members: Sequence[Member],
    dataset: Dataset,
    reading: Reading,
    config: RowsConfig,
    *,
    swap: bool,
    device: torch.device | str = "cpu",
) -> Predictions:
    """The members' mean probabilities; with `swap` also those with each stream of another row.

    Raises WeftError where members know other classes or the model lacks a part, ValueError without
    members.
    """
    if not members:
        raise ValueError("evaluate got no members, expected at least one model")
    found = [_predict(m, dataset, reading, config, swap, device) for m in members]
    first = found[0]
    for other in found[1:]:
        if other.classes != first.classes or other.rows != first.rows:
            raise WeftError(
                f"the members of the ensemble know {len(first.classes)} and {len(other.classes)} "
                f"classes of '{reading.target}', expected the same ones in the same order"
            )
    return replace(
        first,
        probabilities=torch.stack([one.probabilities for one in found]).mean(dim=0),
        swapped={
            stream: torch.stack([one.swapped[stream] for one in found]).mean(dim=0)
            for stream in first.swapped
        },
    )


def _predict(
    member: Member,
    dataset: Dataset,
    reading: Reading,
    config: RowsConfig,
    swap: bool,
    device: torch.device | str,
) -> Predictions:
    classes = _classes(member, reading)
    streams = [stream for stream in reading.streams if stream in member.model.encoders]
    others = streams if swap and len(streams) > 1 else []
    rows: list[int] = []
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    swapped: dict[str, list[Tensor]] = {stream: [] for stream in others}
    with evaluating(member.model, device, config.precision):
        for read in read_rows(
            member, dataset, [*streams, reading.target], config, device=device, what="answering"
        ):
            encoded = _encoded(member.model, read.batch, streams)
            logits_BV = _logits(member.model, encoded, reading)[:, : len(classes)]
            target = read.batch.targets[reading.target]
            parts.append((logits_BV.softmax(1).cpu(), _hard(target).cpu(), read.batch.groups.cpu()))
            for stream in others:
                mixed = {**encoded, stream: encoded[stream].take(_partners(read.batch))}
                said_BV = _logits(member.model, mixed, reading)[:, : len(classes)]
                swapped[stream].append(said_BV.softmax(1).cpu())
            rows += read.rows
    if not rows:
        raise WeftError("no row of the data set can be read")
    probabilities, target, groups = (torch.cat(values) for values in zip(*parts, strict=True))
    by_stream = {stream: torch.cat(values) for stream, values in swapped.items()}
    return Predictions(tuple(rows), groups, probabilities, target, classes, by_stream)


def _classes(member: Member, reading: Reading) -> tuple[str, ...]:
    if reading.target not in member.targets:
        raise unknown_name("target", reading.target, member.targets)
    if reading.decoder not in member.model.decoders:
        raise unknown_name("decoder of the model", reading.decoder, member.model.decoders)
    target = member.targets[reading.target]
    if not isinstance(target, Classes | SoftAnswers):
        raise WeftError(
            f"data.targets.{reading.target} is a {type(target).__name__}, expected classes or answers"
        )
    return target.classes


def _encoded(model: Model, batch: Batch, streams: Sequence[str]) -> dict[str, Features]:
    return {s: model.encode(s, batch.inputs[s]) for s in streams if s in batch.inputs}


def _logits(model: Model, encoded: dict[str, Features], reading: Reading) -> Tensor:
    fused = model.fuse(encoded)
    if reading.context not in fused:
        raise unknown_name("context of the decoder", reading.context, fused)
    return model.decode(reading.decoder, fused[reading.context]).float()


def _hard(target: Tensor) -> Tensor:
    """(B,) the class; of soft scores the best one, NO_CLASS where none has any."""
    if not target.is_floating_point():
        return target
    best = target.max(dim=1)
    return best.indices.masked_fill(best.values == 0, NO_CLASS)


def _partners(batch: Batch) -> Tensor:
    """(B,) for each row another one, half a batch away: rows of one group lie side by side."""
    size = len(batch)
    return (torch.arange(size, device=batch.groups.device) + size // 2) % size
