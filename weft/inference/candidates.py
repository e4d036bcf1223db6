"""Scores a few candidate texts for each row: by a cosine, or by the likelihood that a decoder gives them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from weft.core.errors import WeftError, unknown_name
from weft.core.interfaces import JOINT
from weft.core.records import Features
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.data.formats import Dataset
from weft.data.policy import ErrorPolicy
from weft.heads.output import Part
from weft.heads.texts import TextOutput
from weft.inference.config import InferenceConfig
from weft.inference.embedding import embed_entries
from weft.inference.encoded import Encoded, encode_rows, evaluating_all
from weft.inference.member import Entry, Member, check_members
from weft.inference.rows import Reading, Selection
from weft.inference.wording import OF_ANOTHER

OWN = ""
"""The name of the scores of unchanged rows, beside those with a stream of another row."""
Candidates = Callable[[Sample], Sequence[str]]
"""Returns the candidates of a row. Raises DataError for a row that has none."""


class Ranker(Protocol):
    """Scores the candidates of rows."""

    def scores(
        self, fused: Sequence[Mapping[str, Features]], candidates: Sequence[Sequence[str]]
    ) -> list[Tensor]:
        """The scores (C,) of the candidates of R rows, on the CPU, from the rows' fused streams of each member."""
        ...

    def said(self, fused: Sequence[Mapping[str, Features]]) -> list[str]:
        """The texts that the members generate for the R rows; empty if they only rank."""
        ...


@dataclass(frozen=True)
class Scored:
    """Scores of N rows. rows: their row numbers. groups: (N,). scores: OWN, or a stream taken from another row ->
    the scores (C,) of each row's candidates. said: the same keys -> the generated text of each row, if the model
    generates.
    """

    rows: list[int] = field(default_factory=list)
    groups: list[Tensor] = field(default_factory=list)
    scores: dict[str, list[Tensor]] = field(default_factory=dict)
    said: dict[str, list[str]] = field(default_factory=dict)


class ByCosine:
    """The cosine between the embedding of the fused streams and that of the candidate; for several models the mean."""

    def __init__(
        self,
        members: Sequence[Member],
        stream: str,
        config: InferenceConfig,
        device: torch.device | str,
    ) -> None:
        self._members, self._stream = members, stream
        self._config, self._device = config, device
        self._places: dict[str, int] = {}
        self._vectors = [torch.zeros(0, 0)] * len(members)
        for member in members:
            if JOINT not in member.model.projections:
                raise unknown_name("projection of the model", JOINT, member.model.projections)
            if stream not in member.modalities:
                raise unknown_name("stream", stream, member.modalities)

    def scores(
        self, fused: Sequence[Mapping[str, Features]], candidates: Sequence[Sequence[str]]
    ) -> list[Tensor]:
        """See `Ranker`. Each candidate is embedded when it first occurs."""
        self._embed(dict.fromkeys(name for names in candidates for name in names))
        contexts = [
            member.model.embed(JOINT, one[JOINT]).cpu()
            for member, one in zip(self._members, fused, strict=True)
        ]
        found = []
        for row, names in enumerate(candidates):
            index = torch.tensor([self._places[name] for name in names])
            each = [v[index] @ c[row] for v, c in zip(self._vectors, contexts, strict=True)]
            found.append(torch.stack(each).mean(dim=0))
        return found

    def said(self, fused: Sequence[Mapping[str, Features]]) -> list[str]:  # noqa: ARG002
        """Always empty."""
        return []

    def _embed(self, names: Mapping[str, None]) -> None:
        new = [name for name in names if name not in self._places]
        if not new:
            return
        samples = [Sample(name, name, {self._stream: name}, f"candidate '{name}'") for name in new]
        entries = [Entry(self._stream, row, 0) for row in range(len(samples))]
        settings = self._config.replace(errors=ErrorPolicy())
        for number, member in enumerate(self._members):
            source = ModalitySource(samples, self._stream, member.modalities[self._stream])
            reader = Member(member.model, {self._stream: source})
            bad = settings.errors.build(len(samples))
            vectors = embed_entries([reader], entries, samples, settings, bad, self._device)
            known = self._vectors[number]
            added = vectors.vectors[0]
            self._vectors[number] = torch.cat([known, added]) if len(known) else added
        self._places |= {name: len(self._places) + n for n, name in enumerate(new)}


class ByLikelihood:
    """The log-probability of the candidate under the head's decoder (Das et al. 2017, arXiv:1611.08669, section
    4.2); for several models the mean. writes: the members also generate texts of their own.
    """

    def __init__(self, members: Sequence[Member], head: str, *, writes: bool = True) -> None:
        self._members, self._writes = members, writes
        self._heads = [member.model.head(head) for member in members]
        self._outputs = []
        for one in self._heads:
            if not isinstance(one.output, TextOutput):
                raise WeftError(
                    f"head '{head}' has a {type(one.output).__name__}, expected a TextOutput"
                )
            self._outputs.append(one.output)

    def scores(
        self, fused: Sequence[Mapping[str, Features]], candidates: Sequence[Sequence[str]]
    ) -> list[Tensor]:
        """See `Ranker`."""
        each = [
            output.log_probabilities(part, candidates)
            for output, part in zip(self._outputs, self._parts(fused), strict=True)
        ]
        return [torch.stack(of_row).mean(dim=0) for of_row in zip(*each, strict=True)]

    def said(self, fused: Sequence[Mapping[str, Features]]) -> list[str]:
        """The texts that the models generate as an ensemble."""
        if not self._writes:
            return []
        values = self._outputs[0].read(self._parts(fused))
        return [values.said(row) for row in range(len(values))]

    def _parts(self, fused: Sequence[Mapping[str, Features]]) -> list[Part]:
        return [
            Part(head.decoder, head.reads(one), member.learned)
            for member, head, one in zip(self._members, self._heads, fused, strict=True)
        ]


def score_candidates(
    members: Sequence[Member],
    dataset: Dataset,
    candidates: Candidates,
    ranker: Ranker,
    config: InferenceConfig,
    *,
    rows: Sequence[int] | None = None,
    swap: bool = False,
    device: torch.device | str = "cpu",
) -> Scored:
    """Scores every row's candidates, if the row can be read and has one of the fused streams.

    rows: numbers of the rows with candidates, None for all. swap: also score with each stream taken from another
    row, if several streams are fused. Raises WeftError if no row is left.
    """
    check_members(members)
    readers = [(one, Reading.of(one, dataset, fused_of(one))) for one in members]
    streams, found = fused_of(members[0]), Scored()
    selection = Selection(None if rows is None else [(row,) for row in rows], candidates)
    with evaluating_all(members, config, device):
        for read in encode_rows(readers, dataset, config, selection, device=device, what="asking"):
            if not all(read.streams):
                continue  # no row of this batch has any of the streams
            there_R = _there(members, read.streams)
            numbers = [read.numbers[row] for row in there_R.tolist()]
            found.rows.extend(numbers)
            found.groups.append(read.batch.groups[there_R].cpu())
            asked = [candidates(dataset[row]) for row in numbers]
            for name, altered in _variants(read.streams, streams if swap else ()):
                fused = [
                    _taken(member.model.fuse(encoded), there_R)
                    for member, encoded in zip(members, altered, strict=True)
                ]
                found.scores.setdefault(name, []).extend(ranker.scores(fused, asked))
                found.said.setdefault(name, []).extend(ranker.said(fused))
    if not found.rows:
        raise WeftError("no row of the data set can be read and has the streams of the context")
    return replace(found, said={name: said for name, said in found.said.items() if said})


def fused_of(member: Member) -> tuple[str, ...]:
    """The streams that are fused, in the order of the data."""
    return tuple(s for s in member.sources if s in member.model.fused_streams)


def _there(members: Sequence[Member], streams: Sequence[Encoded]) -> Tensor:
    """The numbers of the rows that have at least one of the streams that are read."""
    joint = members[0].model.fuse(streams[0])[JOINT]
    return joint.present.nonzero()[:, 0]


def _taken(fused: Mapping[str, Features], there_R: Tensor) -> Mapping[str, Features]:
    return {stream: features.take(there_R) for stream, features in fused.items()}


def _variants(
    streams: Sequence[Encoded], swapped: Sequence[str]
) -> list[tuple[str, Sequence[Encoded]]]:
    """The unchanged streams of each member, and for each of `swapped` the streams with that stream taken from the
    row half a batch away.
    """
    found: list[tuple[str, Sequence[Encoded]]] = [(OWN, streams)]
    for stream in swapped if len(swapped) > 1 else ():
        mixed = []
        for one in streams:
            rows = torch.arange(len(next(iter(one.values()))))
            partner_B = (rows + len(rows) // 2) % len(rows)
            mixed.append({s: f.take(partner_B) if s == stream else f for s, f in one.items()})
        found.append((f"{stream}{OF_ANOTHER}", mixed))
    return found
