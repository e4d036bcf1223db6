"""Anomaly scores for a pair of a row's streams, such as a picture and its text, from their embeddings and features."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.inference.config import InferenceConfig
from weft.inference.encoded import evaluating_all, pair_log_odds
from weft.inference.member import Member
from weft.inference.pairs import Pairs, Side

PairScore = Literal["local_similarity", "similarity", "prediction", "matching"]
NEIGHBOURS = 10
"""Number of nearest entries of the other stream whose mean similarity is subtracted."""
REFERENCES = 5000
"""Number of entries that are kept of each stream of the training rows."""
FITTED = 5000
"""Number of different training pictures (or values of the first stream) that are read with their matches."""
RIDGE = 0.1
"""Weight of the squared coefficients, relative to the mean squared error of standardised features."""


@dataclass(frozen=True)
class Predictor:
    """Ridge regression from one stream's features to another's, both standardised."""

    mean: Tensor
    scale: Tensor
    target_mean: Tensor
    target_scale: Tensor
    weight: Tensor

    @classmethod
    def fit(cls, inputs_NX: Tensor, targets_NY: Tensor) -> "Predictor":
        """Fits the regression with the weight RIDGE on the squared coefficients."""
        from sklearn.linear_model import Ridge

        mean, scale = inputs_NX.mean(0), _scale(inputs_NX)
        target_mean, target_scale = targets_NY.mean(0), _scale(targets_NY)
        x_NX = ((inputs_NX - mean) / scale).double().numpy()
        y_NY = ((targets_NY - target_mean) / target_scale).double().numpy()
        found = Ridge(RIDGE * len(x_NX), fit_intercept=False).fit(x_NX, y_NY)
        weight = torch.from_numpy(found.coef_).reshape(y_NY.shape[1], -1).T.float()
        return cls(mean, scale, target_mean, target_scale, weight)

    def agreement(self, inputs_NX: Tensor, targets_NY: Tensor) -> Tensor:
        """(N,) the cosine of the predicted and the actual features."""
        predicted_NY = (inputs_NX - self.mean) / self.scale @ self.weight
        return F.cosine_similarity(
            predicted_NY, (targets_NY - self.target_mean) / self.target_scale, dim=1
        )


def _scale(values_ND: Tensor) -> Tensor:
    return values_ND.std(0).clamp_min(1e-6)


@dataclass(frozen=True)
class PairScorer:
    """Scores of pairs; a higher score is more anomalous.

    similarity: minus the cosine of the embeddings. local_similarity: minus twice the cosine, plus the mean cosine
    of each of the two to its NEIGHBOURS nearest entries of the other stream, since a text that is near to all
    pictures says little about one (cross-domain similarity local scaling, A. Conneau et al., Word Translation
    Without Parallel Data, ICLR 2018, section 2.3). prediction: minus how well each stream's features are predicted
    from the other's, in both directions (A. Costanzino et al., Multimodal Industrial Anomaly Detection by
    Crossmodal Feature Mapping, CVPR 2024, section 3, on pooled features). matching: minus the log odds of a
    matching head that both belong together.

    references: stream -> (R, E) embeddings among which the nearest are searched. predictors: stream that is
    predicted from the other -> its Predictor; empty if no training rows are available. head: a matching head of
    `member`'s model.
    """

    streams: tuple[str, str]
    references: Mapping[str, Tensor]
    predictors: Mapping[str, Predictor]
    head: str | None = None

    @classmethod
    def fit(
        cls, pairs: Pairs, *, predicting: bool, head: str | None = None, seed: int = 0
    ) -> "PairScorer":
        """Fits the scorer to pairs of training rows. predicting: also fit the Predictors."""
        generator = torch.Generator().manual_seed(seed)
        sides = (pairs.first, pairs.second)
        references = {
            side.stream: side.embeddings[_some(len(side), REFERENCES, generator)] for side in sides
        }
        predictors: dict[str, Predictor] = {}
        if predicting:
            own_P2 = pairs.own[_some(len(pairs.own), 4 * FITTED, generator)]
            first_PX, second_PY = (
                side.features[index_P] for side, index_P in zip(sides, own_P2.T, strict=True)
            )
            predictors = {
                pairs.second.stream: Predictor.fit(first_PX, second_PY),
                pairs.first.stream: Predictor.fit(second_PY, first_PX),
            }
        return cls((pairs.first.stream, pairs.second.stream), references, predictors, head)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors that `from_tensors` needs, by name."""
        fields = ("mean", "scale", "target_mean", "target_scale", "weight")
        return {
            **{f"references/{stream}": found for stream, found in self.references.items()},
            **{
                f"predictors/{stream}/{name}": getattr(one, name)
                for stream, one in self.predictors.items()
                for name in fields
            },
        }

    @classmethod
    def from_tensors(
        cls, streams: tuple[str, str], head: str, tensors: Mapping[str, Tensor]
    ) -> "PairScorer":
        """A scorer from the output of `tensors`."""
        parts = defaultdict[str, dict[str, Tensor]](dict)
        for name, tensor in tensors.items():
            kind, _, stream = name.partition("/")
            if kind == "predictors":
                stream, _, of = stream.rpartition("/")
                parts[stream][of] = tensor
        references = {stream: tensors[f"references/{stream}"] for stream in streams}
        predictors = {stream: Predictor(**of) for stream, of in parts.items()}
        return cls(streams, references, predictors, head or None)

    @property
    def scores(self) -> tuple[PairScore, ...]:
        """The names of the scores that it can compute."""
        predicted: tuple[PairScore, ...] = ("prediction",) if self.predictors else ()
        matched: tuple[PairScore, ...] = ("matching",) if self.head else ()
        return ("local_similarity", "similarity", *predicted, *matched)

    def of(
        self,
        member: Member,
        first: Side,
        second: Side,
        pairs_P2: Tensor,
        config: InferenceConfig,
        device: torch.device | str,
    ) -> dict[PairScore, Tensor]:
        """Score -> (P,) float64 for pairs (P, 2) of entries."""
        one_P, other_P = pairs_P2.T
        cosine_P = (first.embeddings[one_P] * second.embeddings[other_P]).sum(1).double()
        near_first = self._near(first.embeddings, second.stream)
        near_second = self._near(second.embeddings, first.stream)
        found: dict[PairScore, Tensor] = {
            "local_similarity": near_first[one_P] + near_second[other_P] - 2 * cosine_P,
            "similarity": -cosine_P,
        }
        if self.predictors:
            x_PX, y_PY = first.features[one_P], second.features[other_P]
            agreement_P = self.predictors[second.stream].agreement(x_PX, y_PY)
            agreement_P = agreement_P + self.predictors[first.stream].agreement(y_PY, x_PX)
            found["prediction"] = -agreement_P.double()
        if self.head:
            found["matching"] = -_log_odds(
                member, self.head, (first, second), pairs_P2, config, device
            )
        return found

    def _near(self, embeddings_NE: Tensor, other: str) -> Tensor:
        """(N,) the mean cosine to the nearest references of the other stream."""
        references_RE = self.references[other]
        most = min(NEIGHBOURS, len(references_RE))
        found = [
            (part @ references_RE.T).topk(most, dim=1).values.mean(1)
            for part in torch.split(embeddings_NE, 1024)
        ]
        return torch.cat(found).double()


def _some(count: int, most: int, generator: torch.Generator) -> Tensor:
    """All numbers below `count` in order, or a random sample of them."""
    if count <= most:
        return torch.arange(count)
    return torch.randperm(count, generator=generator)[:most].sort().values


def _log_odds(
    member: Member,
    head: str,
    sides: tuple[Side, Side],
    pairs_P2: Tensor,
    config: InferenceConfig,
    device: torch.device | str,
) -> Tensor:
    """(P,) float64, of the entries' first views."""
    rows = {}
    for side, index_P in zip(sides, pairs_P2.T, strict=True):
        if side.kept is None:
            raise ValueError(f"the Features of '{side.stream}' were not kept")
        first_view = torch.tensor([side.kept.rows(entry)[0] for entry in side.entries])
        rows[side.stream] = first_view[index_P]
    kept = {side.stream: side.kept.features for side in sides if side.kept is not None}
    with evaluating_all([member], config, device):
        found: Tensor = pair_log_odds(member.model, head, kept, rows, config.batch_size, device)
    return found.double()
