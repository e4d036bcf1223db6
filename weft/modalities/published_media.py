"""The preprocessing of a pretrained model's sounds and videos, from the file of its feature extractor."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.core.documents import read_mapping
from weft.core.errors import WeftError, unknown_name
from weft.hub import fetched, read_settings
from weft.modalities.audio import AudioConfig
from weft.modalities.image import ImageConfig
from weft.modalities.processor import read_processor
from weft.modalities.spectrogram import DECIBELS, Spectrogram, SpectrogramConfig
from weft.modalities.video import VideoConfig

Values = Mapping[str, Any]
BANDS, SAMPLES = 1024, 1 << 15
"""Maximum bands of a spectrogram and samples of a Fourier transform in a file."""


@dataclass(frozen=True)
class SoundProcessor:
    """A model's preprocessing of sounds. silence: value of the frames after a sound, up to the model's input length;
    None: the minimum of the sound."""

    audio: AudioConfig
    silence: float | None = None


def audio_of(name: str) -> AudioConfig:
    """Returns the settings with which sounds are read as in the training of the model `name`.

    name: a folder, package:NAME or a hub name. Raises WeftError if the model does not define how it reads sounds.
    """
    found = read_sound_processor(fetched(name, weights=False))
    if found is None:
        raise WeftError(f"{name}: has no preprocessor_config.json, which says how it reads sounds")
    return found.audio


def video_of(name: str) -> VideoConfig:
    """Returns the settings with which videos are read as in the training of the model `name`, with its number of
    frames."""
    folder = fetched(name, weights=False)
    image = read_processor(folder).image(ImageConfig())
    frames = read_settings(name, folder).get("num_frames")
    base = VideoConfig(image=image)
    return base if frames is None else base.replace(sampling=base.sampling.replace(frames=frames))


def read_sound_processor(folder: Path) -> SoundProcessor | None:
    """Reads the preprocessing of sounds of the model in `folder`; None if it is undefined.

    Raises WeftError for a feature extractor unknown to weft, or impossible settings.
    """
    for name, part in (
        ("processor_config.json", "feature_extractor"),
        ("preprocessor_config.json", None),
    ):
        if not (folder / name).is_file():
            continue
        settings = read_mapping(folder / name)
        found = settings.get(part) if part else settings
        if isinstance(found, dict) and "sampling_rate" in found:
            kind = found.get("feature_extractor_type") or _usual(folder)
            return _checked(str(kind), found, folder / name)
    return None


def _usual(folder: Path) -> str:
    """Returns the feature extractor for that type of model: older files do not name it."""
    kind = read_mapping(folder / "config.json").get("model_type")
    usual = {
        "audio-spectrogram-transformer": "ASTFeatureExtractor",
        "clap": "ClapFeatureExtractor",
        "whisper": "WhisperFeatureExtractor",
    }
    return usual.get(str(kind), "Wav2Vec2FeatureExtractor")


def _checked(kind: str, settings: Values, path: Path) -> SoundProcessor:
    if kind not in _KINDS:
        raise unknown_name("feature extractor", kind, _KINDS)
    try:
        return _KINDS[kind](settings)
    except (TypeError, ValueError, KeyError, ArithmeticError) as error:
        raise WeftError(f"{path}: has sound settings that are not possible: {error}") from None


def _size(settings: Values, name: str, most: int = 1_000_000) -> int:
    """Returns an integer from 1 to `most`: far too large values would fill the memory."""
    value = settings[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(f"{name} is {value!r:.60}, expected 1 to {most}")
    return value


def _waveform(settings: Values) -> SoundProcessor:
    audio = AudioConfig(rate=_size(settings, "sampling_rate"), output="waveform")
    return SoundProcessor(
        audio.replace(level="unit" if settings.get("do_normalize", True) else "kept")
    )


def _ast(settings: Values) -> SoundProcessor:
    """Log energies of Kaldi's filter banks, minus a mean and divided by twice a deviation."""
    rate = _size(settings, "sampling_rate")
    spectrogram = SpectrogramConfig(
        _size(settings, "num_mel_bins", BANDS), window=400 / rate, hop=160 / rate, low=20.0, scale="htk",
        method="kaldi", bands="mel", fft=512,
    )  # fmt: skip
    mean, scale = 0.0, 1.0
    if settings.get("do_normalize", True):
        mean, scale = settings["mean"], 2 * settings["std"]
    audio = _absolute(rate, spectrogram, 1.192092955078125e-07, mean, scale)
    seconds = (400 + 160 * (_size(settings, "max_length") - 1)) / rate
    return SoundProcessor(audio.replace(seconds=seconds), silence=-mean / scale)


def _whisper(settings: Values) -> SoundProcessor:
    """(log10 + 4) / 4 of energies over 80 dB, for 30 s padded with silence."""
    rate, size = _size(settings, "sampling_rate"), _size(settings, "n_fft", SAMPLES)
    spectrogram = SpectrogramConfig(
        _size(settings, "feature_size", BANDS), window=size / rate, hop=_size(settings, "hop_length") / rate, low=0.0,
        high=8000.0, fft=size, bands="area", range=80.0,
    )  # fmt: skip
    unit = math.log(10)
    audio = _absolute(rate, spectrogram, 1e-10, -4 * unit, 4 * unit)
    return SoundProcessor(audio.replace(seconds=float(settings["chunk_length"]), fill="silence"))


def _clap(settings: Values) -> SoundProcessor:
    """Energies in dB, for 10 s: a shorter sound is repeated as often as it fits."""
    rate, size = _size(settings, "sampling_rate"), _size(settings, "fft_window_size", SAMPLES)
    fused = settings.get("truncation", "fusion") == "fusion"
    spectrogram = SpectrogramConfig(
        _size(settings, "feature_size", BANDS), window=size / rate, hop=_size(settings, "hop_length") / rate,
        low=float(settings["frequency_min"]), high=float(settings["frequency_max"]), fft=size,
        scale="htk" if fused else "slaney", bands="hertz" if fused else "area",
    )  # fmt: skip
    fill = {"repeatpad": "repeat", "pad": "silence"}[settings.get("padding", "repeatpad")]
    audio = _absolute(rate, spectrogram, 1e-10, 0.0, 1 / DECIBELS)
    return SoundProcessor(audio.replace(seconds=float(settings["max_length_s"]), fill=fill))


def clap_extractor(audio: AudioConfig) -> dict[str, Any]:
    """Returns the preprocessor_config.json of a CLAP that reads sounds in this way. Raises WeftError if no CLAP does."""
    spectrogram = audio.spectrogram
    found = {
        "feature_extractor_type": "ClapFeatureExtractor",
        "processor_class": "ClapProcessor",
        "sampling_rate": audio.rate,
        "feature_size": spectrogram.mels,
        "hop_length": round(spectrogram.hop * audio.rate),
        "fft_window_size": round(spectrogram.window * audio.rate),
        "frequency_min": spectrogram.low,
        "frequency_max": spectrogram.high or audio.rate / 2,
        "max_length_s": round(audio.seconds or 0),
        "truncation": "fusion" if spectrogram.bands == "hertz" else "rand_trunc",
        "padding": "repeatpad" if audio.fill == "repeat" else "pad",
    }
    again = _clap(found).audio if found["max_length_s"] else None
    # The file does not define training changes or the number of windows.
    same = {name: getattr(audio, name) for name in ("changes", "masks", "draws", "eval_windows")}
    if again is None or again.replace(**same) != audio:
        raise WeftError(
            "transformers' CLAP reads sounds as its feature extractor does, this run's stream 'audio' has other settings"
        )
    return found


def _absolute(
    rate: int, spectrogram: SpectrogramConfig, least: float, mean: float, std: float
) -> AudioConfig:
    """Sounds whose energies are those of the samples, at least `least`, not relative to full scale."""
    gain = Spectrogram(spectrogram, rate).gain
    floor = DECIBELS * (gain - math.log(least))
    return AudioConfig(
        rate=rate, spectrogram=spectrogram.replace(floor=floor), mean=mean - gain, std=std
    )


_KINDS = {
    "ASTFeatureExtractor": _ast,
    "ClapFeatureExtractor": _clap,
    "Wav2Vec2FeatureExtractor": _waveform,
    "WhisperFeatureExtractor": _whisper,
}
