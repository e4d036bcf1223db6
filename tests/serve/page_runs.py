"""Small trained runs for the page, one for each thing it does, and rows full of what would like to be a script."""

import json
from pathlib import Path

import numpy as np
from commands.tiny_runs import done, picture
from generation.tiny_drawings import flow
from generation.tiny_drawings import pictures as drawn_pictures
from made_media import sound_file, tone
from PIL import Image

from weft.architectures.captioner import captioner
from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.data.sources import FilesConfig
from weft.data.targets.transcript import TranscriptConfig
from weft.decoders.ctc import CTCDecoderConfig
from weft.encoders.stacked_frames import StackedFramesConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.fusion.in_time import InTimeConfig
from weft.heads.head import HeadConfig
from weft.heads.transcripts import TranscriptOutput
from weft.modalities.audio import AudioConfig
from weft.modalities.image import ImageConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.modalities.text import TextConfig
from weft.objectives.captioning import CaptioningConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.objectives.ctc import CTCConfig
from weft.runs.recipe import DataConfig, Recipe
from weft.runs.train import train
from weft.training.config import RunConfig

HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
HOSTILE_FILE = "<img src=x onerror=window.hacked=1>.png"
ITEMS, COLOURS = 24, ("red", "green", "blue", HOSTILE)
QUICK = (
    *("--run.steps", 2, "--run.batch-size", 4, "--run.workers", 0, "--run.evaluate-every", 0),
    *("--run.precision", "fp32", "--run.device", "cpu", "--data.streams.image.size", 32),
)
SHORT = RunConfig(steps=2, batch_size=8, workers=0, evaluate_every=0, device="cpu")


def make_runs(folder: Path) -> None:
    """Trains all of them, each in a folder of its own name."""
    search(folder)
    ask(folder)
    dialog(folder)
    caption(folder)
    transcribe(folder)
    draw(folder)


def search(folder: Path) -> None:
    """`pictures`: searched by words and pictures. The index has the columns colour, year and ok."""
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
        rows.append({**row, "colour": COLOURS[n % 4], "year": 2000 + n // 2, "ok": n % 2 == 0})
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
    made = Recipe(data=source, model=model, objectives=objectives, tasks={}, run=SHORT)
    train(made, folder / "pictures")
    done("embed", folder / "pictures", "--data", table)


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
    words = ("--data.source.path", root, *QUICK, "--run.checkpoint-every", 0)
    done("train", "easy_vqa", *words, "--out", folder / "questions")


def dialog(folder: Path) -> None:
    """`dialog`: reads what was said before."""
    data = folder / "dialogs"
    data.mkdir()
    rows = []
    for n in range(20):
        colour = ("red", "blue")[n % 2]
        plain(colour).save(data / f"{n}.png")
        split = ("train", "train", "train", "validation", "test")[n % 5]
        turns = [["is it plain?", "yes"], ["what color is it?", colour]]
        rows.append({"image": f"{n}.png", "split": split, "dialog": turns})
    (data / "dialogs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done("train", "dialog", "--data", data / "dialogs.jsonl", *QUICK, "--out", folder / "dialog")


def caption(folder: Path) -> None:
    """`captions_of`: writes about a picture."""
    image = ViTConfig(image_size=32, patch_size=8, dim=16, depth=1, heads=2)
    model = captioner(
        image=image, image_dim=16, vocab_size=80, dim=16, heads=2, decoder_depth=1, max_length=8
    )
    streams = {
        "image": ImageConfig(size=32, crop_scale=None, flip=0.0),
        "text": TextConfig(kind="word", min_frequency=1, max_length=8),
    }
    data = DataConfig(FilesConfig(folder / "captions" / "captions.jsonl"), streams=streams)
    objectives = {"captioning": CaptioningConfig()}
    made = Recipe(data=data, model=model, objectives=objectives, tasks={}, run=SHORT)
    train(made, folder / "captions_of")


def transcribe(folder: Path) -> None:
    """`speech`: writes words, at random, about a sound."""
    data = folder / "sounds"
    data.mkdir()
    lines = ["audio,text,split"]
    for n, split in enumerate(("train", "validation", "test")):
        (data / f"{n}.wav").write_bytes(sound_file(tone(2.0, 200.0 * (n + 1))))
        lines.append(f"{n}.wav,w{n},{split}")
    (data / "rows.csv").write_text("\n".join(lines))
    audio = AudioConfig(spectrogram=SpectrogramConfig(mels=8))
    targets = {"transcript": TranscriptConfig("text", unit="word")}
    model = ModelConfig(
        encoders={"audio": StackedFramesConfig(8, 10)},
        fusion=InTimeConfig({"audio": 80}, dim=8),
        heads={"transcript": HeadConfig(CTCDecoderConfig(8, 3), TranscriptOutput())},
    )
    source = DataConfig(FilesConfig(data / "rows.csv"), streams={"audio": audio}, targets=targets)
    run = RunConfig(steps=1, batch_size=1, workers=0)
    made = Recipe(
        data=source, model=model, objectives={"transcript": CTCConfig()}, tasks={}, run=run
    )
    train(made, folder / "speech")


def draw(folder: Path) -> None:
    """`drawings`: draws what a text says."""
    train(flow(drawn_pictures(folder / "shapes")), folder / "drawings")


def plain(colour: str) -> Image.Image:
    rgb = {"red": (255, 0, 0), "blue": (0, 0, 255)}[colour]
    return Image.fromarray(np.full((32, 32, 3), rgb, np.uint8))
