"""A sound generated as log-mel frames and converted by a vocoder: speech from a text, a sound from a latent."""

import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from torch import Tensor

from weft.core.config import Config
from weft.core.display import Display, Recording
from weft.core.errors import WeftError
from weft.core.interfaces import Decoder
from weft.core.media import Media
from weft.core.needs import Needs
from weft.core.records import Field
from weft.data.learned import Learned
from weft.decoders.drawing import DrawingConfig, DrawsLengths, Shaped
from weft.heads.drawn import DrawnOutput, drawn
from weft.heads.output import Part
from weft.modalities.audio import Audio
from weft.modalities.audio_decoding import require
from weft.modalities.pictures import stacked
from weft.modalities.vocoder import GriffinLim, Vocoder


@dataclass(frozen=True)
class SoundValues:
    """frames: of each of N sounds (T, M), normalised by the stream's modality. modality: of the frames."""

    frames: tuple[Tensor, ...]
    modality: Audio
    vocoder: Vocoder

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self.modality.config.rate

    def seconds(self, row: int) -> float:
        """Length of the sound."""
        return max(0, len(self.frames[row]) - 1) * self.modality.spectrogram.hop / self.rate

    def said(self, row: int) -> str:
        return f"sound of {self.seconds(row):.2f} s"

    def best(self, row: int, k: int) -> list[tuple[str, float | None]]:  # noqa: ARG002
        return [(self.said(row), None)]

    def take(self, rows: Sequence[int]) -> Self:
        return type(self)(tuple(self.frames[row] for row in rows), self.modality, self.vocoder)

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        frames = tuple(one for part in parts for one in part.frames)
        return cls(frames, parts[0].modality, parts[0].vocoder)

    def field(self) -> Field:
        """(N, T, M), padded to the longest."""
        return stacked(list(self.frames))

    def samples(self, row: int) -> np.ndarray:
        """(S,) float32 from the vocoder, computed on the first call."""
        return self._heard(row)

    @functools.cached_property
    def _kept(self) -> dict[int, np.ndarray]:
        return {}

    def _heard(self, row: int) -> np.ndarray:
        if row not in self._kept:
            config = self.modality.config
            log_mel = self.frames[row] * config.std + config.mean
            samples = self.vocoder.samples(log_mel, self.modality.spectrogram).numpy()
            self._kept[row] = np.clip(samples, -1, 1).astype(np.float32)
        return self._kept[row]

    def media(self, row: int) -> Media:
        return Media.sound(self.samples(row), self.rate)

    def display(self, row: int) -> Display:
        content = Media.encoded(self.encoded(row), "audio", SoundOutput.suffix)
        return Display(recordings=(Recording(content),))

    def whole(self, columns: int | None = None) -> Self:  # noqa: ARG002
        return self

    def encoded(self, row: int) -> bytes:
        """A WAV file of 16 bits."""
        require("soundfile", "writing sound")
        import soundfile

        out = io.BytesIO()
        soundfile.write(out, self.samples(row), self.rate, format="WAV", subtype="PCM_16")
        return out.getvalue()


@dataclass(frozen=True)
class SoundOutput(DrawnOutput):
    """Generated log-mel frames, in the form of a sound stream."""

    does: ClassVar[str] = "generates sounds"
    suffix: ClassVar[str] = ".wav"
    stream: str = "audio"
    """Stream of the generated sounds; it needs no encoder."""
    drawing: DrawingConfig = field(default_factory=DrawingConfig)
    """How frames are generated."""
    vocoder: Vocoder = field(default_factory=GriffinLim)
    """The vocoder that converts frames to samples."""

    @property
    def needs(self) -> Needs:
        return Needs(streams=(self.stream,))

    def modality(self, learned: Learned) -> Audio:
        """The stream's modality. Raises WeftError if its frames cannot be converted to sound."""
        modality = learned.modalities.get(self.stream)
        if not isinstance(modality, Audio):
            raise WeftError(
                f"output.stream is '{self.stream}', expected a stream of sounds of data.streams"
            )
        config = modality.config
        if (
            config.output != "spectrogram"
            or config.normalise != "fixed"
            or config.spectrogram.cepstra
        ):
            raise WeftError(
                f"data.streams.{self.stream} has output {config.output}, normalise {config.normalise} and "
                f"{config.spectrogram.cepstra} cepstra, expected a spectrogram, fixed and 0: others cannot be turned into sound"
            )
        return modality

    def check(self, decoder: Config[Decoder], learned: Learned, where: str) -> None:
        bands = self.modality(learned).spectrogram.width
        shape = decoder.shape if isinstance(decoder, Shaped) else ()
        if len(shape) != 2 or shape[1] != bands:
            raise WeftError(
                f"{where}.decoder generates {shape or 'nothing'}, expected (frames, {bands}), the bands of "
                f"data.streams.{self.stream}"
            )

    def values_of(self, field: Field) -> Tensor:
        """(B, T, M) unchanged; the mask of the field marks the real frames."""
        return field.values.float()

    def as_drawn(self, field: Field, learned: Learned) -> SoundValues:
        """(B, T, M), each row without its padding, with the same vocoder."""
        lengths = field.real.sum(1).tolist()
        frames = zip(field.values.float().cpu(), lengths, strict=True)
        cut = tuple(one[:length] for one, length in frames)
        return SoundValues(cut, self.modality(learned), self.vocoder)

    def field_of(self, values: Tensor) -> Field:
        return Field(values)

    def read(self, parts: Sequence[Part]) -> SoundValues:
        """Generates with the only part; the decoder determines the length of each sound."""
        found_BTM = drawn(self, parts).cpu()
        decoder, context = parts[0].decoder, parts[0].context
        lengths = [found_BTM.shape[1]] * len(found_BTM)
        if isinstance(decoder, DrawsLengths):
            lengths = decoder.lengths(context).tolist()
        frames = tuple(one[:length] for one, length in zip(found_BTM, lengths, strict=True))
        return SoundValues(frames, self.modality(parts[0].learned), self.vocoder)
