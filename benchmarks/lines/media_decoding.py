"""Sounds to log-mel frames beside librosa, frames of videos beside decord and torchcodec, and an epoch over videos.

librosa loads a sound (soundfile decodes, soxr brings it to 16 kHz) and makes 64 mel bands of 25 ms windows every
10 ms in decibels; ours gives natural logarithms of the same. decord and torchcodec give the frames shown at the same
times as ours, in the size of the video: eight of them evenly spaced, or all. Every side opens each file anew, and
nothing is kept between rounds. Of sounds and frames the processor time of the process is compared. Peers that are not installed are named and left out.

The epoch trains a transformer over time on the frames of videos through a frozen MobileNetV2 at 96 px (random
weights, 25 frames a video, batches of 16, fp32): from cached features of the frames, or through the frozen encoder
every time. Decoded frames are kept in memory on both sides, as by default.

Sounds and videos are those of ESC-10 and GRID where the folder of data is there (WEFT_DATA, or ../shared/data), and
made ones otherwise: sweeps as FLAC at 44.1 kHz, and moving noise as H.264 of 160 x 128.
"""

import importlib
import io
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.measure import Comparison, Setting, alternate, faster, seconds
from weft.core.media import Media
from weft.core.records import Features
from weft.core.samples import Sample
from weft.data.columns import ModalitySource, Source
from weft.data.features import CacheConfig, CachedFeatures, cache_features
from weft.data.loader import Loader
from weft.encoders.frozen import FrozenConfig
from weft.encoders.mobilenet import MobileNetV2Config
from weft.encoders.over_time import CachedOverTime, OverTimeConfig
from weft.encoders.pictures import PicturesEncoderConfig
from weft.modalities.audio_decoding import read_sound
from weft.modalities.frame_sampling import FrameSamplingConfig
from weft.modalities.image import ImageConfig
from weft.modalities.spectrogram import Spectrogram, SpectrogramConfig
from weft.modalities.video import VideoConfig
from weft.modalities.video_decoding import read_frames, video_facts
from weft.recipes._data import folder as data_folder

RATE, MELS = 16_000, 64
SOUNDS, VIDEOS, TRAINED = 40, 16, 32
FEW, SIDE, FRAMES, DIM, BATCH = 8, 96, 25, 128, 16


def measure(setting: Setting) -> list[Comparison]:
    with tempfile.TemporaryDirectory() as folder:
        sounds, heard = recordings("esc10/audio", SOUNDS, Path(folder), made_sound, "flac")
        videos, seen = recordings("grid_s1/clips", TRAINED, Path(folder), made_video, "mp4")
        return [
            *log_mel(sounds, heard, Path(folder), setting),
            *frames(videos[:VIDEOS], setting),
            epoch(videos, seen, Path(folder), setting),
        ]


def recordings(
    name: str, count: int, folder: Path, make: Callable[[int], bytes], suffix: str
) -> tuple[list[Path], str]:
    """So many files, and what they are."""
    found = sorted((data_folder() / name).glob("*.*"))[:count]
    if len(found) == count:
        return found, f"{count} files of {name.split('/', maxsplit=1)[0]}"
    found = [folder / f"{number}.{suffix}" for number in range(count)]
    for number, path in enumerate(found):
        path.write_bytes(make(number))
    return found, f"{count} made files"


def log_mel(paths: Sequence[Path], what: str, folder: Path, setting: Setting) -> list[Comparison]:
    """The sounds in each format."""
    librosa = peer("librosa")
    if librosa is None:
        return [Comparison("decoding and log-mel, librosa", note="librosa is not installed")]
    import soundfile

    spectrogram = Spectrogram(SpectrogramConfig(mels=MELS), RATE)
    window, hop = spectrogram.window, spectrogram.hop

    def ours(written: Sequence[Path]) -> None:
        for path in written:
            spectrogram(torch.from_numpy(read_sound(Media.file(path), RATE)))

    def theirs(written: Sequence[Path]) -> None:
        for path in written:
            samples, _ = librosa.load(path, sr=RATE)
            mel = librosa.feature.melspectrogram(
                y=samples, sr=RATE, n_fft=spectrogram.fft, win_length=window, hop_length=hop,
                n_mels=MELS, fmin=20.0,
            )  # fmt: skip
            librosa.power_to_db(mel, top_db=None)

    found = []
    for suffix in ("wav", "flac", "ogg"):
        written = [folder / f"sound{number}.{suffix}" for number in range(len(paths))]
        for path, other in zip(paths, written, strict=True):
            samples, rate = soundfile.read(path, dtype="float32")
            soundfile.write(other, samples, rate)
        times = alternate(
            lambda files=written: ours(files),  # type: ignore[misc]
            lambda files=written: theirs(files),  # type: ignore[misc]
            rounds=setting.rounds,
            clock=processor_seconds,
        )
        label = f"{suffix} to log-mel, librosa"
        found.append(faster(label, *times, at_least=2, note=f"{what}, {rate:,} samples a second"))
    return found


def frames(paths: Sequence[Path], setting: Setting) -> list[Comparison]:
    """Eight frames, and all, against each peer."""
    found: list[Comparison] = []
    for name, read in (("decord", with_decord), ("torchcodec", with_torchcodec)):
        module = peer(name if name == "decord" else "torchcodec.decoders")
        if module is None:
            found.append(Comparison(f"frames, {name}", note=f"{name} is not installed"))
            continue
        for few in (True, False):

            def ours(few: bool = few) -> None:
                for path in paths:
                    media = Media.file(path)
                    facts = video_facts(media)
                    read_frames(media, times_of(facts.seconds, facts.rate, few))

            def theirs(
                few: bool = few,
                read: Callable[[Any, Path, bool], np.ndarray] = read,
                module: ModuleType = module,
            ) -> None:
                for path in paths:
                    read(module, path, few)

            times = alternate(ours, theirs, rounds=setting.rounds, clock=processor_seconds)
            label = f"{FEW if few else 'all'} frames, {name}"
            found.append(faster(label, *times, at_least=1, note=f"{len(paths)} videos"))
    return found


def times_of(length: float, rate: float, few: bool) -> list[float]:
    """The middles of equal parts of the video, or of every frame."""
    count = FEW if few else max(1, round(length * rate))
    return [(number + 0.5) * length / count for number in range(count)]


def with_decord(decord: ModuleType, path: Path, few: bool) -> np.ndarray:
    reader = decord.VideoReader(str(path), num_threads=1)
    count = len(reader)
    numbers = [int((n + 0.5) * count / FEW) for n in range(FEW)] if few else list(range(count))
    found: np.ndarray = reader.get_batch(numbers).asnumpy()
    return found


def with_torchcodec(decoders: ModuleType, path: Path, few: bool) -> np.ndarray:
    decoder = decoders.VideoDecoder(str(path), num_ffmpeg_threads=1, dimension_order="NHWC")
    facts = decoder.metadata
    if not few:
        return np.asarray(decoder[:])
    times = times_of(facts.duration_seconds, facts.average_fps, few)
    return np.asarray(decoder.get_frames_played_at(times).data)


def epoch(paths: Sequence[Path], what: str, folder: Path, setting: Setting) -> Comparison:
    """From cached features of frames, and through the frozen encoder."""
    rows = [
        Sample(str(n), str(n), {"video": Media.file(path)}, str(path))
        for n, path in enumerate(paths)
    ]
    modality = VideoConfig(
        FrameSamplingConfig("uniform", frames=FRAMES),
        ImageConfig(size=SIDE, crop_scale=None, flip=0.0),
    ).build()
    source = ModalitySource(rows, "video", modality)
    torch.manual_seed(0)
    pictures = PicturesEncoderConfig(MobileNetV2Config())
    encoder: Any = OverTimeConfig(FrozenConfig(pictures), dim=DIM).build()
    assert isinstance(encoder, CachedOverTime)
    cached: list[CachedFeatures] = []

    def fill() -> None:
        config = CacheConfig(folder=folder / "features", batch_size=BATCH)
        cached.append(cache_features(source, encoder, config, described_by=(), train=True))

    filling = seconds(fill)
    head = nn.Linear(DIM, 2)
    learned = [p for p in [*encoder.parameters(), *head.parameters()] if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=1e-4)

    def one(from_: Source) -> None:
        loader = Loader(rows, {"video": from_}, batch_size=BATCH, seed=0, workers=setting.threads)
        for batch in loader.batches(0, loader.steps_per_epoch):
            value = batch.inputs["video"]
            read = encoder.trainable(value) if isinstance(value, Features) else encoder(value)
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(head(read.pooled), batch.groups % 2)
            torch.autograd.backward(loss)
            optimizer.step()

    rounds = max(2, setting.rounds // 3)
    times = alternate(lambda: one(cached[0]), lambda: one(source), rounds=rounds)
    note = f"{what}; filling the cache took {filling:.1f} s, once"
    return faster("epoch from cached frame features", *times, at_least=10, note=note)


def processor_seconds(work: Callable[[], object]) -> float:
    """What all threads of this process work in one call; what else the machine does is not in it."""
    start = time.process_time()
    work()
    return time.process_time() - start


def peer(name: str) -> ModuleType | None:
    """The module; None where it, or a library that it needs, is not installed."""
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError):
        return None


def made_sound(number: int) -> bytes:
    """Five seconds of a rising tone."""
    import soundfile

    times = np.arange(5 * 44_100) / 44_100
    file = io.BytesIO()
    tone = 0.5 * np.sin(2 * np.pi * (200 + 20 * number + 100 * times) * times)
    soundfile.write(file, tone, 44_100, format="FLAC")
    return file.getvalue()


def made_video(number: int) -> bytes:
    """Three seconds of a moving pattern, 12.5 frames a second."""
    import av

    random = np.random.default_rng(number)
    wide = np.kron(random.integers(0, 256, (16, 60, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        track = container.add_stream("libx264", rate=25)
        track.width, track.height, track.pix_fmt = 160, 128, "yuv420p"
        for n in range(75):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(wide[:, 4 * n : 4 * n + 160]))
            container.mux(track.encode(frame))
        container.mux(track.encode())
    return file.getvalue()
