"""Players: a pair with a shared part, whose turns move only what is theirs, and what is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import adversarial_pair as pair
import pytest
import torch
from limits import LIMIT_S
from safetensors import safe_open
from tiny_training import tiny_step
from torch import Tensor, nn

from weft.core.errors import WeftError
from weft.core.tensors import read_tensors
from weft.evaluation.bootstrap import Estimate
from weft.evaluation.metric import Metric
from weft.training.config import RunConfig
from weft.training.log import COST
from weft.training.loop import fit
from weft.training.optim import OptimConfig
from weft.training.players import PlayerConfig, build_players, owners_of
from weft.training.streams import Streams

GENERATOR = "model.heads.picture."


def parameters(step: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in step.named_parameters()}


def test_a_turn_moves_only_its_own_parameters() -> None:
    critic, generator = pair.players_of()
    step = critic.step
    for player, own in ((critic, False), (generator, True)):
        before = parameters(step)
        seen: set[str] = set()
        hooks = [
            p.register_post_accumulate_grad_hook(lambda _, name=name, seen=seen: seen.add(name))
            for name, p in step.named_parameters()
        ]
        player.turn(pair.batch_at(0))
        moved = {name for name, value in parameters(step).items() if (value != before[name]).any()}
        assert moved == {name for name in before if name.startswith(GENERATOR) == own}
        assert seen == moved  # others got no gradient at all
        assert all(p.grad is None and p.requires_grad for p in step.parameters())
        for hook in hooks:
            hook.remove()


def test_the_log_tells_players_apart_and_a_turn_may_come_less_often(tmp_path: Path) -> None:
    players = pair.players_of()
    fit(players, pair.batches, pair.RUN, tmp_path, recipe=pair.OPTIM)
    assert [player.turns for player in players] == [6, 3]
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    for line in lines:
        assert line["loss"] == line["critic/loss"] == line["critic/criticism/loss"]
        assert "critic/criticism/apart" in line
        assert ("generator/deceit/loss" in line) == (line["step"] % 2 == 0)
        assert "generator/criticism/loss" not in line


def test_a_checkpoint_holds_each_tensor_once(tmp_path: Path) -> None:
    players = pair.players_of()
    fit(players, pair.batches, pair.RUN, tmp_path, recipe=pair.OPTIM)
    path = tmp_path / "checkpoints" / "step-00000006.safetensors"
    tensors, _ = read_tensors(path)
    with safe_open(path, framework="pt") as file:
        assert set(file.keys()) == set(tensors)  # none is another's alias
    assert {n.removeprefix("step/") for n in tensors if n.startswith("step/")} == set(
        players[0].step.state_dict()
    )
    assert {name.split("/")[0] for name in tensors} == {"step", "players"}
    owners = owners_of(players[0].step, pair.PLAYERS)
    assert set(owners) == set(parameters(players[0].step))
    for name, owner in owners.items():
        held = [key for key in tensors if key.endswith(f"/optimizer/{name}/exp_avg")]
        assert held == [f"players/{owner}/optimizer/{name}/exp_avg"]
    averaged = {n.removeprefix("players/critic/average/") for n in tensors if "/average/" in n}
    # The critic's parameters, and the running statistics beside them; the generator has no average.
    assert {n for n in averaged if n.startswith("heads")} == set()
    assert "encoders.image.layers.1.running_mean" in averaged
    assert len(averaged) == sum(owner == "critic" for owner in owners.values()) + 2


def test_a_resumed_pair_has_the_same_bits(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    fit(pair.players_of(), pair.batches, pair.RUN, whole, recipe=pair.OPTIM)
    players = pair.players_of()
    with pytest.raises(ValueError, match="batches ended after step 4"):
        fit(players, lambda start, _: pair.batches(start, 4), pair.RUN, cut, recipe=pair.OPTIM)
    fit(pair.players_of(seed=5), pair.batches, pair.RUN, cut, recipe=pair.OPTIM, resume=True)
    for name in ("checkpoints/step-00000006.safetensors", "model.safetensors"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_ranks_train_as_one(tmp_path: Path, parallel: str) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    pair.main(one, "ddp")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*launcher, "--nproc-per-node", "2", pair.__file__, str(two), parallel]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, timeout=LIMIT_S, env=environment, check=True, capture_output=True)
    for here, there in zip(*(log_lines(folder) for folder in (two, one)), strict=True):
        assert here.keys() == there.keys()
        for name in there.keys() - {"samples_per_second", *COST}:
            assert here[name] == pytest.approx(there[name], abs=2e-5, rel=1e-4), name


def log_lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_the_pair_learns_what_each_word_looks_like() -> None:
    run = pair.RUN.replace(steps=400)
    players = pair.players_of(run)
    for step in range(run.steps):
        for player in players:
            if player.has_turn(step + 1):
                player.turn(pair.batch_at(step))
    model, batch = players[0].step.model.eval(), pair.batch_at(9999)
    with torch.no_grad():
        made = pair.drawn(model, batch, Streams(model, batch)).mean(dim=(2, 3))
    real = batch.inputs["image"].values.mean(dim=(2, 3))  # type: ignore[union-attr]
    assert (made.sign() == real.sign()).float().mean() > 0.9


def test_a_player_stops_after_its_share_of_the_steps() -> None:
    """Its schedule ends with its turns, and afterwards its parameters stay."""
    cosine = OptimConfig(warmup=0.0)
    players = {
        "critic": pair.PLAYERS["critic"],
        "generator": pair.PLAYERS["generator"].replace(every=1, until=0.4, optim=cosine),
    }
    built = build_players(pair.step_of(), players, OPTIM, pair.RUN.replace(steps=10))
    turns, rates, values = [], [], []
    for step in range(1, 11):
        for player in built:
            if player.has_turn(step):
                loss = player.turn(pair.batch_at(step))
                if player.name == "generator":
                    turns.append(step)
                    rates.append(float(loss.terms["lr"]))
        values.append([parameter.detach().clone() for parameter in built[1].parameters])
    assert turns == [1, 2, 3, 4]
    assert rates[-1] < 0.2 * rates[0]
    assert not all(torch.equal(a, b) for a, b in zip(values[2], values[3], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(values[3], values[-1], strict=True))


def test_a_player_is_fixed_after_its_last_turn(tmp_path: Path) -> None:
    """Also the statistics of its norms, which other players read, and after an evaluation; resumed to the same bits."""
    players = {
        "critic": pair.PLAYERS["critic"].replace(until=0.5),
        "generator": pair.PLAYERS["generator"].replace(every=1),
    }
    run = pair.RUN.replace(checkpoint_every=1, evaluate_every=4, keep=6)

    def train(folder: Path, stop: int = 6) -> None:
        built = build_players(pair.step_of(), players, pair.OPTIM, run)
        score = {"constant": Metric("constant").score(Estimate.alone(1.0))}
        fit(
            built, lambda start, _: pair.batches(start, stop), run, folder, lambda _: score, pair.OPTIM, resume=True,
        )  # fmt: skip

    train(tmp_path / "whole")
    checkpoints = tmp_path / "whole" / "checkpoints"
    second, *later = (
        read_tensors(checkpoints / f"step-{step:08d}.safetensors")[0] for step in range(2, 7)
    )
    own = [name for name in second if name.startswith("step/") and "heads" not in name]
    assert any("running_mean" in name for name in own)
    for name in own:
        assert not torch.equal(second[name], later[0][name]), name
        assert all(torch.equal(later[0][name], other[name]) for other in later[1:]), name
        average = later[0].get(name.replace("step/model.", "players/critic/average/"))
        assert average is None or torch.equal(average, later[0][name]), name
    assert not torch.equal(*(at[f"step/{GENERATOR}decoder.layers.0.weight"] for at in later[:2]))
    for stop in (2, 3, 4):
        cut = tmp_path / f"cut {stop}"
        with pytest.raises(ValueError, match=f"batches ended after step {stop}"):
            train(cut, stop)
        train(cut)
        last = "step-00000006.safetensors"
        assert (cut / "checkpoints" / last).read_bytes() == (checkpoints / last).read_bytes()


def test_weights_of_an_unfinished_player_are_not_the_best(tmp_path: Path) -> None:
    """Nor does patience count their evaluations."""
    scores = {1: 0.9, 2: 0.8, 3: 0.3, 4: 0.5, 5: 0.4, 6: 0.45}

    def train(patience: int, **critic: float) -> tuple[int, int]:
        players = {
            "critic": pair.PLAYERS["critic"].replace(**critic),
            "generator": pair.PLAYERS["generator"].replace(every=1),
        }
        run = pair.RUN.replace(evaluate_every=1, patience=patience)
        result = fit(
            build_players(pair.step_of(), players, pair.OPTIM, run),
            pair.batches,
            run,
            tmp_path / f"{critic}",
            lambda step: {"recall": Metric("recall").score(Estimate.alone(scores[step]))},
        )
        return result.steps, result.best_step

    assert train(2, until=0.5) == (6, 4)
    assert train(2, until=0.9, every=4) == (6, 4)  # its last turn is at step 4, of five
    assert train(5, until=0.99) == (6, 1)  # until the end of the run


def test_a_player_without_a_turn_is_refused() -> None:
    players = {**pair.PLAYERS, "generator": pair.PLAYERS["generator"].replace(until=0.2)}
    with pytest.raises(WeftError, match="'generator' has no turn: every 2, until step 1 of 6"):
        build_players(pair.step_of(), players, pair.OPTIM, pair.RUN)


OPTIM = OptimConfig()
ITC = ("itc",)


@pytest.mark.parametrize(
    ("players", "message"),
    [
        (
            {"one": PlayerConfig(ITC, ("encoders",))},
            r"parameter model.projections.image.layers.0.weight belongs to no player",
        ),
        (
            {
                "one": PlayerConfig(ITC, ("model",)),
                "two": PlayerConfig(("mlm",), ("encoders.text",)),
            },
            "unknown objective of player 'two' 'mlm'",
        ),
        (
            {"one": PlayerConfig(ITC, ("encoders", "projection"))},
            "unknown trainable parameters of player 'one' 'model.projection': did you mean",
        ),
        (
            {"one": PlayerConfig(ITC, ("model",), every=2)},
            "players train: one every 2, until 1; expected at least one that trains at every step",
        ),
        (
            {"one": PlayerConfig(ITC, ("model",), until=0.5)},
            "players train: one every 1, until 0.5; expected at least one that trains at every step",
        ),
        (
            {"one": PlayerConfig(ITC, ("model",)), "two": PlayerConfig(ITC, ("encoders.text",))},
            "objective 'itc' belongs to players one and two, expected one",
        ),
    ],
)
def test_what_has_no_player_or_several_is_named(
    players: dict[str, PlayerConfig], message: str
) -> None:
    with pytest.raises(WeftError, match=message):
        build_players(tiny_step(), players, OPTIM, RunConfig(device="cpu"))


def test_parameters_of_two_players_are_named() -> None:
    step = pair.step_of()
    greedy = {**pair.PLAYERS, "generator": PlayerConfig(("deceit",), ("heads", "encoders.text"))}
    with pytest.raises(
        WeftError, match=r"encoders.text.table.weight belongs to players critic and"
    ):
        owners_of(step, greedy)
    step.model.heads["picture"].decoder.tied = step.model.encoders["text"].table.weight
    with pytest.raises(
        WeftError, match=r"parameter model.encoders.text.table.weight = model.heads"
    ):
        owners_of(step, pair.PLAYERS)
    lost = {name: player for name, player in pair.PLAYERS.items() if name == "critic"}
    with pytest.raises(WeftError, match="objective 'deceit' belongs to no player"):
        owners_of(step, lost)
    with pytest.raises(ValueError, match="parameters is empty"):
        PlayerConfig(ITC, ())
