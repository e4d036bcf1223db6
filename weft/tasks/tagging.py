"""Tagging: which of many labels a row has."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.needs import Needs
from weft.data.targets.tags import Tags
from weft.evaluation.bootstrap import Bootstrap, Estimate
from weft.evaluation.metric import FAMILY, Metric, Score, by_name
from weft.evaluation.one_against_rest import linearised, one_against_rest
from weft.evaluation.ranking import right_and_wrong, worst_first
from weft.heads.tags import BETWEEN, NO_TAG, TagOutput, TagValues
from weft.inference.diagnostics import Diagnostics
from weft.inference.member import Entry, Member
from weft.inference.predict import Predictions
from weft.inference.results import Prediction, TaskResult, Values
from weft.tasks._diagnostics import class_counts, counted, reliability
from weft.tasks._of_classes import AUROC, MACRO_F1
from weft.tasks._of_target import Found, OfTarget
from weft.tasks.base import WORST, SlicedConfig

MEAN_AVERAGE_PRECISION = Metric("mean_average_precision", headline=True)
MICRO_F1 = Metric("micro_f1", said="micro F1")
FIRST_TAG = Metric("first_tag", said="first tag right", row_mean=True)
EXACT_MATCH = Metric("exact_match", said="all tags right", row_mean=True)
OF_TAG = Metric(f"tag/{FAMILY}/average_precision")
METRICS = (MEAN_AVERAGE_PRECISION, AUROC, MICRO_F1, MACRO_F1, FIRST_TAG, EXACT_MATCH, OF_TAG)
SHOWN_TAGS = 100
"""Number of tags whose average precision is given separately, those with the most rows."""
OTHERS = 3


@dataclass(frozen=True)
class TaggingConfig(SlicedConfig):
    """Tags of rows: average precision, AUROC, and F1 at the head's threshold.

    Mean average precision, that of each tag, mean AUROC, micro and macro F1, and the shares of rows whose most
    probable tag is one of theirs, and whose tags are all right. Average precision is that of the measured
    rows in the order of the tag's probability, without interpolation. It and AUROC need no threshold; their means
    are over the tags that some measured rows have and others lack. F1 and exact match are those of the tags
    from the threshold of the head on. Tags that the training rows do not have count as missed.

    Baselines: every row gets the frequencies of the tags among the measured rows as its probabilities;
    and, where the model reads several streams, the model itself with one of them of another row; the model itself with
    the frames of a video in random order.
    """

    head: str = "tags"
    """Head whose tags are measured."""

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: TagOutput})

    def build(self) -> OfTarget:
        return OfTarget("tagging", METRICS, self, self.head, _measure)


def _measure(asked: Found) -> TaskResult:
    found, target, config = asked.predictions, asked.target, asked.config
    if not isinstance(target, Tags):
        raise WeftError(
            f"head '{found.head}' predicts '{target.column}', expected a target of tags"
        )
    names = [target.names(asked.dataset[row].items[target.column]) for row in found.rows]
    right, tags, groups = _Right.of(found, names), _tags(found, found.values), found.groups
    first_N, exact_N = right.first(tags), right.exact(tags)
    drawn = right_and_wrong(2 - exact_N.long(), config.examples, config.seed)
    return TaskResult(
        task=asked.name,
        protocol={
            "tags": len(tags.classes),
            "tags_a_row": round(float(right.held.mean()), 2),
            "tags_not_known": int(right.unknown.sum()),
            "threshold": tags.threshold,
            "threshold_from": _threshold_from(asked.members, found.head),
        },
        metrics=by_name(
            [*right.of_each(tags, asked.bootstrap), *right.scores(tags, asked.bootstrap)]
        ),
        baselines=_baselines(found, tags, right, asked.bootstrap),
        values={
            metric.name: Values(metric.scale * values, groups)
            for metric, values in ((FIRST_TAG, first_N), (EXACT_MATCH, exact_N))
        },
        predictions=_shown(found, tags, right, drawn),
        worst=_shown(found, tags, right, worst_first(right.wrong(tags), WORST)),
        diagnostics=Diagnostics(
            reliability=reliability(
                tags.probabilities, right.flags, groups, asked.bootstrap, "each tag"
            ),
            class_counts=class_counts(
                (tag for of_row in right.names for tag in of_row),
                counted(asked.training, target.column, target.names),
            ),
            slices=asked.slices(FIRST_TAG, first_N),
        ),
    )


def _threshold_from(members: Sequence[Member], head: str) -> str:
    """The source of the tags' threshold, in words."""
    said = []
    for member in members:
        output = member.model.head(head).output
        assert isinstance(output, TagOutput)
        if output.threshold is not None:
            said.append("nothing: the recipe sets it")
        else:
            chosen = output.target in member.learned.thresholds
            said.append("the validation split" if chosen else "nothing: it is the default")
    return ", ".join(dict.fromkeys(said))


@dataclass(frozen=True)
class _Right:
    """The right tags of N rows. flags: (N, V) bool, for tags that the model knows. unknown: (N,) number of other
    tags.
    """

    names: Sequence[tuple[str, ...]]
    flags: Tensor
    unknown: Tensor
    groups: Tensor

    @classmethod
    def of(cls, found: Predictions, names: Sequence[tuple[str, ...]]) -> "_Right":
        (right_NV,) = found.targets.values()
        held_N = torch.tensor([len(of_row) for of_row in names], dtype=torch.float64)
        right_NV = right_NV > 0.5
        return cls(names, right_NV, held_N - right_NV.sum(1), found.groups)

    @property
    def held(self) -> Tensor:
        """The number of tags of each row."""
        return self.flags.sum(1) + self.unknown

    def first(self, tags: TagValues) -> Tensor:
        """(N,) 1 if the most probable tag is one of the row's."""
        return self.flags.gather(1, tags.predicted[:, None])[:, 0].double()

    def wrong(self, tags: TagValues) -> Tensor:
        """(N,) number of tags that are predicted but not right, or right but not predicted."""
        return (tags.chosen != self.flags).sum(1) + self.unknown

    def exact(self, tags: TagValues) -> Tensor:
        """(N,) 1 if the predicted tags are exactly those of the row."""
        return ((tags.chosen == self.flags).all(dim=1) & (self.unknown == 0)).double()

    def scores(self, tags: TagValues, bootstrap: Bootstrap) -> list[Score]:
        """F1 and the shares of rows."""
        both_N, either_N = self._overlap(tags.chosen)
        above_N1, below_N1 = 2 * both_N[:, None], either_N[:, None]
        micro = bootstrap.ratios(above_N1, below_N1, self.groups) if either_N.any() else []
        rows = ((FIRST_TAG, self.first(tags)), (EXACT_MATCH, self.exact(tags)))
        return [
            *(MICRO_F1.score(one.estimate()) for one in micro),
            MACRO_F1.score(self._macro_f1(tags.chosen, bootstrap)),
            *(metric.score(bootstrap.proportion(hits, self.groups)) for metric, hits in rows),
        ]

    def of_each(self, tags: TagValues, bootstrap: Bootstrap) -> list[Score]:
        """Mean average precision and AUROC, and average precision of each tag."""
        flags_NV, groups_N = self.flags.numpy(), self.groups.numpy()
        given = tags.probabilities.numpy(), flags_NV, groups_N, bootstrap
        found = one_against_rest("average_precision", *given, separate=SHOWN_TAGS)
        means = ((MEAN_AVERAGE_PRECISION, found), (AUROC, one_against_rest("auroc", *given)))
        mean = [m.score(of.mean.estimate()) for m, of in means if of.mean is not None]
        each = [
            OF_TAG.member(tags.classes[place]).score(one.estimate())
            for place, one in sorted(zip(found.places, found.each, strict=True), key=lambda p: p[0])
        ]
        return [*mean, *each]

    def _overlap(self, chosen_NV: Tensor) -> tuple[Tensor, Tensor]:
        """(N,) number of predicted and right tags, and the number of predicted plus the number of right ones."""
        both_N = (chosen_NV & self.flags).sum(1).double()
        return both_N, chosen_NV.sum(1) + self.held

    def _macro_f1(self, chosen_NV: Tensor, bootstrap: Bootstrap) -> Estimate:
        """The mean F1 of the tags that are right or predicted for some row, linearised."""
        both_NV = (chosen_NV & self.flags).double()
        either_NV = chosen_NV.double() + self.flags.double()
        either_V = either_NV.sum(0)
        there_V = either_V > 0
        f1_V = 2 * both_NV.sum(0)[there_V] / either_V[there_V]
        slope_NV = (2 * both_NV[:, there_V] - f1_V * either_NV[:, there_V]) / either_V[there_V]
        number = max(1, int(there_V.sum()))
        value = np.array([float(f1_V.sum()) / number])
        slope_N1 = (slope_NV.sum(1) / number)[:, None].numpy()
        return linearised(value, slope_N1, self.groups.numpy(), bootstrap)[0].estimate()


def _tags(found: Predictions, values: object) -> TagValues:
    if not isinstance(values, TagValues):
        raise WeftError(f"head '{found.head}' gives no tags, expected one that does")
    return values


def _baselines(
    found: Predictions, tags: TagValues, right: _Right, bootstrap: Bootstrap
) -> dict[str, dict[str, float]]:
    """The values alone, of all rows."""
    frequent_NV = right.flags.double().mean(0).expand_as(tags.probabilities)
    said = {
        "tag frequencies": replace(tags, probabilities=frequent_NV.float()),
        **{name: _tags(found, one) for name, one in found.altered.items()},
    }
    return {
        name: {
            score.metric.name: score.value
            for score in (*right.scores(one, bootstrap), *right.of_each(one, bootstrap))
        }
        for name, one in said.items()
    }


def _shown(
    found: Predictions, tags: TagValues, right: _Right, chosen: Sequence[int]
) -> list[Prediction]:
    """These rows with all tags that are said of them."""
    exact_N = right.exact(tags)
    shown = []
    for row in chosen:
        said = tags.tags(row)
        others = tags.best(row, len(said) + OTHERS)[len(said) :]
        shown.append(
            Prediction(
                inputs=tuple(Entry(stream, found.rows[row]) for stream in found.streams),
                predicted=tags.said(row),
                expected=(BETWEEN.join(right.names[row]) or NO_TAG,),
                right=bool(exact_N[row]),
                score=said[0][1] if said else None,
                others=tuple((name, chance) for name, chance in others if chance is not None),
            )
        )
    return shown
