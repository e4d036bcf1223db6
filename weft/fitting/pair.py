"""`weft fit --pair`: models that find the partner of a row's value in another column, such as texts of pictures."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from weft.architectures.model import Model, ModelConfig, ProjectionConfig
from weft.core import config as configs
from weft.core.config import Config
from weft.core.documents import write_checked
from weft.core.errors import WeftError, unknown_name
from weft.core.files import check_writable, write_text
from weft.core.interfaces import Learner, ProjectionHead
from weft.core.media import Alternatives
from weft.core.records import Features
from weft.core.samples import group_key
from weft.core.tensors import LEARNED, write_tensors
from weft.data.features import CacheConfig
from weft.data.learned import MODALITIES
from weft.data.policy import ErrorPolicy
from weft.data.sources import DataSource
from weft.data.stamps import stamp
from weft.encoders.frozen import FrozenConfig
from weft.encoders.pretrained import PretrainedConfig
from weft.encoders.weights import architecture
from weft.evaluation.baselines import retrieval_chance
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.metric import Metric, Score
from weft.evaluation.ranking import dot_product, rank_queries
from weft.fitting.candidates import Candidate
from weft.fitting.choice import source_of
from weft.fitting.correlation import RIDGES, Maps, correlated
from weft.fitting.features import Column, compute, dense, reduced
from weft.fitting.fit import (
    BOARD,
    PAGE,
    SPLITS,
    TRIALS,
    FitResult,
    FitSettings,
    Opened,
    require_free,
)
from weft.fitting.folds import LEFT_OUT, Plan, Rows, grouped_folds, make_plan
from weft.fitting.leaderboard import Measured, ranked
from weft.fitting.models import Floats
from weft.fitting.network import TIMING, keep_network
from weft.fitting.page import write_page
from weft.fitting.source import AssignedConfig
from weft.fitting.table import Table
from weft.fitting.trials import peak_memory
from weft.modalities.ngrams import NgramsConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.runs.parts import MODEL, RECIPE, WEIGHTS, learned_mark
from weft.runs.recipe import DataConfig, Recipe
from weft.runs.run import load
from weft.runs.timing import seconds_per_step
from weft.runs.train import train
from weft.tasks.retrieval import RetrievalConfig
from weft.training import distributed
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

RECALL_10, RECALL_1 = Metric("recall@10", said="recall@10, both ways"), Metric("recall@1")
WIDE = 256
"""Principal directions of a wide column that are mapped."""
EMBEDDING, HIDDEN = 256, 512
BATCH, MOST_EPOCHS, FEWEST_STEPS = 256, 60, 50
CHANCE, LINEAR, TRAINED = "chance", "linear projections", "trained projections"


@dataclass(frozen=True)
class Pairs:
    """N rows that have both columns, one for each of several captions. matches: (N,) what is right for each other."""

    table: Table
    matches: torch.Tensor
    columns: tuple[Column, Column]
    plan: Plan
    source: DataSource
    seed: int

    @property
    def names(self) -> tuple[str, str]:
        return self.columns[0].name, self.columns[1].name


def fit_pair(
    opened: Opened, pair: tuple[str, str], folder: Path, settings: FitSettings
) -> FitResult:
    """Tries models that find each column by the other, and keeps the recommended one as a run in `folder`.

    Raises WeftError where the columns are not there, or cannot be searched.
    """
    deadline = time.monotonic() + 60 * settings.minutes
    pairs = _read(opened, pair, settings)
    check_writable(folder / BOARD, "--out DIR names another place")
    require_free(folder)
    measured = [_chance(pairs)]
    left_out: list[str] = []
    began = time.monotonic()
    linear = [_linear(pairs, fold.train) for fold in pairs.plan.folds]
    measured.append(
        _of_vectors(pairs, LINEAR, [_mapped(pairs, m) for m in linear], time.monotonic() - began)
    )
    if settings.networks:
        trained = _trained(pairs, linear, _runs(pairs, folder), deadline)
        if trained is None:
            left_out.append(TRAINED)
        else:
            measured.append(trained)
    board = ranked(
        f"{pair[0]} and {pair[1]}",
        (RECALL_10, RECALL_1),
        pairs.plan.said,
        measured,
        pairs.table.clusters[pairs.plan.held],
    )
    test = _keep(pairs, board.recommended.candidate, folder, linear)
    found = FitResult(
        folder, board, test, (), (), (), board.recommended.candidate.name, left_out, pairs.table.bad
    )
    values = {
        **board.to_json(),
        "test": None if test is None else test.to_json(),
        "not_tried": left_out,
        "rows_left_out": [str(error) for error in pairs.table.bad],
    }
    write_text(folder / BOARD, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
    write_page(folder / PAGE, board, test=test, schema=str(opened.schema))
    return found


def _read(opened: Opened, pair: tuple[str, str], settings: FitSettings) -> Pairs:
    kinds = []
    for name in pair:
        if name not in opened.schema.columns:
            raise unknown_name("column of --pair", name, opened.schema.columns)
        kinds.append(str(opened.schema.columns[name].kind))
        if kinds[-1] not in ("image", "text"):
            raise WeftError(f"--pair: '{name}' is of kind {kinds[-1]}, expected pictures or texts")
    table, matches = _one_by_one(opened.table, pair)
    plan = make_plan(
        table, np.zeros(len(table), dtype=np.int64), seed=settings.seed, folds=settings.folds
    )
    device = distributed.device("auto")
    columns = []
    for name, kind in zip(pair, kinds, strict=True):
        source = source_of(kind, settings.choices)
        if isinstance(source.modality, NgramsConfig):
            source = replace(source, modality=source.modality.replace(together=False))
        column = compute(table, name, source, plan.development, device=device)
        frozen = isinstance(column.encoder_config, FrozenConfig | PretrainedConfig)
        columns.append(column if frozen else reduced(column, plan.development, settings.seed, WIDE))
    return Pairs(table, matches, (columns[0], columns[1]), plan, opened.source, settings.seed)


def _one_by_one(table: Table, pair: tuple[str, str]) -> tuple[Table, torch.Tensor]:
    """A row for each caption of the rows that have both columns. Raises WeftError where none has."""
    samples, places = [], []
    for row, sample in enumerate(table.samples):
        if all(sample.items.get(name) is not None for name in pair):
            values = {name: sample.items[name] for name in pair}
            several = next((n for n, v in values.items() if isinstance(v, Alternatives)), None)
            for value in values[several] if several else [None]:
                items = values if several is None else {**values, several: value}
                samples.append(replace(sample, items=items))
                places.append(row)
    if not samples:
        raise WeftError(f"no row has both '{pair[0]}' and '{pair[1]}'")
    used = table.take(places)
    matches = torch.tensor([group_key(sample.match_name) for sample in samples])
    return Table(samples, used.clusters, used.splits, table.bad), matches


def _chance(pairs: Pairs) -> Measured:
    parts: list[Floats] = []
    firsts: list[float] = []
    for fold in pairs.plan.folds:
        matches = pairs.matches[fold.held]
        tens = ones = 0.0
        for which in (0, 1):
            gallery = matches[_distinct(pairs, which, fold.held)]
            names, counts = torch.unique(gallery, return_counts=True)
            right = counts[torch.searchsorted(names, matches)]
            chance = retrieval_chance(right.numpy(), len(gallery), (1, 10))
            tens, ones = tens + chance.recall[10] / 2, ones + chance.recall[1] / 2
        parts.append(np.full(len(matches), RECALL_10.scale * tens))
        firsts.append(RECALL_1.scale * ones * len(matches))
    first = sum(firsts) / sum(map(len, parts))
    return Measured(Candidate(CHANCE, "constant"), np.concatenate(parts), first, 0.0, peak_memory())


def _of_vectors(
    pairs: Pairs, name: str, vectors: Sequence[tuple[Floats, Floats]], seconds: float
) -> Measured:
    """vectors: of each fold, of all rows."""
    tens, ones = [], []
    for fold, both in zip(pairs.plan.folds, vectors, strict=True):
        ten, one = _hits(pairs, both, fold.held)
        tens.append(ten)
        ones.append(one)
    model = "linear" if name == LINEAR else "concatenation"
    candidate = Candidate(name, model, pairs.names)  # type: ignore[arg-type]
    first = RECALL_1.scale * float(np.concatenate(ones).mean())
    return Measured(
        candidate, RECALL_10.scale * np.concatenate(tens), first, seconds, peak_memory()
    )


def _hits(pairs: Pairs, vectors: tuple[Floats, Floats], rows: Rows) -> tuple[Floats, Floats]:
    """(R,) of each row the mean of both ways: is its partner among the first 10, is it the first?

    What several rows share, such as a picture of five captions, is in the gallery once.
    """
    matches = pairs.matches[rows]
    galleries = [torch.from_numpy(one[rows]).float() for one in vectors]
    tens, ones = np.zeros(len(rows)), np.zeros(len(rows))
    for query, gallery in ((0, 1), (1, 0)):
        keep = _distinct(pairs, gallery, rows)
        found = rank_queries(
            dot_product(galleries[query], galleries[gallery][keep]), matches, matches[keep]
        )
        tens += found.hits(10).numpy() / 2
        ones += found.hits(1).numpy() / 2
    return tens, ones


def _distinct(pairs: Pairs, which: int, rows: Rows) -> torch.Tensor:
    """Places among the rows: of those with one content that match, such as a picture of five captions, the first."""
    matches, values = pairs.matches[rows].tolist(), dense(pairs.columns[which].matrix[rows])
    first: dict[tuple[int, bytes], int] = {}
    for place, (match, value) in enumerate(zip(matches, values, strict=True)):
        first.setdefault((match, value.tobytes()), place)
    return torch.tensor(list(first.values()))


def _linear(pairs: Pairs, rows: Rows) -> Maps:
    """Canonical correlation with the ridge that finds most partners on an inner fold."""
    first, second = (column.matrix for column in pairs.columns)
    clusters = pairs.table.clusters[rows]
    inner = grouped_folds(clusters, np.zeros(len(rows), dtype=np.int64), 4, pairs.seed)[0]
    train, held = rows[inner.train], rows[inner.held]
    scores = [
        _hits(pairs, _mapped(pairs, maps), held)[0].mean()
        for maps in correlated(first[train], second[train], RIDGES)
    ]
    return correlated(first[rows], second[rows], [RIDGES[int(np.argmax(scores))]])[0]


def _mapped(pairs: Pairs, maps: Maps) -> tuple[Floats, Floats]:
    first, second = pairs.columns
    return maps.vectors(0, first.matrix), maps.vectors(1, second.matrix)


def _recipe(
    pairs: Pairs,
    projections: Mapping[str, Config[ProjectionHead]],
    source: DataSource,
    steps: int = 0,
    **more: object,
) -> Recipe:
    streams = {column.name: column.modality_config for column in pairs.columns}
    cached = {
        column.name: CacheConfig(precision="auto")
        for column in pairs.columns
        if isinstance(column.encoder_config, FrozenConfig | PretrainedConfig)
    }
    first, second = pairs.names
    return Recipe(
        data=DataConfig(
            source,
            dict(streams),
            optional=tuple(streams),
            cache=cached,
            errors=ErrorPolicy("skip"),
        ),
        model=ModelConfig(
            {column.name: column.encoder_config for column in pairs.columns}, dict(projections)
        ),
        objectives={"contrastive": SoftmaxContrastiveConfig(streams=(first, second))},
        tasks={"retrieval": RetrievalConfig(first=first, second=second)},
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, ema=0.99),
        run=RunConfig(
            steps=steps,
            batch_size=BATCH,
            seed=pairs.seed,
            evaluate_every=max(1, steps // 5),
            checkpoint_every=max(1, steps // 2),
            monitor="retrieval/rsum",
            precision="auto",
        ),
        **more,  # type: ignore[arg-type]
    )


def _save_linear(
    pairs: Pairs, maps: Maps, folder: Path, source: DataSource, splits: Mapping[str, str]
) -> None:
    """The linear maps as a run."""
    widths = [int(weight.shape[1]) for weight in maps.weights]
    projections = {
        column.name: ProjectionConfig(column.dim, width, bias=True)
        for column, width in zip(pairs.columns, widths, strict=True)
    }
    recipe = _recipe(pairs, projections, source)
    recipe = recipe.replace(data=recipe.data.replace(cache={}, **splits))
    model = recipe.model.build()
    for which, column in enumerate(pairs.columns):
        model.encoders[column.name].load_state_dict(cast(nn.Module, column.encoder).state_dict())
        tensors = {
            "layers.0.weight": torch.from_numpy(maps.weights[which].T.astype(np.float32)),
            "layers.0.bias": torch.from_numpy(maps.biases[which].astype(np.float32)),
        }
        model.projections[column.name].load_state_dict(tensors)
    _save(pairs, recipe, model, folder)


def _save(pairs: Pairs, recipe: Recipe, model: Model, folder: Path) -> None:
    learned = {
        column.name: column.modality.state()
        for column in pairs.columns
        if isinstance(column.modality, Learner)
    }
    configs.save(recipe, folder / RECIPE)
    configs.save(architecture(recipe.model), folder / MODEL, checked=True)
    write_checked(folder / MODALITIES, learned)
    write_tensors(folder / WEIGHTS, dict(model.state_dict()), {LEARNED: learned_mark(folder)})


def _trained(
    pairs: Pairs, linear: Sequence[Maps], folder: Path, deadline: float
) -> Measured | None:
    """Projections with a hidden layer, trained on the frozen features; None where there is no time."""
    began = time.monotonic()
    steps, vectors = _planned(folder), []
    for number, (fold, maps) in enumerate(zip(pairs.plan.folds, linear, strict=True)):
        recipe = _network(pairs, maps, fold.train, folder / f"fold-{number}", steps)
        if not steps and deadline - time.monotonic() < TIMING:
            return None
        if not steps:
            step = seconds_per_step(recipe.replace(run=recipe.run.replace(steps=8)), 2, 6)
            runs = len(pairs.plan.folds) + (len(pairs.plan.folds) > 1)
            steps = _steps(step, (deadline - time.monotonic()) / runs, len(fold.train), recipe)
            if steps < FEWEST_STEPS:
                return None
            recipe = _network(pairs, maps, fold.train, folder / f"fold-{number}", steps)
        place = folder / f"fold-{number}" / f"steps-{steps}"
        if not (place / WEIGHTS).exists():
            train(recipe, place)
        vectors.append(_embedded(pairs, place))
    return _of_vectors(pairs, TRAINED, vectors, time.monotonic() - began)


def _runs(pairs: Pairs, folder: Path) -> Path:
    """Where the trained runs are kept; those of other rows or settings have another place."""
    encoders = [configs.to_json(column.encoder_config) for column in pairs.columns]
    of = json.dumps(
        [stamp(pairs.table, range(len(pairs.table))), encoders, pairs.seed, pairs.plan.said]
    )
    return folder / TRIALS / f"pair-{hashlib.blake2b(of.encode(), digest_size=6).hexdigest()}"


def _planned(folder: Path) -> int:
    """The steps of the runs in the folder; 0 where none is finished."""
    done = [path.parent.name for path in folder.glob(f"fold-0/steps-*/{WEIGHTS}")]
    return int(done[0].removeprefix("steps-")) if done else 0


def _steps(step: float, seconds: float, rows: int, recipe: Recipe) -> int:
    most = max(MOST_EPOCHS * rows // recipe.run.batch_size, FEWEST_STEPS)
    return min(int(seconds / (1.5 * step)), most)


def _network(pairs: Pairs, maps: Maps, rows: Rows, folder: Path, steps: int) -> Recipe:
    """From the run of the linear maps, whose encoders it has, on these rows; some of them choose the weights."""
    clusters = pairs.table.clusters[rows]
    held = grouped_folds(clusters, np.zeros(len(rows), dtype=np.int64), 8, pairs.seed)[0].held
    splits = {pairs.table.samples[row].id: "train" for row in rows.tolist()}
    splits |= {pairs.table.samples[row].id: "validation" for row in rows[held].tolist()}
    write_checked(folder / "splits.json", {"splits": splits})
    source = AssignedConfig(pairs.source, (folder / "splits.json").absolute())
    start = folder / "start"
    _save_linear(pairs, maps, start, source, {})
    projections = {
        column.name: ProjectionConfig(
            column.dim, EMBEDDING, hidden=(HIDDEN,), dropout=0.3, norm=True, bias=True
        )
        for column in pairs.columns
    }
    return _recipe(pairs, projections, source, steps, init=start.absolute())


def _embedded(pairs: Pairs, run: Path) -> tuple[Floats, Floats]:
    """What the run's projections make of the features of all rows."""
    model = load(run).model.cpu()
    found = []
    for column in pairs.columns:
        pooled = torch.from_numpy(dense(column.matrix))
        there = torch.from_numpy(column.there)[:, None]
        with torch.inference_mode():
            found.append(
                model.embed(column.name, Features(pooled[:, None], there, pooled)).double().numpy()
            )
    return found[0], found[1]


def _keep(pairs: Pairs, candidate: Candidate, folder: Path, linear: Sequence[Maps]) -> Score | None:
    """The recommended candidate as a run, and its recall among the test rows."""
    plan = pairs.plan
    names = zip(pairs.table.samples, plan.splits, strict=True)
    write_checked(folder / SPLITS, {"splits": {s.id: p for s, p in names if p != LEFT_OUT}})
    source = AssignedConfig(pairs.source, (folder / SPLITS).absolute())
    splits = {name: name if name in plan.splits else "train" for name in ("validation", "test")}
    maps = linear[0] if len(plan.folds) == 1 else _linear(pairs, plan.final)
    vectors = _mapped(pairs, maps)
    if candidate.name == TRAINED:
        start = _runs(pairs, folder)
        steps = _planned(start)
        run = start / "fold-0" / f"steps-{steps}"
        if len(plan.folds) > 1:
            recipe = _network(pairs, maps, plan.final, start / "final", steps)
            run = start / "final" / run.name
            if not (run / WEIGHTS).exists():
                train(recipe, run)
        keep_network(run, folder, source, splits)
        vectors = _embedded(pairs, run)
    else:
        _save_linear(pairs, maps, folder, source, splits)
    if plan.test is None:
        return None
    hits, clusters = _hits(pairs, vectors, plan.test)[0], pairs.table.clusters[plan.test]
    return RECALL_10.score(Bootstrap(clusters).mean(hits, clusters).estimate())
