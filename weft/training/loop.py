"""The training loop."""

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from weft.core.config import Settings, to_json
from weft.core.distributed import barrier, rank, world_size
from weft.core.errors import WeftError, unknown_name
from weft.core.files import write_text
from weft.core.records import Batch
from weft.core.tensors import LEARNED, NUMBERS, check_same, read_tensors, write_tensors
from weft.evaluation.metric import Score
from weft.training import checkpoint, distributed, sharding
from weft.training.checkpoint import TrainState
from weft.training.config import RunConfig
from weft.training.interruption import Interrupted, after_the_step
from weft.training.log import Display, RunLog
from weft.training.player import NonFiniteError, Player
from weft.training.step import numbers_of

MODEL_FILE = "model.safetensors"
RAW = "raw"
"""In the log: prefix of the validation metrics of the current weights, not of their average."""
NONFINITE = "nonfinite.json"
"""In a run directory: the rows of the step whose loss was not finite."""


@dataclass(frozen=True)
class FitResult:
    """Result of training. metrics: validation metrics of the weights in `model`.

    resumed_at: step of the checkpoint from which this call continued, 0 for a new run. seconds: duration
    of this call alone.
    """

    model: Path
    steps: int
    resumed_at: int
    best_step: int
    metrics: Mapping[str, float]
    stopped_early: bool
    seconds: float


def fit(
    players: Sequence[Player],
    batches: Callable[[int, int], Iterator[Batch]],
    run: RunConfig,
    folder: Path,
    validate: Callable[[int], Mapping[str, Score]] | None = None,
    recipe: Settings | None = None,
    resume: bool = False,
    learned: str | None = None,
    validate_raw: Callable[[int], Mapping[str, Score]] | None = None,
) -> FitResult:
    """Trains until `run.steps` or until patience ends, and leaves the best weights in the model.

    batches(start, stop): yields this rank's rows for each of the steps start to stop - 1.
    validate(step): is called on every rank, with the model in eval mode and with its averaged weights if
    there are any. The first rank's numbers are used. The monitored score's metric declares whether higher
    or lower is better.
    validate_raw(step): the same for the weights as they are, where some are averaged; only for the log.
    recipe: a checkpoint must agree with it; `run` if not given.
    resume: continue from the newest checkpoint in `folder`, if there is one. Without resume a folder with
    checkpoints is refused.
    learned: checksum of what tokenizers and targets have learned. It is saved with the weights, and a
    checkpoint must agree with it.
    """
    if run.epochs is not None:
        raise ValueError(f"epochs is {run.epochs}, expected None: call run.resolved(...) first")
    began = time.perf_counter()
    settings = {"run": to_json(run)} if recipe is None else to_json(recipe)
    belongs = checkpoint.Origin(settings, learned)
    state = _begin(players, folder, belongs, resume)
    resumed_at = state.step
    save = partial(_save_model, folder / MODEL_FILE, players[0], learned)
    log = RunLog(folder, active=rank() == 0)
    log.cut(state.step)
    metrics: dict[str, float] = {}
    with Display(state.step, run.steps, active=rank() == 0) as display, after_the_step() as signal:
        stop = state.step >= run.steps or _patience_ended(state, run)
        upcoming = iter(()) if stop else batches(state.step, run.steps)
        for batch in upcoming:
            step = state.step + 1
            seed_step(run.seed, step)
            values = _turns(players, batch, step, folder)
            state = replace(state, step=step)
            display.advance(step, len(batch) * world_size(), values["loss"])
            if validate is not None and _due(step, run.evaluate_every, run.steps):
                metrics, state = _evaluate(players, validate, validate_raw, state, run, save)
            stop = step == run.steps or _patience_ended(state, run)
            logged = stop or metrics or step % run.log_every == 0
            if logged:
                rate = {"samples_per_second": display.samples_per_second}
                log.write(step, {**values, **metrics, **rate})
            if logged or display.overdue:
                display.line(step, values["loss"], _monitored(metrics, run))
            told = signal()
            if stop or told or _due(step, run.checkpoint_every, run.steps):
                _write_checkpoint(players, state, belongs, folder, run.keep)
            if told and not stop:
                raise Interrupted(told)
            metrics = {}
            if stop:
                break
    if not stop:
        raise ValueError(f"batches ended after step {state.step}, expected {run.steps} steps")
    if state.best is None:  # no evaluation has saved any weights: save the last ones
        with evaluation(players):
            save()
    return _finish(players, state, folder, run, resumed_at, time.perf_counter() - began)


def seed_step(seed: int, step: int) -> None:
    """Seeds every global generator from (seed, step, rank), so that dropout at a step depends on no other step.

    Each rank gets other random numbers, so with dropout the results depend on the number of ranks.
    """
    key = np.random.SeedSequence((seed, step, rank())).generate_state(2, np.uint64)
    torch.manual_seed(int(key[0] >> 1))
    random.seed(int(key[1]))
    np.random.seed(int(key[1] & 0xFFFFFFFF))


def _begin(
    players: Sequence[Player], folder: Path, origin: checkpoint.Origin, resume: bool
) -> TrainState:
    names = [player.name for player in players]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"players are named {names}, expected at least one and all different")
    if any(player.step is not players[0].step for player in players):
        raise ValueError(f"players {names} have different steps, expected one that they share")
    if not any(player.settings.steady for player in players):
        raise ValueError(f"no player of {names} has a turn at every step, expected one at least")
    newest = checkpoint.latest(folder)
    if newest is not None and not resume:
        raise WeftError(f"{folder}: already holds a run; resume it or choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    if rank() == 0:
        checkpoint.remove_leftovers(folder)
    state = TrainState() if newest is None else checkpoint.load(newest, players, origin)
    _train_mode(players)
    return state


def _train_mode(players: Sequence[Player]) -> None:
    """Puts the step in train mode, but in eval mode what belongs to players after their last turn."""
    players[0].step.train()
    for player in players:
        player.settle()


def _turns(players: Sequence[Player], batch: Batch, step: int, folder: Path) -> dict[str, float]:
    """Runs the turns that are due at this step, in order and on the same batch, and returns values for the log.

    With several players, the names of values begin with the player's name. "loss" is the loss of the first
    player with a turn at every step.
    """
    values: dict[str, float] = {}
    batch = batch.to(players[0].device)
    for player in players:
        if not player.has_turn(step):
            continue
        try:
            loss = player.turn(batch)
        except NonFiniteError as error:
            if rank() == 0:
                rows = {"step": step, "player": player.name, "ids": error.ids}
                write_text(folder / NONFINITE, json.dumps(rows, indent=2) + "\n")
            raise WeftError(
                f"{folder}: training stopped at step {step}: {error}; all ids are in nonfinite.json, the last "
                "checkpoint is kept"
            ) from None
        lead = f"{player.name}/" if len(players) > 1 else ""
        own = {f"{lead}loss": loss.total, **{f"{lead}{k}": v for k, v in loss.terms.items()}}
        values |= {name: value.item() for name, value in own.items()}
    if len(players) == 1:
        return values
    steady = next(player.name for player in players if player.settings.steady)
    return {"loss": values[f"{steady}/loss"], **values}


def _monitored(metrics: Mapping[str, float], run: RunConfig) -> dict[str, float]:
    """Selects the monitored metric for the display; the log has all metrics."""
    name = f"validation/{run.monitor}" if run.monitor else next(iter(metrics), "")
    return {name: metrics[name]} if name in metrics else {}


def _due(step: int, every: int, steps: int) -> bool:
    return step == steps or (every > 0 and step % every == 0)


def _patience_ended(state: TrainState, run: RunConfig) -> bool:
    return run.patience is not None and state.stale >= run.patience


@contextmanager
def evaluation(players: Sequence[Player]) -> Iterator[None]:
    """Inside, the step is in eval mode and holds the averaged weights of players that have any."""
    step = players[0].step
    with ExitStack() as averages:
        for player in players:
            if player.ema is not None:
                averages.enter_context(player.ema.applied())
        step.eval()
        try:
            yield
        finally:
            _train_mode(players)


def _evaluate(
    players: Sequence[Player],
    validate: Callable[[int], Mapping[str, Score]],
    validate_raw: Callable[[int], Mapping[str, Score]] | None,
    state: TrainState,
    run: RunConfig,
    save: Callable[[], None],
) -> tuple[dict[str, float], TrainState]:
    """Returns the validation metrics for the log and the new state. Saves the weights if they are the best so far.

    Weights cannot be the best while a player that stops early still trains: they are an unfinished part of the model,
    and the score of the others says little about it.
    """
    with evaluation(players):
        found, metrics = _measured(players, validate, state.step)
        monitor = run.monitor or next(iter(metrics))
        if monitor not in metrics:
            raise unknown_name("validation metric to monitor", monitor, metrics)
        value = metrics[monitor]
        if not any(player.unfinished for player in players):
            better = state.best is None or found[monitor].metric.better_than(value, state.best)
            if math.isfinite(value) and better:
                state = replace(state, best=value, best_step=state.step, stale=0, metrics=metrics)
                save()
            else:
                state = replace(state, stale=state.stale + 1)
    shown = {f"validation/{name}": number for name, number in metrics.items()}
    if validate_raw is not None and any(player.ema is not None for player in players):
        players[0].step.eval()
        _, raw = _measured(players, validate_raw, state.step)
        _train_mode(players)
        shown |= {f"validation/{RAW}/{name}": number for name, number in raw.items()}
    return shown, state


def _measured(
    players: Sequence[Player], validate: Callable[[int], Mapping[str, Score]], step: int
) -> tuple[Mapping[str, Score], dict[str, float]]:
    """Returns this rank's scores, and the first rank's numbers, which all ranks use."""
    with sharding.gathered(players[0].step), torch.no_grad():
        found = validate(step)
        own = {name: score.value for name, score in found.items()}
        return found, distributed.from_first(own, players[0].device)


def _write_checkpoint(
    players: Sequence[Player], state: TrainState, origin: checkpoint.Origin, folder: Path, keep: int
) -> None:
    checkpoint.save(folder, players, state, origin)
    if rank() == 0:
        checkpoint.tidy(folder, keep)
    barrier()


def _finish(
    players: Sequence[Player],
    state: TrainState,
    folder: Path,
    run: RunConfig,
    resumed_at: int,
    seconds: float,
) -> FitResult:
    """Loads the saved (best) weights into the model and returns the result."""
    path = folder / MODEL_FILE
    barrier()
    _load_model(path, players[0])
    return FitResult(
        model=path,
        steps=state.step,
        resumed_at=resumed_at,
        best_step=state.best_step if state.best is not None else state.step,
        metrics=state.metrics,
        stopped_early=state.step < run.steps,
        seconds=seconds,
    )


def _save_model(path: Path, player: Player, learned: str | None) -> None:
    """Writes the current weights of the player's model, together with the scalars of the objectives."""
    tensors = sharding.whole_on_first(player.step.model.state_dict())
    objectives = sharding.whole_on_first(player.step.objectives.state_dict())
    if rank() == 0:
        marks = {} if learned is None else {LEARNED: learned}
        write_tensors(path, tensors, {**marks, NUMBERS: numbers_of(objectives)})


def _load_model(path: Path, player: Player) -> None:
    own, (tensors, _) = player.step.model.state_dict(), read_tensors(path)
    check_same(path, own, tensors)
    for name, tensor in own.items():
        sharding.fill(tensor, tensors[name])
