"""Trains a recipe into a run directory."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

import torch

from weft.architectures.model import Model, ModelConfig
from weft.core import config as configs
from weft.core.distributed import rank, world_size
from weft.core.errors import WeftError
from weft.core.language import say
from weft.core.precision import bf16_is_faster, resolved
from weft.core.tensors import read_tensors
from weft.core.text import counted
from weft.core.trust import trust_modules
from weft.data.chaining import Chaining
from weft.data.few_rows import warn_of_few
from weft.data.learned import MODALITIES, Learned
from weft.data.loader import Loader
from weft.data.mixing import Mixing
from weft.data.modality_dropout import ModalityDropout
from weft.data.noise_only import NoiseOnly
from weft.data.row_changes import RowChanges
from weft.data.splicing import Splicing
from weft.encoders.weights import architecture
from weft.evaluation.metric import Metric, Score
from weft.inference.member import Member
from weft.runs.check import (
    check_columns,
    check_names,
    check_parts,
    check_presence,
    check_slices,
)
from weft.runs.check_codecs import check_started
from weft.runs.drawing_progress import keep_drawn
from weft.runs.folder import begun, held
from weft.runs.moved import with_moved_data
from weft.runs.own_columns import require_streams
from weft.runs.parts import (
    MODEL,
    RECIPE,
    WEIGHTS,
    build_objectives,
    build_sources,
    check_learned,
    learned_mark,
    load_recipe,
    open_split,
    target_sources,
)
from weft.runs.recipe import DataConfig, Recipe, validation_metrics
from weft.runs.sampling import sampler_of
from weft.runs.speech_check import check_speech
from weft.runs.thresholds import thresholds, write_thresholds
from weft.runs.whole import runs_in
from weft.training import checkpoint, distributed, loop, sharding
from weft.training.config import Parallel
from weft.training.loop import FitResult
from weft.training.players import build_players
from weft.training.step import TrainStep

log = logging.getLogger("weft.runs")


@dataclass(frozen=True)
class TrainResult:
    """A trained run: its folder, the course of training, and its validation results.

    left_out: number of training rows that this process met and could not use.
    """

    folder: Path
    fit: FitResult
    metrics: Sequence[Metric] = ()
    left_out: int = 0

    def __repr__(self) -> str:
        """Shows the training time, the main validation metrics, and the folder."""
        fit = self.fit
        if fit.resumed_at == fit.steps:
            done = say(f"nothing left to do: already trained {fit.steps} steps")
        elif fit.resumed_at:
            done = say(
                f"trained {fit.steps} steps, those after {fit.resumed_at} in {fit.seconds:.0f} s"
            )
        else:
            done = say(f"trained {fit.steps} steps in {fit.seconds:.0f} s")
        lines = [say(f"{done}, best at step {fit.best_step}")]
        for declared in self.metrics:
            for name, value in fit.metrics.items():
                metric = declared.called(name)
                if metric is not None and metric.headline:
                    shown = metric.with_unit(value)
                    lines.append(f"  {say(f'validation {name}: {shown}')}")
        if self.left_out:
            rows = counted(self.left_out, "training row")
            lines.append(f"  {say(f'left out: {rows}, named above with the reasons')}")
        return "\n".join([*lines, say(f"run directory: {self.folder}")])


def train(recipe: Recipe, folder: Path | str) -> TrainResult:
    """Trains `recipe` into a new run directory `folder`.

    Raises WeftError if the folder already holds a run, or another training writes into it.
    """
    folder = Path(folder)
    configs.check(recipe, "recipe")
    check_names(recipe)
    with distributed.session(recipe.run.device) as device, held(folder, new=True):
        # Choices that depend on the machine are made once: the run may continue on another machine.
        recipe = recipe.replace(run=recipe.run.replace(precision=_precision(recipe, device)))
        recipe = recipe.replace(data=recipe.data.replace(source=recipe.data.source.kept(folder)))
        with begun(recipe, folder):
            return _train(recipe, folder, device, written=recipe)


def resume(
    folder: Path | str, parallel: Parallel | None = None, *, trust: Sequence[str] = ()
) -> TrainResult:
    """Continues the run in `folder` from its newest checkpoint, with bit-identical results.

    parallel: replaces the run's own if several ranks continue it. trust: as in `load`.
    """
    folder = Path(folder)
    trust_modules(*trust)
    if not (folder / RECIPE).exists():
        raise WeftError(f"{folder}: holds no run to resume ({RECIPE} is missing){runs_in(folder)}")
    recipe = load_recipe(folder)
    if parallel is not None:
        recipe = recipe.replace(run=recipe.run.replace(parallel=parallel))
    with distributed.session(recipe.run.device) as device, held(folder):
        return _train(with_moved_data(recipe, folder), folder, device, written=recipe)


def _precision(recipe: Recipe, device: torch.device) -> Literal["fp32", "bf16"]:
    """Returns the precision of the run. Warns if it is slow on this machine."""
    asked = recipe.run.precision
    if rank() == 0 and asked == "bf16" and not bf16_is_faster(device.type):
        print(
            say("run.precision bf16 is slower than fp32 on this machine; auto takes the faster one")
        )
    return resolved(asked, device)


def _train(recipe: Recipe, folder: Path, device: torch.device, written: Recipe) -> TrainResult:
    """Sets up rows, learned modalities and targets, model, batches and players, and runs the loop.

    written: the recipe as in the run's checkpoints, with the original paths of data that were moved.
    """
    training = open_split(recipe, recipe.data.train)
    require_streams(recipe, training)
    check_presence(recipe, training, recipe.data.train, "objectives")
    check_slices(recipe, training)
    learned = Learned.of(recipe.data.streams, recipe.data.targets)
    learned.learn(training, folder, recipe.init, known=_known(recipe, folder))

    model = _model(recipe, folder).to(device)
    check_parts(recipe, model, learned)
    if rank() == 0:
        _warn_of_repeats(len(training), recipe.run.batch_size)
        configs.save(architecture(recipe.model), folder / MODEL, checked=True)
    objectives = build_objectives(recipe, learned.modalities)

    # Before the players: features of frozen encoders are cached while the model is still whole.
    sources = build_sources(recipe, training, model, learned.modalities, train=True, device=device)
    sources_and_targets = {**sources, **target_sources(training, learned.targets)}
    if checkpoint.latest(folder) is None:
        check_speech(recipe, folder, model, learned, sources, training)
    validate = validation(recipe, model, learned, device, folder)
    loader = Loader(
        training,
        sources_and_targets,
        batch_size=recipe.run.batch_size,
        seed=recipe.run.seed,
        workers=recipe.run.workers,
        rank=rank(),
        world_size=world_size(),
        errors=recipe.data.errors,
        sampler=sampler_of(recipe, folder, training, learned.modalities),
        changes=_changes(recipe, learned, len(training)),
    )

    run = recipe.run.resolved(loader.steps_per_epoch)
    step = TrainStep(model, objectives, recipe.weights)
    players = build_players(step, recipe.players, recipe.optim, run, recipe.rule)
    settled = written.replace(run=run)
    mark = learned_mark(folder)
    fitted = loop.fit(
        players, loader.batches, run, folder, validate, settled, resume=True, learned=mark,
        validate_raw=partial(validate, raw=True) if validate and run.evaluate_raw else None,
    )  # fmt: skip
    with sharding.gathered(step), torch.no_grad():
        chosen = thresholds(recipe, model.eval(), learned, device)
    if rank() == 0:
        write_thresholds(chosen, folder)
    return TrainResult(folder, fitted, validation_metrics(recipe), len(loader.bad))


def _changes(recipe: Recipe, learned: Learned, rows: int) -> RowChanges:
    """Returns the configured changes to training rows."""
    data = recipe.data
    streams = learned.modalities
    lost = data.modality_dropout
    return RowChanges(
        splicing=_together(data, rows),
        mixing=None if data.mix is None else Mixing(data.mix, streams, rows),
        dropout=ModalityDropout(lost, tuple(data.streams)) if lost else None,
        noise_only=None
        if data.noise_only is None
        else NoiseOnly(data.noise_only, streams, learned.targets),
    )


def _together(data: DataConfig, rows: int) -> Splicing | Chaining | None:
    """Returns the part that combines training rows, if any."""
    if data.chain is not None:
        return Chaining(data.chain, rows)
    return None if data.splice is None else Splicing(data.splice, rows)


def _known(recipe: Recipe, folder: Path) -> frozenset[str]:
    """Returns the names that a new run in `folder` need not learn, because the run from which it starts has learned
    them with the same settings. A model without a run has learned nothing."""
    start = recipe.init
    if start is None or (folder / MODALITIES).exists() or not (start / RECIPE).exists():
        return frozenset()
    check_learned(start)
    before = load_recipe(start).data
    settings = {**before.streams, **before.targets}
    wanted = {**recipe.data.streams, **recipe.data.targets}
    return frozenset(name for name in wanted if settings.get(name) == wanted[name])


def _model(recipe: Recipe, folder: Path) -> Model:
    torch.manual_seed(recipe.run.seed)
    if checkpoint.latest(folder) is not None and (folder / MODEL).exists():
        return configs.load(folder / MODEL, ModelConfig).build()  # the checkpoint has the weights
    return starting_model(recipe)


def starting_model(recipe: Recipe) -> Model:
    """Returns the model before the first step, with pretrained weights and those of `init`."""
    model = recipe.model.build()
    if recipe.init is not None:
        check_started(recipe, model, _start_from(model, recipe.init))
    return model


def _start_from(model: Model, run: Path) -> Iterable[str]:
    """Copies the weights of `run` that have the same name and shape, and returns their names."""
    tensors, _ = read_tensors(run / WEIGHTS)
    own = model.state_dict()
    same = {k: v for k, v in tensors.items() if k in own and own[k].shape == v.shape}
    if not same:
        raise WeftError(f"{run / WEIGHTS}: none of its {len(tensors)} weights fits this model")
    model.load_state_dict(same, strict=False)
    if rank() == 0:
        print(say(f"starting from {run}: {len(same)} of {len(own)} weights"))
    return same


class Validation(Protocol):
    """Measures the model after a step. raw: its weights are those without averages."""

    def __call__(self, step: int, *, raw: bool = False) -> Mapping[str, Score]: ...


def validation(
    recipe: Recipe,
    model: Model,
    learned: Learned,
    device: torch.device,
    folder: Path | None = None,
) -> Validation | None:
    """Measures every task on the validation split after a step. Warns if it has too few rows.

    folder: of the run, for some of the tasks' generated values (`weft.runs.drawing_progress`).
    """
    if not recipe.tasks:
        return None
    dataset = open_split(recipe, recipe.data.validation)
    check_columns(recipe, dataset)
    check_presence(recipe, dataset, recipe.data.validation, "tasks")
    if rank() == 0:
        warn_of_few(recipe.data.validation, dataset)
    sources = build_sources(recipe, dataset, model, learned.modalities, train=False, device=device)
    tasks = {name: config.build() for name, config in recipe.tasks.items()}
    member = Member(model, sources, learned)

    def validate(step: int, *, raw: bool = False) -> dict[str, Score]:
        metrics: dict[str, Score] = {}
        for name, task in tasks.items():
            result = task.evaluate([member], dataset, device=device)
            metrics |= {f"{name}/{key}": score for key, score in result.metrics.items()}
            if folder is not None and rank() == 0:
                keep_drawn(folder, name, step, result, raw=raw)
        return metrics

    return validate


def _warn_of_repeats(rows: int, batch_size: int) -> None:
    """Warns if a batch is larger than the training split: then a step costs more and tells the model little more."""
    if rows < batch_size:
        log.warning(
            "a batch has %s rows, the training split %s: rows repeat within a batch; set --run.batch-size",
            f"{batch_size:,}",
            f"{rows:,}",
        )
