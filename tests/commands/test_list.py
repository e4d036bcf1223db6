"""`weft list` and `weft doctor`."""

import importlib.metadata
import pkgutil

import pytest
from tiny_runs import done, refused

import weft.data.formats
import weft.recipes


def names(*words: str) -> set[str]:
    return {line.split()[0] for line in done("list", *words).splitlines() if line[:1].strip()}


def modules(package: object) -> set[str]:
    found = pkgutil.iter_modules(package.__path__)  # type: ignore[attr-defined]
    return {info.name for info in found if info.name[0] != "_"}


def test_recipes() -> None:
    assert names("recipes") == modules(weft.recipes)
    assert names() == names("recipes")


def test_formats() -> None:
    assert len(names("formats")) == len(modules(weft.data.formats)) >= 17


def test_parts_and_tasks() -> None:
    expected = {
        "modalities.Image",
        "modalities.Text",
        "encoders.ResNet",
        "encoders.ViT",
        "encoders.Pretrained",
        "fusion.Early",
        "fusion.Late",
        "fusion.Hierarchical",
        "objectives.SoftmaxContrastive",
    }
    found = names("parts")
    assert expected <= found
    # Of every place of a recipe, and no settings of a part: a jitter, a temperature, a model.
    assert {"decoders.Classifier", "heads.ClassOutput", "heads.TextOutput"} <= found
    assert {"targets.Classes", "targets.Numbers", "architectures.Projection"} <= found
    assert not {name for name in found if name.endswith((".Jitter", ".Temperature", ".Model"))}
    assert "heads.Output" not in found
    assert {"retrieval", "zero_shot", "vqa", "classification"} <= names("tasks")


def test_unknown() -> None:
    assert "'recipes', 'parts', 'tasks', 'formats'" in refused("list", "recipe")


def test_doctor_says_what_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    out = done("doctor")
    rows = dict(line.split(maxsplit=1) for line in out.splitlines() if len(line.split()) > 1)
    assert rows["torch"].split()[0] == importlib.metadata.version("torch")
    assert rows["cores"]


def test_doctor_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        if package in ("torch", "peft"):
            raise importlib.metadata.PackageNotFoundError(package)
        return "1"

    monkeypatch.setattr(importlib.metadata, "version", version)
    out = " ".join(done("doctor").split())
    assert "peft not installed (LoRA): pip install 'weft[pretrained]'" in out
    assert "torch missing: pip install weft" in out
