"""A small data set of twelve rows in every format, with names in several scripts, and how one row of each
is damaged."""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from layouts import touch, write
from PIL import Image

from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._tar_writer import write_shard

ROWS = 12
BAD = 4
"""The row that is damaged."""
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Made:
    """make: writes the data into a folder. table: the file in it that says what its rows are.

    damage: spoils row BAD in that file. split: None where the rows name none.
    """

    make: Callable[[Path], object]
    table: str
    damage: Callable[[Path], object]
    item: str = "image"
    """The picture, sound or film that every row has."""
    asked: str | None = None
    """Its name, where it is read only if it is asked for by that."""
    kind: str = ""
    """Of that; its name if empty."""
    opened: str = ""
    """What of the folder is opened; all of it if empty."""


def name(n: int) -> str:
    """Of a picture: with a space, a dot and letters that are not Latin."""
    return f"фото {n}.图.jpg"


def encoded(n: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), 9 * n, np.uint8)).save(out, "JPEG")
    return out.getvalue()


def spoil_line(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    place = BAD + (len(lines) - ROWS)  # after a header
    lines[place] = "{"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def spoil_entry(*keys: str) -> Callable[[Path], None]:
    """Puts nothing in the place of an entry of a list in a JSON document."""

    def spoil(file: Path) -> None:
        content = json.loads(file.read_text(encoding="utf-8"))
        entries = content
        for key in keys:
            entries = entries[key]
        entries[BAD] = {}
        file.write_text(json.dumps(content), encoding="utf-8")

    return spoil


def lines(rows: list[Any]) -> str:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def table_rows() -> list[dict[str, Any]]:
    return [
        {"image": name(n), "text": f"подпись {n}, 图", "split": SPLITS[n % 3]} for n in range(ROWS)
    ]


def csv(root: Path) -> None:
    touch(root / "images", *map(name, range(ROWS)))
    rows = [f'{r["image"]},"{r["text"]}",{r["split"]}\n' for r in table_rows()]
    write(root / "table.csv", "".join(["image,text,split\n", *rows]))


def jsonl(root: Path) -> None:
    touch(root / "images", *map(name, range(ROWS)))
    write(root / "table.jsonl", lines(table_rows()))


def excel(root: Path) -> None:
    touch(root / "images", *map(name, range(ROWS)))
    book = openpyxl.Workbook()
    for cells in (list(table_rows()[0]), *(list(row.values()) for row in table_rows())):
        book.active.append(cells)
    book.save(root / "table.xlsx")


def spoil_cell(file: Path) -> None:
    book = openpyxl.load_workbook(file)
    book.active.cell(BAD + 2, 1).value = 7
    book.save(file)


def folder(root: Path) -> None:
    for n in range(ROWS):
        picture = root / SPLITS[n % 3] / f"{n:02d} {name(n)}"
        touch(picture.parent, picture.name)
        write(picture.with_suffix(".txt"), f"подпись {n}\n")


def spoil_captions(file: Path) -> None:
    file.write_text(" \n")


def parquet(root: Path, ids: list[int] | None = None) -> None:
    rows = [
        {
            **row,
            "id": str((ids or range(ROWS))[n]),
            "image": {"bytes": encoded(n), "path": row["image"]},
        }
        for n, row in enumerate(table_rows())
    ]
    root.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), root / "table.parquet", row_group_size=5)


def spoil_parquet(file: Path) -> None:
    parquet(file.parent, [n if n != BAD else 0 for n in range(ROWS)])


def shards(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    samples = (
        Sample(f"№ {n}", f"№ {n}", {**row, "image": Media.encoded(encoded(n), "image")}, "made")
        for n, row in enumerate(table_rows())
    )
    write_shard(samples, root / "a b 图.tar")


def spoil_shard(file: Path) -> None:
    data = file.read_bytes()
    at = data.index(f'"id": "№ {BAD}"'.encode())
    start = data.rindex(b"{", 0, at)
    file.write_bytes(data[:start] + b"[" + data[start + 1 :])
    for index in file.parent.glob("*.index.json"):
        index.unlink()


def flickr(root: Path) -> None:
    write(
        root / "Flickr8k.token.txt",
        "".join(f"{name(n)}#0\tподпись {n} .\n" for n in range(ROWS)),
    )
    for split, kind in zip(("train", "dev", "test"), range(3), strict=True):
        listed = "".join(f"{name(n)}\n" for n in range(ROWS) if n % 3 == kind)
        write(root / f"Flickr_8k.{split}Images.txt", listed)
    touch(root / "Flicker8k_Dataset", *map(name, range(ROWS)))


def karpathy(root: Path) -> None:
    images = [
        {"filename": name(n), "split": SPLITS[n % 3], "sentences": [{"raw": f"подпись {n}"}]}
        for n in range(ROWS)
    ]
    write(root / "dataset_flickr8k.json", {"images": images, "dataset": "flickr8k"})
    touch(root / "images", *map(name, range(ROWS)))


def coco(root: Path) -> None:
    images = [{"id": n, "file_name": name(n), "width": 8, "height": 8} for n in range(ROWS)]
    captions = [{"image_id": n, "id": n, "caption": f"подпись {n}"} for n in range(ROWS)]
    write(
        root / "annotations" / "captions_val2017.json", {"images": images, "annotations": captions}
    )
    touch(root / "val2017", *map(name, range(ROWS)))


def coco_instances(root: Path) -> None:
    images = [{"id": n, "file_name": name(n), "width": 8, "height": 8} for n in range(ROWS)]
    boxes = [{"image_id": n, "id": n, "bbox": [1, 1, 2, 2], "category_id": 1} for n in range(ROWS)]
    content = {
        "images": images,
        "annotations": boxes,
        "categories": [{"id": 1, "name": "собака"}],
    }
    write(root / "annotations" / "instances_val2017.json", content)
    touch(root / "val2017", *map(name, range(ROWS)))


def conceptual_captions(root: Path) -> None:
    rows = [f"подпись {n}\thttps://example.org/{n}.jpg\n" for n in range(ROWS)]
    write(root / "Train_GCC-training.tsv", "".join(rows))
    touch(root / "images", *(f"{n}.jpg" for n in range(ROWS)))


def vqa(root: Path) -> None:
    questions = [{"question_id": n, "image_id": n, "question": f"что {n}?"} for n in range(ROWS)]
    answers = [
        {"question_id": n, "multiple_choice_answer": "да", "answers": [{"answer": "да"}]}
        for n in range(ROWS)
    ]
    write(root / "v2_OpenEnded_mscoco_val2014_questions.json", {"questions": questions})
    write(root / "v2_mscoco_val2014_annotations.json", {"annotations": answers})
    touch(root / "val2014", *(f"COCO_val2014_{n:012d}.jpg" for n in range(ROWS)))


def easy_vqa(root: Path) -> None:
    rows = [{"image": n, "question": f"что {n}?", "answer": "да"} for n in range(ROWS)]
    write(root / "train_questions.jsonl", lines(rows))
    np.savez(root / "train_images.npz", images=np.zeros((ROWS, 8, 8, 3), np.uint8))


def easy_vqa_shapes(root: Path) -> None:
    rows = [
        {"image": n, "question": "is there a red circle?", "answer": "yes"} for n in range(ROWS)
    ]
    write(root / "train_questions.jsonl", lines(rows))
    np.savez(root / "train_images.npz", images=np.zeros((ROWS, 8, 8, 3), np.uint8))


def snli_ve(root: Path) -> None:
    rows = [
        {"Flickr30K_ID": f"{n} 图", "sentence2": "да", "gold_label": "neutral", "pairID": f"p{n}"}
        for n in range(ROWS)
    ]
    write(root / "snli_ve_dev.jsonl", lines(rows))
    touch(root / "flickr30k_images", *(f"{n} 图.jpg" for n in range(ROWS)))


def nlvr(root: Path) -> None:
    rows = [
        {"sentence": "да", "label": "true", "identifier": f"{n}-0", "directory": "图 1"}
        for n in range(ROWS)
    ]
    write(root / "train" / "train.json", lines(rows))
    touch(root / "train" / "images" / "图 1", *(f"train-{n}-0-0.png" for n in range(ROWS)))


def nlvr2(root: Path) -> None:
    rows = [
        {
            "identifier": f"dev-{n}-0-0",
            "sentence": "да",
            "label": "False",
            "left_url": "http://a",
            "directory": "图 1",
        }
        for n in range(ROWS)
    ]
    write(root / "data" / "dev.json", lines(rows))
    names = (f"dev-{n}-0-img{side}.png" for n in range(ROWS) for side in (0, 1))
    touch(root / "images" / "dev" / "图 1", *names)


def visual_genome(root: Path) -> None:
    images = [{"image_id": n, "width": 8, "height": 8} for n in range(ROWS)]
    phrase = {"phrase": "да", "x": 1, "y": 1, "width": 2, "height": 2}
    write(root / "image_data.json", images)
    write(
        root / "region_descriptions.json",
        [{"id": n, "regions": [phrase]} for n in range(ROWS)],
    )
    touch(root / "VG_100K", *(f"{n}.jpg" for n in range(ROWS)))


def visdial(root: Path) -> None:
    turn = {"question": 0, "answer": 1, "answer_options": [0, 1], "gt_index": 1}
    dialogs = [{"image_id": n, "caption": "图", "dialog": [turn]} for n in range(ROWS)]
    data = {"questions": ["что"], "answers": ["нет", "да"], "dialogs": dialogs}
    write(root / "visdial_1.0_val.json", {"split": "val2018", "data": data})
    touch(
        root / "VisualDialog_val2018", *(f"VisualDialog_val2018_{n:012d}.jpg" for n in range(ROWS))
    )


def esc50(root: Path) -> None:
    touch(root / "audio", *(f"{n}-图.wav" for n in range(ROWS)))
    rows = [f"{n}-图.wav,{n % 5 + 1},{n % 3},собака_{n % 3},{n}\n" for n in range(ROWS)]
    write(root / "meta.csv", "".join(["filename,fold,target,category,src_file\n", *rows]))


def grid(root: Path) -> None:
    touch(root / "clips", *(f"{n}.mp4" for n in range(ROWS)))
    words = [{"word": "слово", "start": 0.1, "end": 0.5}]
    rows = [
        {
            "clip": f"clips/{n}.mp4",
            "id": f"№ {n}",
            "text": "слово",
            "words": words,
            "split": SPLITS[n % 3],
        }
        for n in range(ROWS)
    ]
    write(root / "clips.jsonl", lines(rows))


def cmu_mosi(root: Path) -> None:
    rows = [
        {
            **{"id": f"фильм{n // 4}_{n}", "video": f"фильм{n // 4}", "clip": n, "text": "БЫЛО"},
            **{"start": 0.5, "end": 2.0, "score": n / 10 - 1, "split": SPLITS[n % 3]},
            "fold": SPLITS[n // 4 % 3],
        }
        for n in range(ROWS)
    ]
    write(root / "utterances.jsonl", lines(rows))
    arrays = {"id": np.array([str(row["id"]) for row in rows]), "audio_feat": np.ones((ROWS, 73))}
    np.savez(root / "mosi_utterances.npz", **arrays)


def fsdd(root: Path, bad: str = "") -> None:
    root.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(root / "recordings.zip", "w") as archive:
        for n in range(ROWS):
            name = bad if bad and n == BAD else f"{n % 10}_имя {n}_{n}.wav"
            archive.writestr(f"recordings/{name}", b"RIFF")


def spoil_film(file: Path) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    content[list(content)[BAD]] = {}
    file.write_text(json.dumps(content), encoding="utf-8")


def activitynet(root: Path) -> None:
    names = [f"v_图{n:02d}" for n in range(ROWS)]
    clip = {"duration": 12.5, "timestamps": [[0.5, 3.25]], "sentences": [" Да. "]}
    write(root / "val_1.json", dict.fromkeys(names, clip))
    touch(root / "videos", *(f"{name}.mp4" for name in names))


def msrvtt(root: Path) -> None:
    videos = [
        {
            **{"category": n, "url": "https://example.org", "video_id": f"video{n}", "id": n},
            **{"start time": 1.5, "end time": 9.0, "split": ("train", "validate", "test")[n % 3]},
        }
        for n in range(ROWS)
    ]
    sentences = [
        {"caption": f"подпись {n}", "video_id": f"video{n % ROWS}", "sen_id": n}
        for n in range(2 * ROWS)
    ]
    write(
        root / "train_val_videodatainfo.json",
        {"info": {"year": "2016"}, "videos": videos, "sentences": sentences},
    )
    touch(root / "TrainValVideo", *(f"video{n}.mp4" for n in range(ROWS)))


def audiocaps(root: Path) -> None:
    rows = [f'{n},图-{n:02d},{10 * n},"да, {n}"\n' for n in range(ROWS)]
    write(
        root / "dataset" / "val.csv",
        "".join(["audiocap_id,youtube_id,start_time,caption\n", *rows]),
    )
    names = (f"图-{n:02d}.wav" if n % 2 else f"Y图-{n:02d}_{10 * n}.wav" for n in range(ROWS))
    touch(root / "audio" / "val", *names)


def clotho(root: Path) -> None:
    header = "file_name,caption_1,caption_2,caption_3,caption_4,caption_5\n"
    rows = [f"图 {n}.wav," + ",".join(f"да {n}.{k}" for k in range(5)) + "\n" for n in range(ROWS)]
    write(root / "clotho_captions_evaluation.csv", "".join([header, *rows]))
    touch(root / "evaluation", *(f"图 {n}.wav" for n in range(ROWS)))


def librispeech(root: Path) -> None:
    names = [f"84-121123-{n:04d}" for n in range(ROWS)]
    folder = root / "dev-clean" / "84" / "121123"
    write(folder / "84-121123.trans.txt", "".join(f"{name} ДА {name}\n" for name in names))
    touch(folder, *(f"{name}.flac" for name in names))


def common_voice(root: Path) -> None:
    header = (
        "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale\tsegment"
    )
    rows = [f'c{n % 3}\tcv_图_{n}.mp3\t"Да {n}\t2\t0\t\t\t\tru\t\n' for n in range(ROWS)]
    write(root / "dev.tsv", "".join([f"{header}\n", *rows]))
    write(root / "validated.tsv", "".join([f"{header}\n", *rows]))
    touch(root / "clips", *(f"cv_图_{n}.mp3" for n in range(ROWS)))


MADE = {
    "activitynet": Made(activitynet, "val_1.json", spoil_film, item="video"),
    "msrvtt": Made(msrvtt, "train_val_videodatainfo.json", spoil_entry("videos"), item="video"),
    "audiocaps": Made(audiocaps, "dataset/val.csv", spoil_line, item="audio"),
    "clotho": Made(clotho, "clotho_captions_evaluation.csv", spoil_line, item="audio"),
    "librispeech": Made(
        librispeech, "dev-clean/84/121123/84-121123.trans.txt", spoil_line, item="audio"
    ),
    "common_voice": Made(common_voice, "dev.tsv", spoil_line, item="audio"),
    "esc50": Made(esc50, "meta.csv", spoil_line, item="audio"),
    "grid": Made(grid, "clips.jsonl", spoil_line, item="audio"),
    "cmu_mosi": Made(cmu_mosi, "utterances.jsonl", spoil_line, item="audio_feat", kind="array"),
    "fsdd": Made(
        fsdd, "recordings.zip", lambda file: fsdd(file.parent, "no digit.wav"), item="audio"
    ),
    "csv": Made(csv, "table.csv", spoil_line),
    "jsonl": Made(jsonl, "table.jsonl", spoil_line),
    "excel": Made(excel, "table.xlsx", spoil_cell),
    "folder": Made(folder, f"val/{BAD:02d} {name(BAD)}"[:-4] + ".txt", spoil_captions),
    "parquet": Made(parquet, "table.parquet", spoil_parquet),
    "webdataset": Made(shards, "a b 图.tar", spoil_shard),
    "flickr": Made(flickr, "Flickr8k.token.txt", spoil_line),
    "karpathy": Made(karpathy, "dataset_flickr8k.json", spoil_entry("images")),
    "coco": Made(coco, "annotations/captions_val2017.json", spoil_entry("images")),
    "coco_instances": Made(
        coco_instances, "annotations/instances_val2017.json", spoil_entry("images")
    ),
    "conceptual_captions": Made(conceptual_captions, "Train_GCC-training.tsv", spoil_line),
    "vqa": Made(vqa, "v2_OpenEnded_mscoco_val2014_questions.json", spoil_entry("questions")),
    "easy_vqa": Made(easy_vqa, "train_questions.jsonl", spoil_line),
    "easy_vqa_shapes": Made(
        easy_vqa_shapes, "train_questions.jsonl", spoil_line, asked="easy_vqa_shapes"
    ),
    "snli_ve": Made(snli_ve, "snli_ve_dev.jsonl", spoil_line),
    "nlvr": Made(nlvr, "train/train.json", spoil_line),
    "nlvr2": Made(nlvr2, "data/dev.json", spoil_line),
    "visual_genome": Made(visual_genome, "image_data.json", spoil_entry()),
    "visdial": Made(visdial, "visdial_1.0_val.json", spoil_entry("data", "dialogs")),
}
