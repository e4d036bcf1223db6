"""Sounds of every format: the samples, the part that is asked for, and one line for what cannot be read."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from made_media import RATE, film, sound_file, tone

from weft.core.errors import WeftError
from weft.core.media import Media
from weft.modalities.audio import AudioConfig
from weft.modalities.audio_decoding import _source, read_sound, resampled, sound_facts
from weft.modalities.audio_transforms import SoundChangesConfig

ENCODINGS = {
    "8 bit": ("WAV", "PCM_U8", 0.01),
    "16 bit": ("WAV", "PCM_16", 1e-4),
    "24 bit": ("WAV", "PCM_24", 1e-6),
    "32 bit": ("WAV", "PCM_32", 1e-6),
    "float": ("WAV", "FLOAT", 0.0),
    "double": ("WAV", "DOUBLE", 1e-7),
    "flac": ("FLAC", "PCM_16", 1e-4),
    "aiff": ("AIFF", "PCM_16", 1e-4),
    "ogg": ("OGG", "VORBIS", 0.05),
    "opus": ("OGG", "OPUS", 0.2),
    "mp3": ("MP3", "MPEG_LAYER_III", 0.1),
}


def encoded(name: str, samples: np.ndarray, rate: int = RATE) -> Media:
    format, subtype, _ = ENCODINGS[name]
    return Media.encoded(sound_file(samples, rate, format, subtype), "audio")


@pytest.mark.parametrize("name", ENCODINGS)
def test_what_was_written_is_read(name: str) -> None:
    samples = tone()
    media = encoded(name, samples)
    assert sound_facts(media).rate == RATE or name == "opus"
    assert sound_facts(media).seconds == pytest.approx(1.0, abs=0.1)
    found = read_sound(media, RATE)
    assert found.dtype == np.float32
    near = np.abs(found[: len(samples)] - samples[: len(found)])
    assert np.median(near) <= ENCODINGS[name][2]


@pytest.mark.parametrize("name", ["16 bit", "flac", "ogg", "mp3"])
def test_a_part_is_that_of_the_whole(name: str) -> None:
    media = encoded(name, tone(3.0))
    whole = read_sound(media, RATE)
    for start, seconds in ((0.0, 0.5), (1.25, 0.5), (2.5, 2.0)):
        part = read_sound(media, RATE, offset=start, seconds=seconds)
        first = round(start * RATE)
        expected = whole[first : first + round(seconds * RATE)]
        assert abs(len(part) - len(expected)) <= 1
        count = min(len(part), len(expected))
        np.testing.assert_allclose(part[:count], expected[:count], atol=2e-3)
    inner = read_sound(media.part(1.0, 2.0), RATE, offset=0.25, seconds=0.5)
    np.testing.assert_allclose(inner, whole[20_000:28_000], atol=2e-3)


@pytest.mark.parametrize("name", ["16 bit", "flac", "ogg", "mp3"])
def test_consecutive_parts_of_an_open_file_and_again(name: str) -> None:
    """The reader goes on from where it is, and seeks back to the start."""
    media = encoded(name, tone(3.0))
    whole = read_sound(media, RATE)
    with _source(media) as source:
        for start in (0.0, 0.5, 1.0, 0.0, 0.5):
            part = source.read(start, 0.5)[:, 0]
            first = round(start * RATE)
            np.testing.assert_allclose(part, whole[first : first + len(part)], atol=2e-3)
            assert len(part) == 0.5 * RATE


def test_the_sound_track_of_a_film_and_its_parts() -> None:
    media = Media.encoded(film(30, sound=tone(3.0)), "video").of_kind("audio")
    whole = read_sound(media, RATE)
    assert len(whole) == pytest.approx(3 * RATE, abs=2100)
    part = read_sound(media, RATE, offset=1.0, seconds=0.5)
    np.testing.assert_allclose(part, whole[RATE : RATE + 8000], atol=1e-3)
    # AAC is not exact, but neither early nor late.
    lags = np.correlate(whole[2000:10_000], tone(3.0)[3000:9000], "valid")
    assert abs(int(lags.argmax()) - 1000) <= 2


def test_a_track_that_begins_later_is_read_to_its_end() -> None:
    media = Media.encoded(film(60, sound=tone(4.0), sound_at=2.0), "video").of_kind("audio")
    assert sound_facts(media).seconds == pytest.approx(6.0, abs=0.15)
    found = read_sound(media, RATE)
    assert len(found) == pytest.approx(6 * RATE, abs=2500)
    assert np.abs(found[: 2 * RATE - 2000]).max() < 0.01
    assert np.abs(found[5 * RATE : 5 * RATE + 8000]).max() > 0.3


def test_a_window_lies_in_what_is_decoded(tmp_path: Path) -> None:
    """A header may say that the sound is longer; the second reading, which is kept in memory, is the first."""
    path = tmp_path / "short.mkv"
    path.write_bytes(film(60, sound=tone(3.97), format="matroska"))
    audio = AudioConfig(rate=RATE, seconds=1.0).build()
    media = Media.file(path).of_kind("audio")

    def windows() -> list[torch.Tensor]:
        seeds = (torch.Generator().manual_seed(seed) for seed in range(12))
        return [audio.transform(audio.decode(media), train=True, generator=g) for g in seeds]

    first, again = windows(), windows()
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert len({len(window) for window in first}) == 1


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_become_their_mean(channels: int) -> None:
    samples = np.stack([tone(0.2, 200.0 * (n + 1)) for n in range(channels)], 1)
    found = read_sound(Media.encoded(sound_file(samples), "audio"), RATE)
    np.testing.assert_allclose(found, samples.mean(1), atol=1e-4)


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100, 96_000])
def test_other_rates_are_resampled_without_aliasing(rate: int) -> None:
    times = np.arange(rate) / rate
    low, high = (np.sin(2 * np.pi * f * times).astype(np.float32) for f in (440, 0.4 * rate))
    found = read_sound(Media.sound(low, rate), RATE)
    assert len(found) == pytest.approx(RATE, abs=2)
    expected = np.sin(2 * np.pi * 440 * np.arange(len(found)) / RATE)
    np.testing.assert_allclose(found[800:-800], expected[800:-800], atol=5e-3)
    if 0.4 * rate > RATE / 2:
        assert np.abs(resampled(high, rate, RATE)[800:-800]).max() < 1e-2


def test_whole_numbers_are_shares_of_full_scale() -> None:
    for dtype, value in ((np.int16, 2**14), (np.int32, 2**30), (np.uint8, 192)):
        array = np.full(100, value, dtype)
        np.testing.assert_allclose(read_sound(Media.sound(array, RATE), RATE), 0.5, atol=1e-6)


WRONG: dict[str, tuple[Callable[[], Media], str]] = {
    "a text named .wav": (lambda: Media.encoded(b"hello, I am no sound", "audio"), "not a sound"),
    "nothing": (lambda: Media.encoded(b"", "audio"), "empty \\(0 bytes\\)"),
    "no samples": (lambda: encoded("16 bit", tone(0)), "empty \\(0 samples\\)"),
    "a header alone": (lambda: Media.encoded(sound_file(tone())[:40], "audio"), "cannot be|empty"),
    "a silent film": (lambda: Media.encoded(film(5), "audio"), "no sound track, it holds: video"),
    "no numbers": (lambda: Media.sound(np.full(99, np.nan, np.float32), 9), "not finite"),
    "numbers of another scale": (
        lambda: Media.sound(np.full(99, 20000.0, np.float32), RATE),
        "float32 up to 20000, expected at most 1",
    ),
    "numbers of 64 bits": (
        lambda: Media.sound(np.full(99, 20000, np.int64), RATE),
        "samples of int64, expected float, int16, int32 or uint8",
    ),
    "a part behind the end": (lambda: encoded("flac", tone()).part(5), "begins at 5 s"),
    "no such file": (lambda: Media.file(Path("/no/such.wav")), "no such file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_one_line_for_what_cannot_be_read(name: str) -> None:
    make, message = WRONG[name]
    with pytest.raises(WeftError, match=message) as caught:
        read_sound(make(), RATE)
    assert "\n" not in str(caught.value)


def test_a_truncated_sound_gives_what_is_there_or_one_line() -> None:
    for name in ENCODINGS:
        data = encoded(name, tone(2.0)).read()
        for share in (0.1, 0.5, 0.9):
            with contextlib.suppress(WeftError):
                found = read_sound(Media.encoded(data[: int(share * len(data))], "audio"), RATE)
                assert np.isfinite(found).all()


def test_a_recording_is_not_read_whole(tmp_path: Path) -> None:
    """A window of a long file reads little more than the window."""
    path = tmp_path / "long.wav"
    path.write_bytes(sound_file(np.tile(tone(1.0), 120)))

    class Counting:
        def __init__(self) -> None:
            self.file, self.count = path.open("rb"), 0

        def read(self, size: int = -1) -> bytes:
            data = self.file.read(size)
            self.count += len(data)
            return data

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

        def __enter__(self) -> "Counting":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

    opened: list[Counting] = []

    class Place:
        def open(self) -> Counting:
            opened.append(Counting())
            return opened[-1]

    media = Media("audio", Place(), "wav")  # type: ignore[arg-type]
    assert len(read_sound(media, RATE, offset=60, seconds=1)) == RATE
    assert opened[0].count < 200_000


def test_noise_of_evaluation_has_its_ratio_and_is_the_same_each_time() -> None:
    samples = tone(1.0)
    media = Media.encoded(sound_file(samples), "audio")
    generator = torch.Generator()
    config = AudioConfig(rate=RATE, output="waveform")
    clean = config.build()
    noisy = config.replace(eval_noise=6.0).build()
    first, again = (
        noisy.transform(noisy.decode(media), train=False, generator=generator) for _ in range(2)
    )
    assert torch.equal(first, again)
    plain = clean.transform(clean.decode(media), train=False, generator=generator)
    ratio = 10 * torch.log10(plain.square().mean() / (first - plain).square().mean())
    assert ratio.item() == pytest.approx(6.0, abs=0.2)
    in_training = noisy.transform(noisy.decode(media), train=True, generator=generator)
    assert torch.equal(in_training, plain)


@pytest.mark.parametrize("decibels", [float("nan"), float("inf"), -1e300, 4000.0])
def test_noise_is_in_decibels_that_can_be_computed(decibels: float) -> None:
    with pytest.raises(ValueError, match="eval_noise is .* expected decibels from -200 to 200"):
        AudioConfig(eval_noise=decibels)
    with pytest.raises(ValueError, match="noise.* is .* expected decibels from -200 to 200"):
        SoundChangesConfig(noise=(decibels, decibels))


def test_what_soundfile_refuses_is_read_from_its_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ogg with a codec that libsndfile does not know: it has read a part of the file when that is seen."""
    path = tmp_path / "a.ogg"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 600_000), 16_000)
    assert path.stat().st_size > 140_000
    known = read_sound(Media.file(path), 16_000)

    def refuse(file: int, **_: object) -> None:
        os.read(file, 1000)
        raise soundfile.LibsndfileError(1)

    monkeypatch.setattr(soundfile, "SoundFile", refuse)
    found = read_sound(Media.file(path), 16_000)
    assert np.abs(found[: len(known)] - known).max() < 1e-3
