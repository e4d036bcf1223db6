"""Converts values of a request into values that a run reads.

No address is fetched and no file is opened, whatever a value contains.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import numpy as np

from weft.core.arrays import decode_array
from weft.core.errors import brief, unknown_name
from weft.core.interfaces import Modality, ReadsMedia
from weft.core.kinds import NOUNS, Kind
from weft.core.media import Media
from weft.modalities.audio_decoding import sound_facts
from weft.modalities.history import History
from weft.modalities.image_decoding import picture_size
from weft.modalities.stream_kinds import kind_of_stream
from weft.modalities.video_decoding import video_facts
from weft.serve.refusals import RefusedError
from weft.serve.settings import Limits
from weft.serve.sniffing import kinds_of, noun_of

ENCODED = "base64"
MOST_SAMPLES = 120_000_000
"""Maximum samples of all channels of a sound together, since it is held in memory as float32."""
DEEPEST = 4
"""Maximum depth of nested lists in a value."""


class ValueReader:
    """Reads the values of a run's streams, within limits."""

    def __init__(self, modalities: Mapping[str, Modality], limits: Limits) -> None:
        self._modalities = modalities
        self._limits = limits

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Converts the values of all streams for `given` of the library. Raises RefusedError or WeftError."""
        return {stream: self.of_stream(stream, value) for stream, value in given.items()}

    def of_stream(self, stream: str, raw: Any) -> Any:
        """Converts one value of a stream, or a list. Raises RefusedError, or WeftError for an unknown stream."""
        modality = self._modalities.get(stream)
        if modality is None:
            raise unknown_name("stream", stream, self._modalities)
        if not isinstance(raw, list):
            return self._value(stream, raw, modality)
        if len(raw) > self._limits.values:
            raise RefusedError(
                413,
                f"{stream}: got {len(raw):,} values, expected at most {self._limits.values:,}",
            )
        return [self._value(stream, one, modality) for one in raw]

    def _value(self, stream: str, raw: Any, modality: Modality) -> Any:
        if raw is None:
            return None
        if isinstance(modality, ReadsMedia):
            return self._media(stream, raw, modality.media)
        if isinstance(raw, bytes) or (isinstance(raw, Mapping) and set(raw) == {ENCODED}):
            raise RefusedError(400, f"{stream}: got a file, expected {_noun(modality)}")
        if kind_of_stream(modality) == "text" and not isinstance(raw, str):
            history = isinstance(modality, History) and isinstance(raw, list)
            if not history:
                raise RefusedError(400, f"{stream}: got {brief(raw)}, expected a text")
        self._check_words(stream, raw)
        return raw

    def _media(self, stream: str, raw: Any, kind: Kind) -> Any:
        if kind == "array" and isinstance(raw, list | int | float):
            return self._numbers(stream, raw)
        if isinstance(raw, list):  # the frames of a video
            frames: Kind = "image" if kind == "video" else kind
            if len(raw) > self._limits.values:
                raise RefusedError(
                    413,
                    f"{stream}: got {len(raw):,} frames, expected at most {self._limits.values:,}",
                )
            return [self._media(stream, one, frames) for one in raw]
        data = raw if isinstance(raw, bytes) else _decoded(stream, raw, kind)
        if not data:
            raise RefusedError(400, f"{stream}: the {NOUNS[kind]} is empty (0 bytes)")
        kinds = kinds_of(data)
        if kind not in kinds:
            raise RefusedError(415, f"{stream}: is {noun_of(data)}, expected a {NOUNS[kind]}")
        self._check_size(stream, data, kind)
        return Media.encoded(data, kind)

    def _check_size(self, stream: str, data: bytes, kind: Kind) -> None:
        """Refuses a file whose header announces too much decoded data."""
        media = Media.encoded(data, kind)
        if kind == "image":
            width, height = picture_size(data) or (0, 0)
            self._check_pixels(stream, width, height)
        elif kind == "audio":
            sound = sound_facts(media)
            self._check_seconds(stream, sound.seconds)
            if sound.seconds * sound.rate * sound.channels > MOST_SAMPLES:
                raise RefusedError(
                    413,
                    f"{stream}: a sound of {sound.seconds:.0f} s with {sound.channels} channels of {sound.rate:g} samples "
                    f"a second, expected at most {MOST_SAMPLES:,} samples",
                )
        elif kind == "video":
            video = video_facts(media)
            self._check_pixels(stream, video.width, video.height)
            if video.seconds != float("inf"):
                self._check_seconds(stream, video.seconds)
        elif kind == "array":
            count = decode_array(data).size
            if count > self._limits.array_numbers:
                raise RefusedError(
                    413,
                    f"{stream}: an array of {count:,} numbers, expected at most {self._limits.array_numbers:,}",
                )

    def _check_pixels(self, stream: str, width: int, height: int) -> None:
        if width * height > self._limits.pixels:
            raise RefusedError(
                413,
                f"{stream}: {width:,} x {height:,} pixels, expected at most {self._limits.pixels:,} pixels",
            )

    def _check_seconds(self, stream: str, seconds: float) -> None:
        if seconds > self._limits.seconds:
            raise RefusedError(
                413, f"{stream}: {seconds:.0f} s long, expected at most {self._limits.seconds:g} s"
            )

    def _numbers(self, stream: str, raw: Any) -> np.ndarray:
        try:
            array = np.asarray(raw, dtype=np.float64)
        except (ValueError, TypeError, OverflowError):
            array = np.asarray(np.nan)
        if not np.isfinite(array).all():
            raise RefusedError(
                400, f"{stream}: got {brief(raw)}, expected an array of finite numbers"
            )
        if array.size > self._limits.array_numbers or array.ndim > DEEPEST:
            raise RefusedError(
                413,
                f"{stream}: an array of shape {array.shape}, expected at most {DEEPEST} dimensions and "
                f"{self._limits.array_numbers:,} numbers",
            )
        return array

    def _check_words(self, stream: str, raw: Any, deep: int = 0) -> None:
        """Refuses texts that are too long, at any place in the value."""
        if isinstance(raw, str):
            if len(raw) > self._limits.characters:
                raise RefusedError(
                    413,
                    f"{stream}: a text of {len(raw):,} characters, expected at most {self._limits.characters:,}",
                )
            return
        inner: list[Any] = []
        if isinstance(raw, Mapping):
            inner = [*raw, *raw.values()]
        elif isinstance(raw, list):
            inner = raw
        if inner and (deep == DEEPEST or len(inner) > 10 * self._limits.values):
            raise RefusedError(413, f"{stream}: got {brief(raw)}, expected a smaller value")
        for one in inner:
            self._check_words(stream, one, deep + 1)


def _decoded(stream: str, raw: Any, kind: Kind) -> bytes:
    """Decodes the bytes of {"base64": ...}. A string that is a path or an address is never opened."""
    if not isinstance(raw, Mapping) or set(raw) != {ENCODED} or not isinstance(raw[ENCODED], str):
        hint = "; paths and addresses are not opened" if isinstance(raw, str) else ""
        raise RefusedError(
            400,
            f'{stream}: got {brief(raw)}, expected a {NOUNS[kind]} as {{"base64": "..."}}{hint}',
        )
    try:
        return base64.b64decode(raw[ENCODED], validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError(400, f"{stream}: the {NOUNS[kind]} is not valid base64") from None


def _noun(modality: Modality) -> str:
    return "a text" if kind_of_stream(modality) == "text" else "a value as JSON"
