"""By which model a column is read, and what is said of it."""

from pathlib import Path

import pytest

from weft.core.errors import WeftError
from weft.data.schema import Column, Schema
from weft.fitting import choice
from weft.fitting.choice import Choices, features_line
from weft.fitting.opening import usable


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


@pytest.mark.parametrize("name", ["a.b", "items", "training"])
def test_a_column_that_can_be_no_stream_is_named(name: str) -> None:
    columns = {key: Column(key, "text", False, "", 0, 9, ()) for key in (name, "words", "label")}
    schema = Schema(columns, None, None, None, 40)
    with pytest.raises(WeftError, match=f"column '{name}' cannot be a stream .* --without {name}"):
        usable(schema, "label", ())
    assert usable(schema, "label", (name,)) == {"words": "text"}
