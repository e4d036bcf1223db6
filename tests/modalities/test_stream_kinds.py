"""Packages that read the files of a stream."""

import importlib.util

import pytest

from weft.modalities.audio import AudioConfig
from weft.modalities.image import ImageConfig
from weft.modalities.stream_kinds import missing_decoder
from weft.modalities.video import VideoConfig


def test_a_missing_decoder_is_named_before_a_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    audio, video, image = (one().build() for one in (AudioConfig, VideoConfig, ImageConfig))
    found = importlib.util.find_spec

    def spec(name: str, package: str | None = None) -> object:
        return None if name in ("soundfile", "av") else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", spec)
    assert "needs the package soundfile" in str(missing_decoder(audio))
    assert "pip install 'weft[video]'" in str(missing_decoder(video))
    assert missing_decoder(image) is None


def test_nothing_is_missing_where_all_is_installed() -> None:
    pytest.importorskip("soundfile")
    pytest.importorskip("soxr")
    assert missing_decoder(AudioConfig().build()) is None
