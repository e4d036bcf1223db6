"""Sounds and films as published models read them, against the feature extractors of transformers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from weft.core.errors import WeftError
from weft.modalities.audio import filled, levelled
from weft.modalities.published_media import audio_of, read_sound_processor
from weft.modalities.spectrogram import Spectrogram

hf = pytest.importorskip("transformers")
EXTRACTORS: dict[str, Any] = {
    "ast": (lambda: hf.ASTFeatureExtractor(num_mel_bins=32, max_length=60), 0.5),
    "whisper": (lambda: hf.WhisperFeatureExtractor(chunk_length=1), 0.6),
    "clap": (lambda: hf.ClapFeatureExtractor(truncation="rand_trunc", max_length_s=1), 0.4),
    "clap-fused": (lambda: hf.ClapFeatureExtractor(max_length_s=1), 0.4),
    "wav2vec2": (hf.Wav2Vec2FeatureExtractor, 0.3),
}


@pytest.mark.parametrize("name", EXTRACTORS)
def test_sounds_are_what_the_feature_extractor_makes(name: str, tmp_path: Path) -> None:
    make, seconds = EXTRACTORS[name]
    extractor = make()
    extractor.save_pretrained(tmp_path)
    config = audio_of(str(tmp_path))
    rate = extractor.sampling_rate
    assert config.rate == rate
    places = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(size=len(places))
    samples = (0.3 * np.sin(2 * np.pi * 440 * places) + 0.01 * noise).astype(np.float32)
    wanted = extractor(samples, sampling_rate=rate, return_tensors="pt")
    own = levelled(torch.from_numpy(samples), config.level)
    own = filled(own, config.fill, round((config.seconds or 0) * rate))
    if config.output == "waveform":
        torch.testing.assert_close(own, wanted.input_values[0], atol=1e-5, rtol=1e-5)
        return
    frames = (Spectrogram(config.spectrogram, rate)(own) - config.mean) / config.std
    if name == "ast":
        found = read_sound_processor(tmp_path)
        assert found is not None
        whole = wanted.input_values[0]
        torch.testing.assert_close(frames, whole[: len(frames)], atol=2e-3, rtol=1e-3)
        assert (whole[len(frames) :] - found.silence).abs().max() < 1e-6
    elif name == "whisper":
        torch.testing.assert_close(frames[:-1], wanted.input_features[0].T, atol=1e-4, rtol=1e-4)
    else:
        torch.testing.assert_close(
            frames, wanted.input_features[0, 0].float(), atol=2e-2, rtol=1e-3
        )


def test_settings_that_cannot_be_are_one_line(tmp_path: Path) -> None:
    file = tmp_path / "preprocessor_config.json"
    with pytest.raises(WeftError, match=r"has no preprocessor_config\.json"):
        audio_of(str(tmp_path))
    file.write_text('{"feature_extractor_type": "WhisperFeatureExtractor", "sampling_rate": "x"}')
    with pytest.raises(WeftError, match="has sound settings that are not possible"):
        audio_of(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "whisper"}')
    file.write_text('{"sampling_rate": 16000, "n_fft": 1000000000}')
    with pytest.raises(WeftError, match="n_fft is 1000000000, expected 1 to 32768"):
        audio_of(str(tmp_path))
    file.write_text('{"feature_extractor_type": "OtherFeatureExtractor", "sampling_rate": 1}')
    with pytest.raises(WeftError, match="unknown feature extractor 'OtherFeatureExtractor'"):
        audio_of(str(tmp_path))


def test_an_older_file_does_not_name_its_feature_extractor(tmp_path: Path) -> None:
    hf.WhisperFeatureExtractor().save_pretrained(tmp_path)
    file = tmp_path / "preprocessor_config.json"
    (tmp_path / "config.json").write_text('{"model_type": "whisper"}')
    named = audio_of(str(tmp_path))
    settings = json.loads(file.read_text())
    del settings["feature_extractor_type"]
    file.write_text(json.dumps(settings))
    assert audio_of(str(tmp_path)) == named
    assert named.seconds == 30.0
