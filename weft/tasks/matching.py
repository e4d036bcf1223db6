"""Image-text matching: does a fused model recognise which text belongs to which picture?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.needs import Needs
from weft.data.formats import Dataset
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Metric, by_name
from weft.evaluation.ranking import right_and_wrong, worst_first
from weft.heads.classes import ClassOutput
from weft.inference.encoded import KeptFeatures, encode_rows, evaluating_all, pair_log_odds
from weft.inference.member import Entry, Member
from weft.inference.results import Prediction, TaskResult
from weft.inference.rows import Reading
from weft.tasks._accuracy import ACCURACY, as_values
from weft.tasks.base import WORST, TaskConfig

ROWS_AT_ONCE = 1024
"""Number of rows for which others are sampled at a time."""


@dataclass(frozen=True)
class MatchingConfig(TaskConfig):
    """Choice of the text that belongs to a picture, and of the picture that belongs to a text."""

    first: str = "image"
    """One stream."""
    second: str = "text"
    """The other; of several captions the first is read."""
    head: str = "matching"
    """Head with two logits for the fused pair; the last one means yes."""
    choices: int = 10
    """Number of choices: the right one, and others sampled from rows that do not match it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.choices < 2:
            raise ValueError(f"choices is {self.choices}, expected at least 2")
        if self.first == self.second:
            raise ValueError(f"both streams are '{self.first}', expected two different ones")

    @property
    def needs(self) -> Needs:
        both = (self.first, self.second)
        return Needs(encoders=both, heads={self.head: ClassOutput}, together=both, fusion=True)

    def build(self) -> "Matching":
        return Matching(self)


@dataclass(frozen=True)
class _Pairs:
    """N rows. rows: their numbers. groups: (N,). candidates: (N, C) places among the N rows, the row's own first.
    scores: stream of the candidates -> (N, C) log odds that they belong to the row.
    """

    rows: tuple[int, ...]
    groups: Tensor
    candidates: Tensor
    scores: dict[str, Tensor]


class Matching:
    """Accuracy of choosing among a few candidates, in both directions, and of saying yes or no to right and wrong
    pairs.

    Every row's own pair competes with the same other rows for every model. In a choice a tie counts against the
    model. In the yes-or-no accuracy right pairs have the same total weight as wrong pairs.
    """

    name = "matching"

    def __init__(self, config: MatchingConfig) -> None:
        self.config = config

    @property
    def metrics(self) -> tuple[Metric, Metric, Metric]:
        """Accuracy of yes or no, of choosing the second stream for the first, and of the reverse."""
        first, second = self.config.first, self.config.second
        ways = (f"{first}_to_{second}", f"{second}_to_{first}")
        forward, backward = (ACCURACY.of(way) for way in ways)
        return ACCURACY, forward, backward

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Evaluates one model, or the ensemble of several by the mean of their log odds."""
        config = self.config
        found = self._pairs(members, dataset, device)
        values = self._values(found)
        right = values[self.metrics[1]].long()
        drawn = right_and_wrong(2 - right, config.examples, config.seed)
        bootstrap = config.bootstrap(found.groups)
        return TaskResult(
            task=self.name,
            protocol={
                "rows": len(found.rows),
                "choices": config.choices,
                **config.protocol(members, dataset, found.rows),
            },
            metrics=by_name(
                metric.score(bootstrap.proportion(of_rows, found.groups))
                for metric, of_rows in values.items()
            ),
            baselines={
                "chance": {
                    metric.name: metric.scale / (2 if metric == ACCURACY else config.choices)
                    for metric in values
                }
            },
            leakage=leakage,
            values=as_values(values, found.groups),
            predictions=self._shown(found, values, drawn),
            worst=self._shown(found, values, self._worst(found)),
            head=config.head,
        )

    def _pairs(
        self, members: Sequence[Member], dataset: Dataset, device: torch.device | str
    ) -> _Pairs:
        """The mean log odds of all models for the same pairs; each row is read and encoded once."""
        config, streams = self.config, (self.config.first, self.config.second)
        rows: list[int] = []
        groups: list[Tensor] = []
        matches: list[Tensor] = []
        readers = [(one, Reading.of(one, dataset, streams)) for one in members]
        kept = [{stream: KeptFeatures() for stream in streams} for _ in members]
        with evaluating_all(members, config.inference, device):
            for member in members:
                member.model.head(config.head)  # raises at once if it does not exist
            for read in encode_rows(
                readers, dataset, config.inference, device=device, what="matching"
            ):
                if not all(one.keys() >= set(streams) for one in read.streams):
                    continue  # no row of this batch has both streams
                both_B = torch.stack([read.streams[0][s].present for s in streams]).all(dim=0)
                index_R = both_B.nonzero()[:, 0]
                for of_member, encoded in zip(kept, read.streams, strict=True):
                    for stream, found in of_member.items():
                        found.add(encoded[stream].take(index_R))
                groups.append(read.batch.groups[index_R].cpu())
                matches.append(read.batch.match_keys[index_R].cpu())
                rows += [read.numbers[row] for row in index_R.tolist()]
            if not rows:
                raise WeftError(
                    f"no row of the data set can be read and has {' and '.join(streams)}"
                )
            candidates_NC = _candidates(torch.cat(matches), config.choices, config.seed)
            scores = {
                varied: torch.stack(
                    [
                        self._log_odds(member, found, candidates_NC, varied, device)
                        for member, found in zip(members, kept, strict=True)
                    ]
                ).mean(dim=0)
                for varied in streams
            }
        return _Pairs(tuple(rows), torch.cat(groups), candidates_NC, scores)

    def _log_odds(
        self,
        member: Member,
        kept: Mapping[str, KeptFeatures],
        candidates_NC: Tensor,
        varied: str,
        device: torch.device | str,
    ) -> Tensor:
        """(N, C) for each row with its stream `varied` replaced by the candidates'."""
        own_P = torch.arange(len(candidates_NC)).repeat_interleave(candidates_NC.shape[1])
        other_P = candidates_NC.flatten()
        pairs = {stream: other_P if stream == varied else own_P for stream in kept}
        config = self.config
        odds_P = pair_log_odds(
            member.model, config.head, kept, pairs, config.inference.batch_size, device
        )
        return odds_P.view(candidates_NC.shape)

    def _values(self, found: _Pairs) -> dict[Metric, Tensor]:
        """(N,) float64 shares: for yes or no, and for choosing each stream for the other."""
        first, second = self.config.first, self.config.second
        said, forward, backward = self.metrics
        yes = torch.stack([(s[:, 0] > 0).double() for s in found.scores.values()])
        no = torch.stack([(s[:, 1] <= 0).double() for s in found.scores.values()])
        return {
            said: (yes.mean(dim=0) + no.mean(dim=0)) / 2,
            forward: _chosen(found.scores[second]),
            backward: _chosen(found.scores[first]),
        }

    def _worst(self, found: _Pairs) -> list[int]:
        """The rows where another candidate was chosen, by the largest margin."""
        scores_NC = found.scores[self.config.second]
        return worst_first(scores_NC[:, 1:].amax(dim=1) - scores_NC[:, 0], WORST)

    def _shown(
        self, found: _Pairs, values: Mapping[Metric, Tensor], chosen: Sequence[int]
    ) -> list[Prediction]:
        """These rows of the first stream with the chosen entry of the second."""
        first, second = self.config.first, self.config.second
        right = values[self.metrics[1]]
        scores_NC = found.scores[second]
        shown = []
        for row in chosen:
            best = int(found.candidates[row, scores_NC[row].argmax()])
            shown.append(
                Prediction(
                    inputs=(Entry(first, found.rows[row]), Entry(second, found.rows[best], 0)),
                    predicted=f"of {self.config.choices} this fits best",
                    expected=(),
                    right=bool(right[row]),
                    score=float(scores_NC[row].max().sigmoid()),
                )
            )
        return shown


def _candidates(matches_N: Tensor, choices: int, seed: int) -> Tensor:
    """(N, C) each row, then C - 1 different rows that do not match it, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    found: list[Tensor] = []
    for start in range(0, len(matches_N), ROWS_AT_ONCE):
        some = torch.arange(start, min(start + ROWS_AT_ONCE, len(matches_N)))
        drawn_RN = torch.rand(len(some), len(matches_N), generator=generator)
        drawn_RN = drawn_RN.masked_fill(matches_N[some, None] == matches_N, -1)
        if choices > len(matches_N) or bool((drawn_RN >= 0).sum(dim=1).min() < choices - 1):
            raise WeftError(
                f"choices is {choices}, but some row has fewer than {choices - 1} rows of other "
                f"groups to choose from, of {len(matches_N)} in all"
            )
        others_RC = drawn_RN.topk(choices - 1, dim=1).indices
        found.append(torch.cat([some[:, None], others_RC], dim=1))
    return torch.cat(found)


def _chosen(scores_NC: Tensor) -> Tensor:
    """(N,) 1 if the row's own candidate scores above all others."""
    return (scores_NC[:, 0] > scores_NC[:, 1:].amax(dim=1)).double()
