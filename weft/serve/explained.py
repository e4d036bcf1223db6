"""Explanations as JSON: pictures as PNG and words, with their weights."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from weft.core.display import Picture, Recording
from weft.core.media import Media
from weft.modalities.image_decoding import read_image
from weft.report.explanations import Explained
from weft.report.recordings import spectrogram, strip


def explained_json(found: Explained) -> dict[str, Any]:
    """Returns the prediction, the weights of each stream's parts, and the prediction without each stream."""
    return {
        "said": found.answer,
        "score": found.score,
        "streams": {
            part.stream: {
                "method": part.method,
                "pictures": [_picture(one) for one in part.display.pictures],
                "words": [{"text": w.text, "weight": w.weight} for w in part.display.words],
                "recordings": [_recording(one) for one in part.display.recordings],
            }
            for part in found.parts
        },
        "without": [
            {"stream": one.stream, "said": one.answer, "score": one.score} for one in found.without
        ],
        "note": found.note,
    }


def _picture(found: Picture) -> dict[str, Any]:
    """Returns the picture as the model reads it and the weights of its cells, to be drawn over it."""
    return {"png": _png(_array(found.pixels)), "weights": _numbers(found.weights)}


def _recording(found: Recording) -> dict[str, Any]:
    """Returns a picture of a sound (its spectrogram) or of a video (some frames)."""
    sound = found.media.kind != "video"
    pixels = spectrogram(found.media) if sound else strip(found.media)
    return {"png": _png(pixels), "weights": _numbers(found.weights)}


def _array(pixels: np.ndarray | Media) -> np.ndarray:
    if not isinstance(pixels, Media):
        return pixels
    return read_image(pixels.load(), max_pixels=100_000_000)


def _png(pixels: np.ndarray) -> str:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, format="png")
    return base64.b64encode(out.getvalue()).decode()


def _numbers(weights: np.ndarray | None) -> Any:
    return None if weights is None else np.round(weights.astype(float), 4).tolist()
