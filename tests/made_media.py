"""Encoded sounds and films that tests make: what is in them is known."""

import io
from fractions import Fraction

import av
import numpy as np
import soundfile

RATE = 16_000


def tone(
    seconds: float = 1.0, hertz: float = 440.0, rate: int = RATE, level: float = 0.5
) -> np.ndarray:
    """(S,) float32, getting higher with time, so that every place of it is different."""
    times = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * (hertz + 40 * times) * times)).astype(np.float32)


def bursts(seed: int, seconds: float = 1.0, level: float = 0.3) -> np.ndarray:
    """(S,) float32 noise that grows and fades at random: unlike that of any other seed."""
    draws = np.random.default_rng(seed)
    count = round(seconds * RATE)
    envelope = np.interp(np.arange(count), np.linspace(0, count, 12), draws.random(12) ** 2)
    return (level * envelope * draws.uniform(-1, 1, count)).astype(np.float32)


def sound_file(
    samples: np.ndarray, rate: int = RATE, format: str = "WAV", subtype: str | None = None
) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=format, subtype=subtype)
    return file.getvalue()


def film(
    frames: int = 30,
    rate: int = 10,
    size: tuple[int, int] = (64, 48),
    *,
    first: int = 0,
    sound: np.ndarray | None = None,
    sound_at: float = 0.0,
    times: list[float] | None = None,
    codec: str = "mpeg4",
    format: str = "mp4",
) -> bytes:
    """Frame n is grey, with brightness 10 (n % 25): `number_of` reads it back. first: number of the first frame. times: of the frames,
    in seconds. sound_at: when the sound begins."""
    file = io.BytesIO()
    with av.open(file, "w", format=format) as container:
        video = container.add_stream(codec, rate=rate)
        video.width, video.height = size
        video.gop_size = 12
        video.time_base = Fraction(1, 1000)
        video.codec_context.time_base = Fraction(1, 1000)
        audio = None
        if sound is not None:
            audio = container.add_stream("aac", rate=RATE, layout="mono")
        for n in range(frames):
            pixels = np.full((size[1], size[0], 3), 10 * ((first + n) % 25), np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = round(1000 * (n / rate if times is None else times[n]))
            frame.time_base = Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio is not None and sound is not None:
            whole = av.AudioFrame.from_ndarray(sound[None].astype(np.float32), "fltp", "mono")
            whole.sample_rate, whole.pts, whole.time_base = (
                RATE,
                round(sound_at * RATE),
                Fraction(1, RATE),
            )
            container.mux(audio.encode(whole))
            container.mux(audio.encode())
    return file.getvalue()


def number_of(frame: np.ndarray) -> int:
    """Which frame of `film` it is."""
    return round(float(frame.mean()) / 10)
