"""What a caller may give: every form of input for each of the four modalities, read or refused in one line."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_media import RATE, bursts, film, sound_file
from PIL import Image

from weft.core.errors import WeftError
from weft.core.interfaces import Modality
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats import open_dataset
from weft.data.formats._tar_writer import write_shard
from weft.inference.given import given
from weft.modalities.audio import AudioConfig
from weft.modalities.image import ImageConfig
from weft.modalities.ngrams import NgramsConfig
from weft.modalities.video import VideoConfig

PIXELS = np.full((12, 10, 3), 80, np.uint8)
FRAMES = np.stack([PIXELS] * 4)
SAMPLES = bursts(1, 0.5)


def png() -> bytes:
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG")
    return out.getvalue()


CONTENT = {"image": png(), "audio": sound_file(SAMPLES), "video": film(4, 8, (16, 16))}
SUFFIX = {"image": "png", "audio": "wav", "video": "mp4"}
MODALITIES: dict[str, Modality] = {
    "image": ImageConfig(size=8).build(),
    "audio": AudioConfig(rate=RATE).build(),
    "video": VideoConfig(image=ImageConfig(size=8)).build(),
    "text": NgramsConfig().build(),
}


def place(folder: Path, stream: str) -> Path:
    path = folder / f"a.{SUFFIX.get(stream, 'txt')}"
    path.write_bytes(CONTENT.get(stream, b"a dog"))
    return path


def cell(folder: Path, stream: str) -> Any:
    """What a table holds."""
    value = place(folder, stream).name if stream in SUFFIX else "a dog"
    (folder / "t.csv").write_text(f"{stream},label\n{value},x\n")
    return open_dataset(folder / "t.csv")[0].items[stream]


def member(folder: Path, stream: str) -> Any:
    """What a shard holds."""
    value = Media.encoded(CONTENT[stream], stream, SUFFIX[stream]) if stream in SUFFIX else "a dog"  # type: ignore[arg-type]
    write_shard([Sample("a", "a", {stream: value}, "s")], folder / "s.tar")
    return open_dataset(folder / "s.tar")[0].items[stream]


def with_rate(_: Path, stream: str) -> Any:
    content = {"audio": SAMPLES, "video": FRAMES}.get(stream, PIXELS)
    return {"array": content, "rate": RATE if stream == "audio" else 8}


FORMS: dict[str, Callable[[Path, str], Any]] = {
    "path as str": lambda folder, s: str(place(folder, s)) if s in SUFFIX else "a dog",
    "Path": place,
    "bytes": lambda _, s: CONTENT.get(s, b"a dog"),
    "Pillow": lambda _, __: Image.fromarray(PIXELS),
    "uint8 array": lambda _, s: FRAMES if s == "video" else PIXELS,
    "float array": lambda _, s: SAMPLES if s == "audio" else PIXELS / 255.0,
    "array of strings": lambda folder, s: np.array(
        [str(place(folder, s)) if s in SUFFIX else "a dog"]
    ),
    "tensor": lambda _, s: torch.from_numpy(
        SAMPLES if s == "audio" else PIXELS.transpose(2, 0, 1) / 255.0
    ),
    "mapping with a rate": with_rate,
    "list of frames": lambda _, __: [[Image.fromarray(PIXELS)] * 4],
    "table cell": cell,
    "shard member": member,
    "None": lambda _, __: None,
    "address": lambda _, __: "https://example.org/a.bin",
}
READ = {
    "image": {
        *("path as str", "Path", "bytes", "Pillow", "uint8 array", "float array", "tensor"),
        *("array of strings", "table cell", "shard member"),
    },
    "audio": {
        *("path as str", "Path", "bytes", "array of strings", "mapping with a rate"),
        *("table cell", "shard member"),
    },
    "video": {
        *("path as str", "Path", "bytes", "array of strings", "mapping with a rate"),
        *("list of frames", "table cell", "shard member"),
    },
    "text": {"path as str", "array of strings", "table cell", "shard member", "address"},
}


def load(stream: str, value: Any) -> Any:
    """What a run makes of the value."""
    found = given({stream: value}, MODALITIES)
    assert len(found.samples) == 1
    return found.sources[stream].load(0, train=False, generator=torch.Generator(), view=0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("stream", MODALITIES)
def test_every_form_is_read_or_refused_in_one_line(tmp_path: Path, stream: str, form: str) -> None:
    value = FORMS[form](tmp_path, stream)

    if form == "None":
        assert load(stream, value) is None
        return
    if form in READ[stream]:
        read = load(stream, value)
        if stream == "image":
            assert torch.equal(read, torch.full((3, 8, 8), 80, dtype=torch.uint8))
        elif stream == "audio":
            assert (
                read.shape
                == MODALITIES["audio"]
                .transform(  # type: ignore[attr-defined]
                    *[MODALITIES["audio"].decode(Media.sound(SAMPLES, RATE))],
                    train=False,
                    generator=torch.Generator(),
                )
                .shape
            )
        elif stream == "video":
            assert read.shape[1:] == (3, 8, 8)
        return
    with pytest.raises(WeftError) as caught:
        load(stream, value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("stream", "value", "message"),
    [
        ("image", torch.zeros(3, 9, 3), "channels may stand first or last"),
        ("image", PIXELS.transpose(2, 0, 1), "expected one picture"),
        ("image", 300.0 * PIXELS, "expected floating point from 0 to 1"),
        ("audio", SAMPLES, r"without a rate, expected {\"samples\": ..., \"rate\": 16000}"),
        ("audio", {"samples": SAMPLES}, "has the rate None, expected samples or frames a second"),
        ("audio", {"samples": SAMPLES, "rate": -1}, "has rate -1.0, expected samples"),
        ("audio", {"samples": SAMPLES[None], "rate": RATE}, "the samples stand first"),
        ("audio", {"sound": 1}, "has sound, expected"),
        (
            "video",
            [Image.fromarray(PIXELS)],
            "write the frames of one video as a list inside a list",
        ),
        ("video", {"frames": SAMPLES, "rate": 8}, "expected uint8 \\(frames, height, width, 3\\)"),
        ("audio", "s3://bucket/a.wav", "is an address, expected a file: download the sound first"),
        ("image", "no/such.png", "no/such.png: no such file"),
    ],
)
def test_what_may_be_meant_in_two_ways_is_refused(stream: str, value: Any, message: str) -> None:
    with pytest.raises(WeftError, match=message):
        load(stream, value)


def test_samples_are_those_of_the_file() -> None:
    read = [
        load("audio", value)
        for value in (
            {"samples": SAMPLES, "rate": RATE},
            {"array": SAMPLES, "sampling_rate": RATE, "path": None},
            {"samples": torch.from_numpy(SAMPLES), "rate": RATE},
            {"samples": SAMPLES.tolist(), "rate": RATE},
            {"bytes": sound_file(SAMPLES, subtype="FLOAT"), "path": None},
        )
    ]
    assert all(torch.allclose(one, read[0], atol=1e-4) for one in read)
