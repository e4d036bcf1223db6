"""Uploads that mean no good: bombs, cut files, files of two kinds, scripts, wrong kinds, absurd headers."""

import functools
import io
import random
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from asking import png
from made_media import sound_file, tone
from PIL import Image


def uploads(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Name of what it is, and its content; the same for the same seed."""
    generator = random.Random(seed)
    makers = (
        _bomb,
        _cut,
        _polyglot,
        _script,
        _wrong_kind,
        _empty,
        _absurd_header,
        _noise_behind_a_mark,
        _flipped,
        _containers,
    )
    for number in range(count):
        maker = makers[number % len(makers)]
        yield maker.__name__.strip("_"), maker(generator)


def pictures() -> list[bytes]:
    """One of each common format."""
    image = Image.open(io.BytesIO(png(0, 32)))
    found = []
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "ICO", "PPM", "JPEG2000"):
        out = io.BytesIO()
        image.save(out, kind)
        found.append(out.getvalue())
    return found


def sound() -> bytes:
    return sound_file(tone(0.2, 200.0))


def png_of(width: int, height: int, data: bytes = b"", depth: int = 8, colour: int = 2) -> bytes:
    """A PNG whose header says this size, and whose data need not agree."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", data or zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def _bomb(generator: random.Random) -> bytes:
    side = generator.choice((20_000, 50_000, 65_535, 2**31 - 1))
    if generator.random() < 0.3:
        return _true_bomb()
    if generator.random() < 0.3:
        return _deep_tiff()
    return png_of(side, generator.choice((1, 20_000, side)))


@functools.cache
def _true_bomb() -> bytes:
    """100 megapixels of nothing in few bytes."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(10_001)) for _ in range(10_000))
    return png_of(10_000, 10_000, rows + packer.flush(), 8, 0)


@functools.cache
def _deep_tiff() -> bytes:
    out = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(out, "TIFF", compression="group4")
    return out.getvalue()


def _cut(generator: random.Random) -> bytes:
    whole = generator.choice([*pictures(), sound()])
    return whole[: generator.randrange(1, len(whole))]


def _polyglot(generator: random.Random) -> bytes:
    tail = generator.choice((b"<script>alert(1)</script>", b"PK\x03\x04" + bytes(30), b"%PDF-1.4"))
    whole = generator.choice(pictures())
    return generator.choice((whole + tail, tail + whole, b"GIF89a/*" + tail + b"*/=1;"))


def _script(generator: random.Random) -> bytes:
    return generator.choice(
        (
            b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"></svg>',
            b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><svg>&y;</svg>',
            b"<html><script>alert(1)</script></html>",
            b"#!/bin/sh\nrm -rf /\n",
            b"%!PS\n(/etc/passwd) (r) file\n",
            b"\xef\xbb\xbf <svg/onload=alert(1)>",
            b"#EXTM3U\nhttp://127.0.0.1/x.ts\n",
            b"ffconcat version 1.0\nfile /etc/passwd\n",
            b"push graphic-context\nimage over 0,0 0,0 'https://127.0.0.1/x'\n",
        )
    )


def _wrong_kind(generator: random.Random) -> bytes:
    out = io.BytesIO()
    np.save(out, np.zeros((3, 3)))
    return generator.choice((sound(), out.getvalue(), b"PK\x03\x04", b"MZ", b"\x7fELF", b"plain"))


def _empty(generator: random.Random) -> bytes:
    return bytes(generator.randrange(3))


def _absurd_header(generator: random.Random) -> bytes:
    return generator.choice(
        (
            png_of(0, 0),
            png_of(2**32 - 1, 2**32 - 1),
            png_of(10, 10, b"no zlib"),
            png_of(100, 100, zlib.compress(b"")),
            b"BM" + struct.pack("<IHHIIiiHHI", 54, 0, 0, 54, 40, 2**31 - 1, -(2**31), 1, 24, 0),
            b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(10),
            b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03" + bytes(20),
            b"P6 99999999 99999999 255\n",
            b"P6 -1 5 255\n",
            b"qoif" + struct.pack(">II", 2**31, 2**31) + b"\x03\x00",
            b"8BPS\x00\x01" + bytes(6) + struct.pack(">HIIHH", 3, 30000, 30000, 8, 3),
            b"RIFF\xff\xff\xff\xffWEBPVP8 " + bytes(30),
        )
    )


def _noise_behind_a_mark(generator: random.Random) -> bytes:
    mark = generator.choice((*(one[:16] for one in pictures()), sound()[:44], b"\x1aE\xdf\xa3"))
    return mark + generator.randbytes(generator.randrange(2000))


def _flipped(generator: random.Random) -> bytes:
    whole = bytearray(generator.choice([*pictures(), sound()]))
    for _ in range(generator.randrange(1, 30)):
        whole[generator.randrange(len(whole))] = generator.randrange(256)
    return bytes(whole)


def _containers(generator: random.Random) -> bytes:
    return generator.choice(
        (
            struct.pack(">I", 2**31 - 1) + b"ftypisom" + bytes(100),
            b"\x00\x00\x00\x18ftypmp42" + bytes(20) + b"\xff\xff\xff\xffmoov" + bytes(100),
            b"OggS" + bytes(200),
            b"fLaC\x00\x00\x00\x22" + b"\xff" * 34,
            b"RIFF\xff\xff\xff\xffWAVEfmt \x10\x00\x00\x00\x01\x00\xff\xff" + b"\xff" * 30,
            b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(100),
            b"FORM\x00\x00\x00\x10AIFFCOMM" + b"\xff" * 30,
        )
    )
