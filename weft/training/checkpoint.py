"""A checkpoint holds everything that the next step depends on, in safetensors (see `storage`).

- the recipe;
- the model and the objectives (one TrainStep, which all players share);
- of each player the optimizer's moments, the averaged weights, and the number of turns, which
  determines the learning rate.

There are no generator states: at each step the loop seeds every generator from (seed, step, rank). So
the step number determines all random numbers, and validation cannot change those of training. Nothing
is pickled, so loading a checkpoint cannot run code.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from weft.core.config import Settings, from_json, to_json
from weft.core.distributed import rank
from weft.core.errors import WeftError
from weft.core.tensors import LEARNED, check_same
from weft.training import storage
from weft.training.player import Player

log = logging.getLogger("weft.training")

CHECKPOINTS = "checkpoints"
"""Folder of a run directory."""

# Settings that do not change the results, so a run may be resumed with other values of them.
FREE_SETTINGS = frozenset(
    f"run.{name}" for name in ("workers", "log_every", "checkpoint_every", "keep", "parallel")
)


@dataclass(frozen=True)
class TrainState:
    """Progress of a run: steps done, and the best evaluation so far."""

    step: int = 0
    best: float | None = None
    best_step: int = 0
    stale: int = 0
    """Evaluations since the best one."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """All numbers of the best evaluation."""


@dataclass(frozen=True)
class Origin:
    """A checkpoint must agree with these: the recipe, and a checksum of what tokenizers and targets learned."""

    recipe: Mapping[str, Any]
    learned: str | None = None


def path_of(folder: Path, step: int) -> Path:
    """Path of the checkpoint of that step as one file. A checkpoint of a sharded step has it without suffix."""
    return folder / CHECKPOINTS / f"step-{step:08d}{storage.SUFFIX}"


def save(folder: Path, players: Sequence[Player], state: TrainState, origin: Origin) -> Path:
    """Writes the checkpoint of `state.step`, whole or not at all. Every rank calls it."""
    path = path_of(folder, state.step).with_suffix("")
    tensors = {**_fixed(players), **_moments(players)}
    written = {
        "state": asdict(state),
        "turns": {player.name: player.turns for player in players},
        "averages": {player.name: player.ema.updates for player in players if player.ema},
        "recipe": origin.recipe,
        LEARNED: origin.learned,
    }
    return storage.write(path, tensors, written)


def load(path: Path, players: Sequence[Player], origin: Origin) -> TrainState:
    """Loads the checkpoint into the players. Raises WeftError, with the players unchanged, if it does not fit."""
    try:
        stored = storage.open_stored(path)
    except WeftError as error:
        older = [p.name for p in saved(path.parent.parent) if p.name < path.name]
        advice = f"; remove it to go on from {older[-1]}" if older else ""
        raise WeftError(f"{error}{advice}") from None
    tensors, kept = stored.tensors, stored.state
    try:
        state = TrainState(**kept["state"])
        turns = {player.name: int(kept["turns"][player.name]) for player in players}
        updates = {p.name: int(kept["averages"][p.name]) for p in players if p.ema}
        written = kept["recipe"]
        if not isinstance(state.step, int) or not isinstance(state.stale, int):
            raise TypeError(f"step is {state.step!r}")
    except (KeyError, TypeError, ValueError) as error:
        raise WeftError(
            f"{path}: is not a checkpoint of these players: {type(error).__name__} {error}"
        ) from None
    for difference in _differences(origin.recipe, _as_today(written, str(path)), ""):
        raise WeftError(f"{path}: is a checkpoint of another recipe: {difference}")
    if kept.get(LEARNED) not in (None, origin.learned):
        raise WeftError(
            f"{path}: was trained with other tokenizers or classes than those that the run has now"
        )
    moments = {name: t for name, t in tensors.items() if "/optimizer/" in name}
    check_same(path, _fixed(players), {n: t for n, t in tensors.items() if n not in moments})
    names: dict[Tensor, str] = {p: name for name, p in players[0].step.named_parameters()}
    parameters = {
        f"{_of(player)}/optimizer/{names[parameter]}": parameter
        for player in players
        for parameter in player.parameters
    }
    for name, moment in moments.items():
        parameter = parameters.get(name.rpartition("/")[0])
        if parameter is None or moment.shape not in (parameter.shape, torch.Size()):
            raise WeftError(f"{path}: is a checkpoint of another recipe: unexpected {name}")
    found = {
        name: _laid_out_as(parameters[name.rpartition("/")[0]], moment)
        for name, moment in moments.items()
    }
    stored.read_into({**_fixed(players), **found})
    for player in players:
        _restore_moments(player, found)
        player.turns = turns[player.name]
        if player.ema is not None:
            player.ema.updates = updates[player.name]
    return state


def latest(folder: Path) -> Path | None:
    """Returns the newest complete checkpoint of a run, or None if there is none yet.

    Leftovers of interrupted writes have other names. A file that a crash of the machine truncated is
    skipped. Raises WeftError if there are checkpoints and none can be read.
    """
    first_error: WeftError | None = None
    for path in reversed(saved(folder)):
        try:
            storage.state_of(path)
        except WeftError as error:
            first_error = first_error or error
        else:
            if first_error is not None and rank() == 0:
                log.warning("%s; going on from %s", first_error, path.name)
            return path
    if first_error is not None:
        raise first_error
    return None


def progress(folder: Path) -> tuple[int, int] | None:
    """Returns (steps done, steps in total) of a run whose training has not ended, otherwise None.

    Also None if there is no readable checkpoint: then the progress is unknown.
    """
    try:
        newest = latest(folder)
        if newest is None:
            return None
        kept = storage.state_of(newest)
        state, run = TrainState(**kept["state"]), kept["recipe"]["run"]
        done, steps, patience = state.step, run["steps"], run["patience"]
    except (WeftError, KeyError, TypeError):
        return None
    ended = done >= steps or (patience is not None and state.stale >= patience)
    return None if ended else (done, steps)


def saved(folder: Path) -> list[Path]:
    """All checkpoints of a run, oldest first, readable or not."""
    found = (folder / CHECKPOINTS).glob("step-*")
    return sorted(p for p in found if re.fullmatch(r"step-\d{8,}(\.safetensors)?", p.name))


def tidy(folder: Path, keep: int) -> None:
    """Removes all but the newest `keep` checkpoints."""
    for path in saved(folder)[:-keep]:
        storage.remove(path)


def remove_leftovers(folder: Path) -> None:
    """Removes temporary files and folders of killed writes from a run's folder (safetensors' and ours)."""
    for place in (folder, folder / CHECKPOINTS):
        for path in [*place.glob(".tmp*"), *place.glob(".*.tmp")]:
            storage.remove(path)


def _of(player: Player) -> str:
    """Prefix of the names of a player's own tensors."""
    return f"players/{player.name}"


def _fixed(players: Sequence[Player]) -> dict[str, Tensor]:
    """The tensors that exist from the start, by their names in a checkpoint: the step's (once, as all players share
    it) and each player's averages."""
    state = players[0].step.state_dict()
    found: dict[str, Tensor] = {f"step/{name}": tensor for name, tensor in state.items()}
    for player in players:
        averages = player.ema.averages if player.ema is not None else {}
        found |= {f"{_of(player)}/average/{name}": tensor for name, tensor in averages.items()}
    return found


def _moments(players: Sequence[Player]) -> dict[str, Tensor]:
    """The optimizers' tensors, by their names in a checkpoint."""
    names: dict[Tensor, str] = {p: name for name, p in players[0].step.named_parameters()}
    return {
        f"{_of(player)}/optimizer/{names[parameter]}/{slot}": torch.as_tensor(value)
        for player in players
        for parameter, slots in player.optimizer.state.items()
        for slot, value in slots.items()
    }


def _restore_moments(player: Player, moments: Mapping[str, Tensor]) -> None:
    names = {parameter: name for name, parameter in player.step.named_parameters()}
    slots: dict[str, dict[str, Tensor]] = {}
    for name, moment in moments.items():
        owner, _, slot = name.rpartition("/")
        slots.setdefault(owner, {})[slot] = moment
    state = player.optimizer.state_dict()
    ordered = [p for group in player.optimizer.param_groups for p in group["params"]]
    owners = [f"{_of(player)}/optimizer/{names[parameter]}" for parameter in ordered]
    state["state"] = {i: slots[owner] for i, owner in enumerate(owners) if owner in slots}
    player.optimizer.load_state_dict(state)


def _laid_out_as(parameter: Tensor, moment: Tensor) -> Tensor:
    """Returns an empty tensor for a moment. One of its parameter's shape gets its sharding and memory format.

    A fused optimizer reads parameter and moment in memory order, and weights of convolutions may be
    channels-last.
    """
    if moment.shape != parameter.shape:
        return torch.empty(moment.shape, dtype=moment.dtype, device=parameter.device)
    return torch.empty_like(parameter, dtype=moment.dtype, requires_grad=False)


def _as_today(written: Any, where: str) -> Any:
    """Returns an older recipe in the current form: settings added since it was written get their defaults."""
    if not isinstance(written, Mapping):
        return written
    if "class" in written:
        return to_json(from_json(dict(written), Settings, where))
    return {name: _as_today(value, where) for name, value in written.items()}


def _differences(here: Any, written: Any, where: str) -> Iterator[str]:
    if isinstance(here, Mapping) and isinstance(written, Mapping):
        for name in [*here, *(name for name in written if name not in here)]:
            inner = f"{where}.{name}" if where else name
            if inner not in FREE_SETTINGS:
                yield from _differences(here.get(name), written.get(name), inner)
    elif here != written:
        yield f"{where} is {here!r} here and {written!r} there"
