import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from limits import LIMIT_S
from tiny_training import batch_at, batches, scored, tiny_step

from weft.core.errors import WeftError
from weft.core.records import Batch, Field
from weft.core.tensors import NUMBERS, load_built, read_state, read_tensors
from weft.evaluation.metric import Metric, Score, by_name
from weft.training.config import RunConfig
from weft.training.log import RunLog
from weft.training.loop import fit
from weft.training.optim import OptimConfig
from weft.training.player import Player
from weft.training.players import single_player

SCALE = "itc.temperature.log_scale"
Validation = Callable[[int], Mapping[str, Score]]
RUN = RunConfig(steps=12, evaluate_every=3, checkpoint_every=4, log_every=2, device="cpu")


def new_player(run: RunConfig = RUN, ema: float | None = None) -> Player:
    return single_player(tiny_step(), OptimConfig(lr=1e-2, ema=ema), run)


def log_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def numbered(*values: float, better: Literal["higher", "lower"] = "higher") -> Validation:
    """A validation that gives these values, one a call."""
    upcoming = iter(values)
    recall, other = Metric("recall", "share", better), Metric("other", "share")
    return lambda _: by_name([scored(recall, next(upcoming)), scored(other, 0.0)])


def test_training_lowers_the_loss_and_logs_at_its_cadence(tmp_path: Path) -> None:
    def one_batch(start: int, stop: int) -> Iterator[Batch]:
        return (batch_at(0) for _ in range(start, stop))

    result = fit([new_player()], one_batch, RUN, tmp_path)
    log = log_of(tmp_path)
    assert [line["step"] for line in log] == [2, 4, 6, 8, 10, 12]
    assert log[-1]["loss"] < log[0]["loss"]
    assert {"itc/loss", "itc/temperature", "gradient_norm", "lr", "samples_per_second"} < set(
        log[0]
    )
    seconds = [line["seconds"] for line in log]
    assert 0 < seconds[0] <= seconds[-1] == max(seconds) < LIMIT_S
    assert 2**20 < log[0]["peak_memory"] <= log[-1]["peak_memory"] < 2**40
    assert (result.steps, result.stopped_early, result.metrics) == (12, False, {})
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["step-00000008.safetensors", "step-00000012.safetensors"]


@pytest.mark.parametrize("ema", [None, 0.5])
def test_the_best_weights_are_saved_and_in_the_model(tmp_path: Path, ema: float | None) -> None:
    one = new_player(ema=ema)
    seen: list[dict[str, torch.Tensor]] = []
    scales: list[float] = []
    given = numbered(0.1, 0.7, 0.3, 0.2)

    def validate(step: int) -> Mapping[str, Score]:
        assert not one.step.training
        seen.append({name: t.clone() for name, t in one.step.model.state_dict().items()})
        scales.append(one.step.state_dict()[f"objectives.{SCALE}"].item())
        return given(step)

    result = fit([one], batches, RUN, tmp_path, validate)
    assert (result.best_step, result.metrics) == (6, {"recall": 0.7, "other": 0.0})
    other = tiny_step(seed=9).model
    load_built(result.model, lambda: other, tmp_path / "recipe.json")
    for name, tensor in seen[1].items():
        assert torch.equal(tensor, other.state_dict()[name])
        assert torch.equal(tensor, one.step.model.state_dict()[name])
    # The temperature that was learned with them, not that of the last step.
    assert read_state(result.model)[NUMBERS] == {SCALE: scales[1]}
    assert scales[1] != scales[3]
    if ema is not None:
        averages, _ = read_tensors(tmp_path / "checkpoints" / "step-00000012.safetensors")
        name = "encoders.text.linear.weight"
        assert torch.equal(averages[f"players/model/average/{name}"], seen[3][name])
        assert not torch.equal(averages[f"step/model.{name}"], seen[3][name])
    validated = [line["step"] for line in log_of(tmp_path) if "validation/recall" in line]
    assert validated == [3, 6, 9, 12]


def test_patience_ends_the_run_and_a_resume_does_not_go_on(tmp_path: Path) -> None:
    run = RUN.replace(patience=2, monitor="recall")
    validate = numbered(0.5, float("nan"), 0.4, 0.9)
    result = fit([new_player()], batches, run, tmp_path, validate)
    assert (result.steps, result.best_step, result.stopped_early) == (9, 3, True)
    again = fit([new_player()], batches, run, tmp_path, validate, resume=True)
    assert (again.steps, again.best_step, again.stopped_early) == (9, 3, True)
    assert log_of(tmp_path)[-3]["validation/recall"] is None


def test_less_can_be_better(tmp_path: Path) -> None:
    numbers = (0.5, 0.3, 0.4, 0.9)
    for better, best in (("lower", 6), ("higher", 12)):
        validate = numbered(*numbers, better=better)  # type: ignore[arg-type]
        result = fit([new_player()], batches, RUN, tmp_path / better, validate)
        assert result.best_step == best
    patient = RUN.replace(patience=2)
    validate = numbered(*numbers, better="lower")
    assert fit([new_player()], batches, patient, tmp_path / "patient", validate).steps == 12
    validate = numbered(0.5, 0.6, 0.7, 0.1, better="lower")
    assert fit([new_player()], batches, patient, tmp_path / "ended", validate).steps == 9


def test_an_unknown_metric_to_monitor_is_named(tmp_path: Path) -> None:
    run = RUN.replace(monitor="recal")
    with pytest.raises(WeftError, match="'recal': did you mean recall"):
        fit([new_player()], batches, run, tmp_path, numbered(0.5))


def test_a_loss_that_is_not_finite_stops_with_step_and_rows(tmp_path: Path) -> None:
    def poisoned(start: int, stop: int) -> Iterator[Batch]:
        for step in range(start, stop):
            batch = batch_at(step)
            if step == 6:
                values = batch.inputs["image"].values.clone()
                values[2] = float("nan")
                batch = batch.with_inputs(image=Field(values))
            yield batch

    with pytest.raises(WeftError, match=r"stopped at step 7: .*row-6-0, row-6-1") as caught:
        fit([new_player()], poisoned, RUN, tmp_path)
    assert "\n" not in str(caught.value)
    rows = json.loads((tmp_path / "nonfinite.json").read_text())
    assert (rows["step"], rows["ids"]) == (7, batch_at(6).ids)
    names = [path.name for path in (tmp_path / "checkpoints").iterdir()]
    assert names == ["step-00000004.safetensors"]
    mended = fit([new_player()], batches, RUN, tmp_path, resume=True)
    assert mended.steps == 12
    assert [line["step"] for line in log_of(tmp_path)] == [2, 4, 6, 8, 10, 12]


def test_players_need_different_names_and_one_step(tmp_path: Path) -> None:
    one, other = new_player(), new_player()
    with pytest.raises(ValueError, match="all different"):
        fit([one, other], batches, RUN, tmp_path)
    other.name = "other"
    with pytest.raises(ValueError, match="different steps, expected one that they share"):
        fit([one, other], batches, RUN, tmp_path)


def test_a_folder_with_a_run_is_refused(tmp_path: Path) -> None:
    fit([new_player()], batches, RUN.replace(steps=1), tmp_path)
    with pytest.raises(WeftError, match="already holds a run"):
        fit([new_player()], batches, RUN, tmp_path)


def test_batches_that_end_early_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ended after step 5, expected 12"):
        fit([new_player()], lambda start, stop: batches(start, 5), RUN, tmp_path)


def test_resume_with_other_settings_is_refused(tmp_path: Path) -> None:
    fit([new_player()], batches, RUN, tmp_path)
    longer = replace(RUN, steps=20)
    with pytest.raises(WeftError, match="steps is 20 here and 12 there"):
        fit([new_player(longer)], batches, longer, tmp_path, resume=True)


def test_the_log_is_cut_to_whole_lines_up_to_the_step(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    for step in range(1, 6):
        log.write(step, {"loss": float(step)})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    log.cut(3)
    assert [line["step"] for line in log_of(tmp_path)] == [1, 2, 3]


def test_lines_say_step_loss_rate_and_time_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit([new_player()], batches, RUN, tmp_path, numbered(1, 2, 3, 4))
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    # The first logged step and every evaluation; the other steps come too fast to be said.
    assert [line.split(",")[0] for line in lines] == [f"step {n}/12" for n in (2, 3, 6, 9, 12)]
    for part in ("step 12/12, loss ", "validation/recall 4", " samples/s", " s left"):
        assert part in lines[-1]


def test_a_log_that_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log.jsonl")
    with pytest.raises(OSError, match="is a named pipe, expected a file"):
        RunLog(tmp_path).cut(0)
