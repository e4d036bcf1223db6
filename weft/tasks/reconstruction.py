"""Reconstruction: every stream of a row from any of its streams, as an autoencoder makes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.needs import Needs
from weft.core.ranges import COUNT, require
from weft.core.records import Field
from weft.data.formats import Dataset, spread
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import FAMILY, Metric, Score, by_name, mean_score
from weft.heads.drawn import DrawnOutput, DrawnValues
from weft.heads.output import Output, Values
from weft.heads.sounds import SoundOutput
from weft.heads.texts import TextOutput
from weft.inference.encoded_once import encoded_once
from weft.inference.member import Member, only, seeing
from weft.inference.predict import predict
from weft.inference.results import TaskResult
from weft.inference.true_values import true_values
from weft.inference.value_features import MeanValue
from weft.modalities.spectrogram import DECIBELS
from weft.modalities.text import Text
from weft.tasks.base import TaskConfig

PSNR = Metric(f"{FAMILY}/PSNR", "dB", headline=True, digits=2)
LSD = Metric(f"{FAMILY}/LSD", "dB", better="lower", said=f"{FAMILY}, log-spectral distance (LSD)")
TOKENS = Metric(f"{FAMILY}/tokens", headline=True, said=f"{FAMILY}, tokens that are right")
MEAN, ANOTHER = "the mean of the rows", "the text of another row"
FULL_SCALE = 2.0
"""Of drawn pictures, whose numbers lie in [-1, 1]."""


@dataclass(frozen=True)
class ReconstructionTaskConfig(TaskConfig):
    """What heads make of each stream alone, and of all together, against the true values.

    Means over rows: of a picture the peak signal-to-noise ratio; of a sound the log-spectral distance, the root of the mean
    square over bands, a mean over frames (Gray & Markel 1976, doi:10.1109/TASSP.1976.1162849); of a text the share of its
    tokens that are written, unaided, at their places.
    """

    heads: tuple[str, ...] = ("image", "text")
    """Heads that draw or write a stream, from JOINT."""
    limit: int | None = None
    """Only so many rows, spread evenly over all, to save time; None measures all."""

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
    metrics = (PSNR, LSD, TOKENS)

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
        dataset = spread(dataset, config.limit)
        read = {stream for head in config.heads for stream in member.model.streams_of(head)}
        encoded = encoded_once(member, dataset, [*read], config.inference, device)
        truths: dict[str, _Truth] = {}
        scores: list[Score] = []
        baselines: dict[str, dict[str, float]] = {MEAN: {}, ANOTHER: {}}
        rows = 0
        for head in config.heads:
            output = member.model.head(head).output
            if not isinstance(output, DrawnOutput | TextOutput):
                raise WeftError(f"head '{head}' neither draws nor writes a stream")
            truth = truths.get(output.stream) or self._truth(member, dataset, output.stream)
            truths[output.stream] = truth
            given = [s for s in member.model.streams_of(head) if s in member.sources]
            for inputs in _sets(given):
                seen = seeing(encoded, head, inputs)
                found = predict([seen], dataset, head, config.inference, device=device)
                rows = max(rows, len(found))
                way = f"{'+'.join(inputs)} to {output.stream}"
                places, field = truth.of(found.rows)
                values, groups_N = found.values.take(places), found.groups[places]
                likeness = _likeness(member, output, values, field)
                metric = likeness.metric.member(way)
                each_N = likeness.each
                scores.append(mean_score(metric, each_N, groups_N, config.bootstrap(groups_N)))
                baselines[likeness.of][metric.name] = likeness.plain
        return TaskResult(
            task=self.name,
            protocol={"rows": rows, **config.protocol([member], dataset, range(rows))},
            metrics=by_name(scores),
            baselines={name: values for name, values in baselines.items() if values},
            leakage=leakage,
        )

    def _truth(self, member: Member, dataset: Dataset, stream: str) -> "_Truth":
        """The values of the rows that have the stream. Raises WeftError for none."""
        rows: list[int] = []
        fields: list[Field] = []
        for numbers, field in true_values(
            member, dataset, range(len(dataset)), stream, self.config.inference
        ):
            rows += numbers
            fields.append(field)
        if not rows:
            raise WeftError(f"no row has a '{stream}' to compare with")
        return _Truth(stream, {row: place for place, row in enumerate(rows)}, _joined(fields))


@dataclass(frozen=True)
class _Truth:
    """places: row -> its place in the field."""

    stream: str
    places: Mapping[int, int]
    field: Field

    def of(self, rows: Sequence[int]) -> tuple[list[int], Field]:
        """The places among these rows of those that have a value, and their values. Raises WeftError for none."""
        there = [place for place, row in enumerate(rows) if row in self.places]
        if not there:
            raise WeftError(f"no row has a '{self.stream}' to compare with")
        return there, self.field.take(torch.tensor([self.places[rows[n]] for n in there]))


class _Likeness(NamedTuple):
    """each: (N,) float64 in the metric's unit. of, plain: the baseline, and its mean."""

    metric: Metric
    each: Tensor
    of: str
    plain: float


def _likeness(
    member: Member, output: DrawnOutput | TextOutput, made: Values, true: Field
) -> _Likeness:
    """How near N values that were made are to the true ones."""
    if isinstance(output, TextOutput):
        modality = cast(Text, member.modalities[output.stream])
        said = [made.said(row) for row in range(len(made))]
        texts = [modality.decode_ids(ids.tolist()) for ids in true.values]
        other = _same_tokens(modality, true, [*texts[1:], texts[0]])
        return _Likeness(
            TOKENS, 100 * _same_tokens(modality, true, said), ANOTHER, 100 * float(other.mean())
        )
    found = cast(DrawnValues, made).field()
    values, right = output.values_of(found), output.values_of(true)
    mean = MeanValue()
    mean.add(Field(right, true.mask))
    always = mean.field().values.expand_as(right)
    if isinstance(output, SoundOutput):
        std = output.modality(member.learned).config.std
        each_N = _lsd(values, right, found.real, true.real, std)
        plain = _lsd(always, right, true.real, true.real, std)
        return _Likeness(LSD, each_N, MEAN, float(plain.mean()))
    plain = _psnr(always, right)
    return _Likeness(PSNR, _psnr(values, right), MEAN, float(plain.mean()))


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


def _lsd(made: Tensor, true: Tensor, made_real: Tensor, true_real: Tensor, std: float) -> Tensor:
    """(N,) decibels, over the frames that both have. made, true: (N, T, M) log energies in units of `std`."""
    longest = min(made.shape[1], true.shape[1])
    both_NT = made_real[:, :longest] & true_real[:, :longest]
    apart = DECIBELS * std * (made[:, :longest] - true[:, :longest]).double()
    each_NT = apart.square().mean(2).sqrt().masked_fill(~both_NT, 0)
    return each_NT.sum(1) / both_NT.sum(1).clamp_min(1)


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
