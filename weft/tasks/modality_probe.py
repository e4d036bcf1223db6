"""How well embeddings of different streams can be distinguished: a linear probe of the modality, and the gap
between streams.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.needs import Needs
from weft.core.ranges import POSITIVE, require
from weft.core.text import counted
from weft.data.formats import Dataset
from weft.evaluation.bootstrap import Estimate
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Metric, by_name, mean_score
from weft.inference.embedding import embed_entries
from weft.inference.entries import list_entries
from weft.inference.member import Entry, Member, only
from weft.inference.results import TaskResult
from weft.tasks.base import TaskConfig

PROBE = Metric(
    "probe", better="lower", headline=True, said="accuracy of a linear probe of the modality"
)
GAP = Metric("gap", "", better="lower", digits=3, said="distance of the streams' means")
METRICS = (PROBE, GAP)
ROUNDS = 100
"""Iterations of the probe's fit by L-BFGS."""


@dataclass(frozen=True)
class ModalityProbeConfig(TaskConfig):
    """Modality probe: a linear classifier predicts the stream from which an embedding comes.

    If the streams are indistinguishable, its accuracy is at chance level.
    """

    streams: tuple[str, ...] = ("image", "text")
    """Streams whose embeddings are compared. One of a row's captions is sampled: the first of a sorted list would
    differ from those of training, and the probe would tell that."""
    decay: float = 1e-3
    """Weight of the squared coefficients beside the mean loss."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, decay=POSITIVE)
        if len(set(self.streams)) != max(len(self.streams), 2):
            raise ValueError(f"streams are {self.streams}, expected two or more different ones")

    @property
    def embedded(self) -> tuple[str, ...]:
        return self.streams

    @property
    def needs(self) -> Needs:
        return Needs(embeddings=self.streams)

    def build(self) -> "ModalityProbe":
        return ModalityProbe(self)


class ModalityProbe:
    """Accuracy of the probe on groups that it was not fitted on, with chance; every stream has the same weight."""

    name = "modality_probe"
    metrics = METRICS

    def __init__(self, config: ModalityProbeConfig) -> None:
        self.config = config

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Raises WeftError for several models, and if the rows that have all streams have fewer than two groups."""
        config, member = self.config, only(members, self.name)
        bad = config.inference.errors.build(len(dataset))
        listing = list_entries(dataset, config.streams, bad)
        vectors: list[Tensor] = []
        rows: list[list[int]] = []
        for stream in config.streams:
            drawn = one_a_row(listing.entries[stream], config.seed)
            found = embed_entries([member], drawn, dataset, config.inference, bad, device)
            vectors.append(found.vectors[0])
            rows.append([entry.row for entry in found.entries])
        whole = set(rows[0]).intersection(*rows)  # rows that have all streams
        vectors = [
            one[[place for place, row in enumerate(of_stream) if row in whole]]
            for one, of_stream in zip(vectors, rows, strict=True)
        ]
        rows = [[row for row in of_stream if row in whole] for of_stream in rows]
        groups = [listing.groups[row] for of_stream in rows for row in of_stream]
        labels = [number for number, of_stream in enumerate(rows) for _ in of_stream]
        embedded_NE, group_N = torch.cat(vectors).double(), torch.tensor(groups)
        label_N = torch.tensor(labels)
        number = len(set(groups))
        if number < 2:
            raise WeftError(
                f"the rows with all of {', '.join(config.streams)} have {counted(number, 'group')}, expected two "
                "or more: the probe is fitted on some and measured on others"
            )
        fitted_N = _half(group_N, config.seed)
        right_N = self._right(embedded_NE, label_N, fitted_N)
        rest = group_N[~fitted_N]
        means_SE = torch.stack([one.double().mean(0) for one in vectors])
        gap = float(torch.cdist(means_SE, means_SE).max())
        score = mean_score(PROBE, 100 * right_N, rest, config.bootstrap(rest))
        return TaskResult(
            task=self.name,
            protocol={
                "streams": ", ".join(config.streams),
                "fitted on": int(fitted_N.sum()),
                "measured on": len(right_N),
                **config.protocol([member], dataset, whole),
            },
            metrics=by_name([score, GAP.score(Estimate.alone(gap))]),
            baselines={"chance": {PROBE.name: 100 / len(config.streams)}},
            leakage=leakage,
        )

    def _right(self, embedded_NE: Tensor, label_N: Tensor, fitted_N: Tensor) -> Tensor:
        """(M,) whether the probe is right on the rows that it was not fitted on; every stream has the same weight."""
        scale_E = embedded_NE[fitted_N].std(0).clamp_min(1e-6)
        inputs = (embedded_NE - embedded_NE[fitted_N].mean(0)) / scale_E
        classes = len(self.config.streams)
        weight = torch.zeros(inputs.shape[1], classes, dtype=torch.float64, requires_grad=True)
        bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
        share_S = torch.bincount(label_N[fitted_N], minlength=classes).double().reciprocal()
        optimizer = torch.optim.LBFGS(
            [weight, bias], max_iter=ROUNDS, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            logits = inputs[fitted_N] @ weight + bias
            loss = torch.nn.functional.cross_entropy(logits, label_N[fitted_N], weight=share_S)
            loss = loss + self.config.decay * weight.square().sum()
            torch.autograd.backward(loss)
            return loss

        with torch.enable_grad():
            optimizer.step(closure)  # type: ignore[no-untyped-call]
        rest = ~fitted_N
        said = (inputs[rest] @ weight + bias).argmax(1)
        return (said == label_N[rest]).double().detach()


def one_a_row(entries: Sequence[Entry], seed: int) -> list[Entry]:
    """One entry of each row, sampled with the seed."""
    rows = [list(of_row) for _, of_row in groupby(entries, key=lambda entry: entry.row)]
    generator = np.random.default_rng(seed)
    return [of_row[generator.integers(len(of_row))] for of_row in rows]


def _half(group_N: Tensor, seed: int) -> Tensor:
    """(N,) True for the rows of half of the groups, sampled with the seed."""
    names, number_N = torch.unique(group_N, return_inverse=True)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(names)))
    return order[number_N] < len(names) // 2
