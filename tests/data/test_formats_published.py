"""The layouts in which Flickr8k, Flickr30k and COCO captions are passed on, made in small."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from layouts import errors_of, touch, write

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives, Media
from weft.data.formats import missing_files, open_dataset


def flickr8k(root: Path) -> Path:
    names = [f"{n}_{n:010x}.jpg" for n in range(4)]
    token = "".join(f"{name}#{k}\tCaption {k} of {name} .\n" for name in names for k in range(5))
    write(root / "Flickr8k.token.txt", token)
    for split, name in zip(("train", "dev", "test"), names, strict=False):
        write(root / f"Flickr_8k.{split}Images.txt", f"{name}\n")
    touch(root / "Flicker8k_Dataset", *names)
    return root


def test_flickr8k_token_and_split_files(tmp_path: Path) -> None:
    root = flickr8k(tmp_path)
    dataset = list(open_dataset(root))
    assert [s.items["split"] for s in dataset] == ["train", "validation", "test", "extra"]
    assert dataset[1].id == dataset[1].group == "1_0000000001.jpg"
    assert list(dataset[1].items["text"]) == [
        f"Caption {k} of 1_0000000001.jpg ." for k in range(5)
    ]
    assert dataset[1].source == f"{root}/Flickr8k.token.txt:6"
    assert list(missing_files(dataset)) == []
    assert [s.id for s in open_dataset(root / "Flickr8k.token.txt", split="dev")] == [dataset[1].id]


def test_flickr8k_with_text_and_pictures_in_two_folders(tmp_path: Path) -> None:
    flickr8k(tmp_path / "Flickr8k_text")
    (tmp_path / "Flickr8k_text" / "Flicker8k_Dataset").rename(tmp_path / "Flicker8k_Dataset")
    dataset = open_dataset(tmp_path)
    assert list(missing_files(dataset)) == []
    assert len(dataset) == 4


def test_flickr_errors_name_file_and_line(tmp_path: Path) -> None:
    root = flickr8k(tmp_path)
    with (root / "Flickr8k.token.txt").open("a") as file:
        file.write("no tab\n")
    write(root / "Flickr_8k.testImages.txt", "2_0000000002.jpg\n0_0000000000.jpg\n")
    assert errors_of(root) == [
        f"{root}/Flickr8k.token.txt:21: is 'no tab', expected picture.jpg#number, a tab and a caption",
        f"{root}/Flickr_8k.testImages.txt:2: 0_0000000000 is also in the list of the split 'train'",
    ]
    with pytest.raises(WeftError, match="holds no token file, expected one of Flickr8k.token.txt"):
        open_dataset(root / "Flicker8k_Dataset", format="flickr")


def test_flickr30k_token_file(tmp_path: Path) -> None:
    token = (
        "36979.jpg#0\tTwo friends enjoy time spent together .\n36979.jpg#1\tTwo men .\n7.jpg#0\tA\n"
    )
    write(tmp_path / "results_20130124.token", token)
    touch(tmp_path / "flickr30k-images", "36979.jpg", "7.jpg")
    one, two = open_dataset(tmp_path)
    assert one.items == {
        "image": Media.file(tmp_path / "flickr30k-images" / "36979.jpg"),
        "text": Alternatives(["Two friends enjoy time spent together .", "Two men ."]),
    }
    for split, stem in (("train", "36979"), ("val", "7"), ("test", "")):
        write(tmp_path / f"{split}.txt", f"{stem}\n")
    assert [s.id for s in open_dataset(tmp_path, split="val")] == [two.id]


def karpathy(rows: list[dict[str, Any]], dataset: str) -> str:
    images = [
        {
            "sentids": [5 * n + k for k in range(2)],
            "imgid": n,
            "sentences": [
                {"tokens": ["a"], "raw": f"A dog {k}. ", "imgid": n, "sentid": 5 * n + k}
                for k in range(2)
            ],
            **row,
        }
        for n, row in enumerate(rows)
    ]
    return json.dumps({"images": images, "dataset": dataset})


def test_karpathy_flickr8k(tmp_path: Path) -> None:
    rows = [{"filename": f"{n}.jpg", "split": s} for n, s in enumerate(("train", "val", "test"))]
    path = write(tmp_path / "dataset_flickr8k.json", karpathy(rows, "flickr8k"))
    touch(tmp_path / "images", "0.jpg", "1.jpg", "2.jpg")
    dataset = list(open_dataset(tmp_path))
    assert [s.items["split"] for s in dataset] == ["train", "validation", "test"]
    assert list(dataset[2].items["text"]) == ["A dog 0.", "A dog 1."]
    assert dataset[2].source == f"{path}:images[2]"
    assert list(missing_files(dataset)) == []
    renamed = path.rename(tmp_path / "my.json")
    assert len(open_dataset(renamed)) == 3


def test_karpathy_coco_counts_restval_as_train(tmp_path: Path) -> None:
    name = "COCO_val2014_000000391895.jpg"
    rows = [
        {
            "filepath": "train2014",
            "filename": "COCO_train2014_1.jpg",
            "split": "train",
            "cocoid": 1,
        },
        {"filepath": "val2014", "filename": name, "split": "restval", "cocoid": 391895},
        {"filepath": "val2014", "filename": "COCO_val2014_2.jpg", "split": "val", "cocoid": 2},
    ]
    path = write(tmp_path / "annotations" / "dataset_coco.json", karpathy(rows, "coco"))
    touch(tmp_path / "train2014", "COCO_train2014_1.jpg")
    touch(tmp_path / "val2014", name, "COCO_val2014_2.jpg")
    dataset = open_dataset(path)
    assert Counter(s.items["split"] for s in dataset) == {"train": 2, "validation": 1}
    assert dataset[1].items["image"].path == tmp_path / "val2014" / name
    assert dataset[1].id == f"val2014/{name}"


def test_karpathy_errors_name_the_image(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"filename": "a.jpg"},
        {"file": "b.jpg"},
        {"filename": "c.jpg", "sentences": []},
        {"filename": "a.jpg"},
        {"filename": "d.jpg", "sentences": [{"raw": 3}]},
    ]
    path = write(tmp_path / "dataset_flickr8k.json", karpathy(rows, "flickr8k"))
    assert errors_of(path) == [
        f"{path}:images[1]: has no 'filename', it has: sentids, imgid, sentences, file",
        f"{path}:images[2]: c.jpg has no captions",
        f"{path}:images[3]: id 'a.jpg' is already used at {path}:images[0]",
        f"{path}:images[4]: 'raw' holds 3, expected a str",
    ]
    write(path, '{"images":\n nothing')
    with pytest.raises(DataError, match=r"dataset_flickr8k.json:2: is not JSON: Expecting value"):
        open_dataset(path)
    write(path, '{"image": []}')
    with pytest.raises(DataError, match=r"dataset_flickr8k.json: has no 'images', it has: image"):
        open_dataset(path)


def coco(split: str, ids: list[int]) -> str:
    return json.dumps(
        {
            "info": {"description": "COCO 2017 Dataset"},
            "licenses": [{"id": 1, "name": "CC"}],
            "images": [
                {"license": 1, "file_name": f"{n:012d}.jpg", "height": 427, "width": 640, "id": n}
                for n in ids
            ],
            "annotations": [
                {"image_id": n, "id": 10 * n + k, "caption": f"Caption {k} of {split} {n}.\n"}
                for k in range(2)
                for n in reversed(ids)
            ],
        }
    )


def test_coco_captions(tmp_path: Path) -> None:
    for split, ids in (("train", [9, 25]), ("val", [139])):
        write(tmp_path / "annotations" / f"captions_{split}2017.json", coco(split, ids))
        touch(tmp_path / f"{split}2017", *(f"{n:012d}.jpg" for n in ids))
    write(tmp_path / "annotations" / "instances_val2017.json", "{}")
    dataset = open_dataset(tmp_path)
    assert list(missing_files(dataset)) == []
    assert [s.items["split"] for s in dataset] == ["train", "train", "validation"]
    assert dataset[1].items == {
        "image": Media.file(tmp_path / "train2017" / "000000000025.jpg"),
        "text": Alternatives(["Caption 0 of train 25.", "Caption 1 of train 25."]),
        "split": "train",
        "image_id": 25,
    }
    path = tmp_path / "annotations" / "captions_val2017.json"
    assert [s.group for s in open_dataset(path)] == ["val2017/000000000139.jpg"]
    assert open_dataset(path.rename(path.with_name("mine.json")))[0].id == "000000000139.jpg"
    assert len(open_dataset(tmp_path / "annotations", split="train")) == 2


def test_coco_errors_name_the_image(tmp_path: Path) -> None:
    content = json.loads(coco("train", [1, 2]))
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] == 1]
    content["annotations"] += [{"image_id": 7, "caption": "?"}, {"image_id": 1}]
    path = write(tmp_path / "captions_train2017.json", json.dumps(content))
    assert errors_of(path) == [
        f"{path}:annotations[3]: has no 'caption', it has: image_id",
        f"{path}:images[1]: 000000000002.jpg has no captions",
        f"{path}: captions of image 7, which is not in images",
    ]


def test_real_flickr8k_in_its_original_layout(
    tmp_path: Path, shared_data: Callable[[str], Path]
) -> None:
    """The token file and lists, made again from the real captions, give the same samples."""
    real = list(open_dataset(shared_data("flickr8k")))
    token = "".join(f"{s.id}#{k}\t{text}\n" for s in real for k, text in enumerate(s.items["text"]))
    write(tmp_path / "Flickr8k.token.txt", token)
    for file, split in (("train", "train"), ("dev", "validation"), ("test", "test")):
        names = "".join(f"{s.id}\n" for s in real if s.items["split"] == split)
        write(tmp_path / f"Flickr_8k.{file}Images.txt", names)
    (tmp_path / "images").symlink_to(shared_data("flickr8k") / "images")
    again = list(open_dataset(tmp_path))
    assert [(s.id, s.group, s.items["split"], [*s.items["text"]]) for s in again] == [
        (s.id, s.group, s.items["split"], [t.strip() for t in s.items["text"]]) for s in real
    ]
    assert list(missing_files(again)) == []
