"""The loss of an objective on rows that were not trained on, with fixed random numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from weft.core.building import build
from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT, EncodedStreams, Objective, Reader
from weft.core.needs import Needing, Needs
from weft.core.records import Batch
from weft.data.formats import Dataset
from weft.decoders.flow import Flow
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Metric, Score, by_name, mean_score
from weft.heads.drawn import DrawnOutput
from weft.inference.embedding import evaluating
from weft.inference.member import Member, only
from weft.inference.results import TaskResult, Values
from weft.inference.rows import Reading, read_rows
from weft.inference.true_values import true_values
from weft.objectives._presence import rows_of, rows_with
from weft.objectives.rectified_flow import RectifiedFlow, RectifiedFlowConfig
from weft.tasks.base import TaskConfig
from weft.training.streams import Streams

LOSS = Metric("loss", "", better="lower", digits=4, headline=True, row_mean=True)
MEAN = "always the mean of the training values"
TOGETHER = 16
"""Rows per loss value; the interval is computed over these values."""
TRAINING = 1000
"""Number of random training rows whose mean value is the baseline."""


@dataclass(frozen=True)
class HeldOutLossConfig(TaskConfig):
    """The loss of an objective without weights of its own, such as that of a flow.

    Each row's noise and time are functions of the row, so that the same model has the same loss.
    """

    objective: Config[Objective] = field(default_factory=RectifiedFlowConfig)
    """The objective."""

    @property
    def needs(self) -> Needs:
        return self.objective.needs if isinstance(self.objective, Needing) else Needs()

    def build(self) -> "HeldOutLoss":
        return HeldOutLoss(self)


class HeldOutLoss:
    """The mean over the rows that have all that the objective needs; the interval is over parts of 16 of them.

    Baseline, for a flow and if the training rows are available: the loss when the mean training value is the
    velocity of every row, which depends neither on the row nor on the time. Other objectives have no common natural
    baseline.
    """

    name = "held_out_loss"
    metrics = (LOSS,)

    def __init__(self, config: HeldOutLossConfig) -> None:
        self.config = config

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Raises WeftError for several models, for an objective with weights of its own, and if no row can be
        measured.
        """
        config, member = self.config, only(members, self.name)
        objective = build(config.objective)
        if any(True for _ in objective.parameters()):
            raise WeftError(
                f"a {type(objective).__name__} learns weights of its own, which a run does not keep; expected an "
                "objective without any"
            )
        model = cast(Reader, member.model)
        reading = Reading.of(member, dataset, [*member.sources, *config.needs.targets])
        losses: list[float] = []
        sizes: list[int] = []
        guesses: list[Tensor] = []
        with evaluating(member.model, device, config.inference.precision):
            mean_X = self._mean(member, objective, device)
            for read in read_rows([reading], dataset, config.inference, device=device):
                whole = self._complete(member, read.batches[0])
                for start in range(0, len(whole), TOGETHER):
                    batch = whole.rows(slice(start, start + TOGETHER))
                    streams = Streams(member.model, batch)
                    losses.append(float(objective(member.model, batch, streams).total))
                    sizes.append(len(batch))
                    if mean_X is not None and isinstance(objective, RectifiedFlow):
                        guesses.append(objective.guess(model, batch, streams, mean_X).cpu())
        if not sizes:
            heads = [member.model.head(name).output.needs.streams for name in config.needs.heads]
            read_by = [member.model.streams_of(name) for name in config.needs.heads]
            named = dict.fromkeys(
                s for some in (config.needs.streams, *read_by, *heads) for s in some
            )
            raise WeftError(
                f"no row has what a {type(objective).__name__} needs of the streams {', '.join(named)}"
            )
        rows_N = torch.repeat_interleave(torch.tensor(losses), torch.tensor(sizes)).double()
        parts_N = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        score: Score = mean_score(LOSS, rows_N, parts_N, config.bootstrap(parts_N))
        over = f"parts of {TOGETHER} rows"
        return TaskResult(
            task=self.name,
            protocol={"rows": len(rows_N), **config.protocol([member], dataset, rows_N, over)},
            metrics=by_name([score]),
            baselines={MEAN: {LOSS.name: float(torch.cat(guesses).mean())}} if guesses else {},
            leakage=leakage,
            values={LOSS.name: Values(rows_N, parts_N)},
        )

    def _complete(self, member: Member, batch: Batch) -> Batch:
        """The rows that have all streams that the objective needs."""
        needs, model = self.config.needs, cast(Reader, member.model)
        every = tuple(s for s in (*needs.streams, *needs.embeddings) if s != JOINT)
        streams: EncodedStreams = Streams(member.model, batch)
        batch, streams = rows_with(batch, streams, every)
        for name in needs.heads:
            of_head = model.head(name).output.needs.streams
            batch, streams = rows_of(model, batch, streams, name, of_head)
        return batch

    def _mean(
        self, member: Member, objective: nn.Module, device: torch.device | str
    ) -> Tensor | None:
        """(*noise) the mean of what a flow generates, over training rows; None without training rows, or for another
        objective.
        """
        rows = member.training
        if rows is None or not isinstance(objective, RectifiedFlow):
            return None
        head = member.model.head(objective.config.head)
        output, flow = head.output, head.decoder
        assert isinstance(output, DrawnOutput)
        assert isinstance(flow, Flow)
        chosen = np.random.default_rng(self.config.seed).permutation(len(rows))[:TRAINING]
        sums: list[Tensor] = []
        count = 0
        for numbers, values in true_values(
            member, rows, sorted(chosen.tolist()), output.stream, self.config.inference
        ):
            sums.append(flow.encoded(output.values_of(values).to(device)).double().sum(0))
            count += len(numbers)
        return (torch.stack(sums).sum(0) / count).float() if count else None
