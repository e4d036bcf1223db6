"""The layouts in which sets of pictures with boxes are passed on, made in small."""

from pathlib import Path
from typing import Any

import pytest
import torch
from layouts import errors_of, touch, write

from weft.core.errors import WeftError
from weft.core.media import Alternatives, Media
from weft.data.formats import missing_files, open_dataset
from weft.modalities.regions import RegionsConfig


def instances(split: str, *, boxes: list[list[float]]) -> dict[str, Any]:
    images = [
        {"license": 1, "file_name": f"{n:012d}.jpg", "height": 50, "width": 100, "id": n}
        for n in (9, 25)
    ]
    annotations = [
        {
            "segmentation": [[0.0, 0.0, 1.0, 1.0, 2.0, 0.0]],
            "area": 10.0,
            "iscrowd": 0,
            "image_id": 9,
            "bbox": box,
            "category_id": 18 if n % 2 == 0 else 44,
            "id": n,
        }
        for n, box in enumerate(boxes)
    ]
    annotations.append({**annotations[0], "iscrowd": 1, "bbox": [0, 0, 100, 50]})
    return {
        "info": {"description": f"COCO 2017 {split}"},
        "images": images,
        "annotations": annotations,
        "categories": [
            {"supercategory": "animal", "id": 18, "name": "dog"},
            {"supercategory": "kitchen", "id": 44, "name": "bottle"},
        ],
    }


def test_coco_instances(tmp_path: Path) -> None:
    boxes = [[10.0, 5.0, 20.0, 20.0], [50, 40, 50.4, 10.0]]
    file = write(
        tmp_path / "annotations" / "instances_train2017.json", instances("train", boxes=boxes)
    )
    touch(tmp_path / "train2017", f"{9:012d}.jpg", f"{25:012d}.jpg")
    dataset = open_dataset(tmp_path)
    assert list(missing_files(dataset)) == []
    first, empty = dataset
    corners = [[0.1, 0.1, 0.3, 0.5], [0.5, 0.8, 1.0, 1.0]]
    assert first.items == {
        "image": Media.file(tmp_path / "train2017" / f"{9:012d}.jpg"),
        "boxes": corners,
        "classes": ["dog", "bottle"],
        "regions": {"boxes": corners, "classes": ["dog", "bottle"]},
        "split": "train",
        "image_id": 9,
    }
    assert (empty.items["boxes"], empty.items["classes"]) == ([], [])
    assert first.source == f"{file}:images[0]"
    assert [s.id for s in open_dataset(file)] == [s.id for s in dataset]


def test_coco_instances_are_what_the_modality_of_regions_reads(tmp_path: Path) -> None:
    file = write(
        tmp_path / "instances_val2017.json", instances("val", boxes=[[10.0, 5.0, 20.0, 20.0]])
    )
    regions = RegionsConfig().build()
    raws = [sample.items["regions"] for sample in open_dataset(file)]
    regions.fit(raws)
    generator = torch.Generator()
    items = [regions.transform(regions.decode(r), train=False, generator=generator) for r in raws]
    field = regions.collate(items)
    assert regions.names == ("dog",)
    assert field.values[0].tolist() == [pytest.approx([0.1, 0.1, 0.3, 0.5, 1.0])]
    assert field.mask is not None
    assert field.mask.tolist() == [[True], [False]]


def test_coco_instances_with_captions(tmp_path: Path) -> None:
    """Such a folder opens as captions, unless the boxes are asked for."""
    content = instances("val", boxes=[[10.0, 5.0, 20.0, 20.0]])
    write(tmp_path / "annotations" / "instances_val2017.json", content)
    captions = [{"image_id": n, "id": n, "caption": f"About {n}.\n"} for n in (9, 25)]
    write(
        tmp_path / "annotations" / "captions_val2017.json",
        {"images": content["images"], "annotations": captions},
    )
    assert "boxes" not in open_dataset(tmp_path)[0].items
    both = open_dataset(tmp_path, format="coco_instances", split="val")
    assert [s.items["text"] for s in both] == [("About 9.",), ("About 25.",)]
    assert [s.items["classes"] for s in both] == [["dog"], []]


def test_coco_instances_errors_name_the_row(tmp_path: Path) -> None:
    boxes = [
        [90, 0, 20, 5],
        [10, 10, -4, 5],
        [120, 0, 5, 5],
        [0, 0, 5],
        [1, 2, "3", 4],
        [0, 0, 5, 5],
    ]
    content = instances("val", boxes=boxes)
    content["annotations"][5]["category_id"] = 1
    content["annotations"].append({**content["annotations"][0], "image_id": 7})
    content["images"].append({"file_name": "x.jpg", "id": 30, "width": 0, "height": 3})
    file = write(tmp_path / "instances_val2017.json", content)
    size = "the picture of 100 x 50 pixels"
    box = "(x, y, width, height)"
    where = f"{file}:annotations"
    assert errors_of(file) == [
        f"{file}:images[2]: width and height are 0 and 3, expected pixels",
        f"{where}[0]: the box [90, 0, 20, 5] {box} crosses the edge of {size}",
        f"{where}[1]: the box [10, 10, -4, 5] {box} is inverted, expected a width and height of 0 or more",
        f"{where}[2]: the box [120, 0, 5, 5] {box} lies outside {size}",
        f"{where}[3]: the box is [0, 0, 5], expected 4 numbers: x, y, width, height",
        f"{where}[4]: the box is [1, 2, '3', 4], expected 4 numbers: x, y, width, height",
        f"{where}[5]: category 1 is not in categories",
        f"{where}[7]: image 7 is not in images, or has no size",
    ]


def visual_genome(root: Path) -> Path:
    """Version 1.4: three pictures, of which the last has no objects and no phrases."""
    url = "https://cs.stanford.edu/people/rak248/{}/{}.jpg"
    images = [
        {
            "width": 200,
            "url": url.format(folder, n),
            "height": 100,
            "image_id": n,
            "coco_id": None,
            "flickr_id": None,
        }
        for n, folder in ((1, "VG_100K_2"), (2, "VG_100K"), (3, "VG_100K"))
    ]
    phrases = [
        {
            "id": n,
            "regions": [
                {
                    "region_id": 10 * n + k,
                    "width": 50,
                    "height": 20,
                    "image_id": n,
                    "phrase": f"phrase {k} of {n} " if k < 2 else " ",
                    "y": 10,
                    "x": 100 * k,
                }
                for k in range(3)
            ],
        }
        for n in (1, 2)
    ]
    things = [
        {
            "image_id": n,
            "objects": [
                {
                    "synsets": ["tree.n.01"],
                    "h": 100,
                    "object_id": 5 * n,
                    "merged_object_ids": [],
                    "names": ["trees", "tree"],
                    "w": 30,
                    "y": -5,
                    "x": 190,
                }
            ],
            "image_url": url.format("VG_100K", n),
        }
        for n in (1, 2)
    ]
    write(root / "image_data.json", images)
    write(root / "region_descriptions.json", phrases)
    write(root / "objects.json", things)
    described = {"object_id": 5, "x": 190, "y": 0, "attributes": ["green", "tall "]}
    write(root / "attributes.json", [{"image_id": 1, "attributes": [described]}])
    touch(root / "VG_100K_2", "1.jpg")
    touch(root / "VG_100K", "2.jpg", "3.jpg")
    return root


def test_visual_genome(tmp_path: Path) -> None:
    root = visual_genome(tmp_path)
    dataset = open_dataset(root)
    assert list(missing_files(dataset)) == []
    first, second, third = dataset
    over_the_edge = [[0.95, 0.0, 1.0, 0.95]]
    assert first.items == {
        "image": Media.file(root / "VG_100K_2" / "1.jpg"),
        "text": Alternatives(["phrase 0 of 1", "phrase 1 of 1"]),
        "text_boxes": [[0.0, 0.1, 0.25, 0.3], [0.5, 0.1, 0.75, 0.3]],
        "boxes": over_the_edge,
        "classes": ["trees"],
        "regions": {
            "boxes": over_the_edge,
            "classes": ["trees"],
            "attributes": [["green", "tall"]],
        },
    }
    assert (second.id, second.group) == ("2", "2")
    assert second.items["regions"]["attributes"] == [[]]
    regions = RegionsConfig().build()
    regions.fit([first.items["regions"]])
    assert regions.names == ("green", "tall", "trees")
    assert third.items == {"image": Media.file(root / "VG_100K" / "3.jpg")}
    assert [s.id for s in open_dataset(root / "objects.json")] == ["1", "2", "3"]
    (root / "objects.json").unlink()
    assert "boxes" not in open_dataset(root)[0].items
    (root / "region_descriptions.json").unlink()
    with pytest.raises(
        WeftError, match=r"expected image_data.json and region_descriptions.json or"
    ):
        open_dataset(root, format="visual_genome")


def test_visual_genome_errors_name_the_row(tmp_path: Path) -> None:
    root = visual_genome(tmp_path)
    thing = {"names": ["a"], "x": 300, "y": 0, "w": 5, "h": 5}
    bad = [
        thing,
        {**thing, "x": 0, "w": -1},
        {"names": ["a"], "x": 0},
        {**thing, "x": 1, "names": []},
    ]
    write(root / "objects.json", [{"image_id": 1, "objects": bad}, {"image_id": 9, "objects": []}])
    where = f"{root}/objects.json:[0].objects"
    box = "(x, y, width, height)"
    assert errors_of(root) == [
        f"{where}[0]: the box [300, 0, 5, 5] {box} lies outside the picture of 200 x 100 pixels",
        f"{where}[1]: the box [0, 0, -1, 5] {box} is inverted, expected a width and height of 0 or more",
        f"{where}[2]: has no 'y', it has: names, x",
        f"{where}[3]: names are [], expected one or more",
        f"{root}/objects.json:[1]: image 9 is not in image_data.json",
    ]
