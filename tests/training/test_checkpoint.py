import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny_training import batch_at, tiny_step
from torch import nn

from weft.core.config import to_json
from weft.core.errors import WeftError
from weft.core.tensors import load_built, read_tensors, save_model, write_tensors
from weft.objectives.self_critical import SelfCriticalConfig
from weft.training import checkpoint
from weft.training.checkpoint import Origin, TrainState
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig
from weft.training.player import Player
from weft.training.players import single_player

RECIPE = {"run": {"steps": 5, "workers": 0}, "optim": {"lr": 0.1}}


def trained(turns: int = 3, seed: int = 0) -> Player:
    one = single_player(
        tiny_step(seed=seed), OptimConfig(ema=0.9), RunConfig(steps=9, device="cpu")
    )
    for turn in range(turns):
        one.turn(batch_at(turn))
    return one


def test_everything_comes_back(tmp_path: Path) -> None:
    one, other = trained(3), trained(0, seed=1)
    state = TrainState(step=3, best=0.5, best_step=2, stale=1, metrics={"r@1": 0.5})
    path = checkpoint.save(tmp_path, [one], state, Origin(RECIPE))
    assert checkpoint.load(path, [other], Origin(RECIPE)) == state
    for turn in range(3, 6):
        assert torch.equal(one.turn(batch_at(turn)).total, other.turn(batch_at(turn)).total)
    assert other.turns == 6
    assert other.ema.updates == 6
    for name, tensor in one.step.state_dict().items():
        assert torch.equal(tensor, other.step.state_dict()[name])
    for name, tensor in one.ema.averages.items():
        assert torch.equal(tensor, other.ema.averages[name])


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    one = trained()
    first = checkpoint.save(tmp_path / "a", [one], TrainState(step=3), Origin(RECIPE))
    second = checkpoint.save(tmp_path / "b", [one], TrainState(step=3), Origin(RECIPE))
    assert first.read_bytes() == second.read_bytes()


def test_tied_and_viewed_tensors_survive(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(7, 3)
            self.head = nn.Linear(3, 7, bias=False)
            self.head.weight = self.embedding.weight
            self.register_buffer("turned", torch.arange(6.0).view(2, 3).T)
            self.register_buffer("part", torch.arange(10.0)[2:5])

    one, other = Tied(), Tied()
    save_model(tmp_path / "m.safetensors", one)
    load_built(tmp_path / "m.safetensors", lambda: other, tmp_path / "model.json")
    assert torch.equal(other.head.weight, one.embedding.weight)
    assert other.head.weight is other.embedding.weight
    assert torch.equal(other.turned, one.turned)
    assert torch.equal(other.part, one.part)
    assert (tmp_path / "m.safetensors").stat().st_size < 4 * 21 * 2 + 600


def damaged(path: Path, kind: str) -> None:
    whole = path.read_bytes()
    if kind == "truncated":
        path.write_bytes(whole[:-64])
    elif kind == "only the start":
        path.write_bytes(whole[:5])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("these are no weights" * 20)
    elif kind == "huge header":
        path.write_bytes((2**60).to_bytes(8, "little") + whole[8:])
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(Malicious(path.with_suffix(".ran"))))
    elif kind == "torch.save":
        torch.save({"weight": torch.ones(2)}, path)
    elif kind == "foreign":
        save_file({"weight": torch.ones(2)}, path, {"format": "pt"})
    elif kind == "not our json":
        save_file({"weight": torch.ones(2)}, path, {"weft": "[1, 2]"})
    elif kind == "bad alias":
        save_file({"a": torch.ones(2)}, path, {"weft": json.dumps({"aliases": {"b": "c"}})})
    elif kind == "weights alone":
        write_tensors(path, {"weight": torch.ones(2)}, {})


class Malicious:
    """Its pickle creates a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, (self.path, "w"))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("truncated", "cut off or not a safetensors file"),
        ("only the start", "cut off or not a safetensors file"),
        ("empty", "cut off or not a safetensors file"),
        ("text", "cut off or not a safetensors file"),
        ("huge header", "cut off or not a safetensors file"),
        ("pickle", "pickle or torch.save file"),
        ("torch.save", "pickle or torch.save file"),
        ("foreign", "not written by weft"),
        ("not our json", "not written by weft"),
        ("bad alias", "tied tensors are unknown"),
        ("weights alone", "not a checkpoint of these players"),
    ],
)
def test_a_bad_file_is_one_line_and_changes_nothing(
    tmp_path: Path, kind: str, message: str
) -> None:
    one = trained()
    path = checkpoint.save(tmp_path, [one], TrainState(step=3), Origin(RECIPE))
    damaged(path, kind)
    before = {name: tensor.clone() for name, tensor in one.step.state_dict().items()}
    with pytest.raises(WeftError, match=message) as caught:
        checkpoint.load(path, [one], Origin(RECIPE))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert not path.with_suffix(".ran").exists()
    assert all(torch.equal(t, before[name]) for name, t in one.step.state_dict().items())


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeftError, match="no such file"):
        read_tensors(tmp_path / "nothing.safetensors")
    assert checkpoint.latest(tmp_path) is None


def test_another_recipe_is_named_by_its_first_difference(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, [trained()], TrainState(step=3), Origin(RECIPE))
    other = {"run": {"steps": 5, "workers": 7}, "optim": {"lr": 0.2}}
    with pytest.raises(WeftError, match=r"another recipe: optim.lr is 0.2 here and 0.1 there"):
        checkpoint.load(path, [trained()], Origin(other))
    checkpoint.load(path, [trained()], Origin({**RECIPE, "run": {"steps": 5, "workers": 7}}))


def test_a_setting_that_is_free_in_the_run_is_not_free_elsewhere(tmp_path: Path) -> None:
    """A part of a person's own may call a setting `keep` or `workers`."""
    for name in ("keep", "workers", "parallel"):
        recipe = {"run": {name: 1}, "model": {"encoders": {"text": {name: 1}}}}
        path = checkpoint.save(tmp_path, [trained()], TrainState(step=3), Origin(recipe))
        checkpoint.load(path, [trained()], Origin({**recipe, "run": {name: 2}}))
        other = {**recipe, "model": {"encoders": {"text": {name: 2}}}}
        with pytest.raises(WeftError, match=f"model.encoders.text.{name} is 2 here and 1 there"):
            checkpoint.load(path, [trained()], Origin(other))


def test_settings_that_came_or_went_since_it_was_written_do_not_matter(tmp_path: Path) -> None:
    now = to_json(SelfCriticalConfig(captions=3))
    then = {**now, "tokens": 11, "special": 5}
    del then["head"]  # as if it were new: it has its default
    path = checkpoint.save(
        tmp_path, [trained()], TrainState(step=3), Origin({"objectives": {"a": then}})
    )
    checkpoint.load(path, [trained()], Origin({"objectives": {"a": now}}))
    other = {"objectives": {"a": {**now, "captions": 4}}}
    with pytest.raises(WeftError, match=r"objectives.a.captions is 4 here and 3 there"):
        checkpoint.load(path, [trained()], Origin(other))


def test_another_model_is_named_by_its_tensors(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, [trained()], TrainState(step=3), Origin(RECIPE))
    wider = trained(0)
    wider.step.model.projections["text"].layers[0] = nn.Linear(16, 9)
    with pytest.raises(WeftError, match=r"of another recipe: .*text.layers.0.bias is missing.*9"):
        checkpoint.load(path, [wider], Origin(RECIPE))


def test_moments_of_an_unknown_parameter_are_refused(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, [trained()], TrainState(step=3), Origin(RECIPE))
    tensors, state = read_tensors(path)
    tensors["players/model/optimizer/nobody/exp_avg"] = torch.ones(3)
    write_tensors(path, tensors, state)
    with pytest.raises(WeftError, match="unexpected players/model/optimizer/nobody/exp_avg"):
        checkpoint.load(path, [trained()], Origin(RECIPE))


def test_other_tokenizers_or_classes_are_refused(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, [trained()], TrainState(step=3), Origin(RECIPE, "crc32:1"))
    checkpoint.load(path, [trained()], Origin(RECIPE, "crc32:1"))
    with pytest.raises(WeftError, match="was trained with other tokenizers or classes"):
        checkpoint.load(path, [trained()], Origin(RECIPE, "crc32:2"))
    older = checkpoint.save(tmp_path, [trained()], TrainState(step=4), Origin(RECIPE))
    assert checkpoint.load(older, [trained()], Origin(RECIPE, "crc32:2")).step == 4


def test_a_damaged_checkpoint_says_from_which_one_can_be_gone_on(tmp_path: Path) -> None:
    one = trained()
    paths = [
        checkpoint.save(tmp_path, [one], TrainState(step=step), Origin(RECIPE)) for step in (5, 10)
    ]
    data = bytearray(paths[1].read_bytes())
    data[-1] ^= 0xFF
    paths[1].write_bytes(data)
    with pytest.raises(WeftError, match=f"remove it to go on from {paths[0].name}"):
        checkpoint.load(paths[1], [one], Origin(RECIPE))


def test_a_checkpoint_that_is_passed_over_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = trained()
    paths = [
        checkpoint.save(tmp_path, [one], TrainState(step=step), Origin(RECIPE)) for step in (5, 10)
    ]
    paths[1].write_bytes(paths[1].read_bytes()[:-1])
    assert checkpoint.latest(tmp_path) == paths[0]
    assert f"{paths[1]}: is cut off" in caplog.text
    assert f"going on from {paths[0].name}" in caplog.text


FULL_DISK = """
import resource, sys
from pathlib import Path
import torch
from weft.core.config import to_json
from weft.core.errors import WeftError
from weft.core.tensors import write_tensors
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_tensors(Path(sys.argv[1]), {"a": torch.zeros(100_000)}, {})
except WeftError as error:
    print(error)
"""


def test_a_full_disk_is_one_line_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_tensors(path, {"a": torch.ones(3)}, {})
    before = path.read_bytes()
    found = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True
    )
    assert found.stdout.startswith(f"{path}: cannot be written: ")
    assert "File too large" in found.stdout
    assert found.stdout.count("\n") == 1
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_only_the_newest_are_kept_and_leftovers_go(tmp_path: Path) -> None:
    one = trained()
    paths = [
        checkpoint.save(tmp_path, [one], TrainState(step=step), Origin(RECIPE))
        for step in (5, 10, 100)
    ]
    for name in (".step-00000100.safetensors.abc.tmp", ".tmpXYZ"):
        (tmp_path / "checkpoints" / name).write_bytes(b"part")
    assert checkpoint.latest(tmp_path) == paths[2]
    checkpoint.tidy(tmp_path, keep=2)
    checkpoint.remove_leftovers(tmp_path)
    assert sorted((tmp_path / "checkpoints").iterdir()) == paths[1:]
