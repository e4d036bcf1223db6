"""Wrappers of Hugging Face transformers towers for sounds and videos."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.errors import WeftError
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.by_length import by_length
from weft.encoders.hugging_face import HuggingFaceTower
from weft.encoders.read_tower import VIDEOS
from weft.modalities.audio import AudioConfig
from weft.modalities.video import VideoConfig

UNIT: tuple[float, float, float] = (1.0, 1.0, 1.0)
_DROPPED = {"apply_spec_augment": False, "layerdrop": 0.0, "encoder_layerdrop": 0.0}
"""Random augmentation that such models do by themselves in training: masking parts of a sound, skipping layers."""


class SoundTower(HuggingFaceTower):
    """A sound model: AST, CLAP's tower, Whisper's encoder, or one for waveforms such as Wav2Vec2.

    tokens: its last hidden states; for AST and CLAP those of the model's whole input length. pooled with pooling
    "auto": the model's own pooled output, else the mean. rate: samples a second. silence: value of the frames after a
    sound, for a model with a fixed input length; None: the minimum of the sound.
    """

    def __init__(
        self, model: nn.Module, *, pooling: str, rate: int | None, silence: float | None
    ) -> None:
        super().__init__(model, pooling=pooling, mean=UNIT, std=UNIT)
        self.pooling = pooling
        settings: Any = model.config
        for name, value in _DROPPED.items():
            if hasattr(settings, name):
                setattr(settings, name, value)
        self.rate, self.silence = rate, silence
        kind: str = settings.model_type
        self.kind = kind
        self.bands: int | None = getattr(settings, "num_mel_bins", None)
        self.frames: int | None = None
        """Number of frames that the model requires."""
        if kind == "audio-spectrogram-transformer":
            self.frames = settings.max_length
        elif kind == "whisper":
            self.frames = 2 * settings.max_source_positions
        self.shortest = 1 if self.bands else _shortest(settings.conv_kernel, settings.conv_stride)

    def forward(self, field: Field) -> Features:
        """Frames (B, T, M) or samples (B, S, 1), with a mask (B, T) or None if all are real."""
        sizes = {"M": self.bands or 1}
        check_shape(field.values, "B T M", "frames of sounds" if self.bands else "samples", **sizes)
        if not len(field):  # encodes a silence, so that parameters have gradients
            one = field.values.new_zeros(1, self.shortest, sizes["M"])
            return self.forward(Field(one)).rows(slice(0, 0))
        values = Field(field.values.to(next(self.parameters()).dtype), field.mask)
        if self.frames is None:
            return by_length(values, self._encoded, self.dim)
        return self._of_one_length(values, self.frames)

    def problem(self, config: AudioConfig) -> str | None:
        """Returns how this modality differs from the model's training, or None."""
        output = "spectrogram" if self.bands else "waveform"
        if config.output != output:
            return f"output is '{config.output}', expected '{output}'"
        if self.bands and config.spectrogram.mels != self.bands:
            return f"spectrogram.mels is {config.spectrogram.mels}, expected {self.bands}"
        if self.rate not in (None, config.rate):
            return f"rate is {config.rate}, expected {self.rate}"
        return None

    def _encoded(self, values_BTM: Tensor) -> Features:
        """Encodes sounds of one length without padding."""
        if not self.bands:
            missing = max(0, self.shortest - values_BTM.shape[1])
            return self.whole(self.model(F.pad(values_BTM[..., 0], (0, missing))))
        values_B1TM = values_BTM[:, None]
        longer_B1 = torch.zeros(len(values_BTM), 1, dtype=torch.bool, device=values_BTM.device)
        if self.model.config.enable_fusion:  # type: ignore[union-attr]
            values_B1TM = values_B1TM.expand(-1, 4, -1, -1)
        return self.whole(self.model(input_features=values_B1TM, is_longer=longer_B1))

    def _of_one_length(self, field: Field, frames: int) -> Features:
        """Encodes sounds after padding them to the model's number of frames."""
        mask_BT, values_BTM = field.real, field.values
        # Whisper leaves out the frame centred on the end of 30 s.
        mask_BT = mask_BT[:, : frames + int(self.kind == "whisper")]
        lengths_B = mask_BT.sum(1)
        if bool((field.real.sum(1) > lengths_B).any()):
            raise WeftError(
                f"a sound has {int(field.real.sum(1).amax())} frames, expected at most {frames}: set the length of a "
                "window, seconds"
            )
        mask_BT, values_BTM = mask_BT[:, :frames], values_BTM[:, :frames]
        silence: Any = self.silence
        if silence is None:
            lowest_BTM = values_BTM.masked_fill(~mask_BT[..., None], torch.inf)
            silence = lowest_BTM.amin((1, 2), keepdim=True).nan_to_num(posinf=0.0)
        missing = frames - values_BTM.shape[1]
        mask_BT = F.pad(mask_BT, (0, missing))
        values_BTM = F.pad(values_BTM, (0, 0, 0, missing))
        values_BTM = torch.where(mask_BT[..., None], values_BTM, silence)
        present_B = lengths_B > 0
        if self.kind != "whisper":
            found = self.whole(self.model(values_BTM))
            return _cleared(found, found.mask & present_B[:, None], found.pooled)
        tokens_BTD = self.model(values_BTM.transpose(1, 2)).last_hidden_state
        found = self.whole({"last_hidden_state": tokens_BTD}, mask_BT[:, ::2])
        return _cleared(found, found.mask, found.pooled)


class VideoTower(HuggingFaceTower):
    """A video model with a fixed number of frames: TimeSformer, VideoMAE or ViViT.

    Frames of a shorter video are repeated evenly. tokens: the last hidden states. pooled with pooling "auto": the
    class token, for VideoMAE the mean.
    """

    def __init__(
        self, model: nn.Module, *, pooling: str, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        settings: Any = model.config
        pooling = VIDEOS[settings.model_type] if pooling == "auto" else pooling
        super().__init__(model, pooling=pooling, mean=mean, std=std)
        self.frames: int = settings.num_frames

    def forward(self, field: Field) -> Features:
        """Frames (B, F, 3, H, W) uint8, mask (B, F) or None where all are real."""
        check_shape(field.values, "B F 3 H W", "videos")
        if not len(field):  # encodes a black video, so that parameters have gradients
            one = field.values.new_zeros(1, *field.values.shape[1:])
            return self.forward(Field(one)).rows(slice(0, 0))
        mask_BF, frames = field.real, self.frames
        counts_B1 = mask_BF.sum(1, keepdim=True)
        longest = int(counts_B1.amax())
        if longest > frames:
            raise WeftError(
                f"a video has {longest} frames, expected at most {frames}, which the encoder reads"
            )
        places_F = torch.arange(frames, device=mask_BF.device)
        real_first_BF = (~mask_BF).long().argsort(dim=1, stable=True)
        places_BF = real_first_BF.gather(1, places_F * counts_B1 // frames)
        rows_B1 = torch.arange(len(field), device=mask_BF.device)[:, None]
        assert self.normalize is not None
        pixels = field.values[rows_B1, places_BF].flatten(0, 1)
        pixels = self.normalize(pixels, next(self.parameters()).dtype)
        found = self._images(pixels.view(len(field), frames, *pixels.shape[1:]))
        return _cleared(found, found.mask & (counts_B1 > 0), found.pooled)

    def problem(self, config: VideoConfig) -> str | None:
        """Returns how this modality differs from the model's training, or None."""
        if self.image_size not in (None, config.image.size):
            return f"image.size is {config.image.size}, expected {self.image_size}"
        if config.sampling.frames > self.frames:
            return f"sampling.frames is {config.sampling.frames}, expected at most {self.frames}"
        return None


def _cleared(features: Features, mask_BT: Tensor, pooled_BD: Tensor) -> Features:
    """Sets padding tokens, and rows without tokens, to zero."""
    tokens_BTD = features.tokens.masked_fill(~mask_BT[..., None], 0)
    return Features(tokens_BTD, mask_BT, pooled_BD.masked_fill(~mask_BT.any(1, keepdim=True), 0))


def _shortest(kernels: Sequence[int], strides: Sequence[int]) -> int:
    """Returns the minimum number of samples from which a stack of convolutions without padding makes one token."""
    samples = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        samples = (samples - 1) * stride + kernel
    return samples
