"""Weights averaged with those that a run started from: the ends are the two models, alpha is chosen."""

import json
from pathlib import Path
from typing import Any

import published_models
import pytest
import torch
from published_models import TEXTS

import weft
from weft.core.errors import WeftError
from weft.recipes.clip import clip
from weft.report.axes import shown
from weft.runs.averaging import average
from weft.runs.recipe import Recipe
from weft.runs.run import Run, load
from weft.runs.untrained import save_untrained


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A CLIP whose adapters were moved, as training would move them; its rows are generated."""
    root = tmp_path_factory.mktemp("average")
    folder = published_models.clip(root / "clip")
    save_untrained(recipe(folder), root / "run")
    run = load(root / "run", device="cpu")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in run.model.named_parameters():
            if "lora_B" in name or name.startswith("projections"):
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return run


def recipe(folder: Path) -> Recipe:
    made: Recipe = weft.recipe("published", model=str(folder), tune="lora")
    source: Any = clip().data.source
    small = source.replace(train=4, validation=8, test=4)
    tasks: dict[str, Any] = {n: t.replace(resamples=10) for n, t in made.tasks.items()}  # type: ignore[attr-defined]
    return made.replace(data=made.data.replace(source=small), tasks=tasks)


def texts(run: Run) -> torch.Tensor:
    found = run.embed(text=TEXTS)
    assert isinstance(found, torch.Tensor)
    return found


def test_the_ends_are_the_two_models(tuned: Run, tmp_path: Path) -> None:
    for alpha in (0.0, 1.0):
        average(tuned, tmp_path / str(alpha), (alpha,))
    first, last = (load(tmp_path / str(alpha), device="cpu") for alpha in (0.0, 1.0))
    published = tuned.recipe.data.streams["text"].pretrained  # type: ignore[attr-defined]
    save_untrained(weft.recipe("published", model=published), tmp_path / "start")
    torch.testing.assert_close(texts(first), texts(load(tmp_path / "start", device="cpu")))
    torch.testing.assert_close(texts(last), texts(tuned), atol=1e-5, rtol=0)
    assert (texts(last) - texts(first)).abs().max() > 1e-2
    assert not [n for n, _ in last.model.named_parameters() if "lora" in n]


def test_alpha_is_chosen_on_validation(tuned: Run, tmp_path: Path) -> None:
    curve = average(tuned, tmp_path / "run", (1.0, 0.0, 0.25))
    assert list(curve.points) == [0.0, 0.25, 1.0]
    values = {alpha: score.value for alpha, score in curve.points.items()}
    assert len(set(values.values())) > 1
    assert values[curve.best] == max(values.values())
    kept = json.loads((tmp_path / "run" / "average.json").read_text())
    assert kept["metric"] == "retrieval/rsum"
    assert kept["alpha"] == curve.best
    assert [point["value"] for point in kept["curve"]] == list(values.values())
    # The report draws the curve, names its ends and marks the chosen point.
    averaged = load(tmp_path / "run", device="cpu")
    page = averaged.report(card=False).read_text()
    assert f"Averaged weights on the validation split, {curve.metric.axis}" in page
    assert f"chosen: {curve.best:g}" in page
    for alpha, name in ((0.0, "as it started"), (1.0, "fine-tuned")):
        assert f"{name}: {alpha:g}, {shown(values[alpha])}</title>" in page
    assert f"{curve.best:g} fine-tuned weights, the rest starting weights" in page
    for broken in ('{"metric": 3}', "nothing"):
        (tmp_path / "run" / "average.json").write_text(broken)
        assert "Averaged weights" not in averaged.report(card=False).read_text()
    ends = [average(tuned, tmp_path / str(a), (a,)) and load(tmp_path / str(a)) for a in (0.0, 1.0)]
    chosen = load(tmp_path / "run", device="cpu").model.state_dict()
    for name, tensor in chosen.items():
        first, last = (end.model.state_dict()[name] for end in ends)
        torch.testing.assert_close(tensor, torch.lerp(first, last, curve.best))


def test_what_cannot_be_averaged_is_one_line(tuned: Run, tmp_path: Path) -> None:
    with pytest.raises(WeftError, match="expected one or more numbers from 0 to 1"):
        average(tuned, tmp_path / "run", (0.5, 1.5))
    scratch = Run(tmp_path, clip(), tuned.model, tuned.learned, tuned.device)
    with pytest.raises(WeftError, match="started from random weights"):
        average(scratch, tmp_path / "run")
    without = Run(
        tmp_path, tuned.recipe.replace(tasks={}), tuned.model, tuned.learned, tuned.device
    )
    with pytest.raises(WeftError, match="has no task, so alpha cannot be chosen"):
        average(without, tmp_path / "other")
    assert not (tmp_path / "other" / "recipe.json").exists()
