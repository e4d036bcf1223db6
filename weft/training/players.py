"""The players of a run: each trains its own parameters with its own objectives."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from weft.core.config import Config, Settings
from weft.core.errors import WeftError, unknown_name
from weft.core.ranges import COUNT, POSITIVE_SHARE, require
from weft.training import distributed, sharding
from weft.training.config import RunConfig
from weft.training.gradients import AccumulateAndClip, GradientRule
from weft.training.optim import OptimConfig, is_under
from weft.training.player import Player, TurnSettings
from weft.training.step import TrainStep, recompute_activations

EVERYTHING = "model"
"""Name of the single player of a recipe without players."""


@dataclass(frozen=True)
class PlayerConfig(Settings):
    """Some of the objectives, and the parameters that they move."""

    objectives: tuple[str, ...]
    """Objectives of the recipe that its turn minimises; each belongs to one player, with the parameters
    that it has itself."""
    parameters: tuple[str, ...]
    """Prefixes of the names of the model's parameters that its turn moves, such as "heads.caption"; each
    trainable parameter belongs to one player. Gradients flow through the parameters of others."""
    optim: OptimConfig | None = None
    """Its optimizer; None takes the recipe's settings."""
    every: int = 1
    """Steps of the run from one turn to the next."""
    until: float = 1.0
    """Share of the run's steps, from the first, in which it has turns. Afterwards its part of the model is fixed, with
    the averages of its weights if it has any, and works as in evaluation. Weights from before cannot be the best."""
    rule: Config[GradientRule] | None = None
    """Rule for its gradient before the optimizer's step; None takes the recipe's rule."""

    def __post_init__(self) -> None:
        require(self, every=COUNT, until=POSITIVE_SHARE)
        for name in ("objectives", "parameters"):
            if not vars(self)[name]:
                raise ValueError(f"{name} is empty, expected one at least")


def build_players(
    step: TrainStep,
    players: Mapping[str, PlayerConfig],
    optim: OptimConfig,
    run: RunConfig,
    rule: Config[GradientRule] | None = None,
) -> list[Player]:
    """Builds the players of a run, in the order of their turns, and moves `step` to this rank's device.

    players: empty for one player with everything. optim, rule: for players without their own. Raises
    WeftError if an objective or a trainable parameter has no player, or several.
    """
    everything = {EVERYTHING: PlayerConfig(tuple(step.objectives), ("model",))}
    players = {
        name: one.replace(optim=one.optim or optim, rule=one.rule or rule)
        for name, one in (dict(players) or everything).items()
    }
    owners = owners_of(step, players)
    _check_rules(players, run)
    step.to(distributed.device(run.device))
    if run.recompute:
        recompute_activations(step)
    if run.parallel == "fsdp":
        sharding.shard(step, distributed.device(run.device))
    if run.compile:
        step.compile()
    return [_player(name, step, one, owners, run) for name, one in players.items()]


def single_player(step: TrainStep, optim: OptimConfig, run: RunConfig) -> Player:
    """Builds the player of ordinary training, which has all parameters and objectives."""
    return build_players(step, {}, optim, run)[0]


def _player(
    name: str,
    step: TrainStep,
    config: PlayerConfig,
    owners: Mapping[str, str],
    run: RunConfig,
) -> Player:
    optim = config.optim
    assert optim is not None
    last = max(1, round(config.until * run.steps))
    if last < config.every:
        raise WeftError(
            f"player '{name}' has no turn: every {config.every}, until step {last} of {run.steps}"
        )
    default = AccumulateAndClip(run.accumulate, optim.clip_norm)
    own = frozenset(parameter for parameter, owner in owners.items() if owner == name)
    return Player(
        name,
        step,
        optim.build(step, own),
        optim.build_schedule(last // config.every),
        default if config.rule is None else config.rule.build(),
        optim.build_ema(step.model, _averaged(step, own, config)),
        TurnSettings(
            config.objectives,
            config.every,
            run.precision,
            run.find_unused,
            last if last < run.steps else None,
        ),
    )


def owners_of(step: TrainStep, players: Mapping[str, PlayerConfig]) -> dict[str, str]:
    """Name of each trainable parameter of the step -> the player that trains it.

    Raises WeftError if a parameter has no player, or several.
    """
    _check_objectives(step, players)
    claims = {name: _prefixes(config) for name, config in players.items()}
    names: dict[int, list[str]] = {}  # a tied parameter has several names
    for name, parameter in step.named_parameters(remove_duplicate=False):
        if parameter.requires_grad:
            names.setdefault(id(parameter), []).append(name)
    every = [name for known in names.values() for name in known]
    for player, prefixes in claims.items():
        for prefix in prefixes:
            if prefix.startswith("model.") and not any(is_under(name, prefix) for name in every):
                raise _unknown(player, prefix, every)
    return {known[0]: _owner(known, claims) for known in names.values()}


def _owner(names: list[str], claims: Mapping[str, tuple[str, ...]]) -> str:
    """Returns the one player that claims a parameter, by any of the parameter's names."""
    owners = [
        player
        for player, prefixes in claims.items()
        if any(is_under(name, prefix) for name in names for prefix in prefixes)
    ]
    if len(owners) != 1:
        whose = f"players {' and '.join(owners)}" if owners else "no player"
        raise WeftError(
            f"parameter {' = '.join(names)} belongs to {whose}, expected one: "
            "see players.NAME.parameters"
        )
    return owners[0]


def _prefixes(config: PlayerConfig) -> tuple[str, ...]:
    """The player's prefixes, as names in the step: in the model, and of its objectives."""
    of_model = (p if is_under(p, "model") else f"model.{p}" for p in config.parameters)
    return (*of_model, *(f"objectives.{name}" for name in config.objectives))


def _averaged(step: TrainStep, own: Container[str], config: PlayerConfig) -> frozenset[str]:
    """Names of the model's tensors that the player averages: its parameters, and buffers under its prefixes."""
    prefixes = _prefixes(config)
    parameters = (name for name, _ in step.model.named_parameters() if f"model.{name}" in own)
    buffers = (
        name
        for name, _ in step.model.named_buffers()
        if any(is_under(f"model.{name}", prefix) for prefix in prefixes)
    )
    return frozenset((*parameters, *buffers))


def _check_objectives(step: TrainStep, players: Mapping[str, PlayerConfig]) -> None:
    """Raises WeftError unless each objective has exactly one player, and some player has a turn at every step."""
    for player, config in players.items():
        for name in config.objectives:
            if name not in step.objectives:
                raise unknown_name(f"objective of player '{player}'", name, step.objectives)
    for name in step.objectives:
        owners = [player for player, config in players.items() if name in config.objectives]
        if len(owners) != 1:
            whose = f"players {' and '.join(owners)}" if owners else "no player"
            raise WeftError(f"objective '{name}' belongs to {whose}, expected one")
    if all(config.every > 1 or config.until < 1 for config in players.values()):
        turns = ", ".join(
            f"{player} every {config.every}, until {config.until:g}"
            for player, config in players.items()
        )
        raise WeftError(
            f"players train: {turns}; expected at least one that trains at every step: every 1, until 1"
        )


def _check_rules(players: Mapping[str, PlayerConfig], run: RunConfig) -> None:
    """Raises WeftError if `accumulate` is set and no player uses it."""
    rules = sorted({type(one.rule).__name__ for one in players.values() if one.rule is not None})
    if run.accumulate > 1 and all(one.rule is not None for one in players.values()):
        raise WeftError(
            f"run.accumulate is {run.accumulate}, expected 1: the gradient rule {' or '.join(rules)} "
            "decides how a batch is cut"
        )


def _unknown(player: str, prefix: str, names: Iterable[str]) -> WeftError:
    depth = prefix.count(".") + 1
    known = {".".join(name.split(".")[:depth]) for name in names if name.startswith("model.")}
    return unknown_name(f"trainable parameters of player '{player}'", prefix, known)
