"""Empty, damaged, enormous and foreign files: pixels or one clear line, never a traceback."""

import io
import os
import socket
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from weft.core.errors import WeftError
from weft.core.media import Media, media_of
from weft.modalities import image_decoding
from weft.modalities.image import ImageConfig
from weft.modalities.image_decoding import read_image

LIMIT = 1_000_000


def photo(width: int = 96, height: int = 64, seed: int = 0) -> Image.Image:
    """Smooth colours with an upright direction."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "is empty"),
        (b"no picture at all", "not a picture in a known format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture in a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture in a known format"),
        (b"\xff\xd8\xff\xe0 a JPEG only at the start", "is truncated"),
        (b"\x89PNG\r\n\x1a\n", "truncated|known format"),
        (Path("/no/such/photo.jpg"), "no such file: /no/such/photo.jpg"),
        (Path("/"), "cannot be read"),
        (np.zeros((4, 4), np.uint8), r"array of uint8 \(4, 4\), expected uint8 of shape"),
        (np.zeros((4, 4, 3), np.float32), "array of float32"),
        (np.zeros((0, 4, 3), np.uint8), r"\(0, 4, 3\), expected"),
    ],
)
def test_bad_pictures_are_one_clear_line(raw: object, message: str) -> None:
    with pytest.raises(WeftError, match=message) as caught:
        read_image(media_of(raw, "image").load(), max_pixels=LIMIT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("photo.jpg", "is a str, expected a Media of kind image"),
        (None, "is a NoneType, expected a Media of kind image"),
        (Path("a.jpg"), "is a PosixPath, expected a Media of kind image"),
        (Media.file(Path("a.wav")), "a.wav is of kind audio, expected image"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_kind(raw: object, message: str) -> None:
    with pytest.raises(WeftError, match=message):
        ImageConfig().build().decode(raw)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["a named pipe", "a socket", "a device", "a folder"])
def test_what_is_no_file_is_named_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    match kind:
        case "a named pipe":
            os.mkfifo(path)
        case "a socket":
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(str(path))
        case "a device":
            path.symlink_to("/dev/zero")  # without end
        case _:
            path.mkdir()
    with pytest.raises(WeftError, match=rf"0.png cannot be read: is {kind}, expected a file$"):
        Media.file(path).load()


def test_a_file_of_more_bytes_than_a_picture_has(tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no room on the disk
    with pytest.raises(WeftError, match="holds more than the limit of 536,870,912 bytes"):
        Media.file(path).load()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_jpeg_without_its_end_mark_is_whole(options: dict[str, object]) -> None:
    """As Pillow reads it. Once pixels are missing as well, it is refused."""
    data = encoded(photo(300, 200), "JPEG", quality=90, **options)  # type: ignore[arg-type]
    whole = read_image(data, max_pixels=LIMIT)
    for cut in (1, 2):
        assert np.array_equal(read_image(data[:-cut], max_pixels=LIMIT), whole)
    for cut in (10, 50, 500):
        with pytest.raises(WeftError, match="truncated"):
            read_image(data[:-cut], max_pixels=LIMIT)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated_pictures_are_refused(format: str, share: float) -> None:
    data = encoded(photo(300, 200), format)
    with pytest.raises(WeftError, match=r"truncated|cannot be decoded"):
        read_image(data[: int(len(data) * share)], max_pixels=LIMIT)


def test_jpeg_whose_middle_is_missing_is_refused() -> None:
    """It ends as it should, so that Pillow would fill the rest with grey."""
    data = encoded(photo(300, 200), "JPEG")
    with pytest.raises(WeftError, match="truncated"):
        read_image(data[: len(data) // 2] + b"\xff\xd9", max_pixels=LIMIT)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "CMYK"])
def test_bombs_are_refused_before_they_are_decoded(
    format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.new("CMYK" if format == "CMYK" else "RGB", (2000, 1000))
    data = encoded(image, "JPEG" if format == "CMYK" else format)

    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("the picture was decoded")

    monkeypatch.setattr(image_decoding.simplejpeg, "decode_jpeg", fail)
    monkeypatch.setattr(Image.Image, "load", fail)
    with pytest.raises(WeftError, match="2000 x 1000 pixels, more than max_pixels = 1000000"):
        read_image(data, max_pixels=LIMIT)


def bomb(side: int) -> bytes:
    """A PNG whose header promises side x side pixels."""
    data = bytearray(encoded(Image.new("1", (8, 8)), "PNG"))
    data[16:24] = struct.pack(">II", side, side)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


@pytest.mark.parametrize(
    ("side", "message"),
    [(10_000, "10000 x 10000 pixels, more than max_pixels"), (15_000, "more pixels than Pillow")],
)
def test_pillows_own_bomb_warning_and_error_do_not_leak(side: int, message: str) -> None:
    with pytest.raises(WeftError, match=message):
        read_image(bomb(side), max_pixels=LIMIT)


def test_threads_stay_quiet() -> None:
    """Warnings are errors here, and their filters belong to all threads."""
    data = bomb(10_000)

    def refuse(_: int) -> str:
        with pytest.raises(WeftError) as caught:
            read_image(data, max_pixels=LIMIT)
        return str(caught.value)

    with ThreadPoolExecutor(8) as pool:
        messages = set(pool.map(refuse, range(200)))
    assert messages == {"picture has 10000 x 10000 pixels, more than max_pixels = 1000000"}


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"]),
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
)
def test_damaged_files_give_pixels_or_a_weft_error(format: str, seed: int, flips: int) -> None:
    rng = np.random.default_rng(seed)
    data = np.frombuffer(encoded(photo(40, 30), format), dtype=np.uint8).copy()
    places = rng.integers(0, len(data), flips)
    data[places] = rng.integers(0, 256, flips)
    try:
        pixels = read_image(data.tobytes(), max_pixels=LIMIT)
    except WeftError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3


PEAK = """
import resource, sys
from pathlib import Path
from weft.modalities.image_decoding import read_image

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
pixels = read_image(Path(sys.argv[1]).read_bytes(), max_pixels=10**8)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / pixels.nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kB on Linux alone")
@pytest.mark.parametrize("mode", ["I;16", "RGBA", "P", "CMYK"])
def test_decoding_takes_few_times_the_memory_of_the_pixels(mode: str, tmp_path: Path) -> None:
    side = 6000
    grey = Image.linear_gradient("L").resize((side, side))
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    else:
        picture = grey.convert("RGB" if mode == "CMYK" else mode).convert(mode)
    path = tmp_path / "large"
    picture.save(
        path,
        "TIFF" if mode == "CMYK" else "PNG",
        **({"compress_level": 1} if mode != "CMYK" else {}),
    )
    words = [sys.executable, "-c", PEAK, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=True)
    assert float(done.stdout) < 3.2
