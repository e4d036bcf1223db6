"""Metadata in a picture's file: its orientation, and private data.

EXIF (place, time, camera, owner, a small copy of the picture before cropping), XMP, IPTC and comments lie in
containers of the file's format: segments of JPEG, chunks of PNG and WebP, tags of TIFF.
"""

import io
import re
import struct
import zlib
from collections.abc import Iterator

from PIL import ExifTags, Image

from weft.modalities.image_dicom import PRIVATE, is_dicom

_ORIENTATION = int(ExifTags.Base.Orientation)
_APP0, _APP1, _APP2, _APP13, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xEF
_COMMENT, _SCAN, _END = 0xFE, 0xDA, 0xD9
_TOLD = {_APP1, _APP13, _COMMENT}
"""Segments of a JPEG that hold EXIF and XMP, IPTC, and comments."""
_NO_PIXELS = re.compile(rb"\xff[^\x00\xd0-\xd7]")
"""Bytes that end the coded pixels of a JPEG's scan; a restart mark does not."""
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_INTEGERS = {3: "H", 4: "I", 8: "h", 9: "i"}
"""TIFF 6.0, section 2: types of integers longer than a byte -> struct's code."""
_PNG, _WEBP = b"\x89PNG\r\n\x1a\n", b"WEBP"
# fmt: off
_PNG_KEPT = {
    b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"pHYs", b"bKGD", b"hIST", b"sPLT", b"cICP",
    b"mDCV", b"cLLI", b"acTL", b"fcTL", b"fdAT",
}
# fmt: on
"""Chunks that affect the appearance of the pixels. Names of critical chunks begin with a capital letter."""
_WEBP_KEPT = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
GPS = "place (GPS)"
_TIFF_TAGS = {
    **dict.fromkeys((270, 37510, 40092), "comment"),
    **dict.fromkeys((271, 272, 305, 306, 315, 316, 33432, 34665, 40093), "EXIF"),
    700: "XMP",
    **dict.fromkeys((33723, 34377), "IPTC"),
}
"""Of image file directory 0: description, notes; maker, model, software, time, artist, host, copyright,
EXIF's own directory, author; XMP; IPTC and Photoshop's block that holds it."""


def jpeg_orientation(data: bytes) -> int:
    """Returns the orientation (1 to 8) from a JPEG file's EXIF, else from its XMP, else 1."""
    xmp = b""
    for kind, start, end in _segments(data, scans=False):
        if kind != _APP1:
            continue
        content = data[start + 4 : end]
        if content.startswith(b"Exif\0\0"):
            found = _tiff_orientation(content[6:])
            if found is not None:
                return found if 1 <= found <= 8 else 1
        elif content.startswith(_XMP):
            xmp = xmp or content
    said = _XMP_ORIENTATION.search(xmp)
    return int(said[1]) if said and 1 <= int(said[1]) <= 8 else 1


def _tiff_orientation(tiff: bytes) -> int | None:
    """EXIF 2.32, section 4.6: a TIFF header, then the tags of image file directory 0."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2], "")
    if not order:
        return None
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind, values = struct.unpack_from(order + "HHI", tiff, entry)
            if tag == _ORIENTATION:
                if kind not in _INTEGERS or values != 1:
                    return 1
                return int(struct.unpack_from(order + _INTEGERS[kind], tiff, entry + 8)[0])
    except struct.error:  # a damaged directory has no information about the picture
        return None
    return None


def private_metadata(data: bytes) -> tuple[str, ...]:
    """Returns the kinds of metadata in a picture's file that may identify a person, sorted by name.

    For a damaged file, those that can be found.
    """
    if is_dicom(data):
        return (PRIVATE,)
    if data[:3] == b"\xff\xd8\xff" and not _TOLD & {
        kind for kind, *_ in _segments(data, scans=False)
    }:
        return ()  # most JPEG files; this avoids opening each again
    found: set[str] = set()
    if data[:8] == _PNG:
        texts = {b"tEXt", b"zTXt", b"iTXt"} & {name for name, _, _ in _png_chunks(data)}
        found |= {"comment"} if texts else set()
    try:
        with Image.open(io.BytesIO(data)) as image:
            exif, info = Image.Image.getexif(image), image.info
            found |= {name for tag, name in _TIFF_TAGS.items() if tag in exif}
            found |= {GPS} if exif.get_ifd(ExifTags.IFD.GPSInfo) else set()
            found |= {"XMP"} if info.get("xmp") or info.get("XML:com.adobe.xmp") else set()
            found |= {"IPTC"} if info.get("photoshop") else set()
            found |= {"comment"} if info.get("comment") else set()
    except Exception:  # a damaged file makes Pillow's readers raise nearly any exception
        return tuple(sorted(found))
    return tuple(sorted(found))


def without_metadata(data: bytes) -> bytes | None:
    """Returns the file with only its pixels, their colours and the orientation. The pixels are unchanged.

    None for an unsupported format (TIFF, HEIC, ...), or an incomplete file.
    """
    if data[:3] == b"\xff\xd8\xff":
        return _jpeg_without(data)
    if data[:8] == _PNG:
        return _png_without(data)
    if data[:4] == b"RIFF" and data[8:12] == _WEBP:
        return _webp_without(data)
    return None


def _segments(data: bytes, *, scans: bool = True) -> Iterator[tuple[int, int, int]]:
    """Yields (kind, start, end) of a JPEG's segments up to the end mark of its first picture; without `scans` only up
    to its first scan, which most of the file follows.

    ISO 10918-1, annex B.1.1: a segment is 0xff, its kind, and its length including the two length bytes. A scan's
    segment is followed by coded pixels, in which 0xff precedes 0 or a restart mark.
    """
    place = 2
    while 0 <= place < len(data) - 1 and data[place] == 0xFF:
        kind, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4])
        if kind == 0xFF:  # a fill byte
            place += 1
            continue
        if kind in (0, _END) or length < 2:
            yield kind, place, place + 2
            return
        end = place + 2 + length
        if kind == _SCAN:
            if not scans:
                return
            end = _next_segment(data, end)
        yield kind, place, end
        place = end


def _next_segment(data: bytes, place: int) -> int:
    found = _NO_PIXELS.search(data, place)
    return found.start() if found else len(data)


def _jpeg_without(data: bytes) -> bytes | None:
    """Keeps only the APPn segments JFIF, Adobe's (the colour space) and the colour profile. Everything after the end
    mark is removed: further pictures with metadata, a video, a camera's additions."""
    kept, kind = [data[:2]], 0
    for kind, start, end in _segments(data):
        content = data[start + 4 : end]
        if kind == _APP0 and content[:5] == b"JFIF\0":
            kept.append(b"\xff\xe0\0\x10" + content[:12].ljust(12, b"\0") + b"\0\0")  # no thumbnail
        elif (
            (kind == _APP2 and content[:12] == b"ICC_PROFILE\0")
            or (kind == _APP14 and content[:5] == b"Adobe")
            or not (_APP0 <= kind <= _APP15 or kind == _COMMENT)
        ):
            kept.append(data[start:end])
    orientation = jpeg_orientation(data)
    if orientation != 1:
        content = b"Exif\0\0" + _tiff(orientation)
        at = 2 if len(kept) > 1 and kept[1][1] == _APP0 else 1
        kept.insert(at, b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content)
    return b"".join(kept) if kind == _END else None


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yields (name, start, end) of each complete chunk; PNG specification, section 5.3."""
    place = 8
    while place + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if end > len(data):
            return
        yield name, place, end
        place = end
        if name == b"IEND":
            return


def _png_without(data: bytes) -> bytes | None:
    orientation, kept, name = _orientation(data), [data[:8]], b""
    for name, start, end in _png_chunks(data):
        if name[:1].isupper() or name in _PNG_KEPT:
            kept.append(data[start:end])
        if name == b"IHDR" and orientation != 1:
            content = b"eXIf" + _tiff(orientation)
            mark = struct.pack(">I", zlib.crc32(content))
            kept.append(struct.pack(">I", len(content) - 4) + content + mark)
    return b"".join(kept) if name == b"IEND" else None


def _webp_without(data: bytes) -> bytes | None:
    """WebP container specification: chunks of even length; VP8X has a flag for each kind of metadata."""
    orientation, place, kept = _orientation(data), 12, [_WEBP]
    stop = 8 + int.from_bytes(data[4:8], "little")
    while place + 8 <= min(stop, len(data)):
        name, length = struct.unpack_from("<4sI", data, place)
        chunk = data[place : place + 8 + length + length % 2]
        if len(chunk) < 8 + length:
            return None
        place += len(chunk)
        if name == b"VP8X" and length:
            flags = chunk[8] & ~0b1100 | (0b1000 if orientation != 1 else 0)
            chunk = chunk[:8] + bytes([flags]) + chunk[9:]
        if name in _WEBP_KEPT:
            kept.append(chunk)
    if orientation != 1:
        content = _tiff(orientation)
        kept.append(b"EXIF" + struct.pack("<I", len(content)) + content)
    body = b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body if place >= stop else None


def _orientation(data: bytes) -> int:
    try:
        with Image.open(io.BytesIO(data)) as image:
            found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # see private_metadata
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _tiff(orientation: int) -> bytes:
    """Returns EXIF that holds only the orientation."""
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, _ORIENTATION, 3, 1, orientation, 0, 0)
