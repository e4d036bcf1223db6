"""Converts a caller's values to Media: paths, bytes, pictures, arrays, tensors, samples with their rate, frames.

Ambiguous values are refused: an array of samples without its rate, and a picture tensor whose channels may be first
or last. Addresses on the network are refused, too.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from weft.core.errors import WeftError, brief
from weft.core.kinds import NOUNS, Kind
from weft.core.media import Media, media_of
from weft.modalities.image_decoding import pixels_of_value

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/+.*", re.IGNORECASE | re.DOTALL)
CHANNELS = (1, 3, 4)
CONTENT: dict[Kind, tuple[str, ...]] = {
    "audio": ("array", "samples"),
    "video": ("array", "frames"),
}
"""The keys of the samples or frames in a mapping that also has a rate."""
RATES = ("rate", "sampling_rate", "sample_rate", "fps")
EXAMPLES: dict[Kind, str] = {
    "audio": '{"samples": ..., "rate": 16000}',
    "video": '{"frames": ..., "rate": 25}',
}


def names_of(value: Any) -> Any:
    """An array of strings as a list of strings, or as one string; any other value unchanged."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "UO":
        found = value.tolist()
        names = found if isinstance(found, list) else [found]
        if all(isinstance(name, str | Path) or name is None for name in names):
            return found
    return value


def media_value(raw: Any, kind: Kind) -> Any:
    """One value of a stream of that kind. A list, such as the frames of a video, becomes a list of pictures.

    Raises WeftError for a value that cannot be converted.
    """
    if isinstance(raw, list | tuple):
        frames: Kind = "image" if kind == "video" else kind
        return [media_value(one, frames) for one in raw]
    if isinstance(raw, str | Path):
        return _file(raw, kind)
    if isinstance(raw, Mapping):
        return _mapping(raw, kind)
    if isinstance(raw, Tensor):
        raw = _array(raw, kind)
    if isinstance(raw, np.ndarray | Image.Image):
        return _in_memory(raw, kind)
    if isinstance(raw, bytearray | memoryview):
        raw = bytes(raw)
    return media_of(raw, kind)


def _file(raw: str | Path, kind: Kind) -> Media:
    path = Path(raw)
    if not path.is_file():
        if ADDRESS.fullmatch(str(raw)):
            raise WeftError(
                f"{brief(str(raw))} is an address, expected a file: download the {NOUNS[kind]} first"
            )
        what = "is a folder, expected a file" if path.is_dir() else "no such file"
        raise WeftError(f"{path}: {what}")
    return media_of(path, kind)


def _in_memory(raw: np.ndarray | Image.Image, kind: Kind) -> Media:
    if kind == "image":
        return media_of(pixels_of_value(raw), kind)
    if kind not in EXAMPLES:
        return media_of(raw, kind)
    if isinstance(raw, Image.Image):
        hint = "; write the frames of one video as a list inside a list" if kind == "video" else ""
        raise WeftError(f"is a picture, expected a {NOUNS[kind]}{hint}")
    raise WeftError(
        f"is an array of {raw.dtype} {raw.shape} without a rate, expected {EXAMPLES[kind]}"
    )


def _array(raw: Tensor, kind: Kind) -> np.ndarray:
    """The values of a tensor; for a picture with the channels moved from first to last."""
    array: np.ndarray = (
        raw.detach().cpu().float().numpy()
        if raw.is_floating_point()
        else (raw.detach().cpu().numpy())
    )
    if kind != "image" or array.ndim != 3:
        return array
    first, last = array.shape[0] in CHANNELS, array.shape[2] in CHANNELS
    if first and last:
        raise WeftError(
            f"is a tensor of shape {tuple(array.shape)}, whose channels may stand first or last; give an array (H, W, 3)"
        )
    return np.ascontiguousarray(array.transpose(1, 2, 0)) if first else array


def _mapping(raw: Mapping[Any, Any], kind: Kind) -> Media:
    """{"samples": ..., "rate": ...}, or {"bytes": ..., "path": ...} as in Hugging Face tables."""
    content = next((raw[name] for name in CONTENT.get(kind, ()) if raw.get(name) is not None), None)
    rate = next((raw[name] for name in RATES if raw.get(name) is not None), None)
    if content is None:
        held = next((raw[name] for name in ("bytes", "path") if raw.get(name) is not None), None)
        if not isinstance(held, str | Path | bytes):
            expected = EXAMPLES.get(kind, '{"bytes": ...}')
            raise WeftError(f"has {', '.join(map(str, raw)) or 'nothing'}, expected {expected}")
        media: Media = media_value(held, kind)
        return media
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.number):
        raise WeftError(f"has the rate {rate!r:.40}, expected samples or frames a second")
    array = _array(content, kind) if isinstance(content, Tensor) else _stacked(content)
    return (Media.sound if kind == "audio" else Media.frames)(array, float(rate))


def _stacked(content: Any) -> np.ndarray:
    """An array, or a list of numbers or of equally large frames, as one array. Raises WeftError."""
    if isinstance(content, np.ndarray):
        return content
    if isinstance(content, Sequence) and content and not isinstance(content, str | bytes):
        pictures = isinstance(content[0], Image.Image)
        try:
            return np.stack([pixels_of_value(c) if pictures else np.asarray(c) for c in content])
        except ValueError as error:
            raise WeftError(f"holds values of different shapes: {error}") from None
    raise WeftError(f"holds a {type(content).__name__}, expected an array or a list")
