"""A run that is searched, whose index is full of what would like to be a script, one that is searched by sounds, one by clips, and
one that answers with classes."""

import json
from pathlib import Path

import numpy as np
from made_media import film, sound_file, tone
from PIL import Image
from tiny_runs import done, picture

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.core.config import Config
from weft.core.interfaces import Encoder, Modality
from weft.data.sources import FilesConfig
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.pictures import PicturesEncoderConfig
from weft.encoders.stacked_frames import StackedFramesConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.modalities.audio import AudioConfig
from weft.modalities.frame_sampling import FrameSamplingConfig
from weft.modalities.image import ImageConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.modalities.text import TextConfig
from weft.modalities.video import VideoConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.runs.recipe import DataConfig, Recipe
from weft.runs.train import train
from weft.training.config import RunConfig

HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
HOSTILE_FILE = "<img src=x onerror=window.hacked=1>.png"
SOUNDS, CLIPS = 96, 8
ITEMS, COLOURS = 24, ("red", "green", "blue", HOSTILE)


def make_runs(folder: Path) -> None:
    """Trains them, each in a folder of its own name."""
    search(folder)
    search_sounds(folder)
    search_clips(folder)
    ask(folder)


def search(folder: Path) -> None:
    """`pictures`: searched by words and pictures. The index has the columns colour, year, ok and day."""
    data = folder / "captions"
    data.mkdir()
    rows = []
    for n in range(ITEMS):
        name = HOSTILE_FILE if n == 0 else f"p{n:02d}.png"
        picture(n).save(data / name)
        split = "train" if n < ITEMS - 4 else "validation" if n < ITEMS - 2 else "test"
        said = HOSTILE if n == 0 else f"a picture of thing number {n}"
        row = {
            "image": name,
            "captions": [said],
            "split": split,
            "id": HOSTILE if n == 1 else f"item {n}",
        }
        rows.append(
            {
                **row,
                "colour": COLOURS[n % 4],
                "year": 2000 + n // 2,
                "ok": n % 2 == 0,
                "day": f"2024-03-{n + 1:02d}",
            }
        )
    table = data / "captions.jsonl"
    table.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    streams = {
        "image": ImageConfig(size=32, crop_scale=None, flip=0.0),
        "text": TextConfig(kind="word", min_frequency=1, max_length=12),
    }
    model = ModelConfig(
        encoders={
            "image": ViTConfig(image_size=32, patch_size=8, dim=16, depth=1, heads=2),
            "text": TextTransformerConfig(80, dim=16, depth=1, heads=2, max_length=12),
        },
        projections={name: ProjectionConfig(16, 16) for name in streams},
    )
    source = DataConfig(FilesConfig(table), streams=streams)
    objectives = {"contrastive": SoftmaxContrastiveConfig()}
    run = RunConfig(steps=2, batch_size=8, workers=0, evaluate_every=0, device="cpu")
    made = Recipe(data=source, model=model, objectives=objectives, tasks={}, run=run)
    train(made, folder / "pictures")
    done("index", "build", folder / "pictures", "--data", table)


def search_sounds(folder: Path) -> None:
    """`sounds`: searched by words and sounds. The index holds SOUNDS tones, each higher than the one before. Though its weights
    are almost random, its calibrated cut-off tells nonsense from words that it knows."""
    data = folder / "tones"
    data.mkdir()
    rows = ["audio,text,split,id"]
    for n in range(SOUNDS):
        (data / f"{n}.wav").write_bytes(sound_file(tone(0.3, float(hertz(n)))))
        split = ("train", "train", "validation", "test")[n % 4]
        rows.append(f"{n}.wav,a tone of {hertz(n)} Hz,{split},tone {n}")
    table = data / "tones.csv"
    table.write_text("\n".join(rows), encoding="utf-8")
    audio = AudioConfig(spectrogram=SpectrogramConfig(mels=16))
    pair(folder / "sounds", table, "audio", audio, StackedFramesConfig(16, 4), 64)
    done("index", "build", folder / "sounds", "--data", table, "--stream", "audio")


def search_clips(folder: Path) -> None:
    """`clips`: searched by words and clips. The index holds CLIPS films, each brighter than the one before."""
    data = folder / "films"
    data.mkdir()
    rows = ["video,text,split,id"]
    for n in range(CLIPS):
        (data / f"{n}.webm").write_bytes(film(3, first=3 * n, codec="libvpx", format="webm"))
        rows.append(
            f"{n}.webm,film number {n},{('train', 'train', 'validation', 'test')[n % 4]},film {n}"
        )
    table = data / "films.csv"
    table.write_text("\n".join(rows), encoding="utf-8")
    image = ImageConfig(size=16, crop_scale=None, flip=0.0)
    video = VideoConfig(FrameSamplingConfig(frames=2), image)
    pair(folder / "clips", table, "video", video, PicturesEncoderConfig(ConvNetConfig((4, 8))), 8)
    done("index", "build", folder / "clips", "--data", table, "--stream", "video")


def pair(
    folder: Path,
    table: Path,
    stream: str,
    modality: Config[Modality],
    encoder: Config[Encoder],
    dim: int,
) -> None:
    """Trains the stream, whose encoder has width dim, with the text of its row for two steps."""
    streams = {stream: modality, "text": TextConfig(kind="word", min_frequency=1, max_length=12)}
    text = TextTransformerConfig(80, dim=16, depth=1, heads=2, max_length=12)
    model = ModelConfig(
        encoders={stream: encoder, "text": text},
        projections={stream: ProjectionConfig(dim, 16), "text": ProjectionConfig(16, 16)},
    )
    source = DataConfig(FilesConfig(table), streams=streams)
    objectives = {"contrastive": SoftmaxContrastiveConfig(streams=(stream, "text"))}
    run = RunConfig(steps=2, batch_size=4, workers=0, evaluate_every=0, device="cpu")
    made = Recipe(data=source, model=model, objectives=objectives, tasks={}, run=run)
    train(made, folder)


def hertz(n: int) -> int:
    """Of tone n."""
    return 200 + 40 * n


def ask(folder: Path) -> None:
    """`questions`: answers with classes, so that an answer can be explained."""
    root = folder / "vqa"
    for split, count in (("train", 24), ("test", 6)):
        (root / split / "images").mkdir(parents=True)
        asked = []
        for n in range(count):
            colour = ("red", "blue")[n % 2]
            plain(colour).save(root / split / "images" / f"{n}.png")
            asked += [["what is the color?", colour, n], ["is it red?", ["yes", "no"][n % 2], n]]
        (root / split / "questions.json").write_text(json.dumps(asked))
    words = (
        *("--data.source.path", root, "--data.streams.image.size", 32, "--run.steps", 2),
        *("--run.batch-size", 8, "--run.workers", 0, "--run.precision", "fp32"),
        *("--run.device", "cpu", "--run.evaluate-every", 0, "--run.checkpoint-every", 0),
    )
    done("train", "easy_vqa", *words, "--out", folder / "questions")


def plain(colour: str) -> Image.Image:
    rgb = {"red": (255, 0, 0), "blue": (0, 0, 255)}[colour]
    return Image.fromarray(np.full((32, 32, 3), rgb, np.uint8))
