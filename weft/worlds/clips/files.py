"""The world of clips as files: pictures, videos and sounds beside a table."""

import json
import shutil
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from weft.core.errors import MissingExtraError, WeftError
from weft.core.files import write_text
from weft.core.media import Media
from weft.core.samples import Sample
from weft.worlds.clips.dataset import ClipsConfig

SUFFIXES = {"image": "png", "video": "mp4", "audio": "wav"}
"""Column -> suffix of its files."""
_CRF = "12"
"""Constant rate factor of H.264: 0 keeps every bit, 23 is the usual quality."""


def write_clips(config: ClipsConfig, folder: Path | str) -> Path:
    """Writes a split as files: `folder`/image/<split>/*.png, video/<split>/*.mp4 (H.264), audio/<split>/*.wav (16 bits),
    and the table `folder`/<split>.jsonl. Returns the path of the table. The folder may hold other splits.

    The table is removed first and written last, so all files of an existing table exist. Raises WeftError if the
    folder cannot be written, and MissingExtraError without PyAV.
    """
    folder = Path(folder)
    table = folder / f"{config.split}.jsonl"
    lines = []
    try:
        table.unlink(missing_ok=True)
        for column in SUFFIXES:
            shutil.rmtree(folder / column / config.split, ignore_errors=True)
            (folder / column / config.split).mkdir(parents=True)
        for sample in config.build():
            lines.append(json.dumps(_written(sample, folder, config), ensure_ascii=False))
    except OSError as error:
        raise WeftError(f"{folder}: cannot be written: {error.strerror or error}") from error
    write_text(table, "\n".join(lines) + "\n")
    return table


def _written(sample: Sample, folder: Path, config: ClipsConfig) -> dict[str, Any]:
    """Writes the files of a row and returns the row of the table."""
    names = {c: f"{c}/{config.split}/{sample.id}.{suffix}" for c, suffix in SUFFIXES.items()}
    media: dict[str, Media] = {column: sample.items[column] for column in SUFFIXES}
    Image.fromarray(media["image"].array()).save(folder / names["image"], compress_level=1)
    _write_video(folder / names["video"], media["video"].array(), media["video"].rate or 1.0)
    _write_sound(folder / names["audio"], media["audio"].array(), config.rate)
    rest = {k: v for k, v in sample.items.items() if k not in SUFFIXES}
    return {"id": sample.id, "group": sample.group, **names, **rest}


def _write_sound(path: Path, samples: np.ndarray, rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.rint(samples * 32767).astype("<i2").tobytes())


def _write_video(path: Path, frames: np.ndarray, rate: float) -> None:
    try:
        import av
    except ImportError:
        raise MissingExtraError("av", extra="video", purpose="writing videos") from None
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1000))
        stream.width, stream.height = frames.shape[2], frames.shape[1]
        # Colours at full resolution: objects are a few pixels wide.
        stream.pix_fmt = "yuv444p"
        stream.options = {"crf": _CRF}
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
