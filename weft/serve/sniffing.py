"""Detects the type of a file from its bytes. Names and headers of a request are not trusted."""

from weft.core.kinds import Kind

_PICTURES = (
    b"\xff\xd8\xff",  # JPEG
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",  # TIFF
    b"BM",
    b"\0\0\1\0",  # ICO
    b"\0\0\0\x0cjP  ",
    b"\xff\x4f\xff\x51",  # JPEG 2000
    b"qoif",
    b"8BPS",
    b"DDS ",
)
_SOUNDS = (b"fLaC", b".snd", b"caff", b"ID3", b"#!AMR")
_FILMS = (
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"FLV\x01",
    b"\x30\x26\xb2\x75",  # ASF
    b"\0\0\1\xba",
    b"\0\0\1\xb3",  # MPEG
)
_STILL_BRANDS = (
    b"avif",
    b"avis",
    b"heic",
    b"heix",
    b"heim",
    b"heis",
    b"hevc",
    b"hevx",
    b"mif1",
    b"msf1",
)
_SOUND_BRANDS = (b"M4A ", b"M4B ")
_TEXTS = (
    (b"<svg", "an SVG drawing"),
    (b"<html", "a web page"),
    (b"<!doctype html", "a web page"),
    (b"<script", "a script"),
    (b"<?xml", "an XML document"),
    (b"%pdf", "a PDF document"),
    (b"%!ps", "a PostScript program"),
    (b"#!", "a script"),
)
_OTHERS = (
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"MZ", "a program"),
    (b"\x7fELF", "a program"),
    (b"\x80\x04", "a pickle"),
    (b"Rar!", "a rar archive"),
)


def kinds_of(data: bytes) -> frozenset[Kind]:
    """Returns the kinds that a file with this beginning may hold; empty if it is unknown.

    A film may be read as a sound, since it may have a sound track.
    """
    found: set[Kind] = set()
    if data.startswith(_PICTURES) or data[128:132] == b"DICM" or _is_pnm(data):
        found.add("image")
    if data.startswith(_SOUNDS) or _is_frame_of_sound(data):
        found.add("audio")
    if data.startswith(_FILMS) or data[:1] == b"G" == data[188:189]:
        found |= {"video", "audio"}
    if data.startswith(b"\x93NUMPY"):
        found.add("array")
    if data.startswith(b"OggS"):
        found |= {"audio", "video"}
    if data[:4] in (b"RIFF", b"RF64", b"FORM"):
        found |= _in_chunks(data[8:12])
    if data[4:8] == b"ftyp":
        found |= _of_brand(data[8:12])
    if data.startswith((b"GIF87a", b"GIF89a")):
        found.add("video")
    return frozenset(found)


def noun_of(data: bytes) -> str:
    """Returns the common name of the type."""
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for begin, noun in _TEXTS:
        if head.startswith(begin):
            return "an SVG drawing" if b"<svg" in head else noun
    for begin, noun in _OTHERS:
        if data.startswith(begin):
            return noun
    kinds = kinds_of(data)
    for kind, noun in (
        ("image", "a picture"),
        ("video", "a video"),
        ("audio", "a sound"),
        ("array", "an array"),
    ):
        if kind in kinds:
            return noun
    return "of no known format"


def _in_chunks(form: bytes) -> set[Kind]:
    if form == b"WEBP":
        return {"image"}
    if form == b"AVI ":
        return {"video", "audio"}
    return {"audio"} if form in (b"WAVE", b"AIFF", b"AIFC") else set()


def _of_brand(brand: bytes) -> set[Kind]:
    if brand in _STILL_BRANDS:
        return {"image"}
    return {"audio"} if brand in _SOUND_BRANDS else {"video", "audio"}


def _is_pnm(data: bytes) -> bool:
    return (
        data[:1] == b"P"
        and data[1:2] in (b"1", b"2", b"3", b"4", b"5", b"6")
        and data[2:3].isspace()
    )


def _is_frame_of_sound(data: bytes) -> bool:
    """Whether the bytes begin a frame of MP3 or AAC: eleven or twelve set bits."""
    return (
        len(data) > 3
        and data[0] == 0xFF
        and data[1] & 0xE0 == 0xE0
        and data[1] != 0xFF
        and data[1] != 0xD8
    )
