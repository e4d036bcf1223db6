"""Generation: pictures or sounds from a model, compared with the real ones of the rows."""

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from weft.core.building import build
from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Encoder
from weft.core.needs import Needs
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Field
from weft.core.samples import group_key
from weft.core.short_names import short_name
from weft.data.formats import Dataset, spread_rows
from weft.decoders.drawing import drawer_of
from weft.encoders.histograms import HistogramsConfig
from weft.evaluation import drawn as distances
from weft.evaluation.bootstrap import Estimate
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import THOUSANDTHS, Metric, Score, by_name
from weft.heads.drawn import DrawnOutput, DrawnValues
from weft.inference.generation_settings import settings_of
from weft.inference.member import Entry, Member, only, seeing
from weft.inference.predict import Predictions, predict
from weft.inference.results import Drawing, Drawn, TaskResult, Values
from weft.inference.rows import Selection
from weft.inference.true_values import true_values
from weft.inference.value_features import Floats, RowFeatures, ValueFeatures
from weft.inference.wording import BIASED, HALVES
from weft.tasks.base import TaskConfig

KID = Metric(
    "KID",
    THOUSANDTHS,
    better="lower",
    digits=2,
    headline=True,
    said="kernel distance to real outputs (KID)",
    row_mean=True,
)
FID = Metric("FID", "", better="lower", digits=3, said="Fréchet distance to real outputs (FID)")
PRECISION = Metric("precision", said="generated outputs near a real one (precision)")
RECALL = Metric("recall", said="real outputs near a generated one (recall)")
VARIETY = Metric(
    "variety",
    digits=0,
    said="distance of two outputs for one input, as a share of that of real outputs",
)
CLOSE = Metric(
    "close_to_training",
    better="lower",
    said="generated outputs nearer to a training row than half of the real outputs",
)
METRICS = (KID, FID, PRECISION, RECALL, VARIETY, CLOSE)
FEWEST = 4
"""Minimum number of real values for a comparison. Rows may be texts alone; a judge then measures the generated
values.
"""
SHOWN_SETTINGS = ("steps", "guidance", "shift", "latent", "seed")
"""Settings of the generation that the protocol names if they have an effect."""
MEAN = "always their mean"
"""A baseline: a picture whose pixels, or a sound whose frames, are means over the real ones."""


@dataclass(frozen=True)
class GenerationTaskConfig(TaskConfig):
    """Generation: outputs of a head against the real values of the rows.

    Distances are those of the features of an encoder, which the protocol names. Baselines: one half of the real values against
    the other, and the mean of the real ones for every row.
    """

    head: str = "picture"
    """Head that generates."""
    inputs: tuple[str, ...] = ()
    """Streams from which the head generates; if empty, all that it reads."""
    features: Config[Encoder] = field(default_factory=HistogramsConfig)
    """Encoder whose features are compared. Histograms of colours and edges need no weights; of photographs, a
    pretrained picture encoder says more."""
    limit: int | None = None
    """Number of rows to measure, spread evenly over all, to save time; None measures all."""
    searched: int = 4000
    """Number of training rows that are searched for the most similar ones to generated values; 0: no search."""
    neighbours: int = 3
    """Number of nearest neighbours that set the radius of a row, for precision and recall."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, limit=COUNT, searched=at_least(0), neighbours=COUNT)

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: DrawnOutput})

    def build(self) -> "GenerationTask":
        return GenerationTask(self)


class GenerationTask:
    """KID with its interval, FID, precision and recall; the diversity of values generated from one input; and
    whether training rows are repeated.

    Each row is generated once, from noise that is a function of the row. Models are not averaged: one model
    generates. Where every row has a real value, KID is also given row by row, so that two runs can be compared in pairs.
    """

    name = "generation"
    metrics = METRICS

    def __init__(self, config: GenerationTaskConfig) -> None:
        self.config = config

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Raises WeftError if several models are given."""
        config, member = self.config, only(members, self.name)
        reading = seeing(member, config.head, config.inputs)
        measured = [(row,) for row in spread_rows(len(dataset), config.limit)]
        found = predict(
            [reading],
            dataset,
            config.head,
            config.inference,
            selection=Selection(measured),
            device=device,
        )
        values = found.values
        output = member.model.head(config.head).output
        if not isinstance(values, DrawnValues) or not isinstance(output, DrawnOutput):
            raise WeftError(f"head '{config.head}' generates nothing, expected one that does")
        encoder = build(config.features).eval().to(device)
        features = ValueFeatures(encoder, config.inference, device)
        chosen = np.random.default_rng(config.seed).permutation(len(found))
        shown = sorted(chosen[: config.examples].tolist())
        kept = {found.rows[place] for place in shown}
        real = features.of_rows(member, dataset, found.rows, output.stream, kept)
        drawn_ND = features.of_field(values.field())
        conditions = _conditions(dataset, found)
        training = self._training(member, output.stream, features)
        scores = self._scores(real, drawn_ND, conditions, training) if len(real) >= FEWEST else []
        return TaskResult(
            task=self.name,
            protocol=self._protocol(member, measured, found, real, output),
            metrics=by_name(scores),
            baselines=self._baselines(real) if scores else {},
            leakage=leakage,
            values=self._by_rows(real, drawn_ND, found.groups) if scores else {},
            drawn=Drawn(config.head, output.stream, found.rows, values),
            drawings=self._drawings(member, output, found, shown, real, drawn_ND, training),
        )

    def _training(self, member: Member, stream: str, features: ValueFeatures) -> RowFeatures | None:
        """Random training rows, if they are available."""
        rows, most = member.training, self.config.searched
        if rows is None or not most:
            return None
        order = np.random.default_rng(self.config.seed).permutation(len(rows))[:most].tolist()
        found = features.of_rows(member, rows, order, stream)
        return found if len(found) else None

    def _scores(
        self,
        real: RowFeatures,
        drawn_ND: distances.Floats,
        conditions: NDArray[np.int64],
        training: RowFeatures | None,
    ) -> list[Score]:
        config = self.config
        precision, recall = distances.precision_recall(real.features, drawn_ND, config.neighbours)
        scores = [
            KID.score(
                distances.kid_estimate(
                    *_scaled(real.features, drawn_ND),
                    subsets=min(200, config.resamples),
                    seed=config.seed,
                )
            ),
            FID.score(Estimate.alone(distances.fid(real.features, drawn_ND))),
            PRECISION.score(Estimate.alone(precision)),
            RECALL.score(Estimate.alone(recall)),
        ]
        if len(real) == len(drawn_ND):
            within = distances.spread_within(drawn_ND, conditions)
            of_real = distances.spread_within(real.features, conditions)
            if of_real > 0:
                scores.append(VARIETY.score(Estimate.alone(within / of_real)))
        if training is not None:
            _, of_drawn = distances.nearest(training.features, drawn_ND)
            _, of_real_N = distances.nearest(training.features, real.features)
            scores.append(
                CLOSE.score(Estimate.alone(float((of_drawn < np.median(of_real_N)).mean())))
            )
        return scores

    def _by_rows(
        self, real: RowFeatures, drawn_ND: distances.Floats, groups_N: torch.Tensor
    ) -> dict[str, Values]:
        """KID row by row; nothing if some rows have no real value."""
        if len(real) != len(drawn_ND):
            return {}
        rows_N = distances.kid_rows(*_scaled(real.features, drawn_ND))
        return {KID.name: Values(torch.from_numpy(KID.scale * rows_N), groups_N)}

    def _baselines(self, real: RowFeatures) -> dict[str, dict[str, float]]:
        order = np.random.default_rng(self.config.seed).permutation(len(real))
        one, other = (real.features[order[part::2]] for part in (0, 1))
        mean = np.repeat(real.of_mean, len(real), axis=0)
        return {
            HALVES: self._compared(one, other),
            MEAN: {**self._compared(real.features, mean), VARIETY.name: 0.0},
        }

    def _compared(self, real: distances.Floats, other: distances.Floats) -> dict[str, float]:
        precision, recall = distances.precision_recall(real, other, self.config.neighbours)
        return {
            KID.name: KID.scale * distances.kid(*_scaled(real, other)),
            FID.name: distances.fid(real, other),
            PRECISION.name: 100 * precision,
            RECALL.name: 100 * recall,
        }

    def _protocol(
        self,
        member: Member,
        measured: Sized,
        found: Predictions,
        real: RowFeatures,
        output: DrawnOutput,
    ) -> dict[str, Any]:
        config, way = self.config, output.drawing
        decoder = drawer_of(member.model.head(config.head).decoder)
        effective = settings_of(member.model, config.head)
        few = BIASED if len(real) < distances.FEW else ""
        return {
            "generated": len(found),
            "real": len(real),
            "features": f"{short_name(type(config.features))}, {real.features.shape[1]} numbers",
            "size": f"{' x '.join(map(str, decoder.shape))}, as the stream is read and resized",
            "KID": "of features whose mean square is 1 over the real ones",
            "FID of": f"{min(len(found), len(real)):,} rows{few}",
            **{name: getattr(way, name) for name in SHOWN_SETTINGS if name in effective},
            **config.protocol([member], measured, found, "rows"),
        }

    def _drawings(
        self,
        member: Member,
        output: DrawnOutput,
        found: Predictions,
        places: Sequence[int],
        real: RowFeatures,
        drawn_ND: distances.Floats,
        training: RowFeatures | None,
    ) -> tuple[Drawing, ...]:
        """The generated values of these places, each with its real value and the most similar training row."""
        nearest: dict[int, int] = {}
        of_training: dict[int, Field] = {}
        if training is not None and places:
            like, _ = distances.nearest(training.features, drawn_ND[places])
            rows = [training.rows[place] for place in like]
            nearest = dict(zip(places, rows, strict=True))
            for numbers, field in true_values(
                member, training.dataset, sorted({*rows}), output.stream, self.config.inference
            ):
                of_training |= {row: field.take(torch.tensor([n])) for n, row in enumerate(numbers)}
        values = cast(DrawnValues, found.values)
        drawings = []
        for place in places:
            row = found.rows[place]
            beside = {
                "real": real.kept.get(row),
                "nearest training row": of_training.get(nearest.get(place, -1)),
            }
            others = {
                name: output.as_drawn(field, member.learned).display(0)
                for name, field in beside.items()
                if field is not None
            }
            inputs = tuple(Entry(name, row) for name in found.streams)
            drawings.append(Drawing(inputs, values.display(place), others))
        return tuple(drawings)


def _scaled(real: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Both divided by the root mean square of the real features: with small features the kernel of KID compares
    only means.
    """
    scale = np.sqrt(np.square(real).mean()) or 1.0
    return real / scale, other / scale


def _conditions(dataset: Dataset, found: Predictions) -> NDArray[np.int64]:
    """(N,) a number for each row; rows with the same texts have the same number."""

    def key(row: int) -> str:
        items: Mapping[str, Any] = dataset[row].items
        return repr([items.get(stream) for stream in found.streams])

    return np.array([group_key(key(row)) for row in found.rows], dtype=np.int64)
