"""Novelty scores: how different a row is from the training rows, by its nearest neighbours and by a normal
distribution.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.architectures.model import Model
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.core.records import Features
from weft.data.formats import Dataset
from weft.inference.config import InferenceConfig
from weft.inference.encoded import encode_rows, evaluating_all
from weft.inference.member import Member
from weft.inference.rows import Reading, Selection

NoveltyScore = Literal["neighbours", "density"]
NEIGHBOURS = 10
REFERENCES = 5000
"""Number of training rows that are read and kept."""


@dataclass(frozen=True)
class RowVectors:
    """rows: N row numbers. groups: (N,). vectors: stream -> (N, D) of unit length. present: stream -> (N,) bool."""

    rows: tuple[int, ...]
    groups: Tensor
    vectors: Mapping[str, Tensor]
    present: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(self.rows)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors that `from_tensors` needs, by name."""
        return {
            "rows": torch.tensor(self.rows),
            "groups": self.groups,
            **{f"vectors/{stream}": of for stream, of in self.vectors.items()},
            **{f"present/{stream}": of for stream, of in self.present.items()},
        }

    @classmethod
    def from_tensors(cls, streams: Sequence[str], tensors: Mapping[str, Tensor]) -> "RowVectors":
        """The rows from the output of `tensors`."""
        vectors, present = (
            {stream: tensors[f"{what}/{stream}"] for stream in streams}
            for what in ("vectors", "present")
        )
        return cls(tuple(tensors["rows"].tolist()), tensors["groups"], vectors, present)

    def take(self, index_R: Tensor) -> "RowVectors":
        """The rows with these indices."""
        return RowVectors(
            tuple(self.rows[n] for n in index_R.tolist()),
            self.groups[index_R],
            {stream: of[index_R] for stream, of in self.vectors.items()},
            {stream: of[index_R] for stream, of in self.present.items()},
        )

    def only(self, streams: Sequence[str]) -> "RowVectors":
        """The rows that have all of these streams, as if they had no others."""
        has_N = torch.stack([self.present[stream] for stream in streams]).all(dim=0)
        found = self.take(has_N.nonzero()[:, 0])
        present = {stream: of & (stream in streams) for stream, of in found.present.items()}
        return replace(found, present=present)


def row_vectors(
    member: Member,
    dataset: Dataset,
    streams: Sequence[str],
    config: InferenceConfig,
    device: torch.device | str,
    *,
    most: int | None = None,
    seed: int = 0,
) -> RowVectors:
    """The embedding of each stream (or JOINT) of each row that has one; without a projection, the pooled features of
    its encoder.

    most: read only this number of rows, sampled with the seed. Raises WeftError if no row can be read and has one of
    the streams.
    """
    model = member.model
    read = list(model.fused_streams) if JOINT in streams else list(streams)
    rows: list[int] = []
    groups: list[Tensor] = []
    vectors: dict[str, list[Tensor]] = {stream: [] for stream in streams}
    present: dict[str, list[Tensor]] = {stream: [] for stream in streams}
    reader = (member, Reading.of(member, dataset, read))
    with evaluating_all([member], config, device):
        for one in encode_rows(
            [reader], dataset, config, _some(dataset, most, seed), device=device, what="embedding"
        ):
            found, there = vectors_of(model, one.streams[0], streams, len(one.numbers))
            for stream in streams:
                vectors[stream].append(found[stream])
                present[stream].append(there[stream])
            rows += one.numbers
            groups.append(one.batch.groups.cpu())
    there = {stream: torch.cat(of) for stream, of in present.items() if of}
    any_R = torch.stack(list(there.values())).any(dim=0) if rows else torch.zeros(0)
    if not any_R.any():
        raise WeftError(f"no row can be read and has one of {', '.join(streams)}")
    stacked = {stream: _stacked(of) for stream, of in vectors.items()}
    return RowVectors(tuple(rows), torch.cat(groups), stacked, there).take(any_R.nonzero()[:, 0])


def _some(dataset: Dataset, most: int | None, seed: int) -> Selection | None:
    """A random sample of the rows, from the seed; None for all."""
    if most is None or len(dataset) <= most:
        return None
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(len(dataset), generator=generator)[:most].sort().values
    return Selection([[row] for row in drawn.tolist()])


def vectors_of(
    model: Model, encoded: Mapping[str, Features], streams: Sequence[str], count: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Stream (or JOINT) -> unit vectors (B, D) of encoded rows, and -> whether a row has the stream (B,), on the CPU.

    count: B. D is 0 for a stream that no row has.
    """
    of = dict(encoded)
    if JOINT in streams:
        of[JOINT] = model.fuse(encoded)[JOINT]
    vectors = {s: _unit(model, s, of[s]) if s in of else torch.zeros(count, 0) for s in streams}
    nobody = torch.zeros(count, dtype=torch.bool)
    present = {s: of[s].present.cpu() if s in of else nobody for s in streams}
    return vectors, present


def _unit(model: Model, stream: str, features: Features) -> Tensor:
    """(B, D) of unit length, on the CPU."""
    if stream in model.projections:
        return model.embed(stream, features).cpu()
    return F.normalize(features.pooled.float(), dim=1).cpu()


def _stacked(parts: Sequence[Tensor]) -> Tensor:
    """(N, D); zeros for parts whose rows all lack the stream."""
    width = max(part.shape[1] for part in parts)
    return torch.cat(
        [part if part.shape[1] else part.new_zeros(len(part), width) for part in parts]
    )


@dataclass(frozen=True)
class _Normal:
    """A normal distribution of D numbers."""

    mean: Tensor
    precision: Tensor

    @classmethod
    def fit(cls, vectors_ND: Tensor) -> "_Normal":
        """Fits mean and covariance. The covariance is shrunk towards a multiple of the identity (Y. Chen, A.
        Wiesel, Y. Eldar and A. Hero, Shrinkage Algorithms for MMSE Covariance Estimation, IEEE Transactions on
        Signal Processing 58(10), 2010, equation 23).
        """
        from sklearn.covariance import OAS

        found = OAS().fit(vectors_ND.double().numpy())
        mean, precision = (torch.from_numpy(one) for one in (found.location_, found.precision_))
        return cls(mean, precision)

    def distance(self, vectors_MD: Tensor) -> Tensor:
        """(M,) the squared Mahalanobis distance, divided by D."""
        centred = vectors_MD.double() - self.mean
        return ((centred @ self.precision) * centred).sum(1) / len(self.mean)


@dataclass(frozen=True)
class NoveltyScorer:
    """Scores of rows; a higher score is less like the reference rows. If a row has several streams, their mean.

    neighbours: the cosine distance to the NEIGHBOURS-th nearest reference (Y. Sun, Y. Ming, X. Zhu and Y. Li,
    Out-of-Distribution Detection with Deep Nearest Neighbors, ICML 2022, section 3). density: the squared
    Mahalanobis distance from the mean of the reference rows (K. Lee, K. Lee, H. Lee and J. Shin, A Simple Unified
    Framework for Detecting Out-of-Distribution Samples, NeurIPS 2018, section 2.1, one class), divided by the
    number of dimensions.
    """

    references: RowVectors
    normals: Mapping[str, _Normal]

    @classmethod
    def fit(cls, rows: RowVectors) -> "NoveltyScorer":
        """A scorer with these training rows as references."""
        normals = {
            stream: _Normal.fit(of[rows.present[stream]])
            for stream, of in rows.vectors.items()
            if int(rows.present[stream].sum()) > 1
        }
        if not normals:
            raise WeftError("fewer than two training rows can be read, expected many")
        return cls(rows, normals)

    def of(self, rows: RowVectors, *, others: bool = False) -> dict[NoveltyScore, Tensor]:
        """Score -> (N,) float64, NaN for a row without any of the streams. others: the references are the measured
        rows themselves; rows of the same group are then not compared.
        """
        found: dict[NoveltyScore, Tensor] = {}
        has_NS = torch.stack([rows.present[stream] for stream in self.normals], dim=1)
        for name in ("neighbours", "density"):
            of_streams = [
                torch.zeros(len(rows), dtype=torch.float64)
                if not rows.present[stream].any()
                else self._near(rows, stream, others)
                if name == "neighbours"
                else normal.distance(rows.vectors[stream])
                for stream, normal in self.normals.items()
            ]
            scores_NS = torch.stack(of_streams, dim=1).masked_fill(~has_NS, 0)
            found[name] = scores_NS.sum(1) / has_NS.sum(1)
        return found

    def _near(self, rows: RowVectors, stream: str, others: bool) -> Tensor:
        there_R = self.references.present[stream]
        references_RD = self.references.vectors[stream][there_R]
        groups_R = self.references.groups[there_R]
        found = []
        for some in torch.split(torch.arange(len(rows)), 1024):
            like_MR = rows.vectors[stream][some] @ references_RD.T
            if others:
                like_MR = like_MR.masked_fill(rows.groups[some, None] == groups_R, -1)
            most = min(NEIGHBOURS, like_MR.shape[1])
            found.append(1 - like_MR.topk(most, dim=1).values[:, -1])
        return torch.cat(found).double()
