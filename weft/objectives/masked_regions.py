"""Masked regions: features of hidden regions are regressed (LXMERT: Tan & Bansal 2019, arXiv:1908.07490,
section 3.1.2; UNITER: Chen et al. 2020, arXiv:1909.11740, section 3.2, MRFR), or their classes predicted (section 3.2, MRC and MRC-kl)."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all, sum_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import COUNT, POSITIVE_SHARE, SHARE, require
from weft.core.records import Batch, Field, Loss
from weft.core.shapes import check_shape
from weft.data.targets import NO_CLASS
from weft.encoders.regions import CORNERS
from weft.objectives._masking import (
    Head,
    chosen_places,
    encode_masked,
    input_field,
    real,
    real_values,
    rows_at,
    scaled,
)
from weft.objectives._presence import nothing, rows_with


class MaskedRegions(nn.Module):
    """The features of some regions become zero, their boxes stay, and the features are predicted from the rest.

    Squared error, a mean over features and over the chosen regions of all ranks; predictions are computed only for
    these. In a row with any region at least one is chosen. `altered_regions` describes how the chosen regions, and
    those that overlap them, are altered.
    """

    def __init__(self, config: "MaskedRegionsConfig") -> None:
        super().__init__()
        self.config = config
        self.head = Head(config.dim, config.dim)
        self.out = scaled(nn.Linear(config.dim, config.feature_dim))

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        batch, streams = rows_with(batch, streams, (self.config.masked,))
        field = input_field(model, batch, self.config.masked)
        if field is None:
            return nothing(self, batch, "variance")
        width = CORNERS + self.config.feature_dim
        check_shape(field.values, "B R F", "regions (corners and features)", F=width)
        chosen_BR = chosen_regions(batch, field, self.config)
        altered = altered_regions(batch, field, chosen_BR, self.config)
        features = encode_masked(model, batch, streams, self.config.masked, altered)
        check_shape(features.tokens, "B R D", "the masked stream", R=field.values.shape[1])
        found_MF = self.out(self.head(rows_at(features.tokens, chosen_BR))).float()
        wanted_MF = rows_at(field.values, chosen_BR)[:, CORNERS:].float()
        costs_M = (found_MF - wanted_MF).square().mean(dim=1)
        # Baseline: the cost of predicting the mean of these regions.
        count = sum_of_all(wanted_MF.new_tensor(len(wanted_MF))).clamp(min=1)
        mean_F = sum_of_all(wanted_MF.sum(dim=0)) / count
        spread_M = (wanted_MF - mean_F).square().mean(dim=1)
        return Loss(mean_of_all(costs_M), {"variance": mean_of_all(spread_M)})


class MaskedRegionClasses(nn.Module):
    """The features of some regions become zero, and the classes of those regions are predicted.

    Soft: the Kullback-Leibler divergence of the predicted distribution from the detector's (ViLBERT:
    Lu et al. 2019, arXiv:1908.02265, section 3.2). Hard: cross-entropy with one class (LXMERT, label
    classification). A mean over the chosen regions of all ranks that have a class: one without (a hard
    target of NO_CLASS, or a distribution of zeros) is never chosen.
    """

    def __init__(self, config: "MaskedRegionClassesConfig") -> None:
        super().__init__()
        self.config = config
        self.head = Head(config.dim, config.dim)
        self.out = scaled(nn.Linear(config.dim, config.classes))

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        batch, streams = rows_with(batch, streams, (self.config.masked,))
        field = input_field(model, batch, self.config.masked)
        if field is None:
            return nothing(self, batch, "accuracy")
        targets = self.targets(batch, field)
        known_BR = targets != NO_CLASS if targets.ndim == 2 else targets.amax(dim=2) > 0
        mask_BR = known_BR if field.mask is None else known_BR & field.mask
        chosen_BR = chosen_regions(batch, replace(field, mask=mask_BR), self.config)
        altered = altered_regions(batch, field, chosen_BR, self.config)
        features = encode_masked(model, batch, streams, self.config.masked, altered)
        check_shape(features.tokens, "B R D", "the masked stream", R=field.values.shape[1])
        logits_MC = self.out(self.head(rows_at(features.tokens, chosen_BR))).float()
        wanted = rows_at(targets, chosen_BR)
        if wanted.ndim == 1:
            costs_M, best_M = F.cross_entropy(logits_MC, wanted, reduction="none"), wanted
        else:
            wanted = wanted.float() / wanted.float().sum(dim=1, keepdim=True)
            logs_MC = logits_MC.log_softmax(dim=1)
            costs_M = F.kl_div(logs_MC, wanted, reduction="none").sum(dim=1)
            best_M = wanted.argmax(dim=1)
        hits_M = (logits_MC.argmax(dim=1) == best_M).float()
        return Loss(mean_of_all(costs_M), {"accuracy": mean_of_all(hits_M)})

    def targets(self, batch: Batch, field: Field) -> Tensor:
        """Classes (B, R) int64, or shares of classes (B, R, C)."""
        config, name = self.config, self.config.target
        if name is None:
            check_shape(field.values, "B R F", "regions (corners and features)")
            features_BRF = real_values(field)[:, :, CORNERS:]
            if features_BRF.shape[2] < config.classes:
                raise ValueError(
                    f"regions have {features_BRF.shape[2]} features, expected at least "
                    f"{config.classes}: the last ones are the shares of the classes"
                )
            found = features_BRF[:, :, -config.classes :]
        else:
            if name not in batch.targets:
                known = ", ".join(batch.targets) or "none"
                raise ValueError(f"the batch has no target '{name}', it has: {known}")
            found = batch.targets[name]
        rows, regions = field.values.shape[:2]
        if not found.is_floating_point():
            check_shape(found, "B R", "the regions' classes", B=rows, R=regions)
            return found
        check_shape(found, "B R C", "the regions' classes", B=rows, R=regions, C=config.classes)
        if bool((found < 0).any()):
            raise ValueError("shares of classes are negative, expected probabilities, not logits")
        return found if not config.hard else hard(found)


def hard(shares_BRC: Tensor) -> Tensor:
    """(B, R) the class with the largest share, NO_CLASS if all are zero."""
    return shares_BRC.argmax(dim=2).masked_fill(shares_BRC.amax(dim=2) == 0, NO_CLASS)


def chosen_regions(
    batch: Batch, field: Field, config: "MaskedRegionsConfig | MaskedRegionClassesConfig"
) -> Tensor:
    """(B, R) True at regions to predict: real regions in rows that have the stream."""
    scores_BR = batch.uniform(f"masked {config.masked}: score", field.values.shape[1])
    return chosen_places(scores_BR, real(field), config.mask_ratio)


def altered_regions(
    batch: Batch,
    field: Field,
    chosen_BR: Tensor,
    config: "MaskedRegionsConfig | MaskedRegionClassesConfig",
) -> Field:
    """The regions with zeros for the features of most of the chosen ones, and of those that overlap one.

    As in ViLBERT (Lu et al. 2019, arXiv:1908.02265, section 3.2), a chosen region is zeroed in 90% of
    cases and stays in the others. Regions that overlap a zeroed one are zeroed with it, as in the
    authors' code, since their features tell what it shows; they are not predicted.
    """
    fate_BR = batch.uniform(f"masked {config.masked}: fate", field.values.shape[1])
    zeroed_BR = chosen_BR & (fate_BR < config.zeroed)
    overlaps_BRR = overlap(real_values(field)[:, :, :CORNERS]) > config.overlap
    zeroed_BR = zeroed_BR | (overlaps_BRR & zeroed_BR[:, None]).any(dim=2)
    return replace(field, values=hidden(field.values, zeroed_BR))


def overlap(boxes_BR4: Tensor) -> Tensor:
    """(B, R, R) intersection over union of boxes given by their corners; 0 where both are empty."""
    low_BRR2 = torch.maximum(boxes_BR4[:, :, None, :2], boxes_BR4[:, None, :, :2])
    high_BRR2 = torch.minimum(boxes_BR4[:, :, None, 2:], boxes_BR4[:, None, :, 2:])
    shared_BRR = (high_BRR2 - low_BRR2).clamp(min=0).prod(dim=3)
    area_BR = (boxes_BR4[:, :, 2:] - boxes_BR4[:, :, :2]).clamp(min=0).prod(dim=2)
    union_BRR = area_BR[:, :, None] + area_BR[:, None, :] - shared_BRR
    return torch.where(union_BRR > 0, shared_BRR / union_BRR.clamp(min=1e-12), 0)


def hidden(regions_BRF: Tensor, zeroed_BR: Tensor) -> Tensor:
    """The regions with the features of the marked ones set to zero."""
    altered_BRF = regions_BRF.clone()
    altered_BRF[:, :, CORNERS:] = regions_BRF[:, :, CORNERS:].masked_fill(zeroed_BR[:, :, None], 0)
    return altered_BRF


@dataclass(frozen=True)
class MaskedRegionsConfig(Config[Objective]):
    """Masked regions: predict the features of hidden regions from the others and the other streams."""

    dim: int
    """Width of the stream's tokens where they are read: after fusion, or its encoder's."""
    feature_dim: int
    """Width F of a region's features."""
    masked: str = "image"
    """Stream whose regions are hidden."""
    mask_ratio: float = 0.15
    """Share of the regions that is predicted."""
    zeroed: float = 0.9
    """Share of the predicted regions whose features become zero; the others stay as they are."""
    overlap: float = 0.4
    """Regions that overlap a zeroed one by more than this (intersection over union) become zero with it;
    1 for none."""

    def __post_init__(self) -> None:
        require(self, dim=COUNT, feature_dim=COUNT)
        require(self, mask_ratio=POSITIVE_SHARE, zeroed=SHARE, overlap=SHARE)

    @property
    def needs(self) -> Needs:
        return Needs(raw=(self.masked,))

    def build(self) -> MaskedRegions:
        return MaskedRegions(self)


@dataclass(frozen=True)
class MaskedRegionClassesConfig(Config[Objective]):
    """Masked regions: predict the classes of hidden regions (ViLBERT, LXMERT, UNITER)."""

    dim: int
    """Width of the stream's tokens where they are read: after fusion, or its encoder's."""
    classes: int
    """Logits C."""
    target: str | None = None
    """Target of the batch with a class or shares of classes a region; None takes the last C features of
    a region as the shares that the detector gave its classes."""
    hard: bool = False
    """Of shares take the largest class instead of the distribution."""
    masked: str = "image"
    """Stream whose regions are hidden."""
    mask_ratio: float = 0.15
    """Share of the regions that is predicted."""
    zeroed: float = 0.9
    """Share of the predicted regions whose features become zero; the others stay as they are."""
    overlap: float = 0.4
    """Regions that overlap a zeroed one by more than this (intersection over union) become zero with it;
    1 for none."""

    def __post_init__(self) -> None:
        require(self, dim=COUNT, classes=COUNT)
        require(self, mask_ratio=POSITIVE_SHARE, zeroed=SHARE, overlap=SHARE)

    @property
    def needs(self) -> Needs:
        return Needs(raw=(self.masked,), targets=() if self.target is None else (self.target,))

    def build(self) -> MaskedRegionClasses:
        return MaskedRegionClasses(self)
