"""By which model a column is read, and what is said of it."""

from pathlib import Path

import pytest

from weft.fitting import choice
from weft.fitting.choice import Choices, features_line


def test_the_features_of_each_kind_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "mobilenet_weights", lambda: None)
    assert features_line({"number"}, Choices()) == ""
    line = features_line({"image", "text", "number"}, Choices())
    assert line.startswith(
        "Features: pictures by colours, edges and patches of your own pictures, texts by the words"
    )
    assert "better ones: --image-model google" in line
    assert "--text-model package:" in line
    line = features_line({"images", "text"}, Choices("vit", "none"))
    assert line == (
        "Features: pictures by vit, texts by the words and characters of your own texts."
    )
    monkeypatch.setattr(choice, "mobilenet_weights", lambda: Path("w.safetensors"))
    line = features_line({"image"}, Choices())
    assert line == "Features: pictures by MobileNetV2 (w.safetensors)."
    assert "MobileNetV2" not in features_line({"image"}, Choices("none"))
