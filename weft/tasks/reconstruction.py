"""Reconstruction: every stream of a row from any of its streams, as an autoencoder makes it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.needs import Needs
from weft.core.ranges import COUNT, require
from weft.core.records import Field
from weft.data.formats import Dataset, Subset
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import FAMILY, Metric, Score, by_name, mean_score
from weft.heads.drawn import DrawnOutput, DrawnValues
from weft.heads.output import Output
from weft.heads.texts import TextOutput
from weft.inference.member import Member, only, seeing
from weft.inference.predict import Predictions, predict
from weft.inference.results import TaskResult
from weft.inference.rows import Reading, Selection, read_rows
from weft.modalities.text import Text
from weft.tasks.base import TaskConfig

PSNR = Metric(f"{FAMILY}/PSNR", "dB", headline=True, digits=2)
TOKENS = Metric(f"{FAMILY}/tokens", headline=True, said=f"{FAMILY}, tokens that are right")
MEAN, FIRST = "the mean of the rows", "the text of another row"
FULL_SCALE = 2.0
"""Of drawn values, which lie in [-1, 1]."""


@dataclass(frozen=True)
class ReconstructionTaskConfig(TaskConfig):
    """What heads make of each stream alone, and of all together, against the true values.

    Of a picture the peak signal-to-noise ratio, a mean over rows. Of a text the share of its tokens that are written, unaided,
    at their places.
    """

    heads: tuple[str, ...] = ("image", "text")
    """Heads that draw or write a stream, from JOINT."""
    limit: int | None = None
    """Only so many of the first rows, to save time; None measures all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, limit=COUNT)
        if not self.heads:
            raise ValueError("heads is (), expected one or more")

    @property
    def needs(self) -> Needs:
        return Needs(heads=dict.fromkeys(self.heads, Output), fusion=True)

    def build(self) -> "ReconstructionTask":
        return ReconstructionTask(self)


class ReconstructionTask:
    """Of each set of input streams, one alone or all, and each head: how near the value is to the true one."""

    name = "reconstruction"
    metrics = (PSNR, TOKENS)

    def __init__(self, config: ReconstructionTaskConfig) -> None:
        self.config = config

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Raises WeftError where no row has a stream that is made, or for several models."""
        config, member = self.config, only(members, self.name)
        if config.limit is not None:
            dataset = Subset(dataset, range(min(config.limit, len(dataset))))
        scores: list[Score] = []
        baselines: dict[str, dict[str, float]] = {MEAN: {}, FIRST: {}}
        rows = 0
        for head in config.heads:
            read = member.model.streams_of(head)
            for inputs in _sets([stream for stream in read if stream in member.sources]):
                found = predict(
                    [seeing(member, head, inputs)], dataset, head, config.inference, device=device
                )
                rows = max(rows, len(found))
                for name, metric, each_N, groups_N, plain in self._compared(
                    member, dataset, found, inputs, head
                ):
                    scores.append(mean_score(metric, each_N, groups_N, config.bootstrap(groups_N)))
                    baselines[name][metric.name] = plain
        return TaskResult(
            task=self.name,
            protocol={"rows": rows, **config.protocol([member], dataset, range(rows))},
            metrics=by_name(scores),
            baselines={name: values for name, values in baselines.items() if values},
            leakage=leakage,
        )

    def _compared(
        self, member: Member, dataset: Dataset, found: Predictions, inputs: Sequence[str], head: str
    ) -> Iterator[tuple[str, Metric, Tensor, Tensor, float]]:
        """Name of the baseline, the metric, (N,) numbers and groups of the rows that have the true value, and the baseline."""
        output = member.model.head(head).output
        if not isinstance(output, DrawnOutput | TextOutput):
            raise WeftError(f"head '{head}' neither draws nor writes a stream")
        way = f"{'+'.join(inputs)} to {output.stream}"
        places, field = self._true(member, dataset, found.rows, output.stream)
        groups_N = found.groups[places]
        if isinstance(output, TextOutput):
            modality = cast(Text, member.modalities[output.stream])
            right_N = _same_tokens(modality, field, [found.said[place] for place in places])
            other = [
                modality.decode_ids(field.values[place].tolist()) for place in range(len(places))
            ]
            plain = _same_tokens(modality, field, [*other[1:], other[0]])
            yield FIRST, TOKENS.member(way), 100 * right_N, groups_N, 100 * float(plain.mean())
            return
        true = output.values_of(field)
        made = output.values_of(cast(DrawnValues, found.values).field().take(torch.tensor(places)))
        mean = true.mean(0, keepdim=True)
        yield MEAN, PSNR.member(way), _psnr(made, true), groups_N, float(_psnr(mean, true).mean())

    def _true(
        self, member: Member, dataset: Dataset, rows: Sequence[int], stream: str
    ) -> tuple[list[int], Field]:
        """The places among the predictions of those that have the stream, and its values. Raises WeftError for none."""
        reading = Reading.of(member, dataset, [stream])
        place_of = {row: place for place, row in enumerate(rows)}
        places: list[int] = []
        fields: list[Field] = []
        selection = Selection(rows=[[row] for row in rows])
        for read in read_rows(
            [reading], dataset, self.config.inference, selection, what="true values"
        ):
            value = read.batches[0].inputs.get(stream)
            if isinstance(value, Field):
                there = (
                    range(len(value))
                    if value.present is None
                    else value.present.nonzero()[:, 0].tolist()
                )
                places += [place_of[read.numbers[number]] for number in there]
                fields.append(value.take(torch.tensor([*there])))
        if not places:
            raise WeftError(f"no row has a '{stream}' to compare with")
        return places, _joined(fields)


def _sets(streams: Sequence[str]) -> list[tuple[str, ...]]:
    """Each alone, and all together."""
    alone: list[tuple[str, ...]] = [(stream,) for stream in streams]
    return alone if len(streams) == 1 else [*alone, tuple(streams)]


def _joined(fields: Sequence[Field]) -> Field:
    """All rows, padded to the longest."""
    if fields[0].mask is None:
        return Field(torch.cat([field.values for field in fields]))
    longest = max(field.values.shape[1] for field in fields)

    def padded(values: Tensor) -> Tensor:
        shape = (values.shape[0], longest - values.shape[1], *values.shape[2:])
        return torch.cat([values, values.new_zeros(shape)], dim=1)

    values = torch.cat([padded(field.values) for field in fields])
    return Field(values, torch.cat([padded(field.real) for field in fields]))


def _psnr(made: Tensor, true: Tensor) -> Tensor:
    """(N,) decibels: 10 log10 of the square of full scale over the mean squared error."""
    error_N = (made - true).square().flatten(1).mean(1).clamp_min(1e-10)
    return 10 * torch.log10(FULL_SCALE**2 / error_N).double()


def _same_tokens(modality: Text, true: Field, said: Sequence[str]) -> Tensor:
    """(N,) share of the places of the longer text that have the same token in both."""
    special = set(modality.special_ids)
    found = []
    for row, text in enumerate(said):
        right = [one for one in true.values[row][true.real[row]].tolist() if one not in special]
        written = (
            [one for one in modality.encode(text) if one not in special] if text.strip() else []
        )
        same = sum(one == other for one, other in zip(right, written, strict=False))
        found.append(same / max(len(right), len(written), 1))
    return torch.tensor(found, dtype=torch.float64)
