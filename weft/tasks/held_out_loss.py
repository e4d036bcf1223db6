"""The loss of an objective on rows that were not trained on, with random numbers that are always the same."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from weft.core.building import build
from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Objective
from weft.core.needs import Needing, Needs
from weft.data.formats import Dataset
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Metric, Score, by_name, mean_score
from weft.inference.embedding import evaluating
from weft.inference.member import Member, only
from weft.inference.results import TaskResult, Values
from weft.inference.rows import Reading, read_rows
from weft.objectives.rectified_flow import RectifiedFlowConfig
from weft.tasks.base import TaskConfig
from weft.training.streams import Streams

LOSS = Metric("loss", "", better="lower", digits=4, headline=True)


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
    """The mean over rows; the interval is over batches of rows."""

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
        """Raises WeftError for several models, and for an objective that has weights of its own."""
        config, member = self.config, only(members, self.name)
        objective = build(config.objective)
        if any(True for _ in objective.parameters()):
            raise WeftError(
                f"a {type(objective).__name__} learns weights of its own, which a run does not keep; expected an "
                "objective without any"
            )
        reading = Reading.of(member, dataset, [*member.sources, *config.needs.targets])
        losses: list[float] = []
        sizes: list[int] = []
        with evaluating(member.model, device, config.inference.precision):
            for read in read_rows([reading], dataset, config.inference, device=device):
                batch = read.batches[0]
                loss = objective(member.model, batch, Streams(member.model, batch))
                losses.append(float(loss.total))
                sizes.append(len(batch))
        rows_N = torch.repeat_interleave(torch.tensor(losses), torch.tensor(sizes)).double()
        batches_N = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        score: Score = mean_score(LOSS, rows_N, batches_N, config.bootstrap(batches_N))
        return TaskResult(
            task=self.name,
            protocol={
                "rows": len(rows_N),
                **config.protocol([member], dataset, rows_N, "batches"),
            },
            metrics=by_name([score]),
            baselines={},
            leakage=leakage,
            values={LOSS.name: Values(rows_N, batches_N)},
        )
