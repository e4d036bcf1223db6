"""A network trained on all columns: pictures and texts are encoded, fused, and classified, all learned together."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np

from weft.architectures.model import ModelConfig
from weft.core import config as configs
from weft.core.config import Config
from weft.core.documents import write_checked
from weft.core.files import read_file, write_bytes
from weft.core.interfaces import Decoder, Encoder, Modality, Objective, Target
from weft.data.features import CacheConfig
from weft.data.learned import MODALITIES
from weft.data.policy import ErrorPolicy
from weft.data.sources import DataSource
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.pictures import PicturesEncoderConfig
from weft.encoders.values import ValuesConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.fitting.choice import published_pictures
from weft.fitting.features import Column
from weft.fitting.folds import Rows, grouped_folds
from weft.fitting.goal import Goal
from weft.fitting.keep import CLASS_HEAD, NUMBER_HEAD
from weft.fitting.models import Floats
from weft.fitting.settings import FitSettings
from weft.fitting.source import AssignedConfig
from weft.fitting.table import Ints, Table
from weft.fusion.late import LateConfig
from weft.heads.classes import ClassOutput, ClassValues
from weft.heads.head import HeadConfig
from weft.heads.numbers import NumberOutput, NumberValues
from weft.heads.output import Output
from weft.modalities.cell import Cell
from weft.modalities.image import ImageConfig
from weft.modalities.pictures import PicturesConfig
from weft.modalities.text import TextConfig
from weft.objectives.classification import ClassificationConfig, RegressionConfig
from weft.runs.parts import MODEL, RECIPE, WEIGHTS, load_recipe
from weft.runs.recipe import DataConfig, Recipe
from weft.runs.run import load
from weft.runs.timing import seconds_per_step
from weft.runs.train import resume, train
from weft.tasks.base import Task
from weft.tasks.classification import ClassificationTaskConfig
from weft.tasks.regression import RegressionTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

Combine = Literal["product", "concatenation"]
WIDTHS, WORDS, FUSED, VOCABULARY, SIDE = (32, 64, 128, 128), 128, 128, 4000, 64
BATCH, MOST_EPOCHS, FEWEST_STEPS = 128, 40, 100
CHOOSING_FOLDS = 8
"""One of so many folds of the training rows chooses the best weights."""
WARM, TIMED = 2, 6
EVALUATING = 1.3
"""Times what the steps take: with evaluations and checkpoints."""
TIMING = 5.0
"""Seconds that must be left to time a few steps at all."""
LOG = "log.jsonl"


@dataclass(frozen=True)
class _Said:
    """A head of its own name, and all that belongs to it in a recipe."""

    name: str
    target: Config[Target]
    decoder: Config[Decoder]
    output: Output
    objective: Config[Objective]
    task: str
    measured: Config[Task]
    monitor: str


@dataclass(frozen=True)
class Networks:
    """What all networks share. source: of all rows, which are those of `table`. kinds: column -> its kind.
    columns: their features, which say how wide they are."""

    source: DataSource
    table: Table
    clusters: Ints
    strata: Ints
    kinds: Mapping[str, str]
    columns: Mapping[str, Column]
    choices: FitSettings

    def of(self, combine: str, goal: Goal, seed: int) -> "Network":
        """The network that joins pooled vectors so."""
        return Network(self, goal, cast(Combine, combine), seed)


@dataclass(frozen=True)
class Network:
    """A network for a goal. combine: how the pooled vectors of the columns are joined."""

    shared: Networks
    goal: Goal
    combine: Combine
    seed: int = 0

    def recipe(self, source: DataSource, rows: int, steps: int) -> Recipe:
        """Trained on the split `train` of the source, `rows` in number; its best weights by `validation`."""
        streams: dict[str, Config[Modality]] = {}
        encoders: dict[str, Config[Encoder]] = {}
        cache: dict[str, CacheConfig] = {}
        widths: dict[str, int] = {}
        for name, kind in self.shared.kinds.items():
            streams[name], encoders[name], widths[name], cached = self._stream(name, kind)
            cache |= {name: CacheConfig(precision="auto")} if cached else {}
        fused = LateConfig(widths, FUSED, self.combine, norm=bool(cache))
        said = self._said()
        return Recipe(
            data=DataConfig(
                source,
                streams,
                targets={said.name: said.target},
                optional=tuple(streams),
                cache=cache,
                errors=ErrorPolicy("skip"),
            ),
            model=ModelConfig(
                encoders,
                fusion=fused,
                heads={said.name: HeadConfig(said.decoder, said.output)},
            ),
            objectives={said.name: said.objective},
            tasks={said.task: said.measured},
            optim=OptimConfig(lr=2e-3, weight_decay=0.05, ema=0.99),
            run=RunConfig(
                steps=steps,
                batch_size=max(1, min(BATCH, rows // 2)),
                seed=self.seed,
                evaluate_every=max(1, steps // 5),
                checkpoint_every=max(1, steps // 2),
                monitor=said.monitor,
                precision="auto",
            ),
        )

    def _said(self) -> _Said:
        """What the head says, how it learns it, and what is measured."""
        goal = self.goal
        if goal.kind == "number":
            # The decoder learns numbers of mean 0 and standard deviation 1.
            mean, std = float(np.mean(goal.values)), float(np.std(goal.values))
            return _Said(
                NUMBER_HEAD,
                goal.target,
                ClassifierConfig(FUSED, 1, hidden=(FUSED,), dropout=0.1, scale=std, shift=mean),
                NumberOutput(NUMBER_HEAD),
                RegressionConfig(NUMBER_HEAD),
                "regression",
                RegressionTaskConfig(head=NUMBER_HEAD, resamples=20),
                "regression/MAE",
            )
        decoder = ClassifierConfig(FUSED, len(goal.classes), hidden=(FUSED,), dropout=0.1)
        return _Said(
            CLASS_HEAD,
            goal.target.replace(classes=goal.classes),
            decoder,
            ClassOutput(CLASS_HEAD),
            ClassificationConfig(CLASS_HEAD),
            "classification",
            ClassificationTaskConfig(head=CLASS_HEAD, resamples=20),
            "classification/accuracy",
        )

    def _stream(self, name: str, kind: str) -> tuple[Config[Modality], Config[Encoder], int, bool]:
        """Modality, encoder, width, and whether the encoder is frozen and its features are kept."""
        if kind == "image":
            published = published_pictures(self.shared.choices)
            if published is not None and published.encoder is not None:
                return published.modality, published.encoder, self.shared.columns[name].dim, True
            picture = ImageConfig(size=SIDE, fit="squash", crop_scale=None, flip=0.0)
            return picture, ConvNetConfig(WIDTHS, halvings=4, pooling="max"), WIDTHS[-1], False
        if kind == "images":
            one, encoder, width, _ = self._stream(name, "image")
            assert isinstance(one, ImageConfig)
            return PicturesConfig(one), PicturesEncoderConfig(encoder), width, False
        if kind == "text":
            text = TextConfig(vocab_size=VOCABULARY, max_length=64)
            return text, WordVectorsConfig(VOCABULARY, dim=WORDS), WORDS, False
        modality = self.shared.columns[name].modality
        assert isinstance(modality, Cell)
        cell = modality.config.replace(names=modality.names)
        return cell, ValuesConfig(modality.dim), modality.dim, False

    def plan_steps(self, rows: Rows, seconds: float, folder: Path) -> int:
        """How many steps fit into the time, at most MOST_EPOCHS; 0 where fewer than FEWEST_STEPS do."""
        if seconds < TIMING:
            return 0
        source = self._source(rows, folder / "timing.json")
        recipe = self.recipe(source, len(rows), WARM + TIMED)
        began = time.monotonic()
        step = seconds_per_step(recipe, WARM, TIMED)
        most = max(-(-MOST_EPOCHS * len(rows) // recipe.run.batch_size), FEWEST_STEPS)
        left = seconds - (time.monotonic() - began)
        steps = min(int(left / (EVALUATING * step)), most)
        return steps if steps >= FEWEST_STEPS else 0

    def trained(self, rows: Rows, steps: int, folder: Path) -> Path:
        """The run that is trained on these rows, in `folder`; one that was begun there is gone on with."""
        if (folder / RECIPE).exists():
            resume(folder)
        else:
            source = self._source(rows, folder / "splits.json")
            train(self.recipe(source, len(rows), steps), folder)
        return folder

    def outputs(self, run: Path, rows: Rows) -> Floats:
        """(R, V) logarithms of the probabilities that the run gives the classes of the goal; or numbers (R, 1)."""
        classes = self.goal.classes
        samples = [self.shared.table.samples[row] for row in rows.tolist()]
        found = load(run).predict(rows=samples)
        if isinstance(found.values, NumberValues):
            numbers = np.full((len(rows), 1), float(np.median(self.goal.values)))
            numbers[list(found.rows), 0] = found.values.numbers.double().numpy()
            return numbers
        assert isinstance(found.values, ClassValues)
        assert found.values.classes == classes
        # A row that has none of the columns gets equal shares.
        shares = np.full((len(rows), len(classes)), 1 / len(classes))
        shares[list(found.rows)] = found.values.probabilities.double().numpy()
        return np.asarray(np.log(np.maximum(shares, 1e-12)))

    def _source(self, rows: Rows, path: Path) -> AssignedConfig:
        """These rows, some of whose clusters choose the weights."""
        shared = self.shared
        folds = grouped_folds(shared.clusters[rows], shared.strata[rows], CHOOSING_FOLDS, self.seed)
        splits = {shared.table.samples[row].id: "train" for row in rows.tolist()}
        for row in rows[folds[0].held].tolist():
            splits[shared.table.samples[row].id] = "validation"
        write_checked(path, {"splits": splits})
        return AssignedConfig(shared.source, path.absolute())


def planned_steps(run: Path) -> int | None:
    """The steps of the run in this folder; None where there is none."""
    return load_recipe(run).run.steps if (run / RECIPE).exists() else None


def keep_network(run: Path, folder: Path, source: DataSource, splits: Mapping[str, str]) -> None:
    """Copies the trained run to `folder`, with its rows from `source`. splits: as in `keep`."""
    recipe = load_recipe(run)
    data = recipe.data.replace(source=source, validation=splits["validation"], test=splits["test"])
    configs.save(recipe.replace(data=data), folder / RECIPE)
    for name in (MODEL, MODALITIES, WEIGHTS, LOG):
        write_bytes(folder / name, read_file(run / name))
