"""Facts about the pictures, sounds, videos and arrays of a row, collected in one pass, wherever they occur in it.

Every kind gets a digest of its content. `FINGERPRINTS` computes the further facts of a kind.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import simplejpeg

from weft.core.arrays import decode_array
from weft.core.errors import WeftError
from weft.core.kinds import Kind
from weft.core.media import RECORDINGS, Media
from weft.core.places import digest_of
from weft.data.prepare.fingerprints import SIDE, fingerprint
from weft.data.prepare.recordings import RecordingFacts, sound_recording, video_recording
from weft.modalities.image_decoding import read_image
from weft.modalities.image_metadata import jpeg_orientation, private_metadata

MAX_PIXELS = 100_000_000
FEW_VALUES = 16
"""An array with fewer different values is a label, a mask or a box: equal ones are no duplicates."""
PROBED_VALUES = 1 << 16

Content = bytes | np.ndarray


@dataclass(frozen=True)
class MediaFacts:
    """Facts about a Media from one pass.

    kind: also `image` for a file of unknown kind that is a picture. digest: of the content; None for an array of
    fewer than FEW_VALUES different values. file_size: bytes. size: width and height of the upright picture. look: its
    perceptual fingerprint. metadata: kinds of private metadata in its file. recording: facts of a sound or a video,
    whose look covers its whole length (see `recordings`).
    """

    kind: Kind
    digest: str | None
    file_size: int = 0
    size: tuple[int, int] | None = None
    look: bytes | None = None
    metadata: tuple[str, ...] = ()
    recording: RecordingFacts | None = None


def media_in(items: Mapping[str, Any]) -> Iterator[tuple[str, Media]]:
    """Yields (column, Media) for all in a row; `column[0]` for those in a list, `column.key` in a mapping."""
    for name, value in items.items():
        yield from _media_in(name, value)


def _media_in(name: str, value: Any) -> Iterator[tuple[str, Media]]:
    match value:
        case Media():
            yield name, value
        case np.ndarray():
            yield name, Media.array_of(value)
        case list() | tuple():
            for number, each in enumerate(value):
                yield from _media_in(f"{name}[{number}]", each)
        case dict():
            for key, each in value.items():
                yield from _media_in(f"{name}.{key}", each)


def media_facts(media: Media) -> MediaFacts:
    """Reads a Media once. Raises WeftError if it cannot be read."""
    if media.kind in RECORDINGS:
        return _recording(media)
    content = media.load()
    size = len(content) if isinstance(content, bytes) else content.nbytes
    facts = MediaFacts(media.kind, digest_of(content), size)
    fingerprint_of = FINGERPRINTS.get(media.kind)
    return facts if fingerprint_of is None else fingerprint_of(content, facts)


def _recording(media: Media) -> MediaFacts:
    """Returns the facts of a sound or a video, without loading it whole."""
    read = sound_recording if media.kind == "audio" else video_recording
    recording, look = read(media)
    size = media.place.size() or 0
    return MediaFacts(media.kind, media.digest(), size, look=look, recording=recording)


class Reader:
    """Returns facts of Media. Adjacent rows about one picture, such as questions, read it only once."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Media, MediaFacts]] = {}

    def facts(self, column: str, media: Media) -> MediaFacts:
        """Returns the facts. Raises WeftError for media that cannot be read."""
        last = self._last.get(column)
        if last is None or last[0] != media:
            last = self._last[column] = (media, media_facts(media))
        return last[1]


def upright_size(data: bytes, pixels: np.ndarray) -> tuple[int, int]:
    """Returns (width, height) of the picture itself, of which `pixels` may be a scaled-down decoding."""
    if data[:3] == b"\xff\xd8\xff":
        try:
            height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        except ValueError:  # formats that only Pillow reads are decoded at full size
            return pixels.shape[1], pixels.shape[0]
        return (height, width) if jpeg_orientation(data) >= 5 else (width, height)
    return pixels.shape[1], pixels.shape[0]


def _picture(content: Content, facts: MediaFacts) -> MediaFacts:
    pixels = read_image(content, max_pixels=MAX_PIXELS, min_side=2 * SIDE)
    encoded = content if isinstance(content, bytes) else b""
    return replace(
        facts,
        kind="image",
        size=upright_size(encoded, pixels),
        look=fingerprint(pixels),
        metadata=private_metadata(encoded),
    )


def _file(content: Content, facts: MediaFacts) -> MediaFacts:
    """Returns the facts of a file by its content: a picture, or bytes."""
    try:
        return _picture(content, facts)
    except WeftError:
        return facts


def _array(content: Content, facts: MediaFacts) -> MediaFacts:
    """Returns the facts of an array, known by its values, from a .npy file or from memory."""
    array = content if isinstance(content, np.ndarray) else decode_array(content)
    return replace(facts, digest=None if _has_few_values(array) else digest_of(array))


def _has_few_values(array: np.ndarray) -> bool:
    values = array.reshape(-1)
    probed = values[:: 1 + len(values) // PROBED_VALUES]
    return len(np.unique(probed)) < FEW_VALUES and len(np.unique(values)) < FEW_VALUES


FINGERPRINTS: dict[Kind, Callable[[Content, MediaFacts], MediaFacts]] = {
    "image": _picture,
    "array": _array,
    "file": _file,
}
"""Kind -> function for facts beyond the digest. Raises WeftError for content that cannot be decoded."""
