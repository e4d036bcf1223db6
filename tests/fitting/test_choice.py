"""By which model a column is read, and what is said of it."""

from pathlib import Path

import pytest

from weft.core.language import say
from weft.fitting import choice
from weft.fitting.choice import features_used
from weft.fitting.settings import FitSettings


def test_the_features_of_each_kind_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "mobilenet_weights", lambda: None)
    assert features_used({"number"}, FitSettings()) == []
    pictures, better, texts, also = features_used({"image", "text", "number"}, FitSettings())
    assert pictures == "Features of pictures: colours, edges and patches of your own pictures."
    assert better.endswith("pictures: --image-model google/vit-base-patch16-224")
    assert texts == "Features of texts: words and characters of your own texts."
    assert "texts: --text-model package:" in also
    asked = FitSettings(image_model="vit", text_model="none")
    assert features_used({"images", "text"}, asked) == ["Features of pictures: of vit.", texts]
    monkeypatch.setattr(choice, "mobilenet_weights", lambda: Path("w.safetensors"))
    named = "Features of pictures: of MobileNetV2 (w.safetensors)."
    assert features_used({"image"}, FitSettings()) == [named]
    assert features_used({"image"}, FitSettings(image_model="none")) == [pictures]
    monkeypatch.setenv("WEFT_LANGUAGE", "zh")
    assert all("：" in say(line) for line in (pictures, better, texts, also, named))
