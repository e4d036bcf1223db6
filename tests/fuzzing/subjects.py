"""Real small files of every kind that Weft reads, and the command that reads each."""

import contextlib
import hashlib
import io
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from made_media import bursts, film, sound_file
from PIL import Image
from tiny_runs import caption, done, picture, picture_folder, scenes_flags, write_rows

from weft.core.places import digest_of
from weft.index import Index

RECIPE_YAML = """recipe: scenes
data:
  streams: {image: {size: 32}, text: {vocab_size: 300}}
run: {steps: 2, batch_size: 8, precision: fp32}
model:
  encoders:
    image: {widths: [4, 8, 16, 32]}
    text: {dim: 16, depth: 1}
"""


CACHED_YAML = """recipe: scenes
data:
  source: {train: 16, validation: 8, test: 8, scenes: {size: 32}}
  streams: {image: {size: 32}, text: {vocab_size: 300}}
  cache: {image: {class: weft.data.features.CacheConfig, train_views: 1}}
run: {steps: 1, batch_size: 8, precision: fp32, workers: 0, device: cpu}
model:
  encoders:
    image:
      class: weft.encoders.frozen.FrozenConfig
      encoder: {class: weft.encoders.resnet.ResNetConfig, depth: 18, width: 4}
      tokens: false
    text: {dim: 16, depth: 1}
  projections: {image: {in_dim: 32}, text: {in_dim: 16}}
"""


@dataclass(frozen=True)
class Subject:
    """files: patterns of the files that are damaged, one at a time. words: the command for a folder.

    sealed: the file is guarded by a checksum, so what the command makes of a damaged one is what it made
    of the whole one, a refusal, or names what it cannot use. result: what the command made, from its folder and what it printed.
    """

    name: str
    folder: Path
    files: tuple[str, ...]
    words: Callable[[Path], list[str]]
    sealed: bool = False
    counted: bool = False
    """Rows must not vanish: the command reads each, or names what it cannot use."""
    result: Callable[[Path, str], str] = lambda folder, printed: printed.replace(folder.name, "")


def lost_in_silence(printed: str, whole: str) -> bool:
    """Whether `weft data check` read fewer rows than of the undamaged data and named no reason."""
    fewer = _number("rows", printed) < _number("rows", whole)
    return fewer and not names_what_it_cannot_use(printed)


def names_what_it_cannot_use(printed: str) -> bool:
    """Whether `weft data check` listed something that cannot be used."""
    return _number("cannot be used", printed) > 0


def _number(name: str, printed: str) -> int:
    found = re.search(rf"{name}: ([\d,]+)|: ([\d,]+) {name}", printed)
    return int((found[1] or found[2]).replace(",", "")) if found else 0


def subjects(place: Path) -> list[Subject]:
    """All kinds, written below `place`."""
    found = [*_data(place / "data"), *_of_a_run(place / "runs")]
    assert len({subject.name for subject in found}) == len(found)
    return found


def _check(target: str) -> Callable[[Path], list[str]]:
    return lambda folder: ["data", "check", str(folder / target), "--out", str(folder / "card")]


def _data(place: Path) -> list[Subject]:
    jsonl, csv, coco, vqa = (place / name for name in ("jsonl", "csv", "coco", "vqa"))
    rows = [{"image": f"p{n}.png", "text": caption(n), "id": str(n)} for n in range(6)]
    for folder in (jsonl, csv):
        folder.mkdir(parents=True)
        for n in range(6):
            picture(n).save(folder / f"p{n}.png")
    write_rows(jsonl / "rows.jsonl", rows)
    lines = ["id,image,text", *(f'{r["id"]},{r["image"]},"{r["text"]}"' for r in rows)]
    (csv / "rows.csv").write_text("\n".join(lines) + "\n")
    pairs = picture_folder(place / "pairs", 4)
    photographs = _photographs(place / "pictures")
    sounds, films = _sounds(place / "sounds"), _films(place / "films")
    parquet = _parquet(place / "parquet")
    _coco(coco)
    _vqa(vqa)
    shards = place / "shards"
    done("data", "prepare", pairs, "--out", shards)
    return [
        Subject("jsonl table", jsonl, ("rows.jsonl",), _check("rows.jsonl")),
        Subject("csv table", csv, ("rows.csv",), _check("rows.csv")),
        Subject("captions beside pictures", pairs, ("*.txt",), _check("")),
        Subject("pictures", photographs, ("*.*",), _check("")),
        Subject("sounds", sounds, ("*.*",), _check("")),
        Subject("films", films, ("*.*",), _check("")),
        Subject("parquet", parquet, ("*.parquet",), _check(""), counted=True),
        Subject("COCO captions", coco, ("annotations/*.json",), _check("")),
        Subject("VQA questions", vqa, ("*.json",), _check("")),
        Subject("tar shards", shards, ("*.tar",), _check(""), counted=True),
        Subject("shard indexes", shards, ("*.index.json",), _check(""), sealed=True),
    ]


def _photographs(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for suffix in ("jpg", "png", "gif", "bmp", "webp", "tif", "ppm"):
        picture(1, 64).save(folder / f"{suffix}.{suffix}")
    deep = (np.asarray(picture(2, 64).convert("L")).astype(np.uint16)) * 257
    Image.fromarray(deep).save(folder / "deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(3, 64).save(folder / "turned.jpg", exif=exif)
    for path in list(folder.iterdir()):
        path.with_suffix(".txt").write_text(f"a picture called {path.stem}\n")
    for path in folder.glob("*.txt"):
        path.rename(folder / f"{path.stem}.txt")
    return folder


def _sounds(folder: Path) -> Path:
    folder.mkdir(parents=True)
    samples = bursts(1, 0.3)
    for name, format, subtype in (
        *(("8.wav", "WAV", "PCM_U8"), ("16.wav", "WAV", "PCM_16"), ("24.wav", "WAV", "PCM_24")),
        *(("float.wav", "WAV", "FLOAT"), ("law.wav", "WAV", "ULAW"), ("a.flac", "FLAC", "PCM_16")),
        *(("a.aiff", "AIFF", "PCM_16"), ("a.ogg", "OGG", "VORBIS"), ("a.opus", "OGG", "OPUS")),
        ("a.mp3", "MP3", "MPEG_LAYER_III"),
    ):
        (folder / name).write_bytes(sound_file(samples, 16_000, format, subtype))
    wide = np.stack([samples] * 6, axis=1)
    (folder / "wide.wav").write_bytes(sound_file(wide, 96_000))
    (folder / "a.m4a").write_bytes(film(2, sound=samples))
    return folder


def _films(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "a.mp4").write_bytes(film(12, sound=bursts(2, 1.2)))
    (folder / "silent.mkv").write_bytes(film(12, format="matroska"))
    (folder / "a.avi").write_bytes(film(12, format="avi"))
    (folder / "b.mov").write_bytes(film(6, sound=bursts(3, 0.6), format="mov"))
    return folder


def _parquet(folder: Path) -> Path:
    folder.mkdir(parents=True)
    data = []
    for n in range(4):
        buffer = io.BytesIO()
        picture(n).save(buffer, "PNG")
        data.append({"bytes": buffer.getvalue(), "path": f"p{n}.png"})
    pq.write_table(
        pa.table({"image": data, "text": [caption(n) for n in range(4)]}), folder / "rows.parquet"
    )
    return folder


def _coco(folder: Path) -> None:
    (folder / "annotations").mkdir(parents=True)
    (folder / "val2014").mkdir()
    names = [f"COCO_val2014_{n:012d}.jpg" for n in range(3)]
    for n, name in enumerate(names):
        picture(n).save(folder / "val2014" / name)
    images = [{"id": n, "file_name": name} for n, name in enumerate(names)]
    notes = [{"id": n, "image_id": n % 3, "caption": caption(n)} for n in range(6)]
    content = {"images": images, "annotations": notes}
    (folder / "annotations" / "captions_val2014.json").write_text(json.dumps(content))


def _vqa(folder: Path) -> None:
    (folder / "val2014").mkdir(parents=True)
    for n in range(2):
        picture(n).save(folder / "val2014" / f"COCO_val2014_{n:012d}.jpg")
    questions = [
        {"image_id": n % 2, "question": f"what is number {n}?", "question_id": n} for n in range(4)
    ]
    answers = [{"answer": "one", "answer_confidence": "yes", "answer_id": k} for k in range(1, 11)]
    notes = [
        {
            **{"image_id": n % 2, "question_id": n, "question_type": "what", "answers": answers},
            **{"answer_type": "number", "multiple_choice_answer": "one"},
        }
        for n in range(4)
    ]
    (folder / "v2_OpenEnded_mscoco_val2014_questions.json").write_text(
        json.dumps({"questions": questions})
    )
    (folder / "v2_mscoco_val2014_annotations.json").write_text(json.dumps({"annotations": notes}))


def _of_a_run(place: Path) -> list[Subject]:
    run, recipes = place / "run", place / "recipes"
    with contextlib.redirect_stderr(io.StringIO()):
        done("train", "scenes", *scenes_flags(), "--out", run)
        done("index", "build", run)
    recipes.mkdir(parents=True)
    (recipes / "mine.yaml").write_text(RECIPE_YAML)
    cached = place / "cached"
    cached.mkdir()
    (cached / "mine.yaml").write_text(CACHED_YAML)
    bare = Path(shutil.copytree(run, place / "bare", ignore=shutil.ignore_patterns("index")))

    def train(folder: Path) -> list[str]:
        flags = scenes_flags(run__steps=1)
        return ["train", str(folder / "mine.yaml"), *flags, "--out", str(folder / "out")]

    def train_cached(folder: Path) -> list[str]:
        cache = ["--data.cache.image.folder", str(folder / "features")]
        return ["train", str(folder / "mine.yaml"), *cache, "--out", str(folder / "out")]

    def trained(folder: Path, printed: str) -> str:
        return hashlib.sha256((folder / "out" / "model.safetensors").read_bytes()).hexdigest()

    with contextlib.redirect_stderr(io.StringIO()):
        done(*train_cached(cached))
    shutil.rmtree(cached / "out")

    def embed(folder: Path) -> list[str]:
        return ["index", "build", str(folder), "--out", str(folder / "made")]

    def vectors(folder: Path, printed: str) -> str:
        with Index.open(folder / "made") as index:
            return digest_of(index.vectors(index.ids()).numpy())

    def search(folder: Path) -> list[str]:
        return ["search", str(folder), "--text", "a red circle"]

    def resume(folder: Path) -> list[str]:
        return ["train", "--resume", str(folder)]

    return [
        Subject("recipes of one's own", recipes, ("mine.yaml",), train),
        Subject(
            *("cached features", cached, ("features/*",), train_cached),
            sealed=True,
            result=trained,
        ),
        Subject("recipe.json", bare, ("recipe.json",), embed),
        Subject("model.json", bare, ("model.json",), embed, sealed=True, result=vectors),
        Subject("modalities.json", bare, ("modalities.json",), embed, sealed=True, result=vectors),
        Subject("weights", bare, ("model.safetensors",), embed, sealed=True, result=vectors),
        Subject("checkpoints", bare, ("checkpoints/*",), resume, sealed=True),
        Subject("logs", bare, ("log.jsonl",), lambda folder: ["report", str(folder)]),
        Subject("indexes", run, ("index/index.db",), search, sealed=True),
    ]
