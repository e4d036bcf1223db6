"""Visual Genome, COCO's objects and Conceptual Captions in the layouts in which they are distributed."""

import json
from pathlib import Path

import pytest
import torch

from weft.core.errors import DataError, WeftError
from weft.data.formats import open_dataset
from weft.modalities.regions import RegionsConfig


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def genome(root: Path, **changes: object) -> Path:
    data = {"image_id": 1, "url": "https://x/1.jpg", "width": 800, "height": 600, "coco_id": None}
    write(root / "image_data.json", [data, {**data, "image_id": 2}])
    thing = {
        **{"object_id": 5091, "x": 80, "y": 60, "w": 400, "h": 300},
        **{"names": ["clock"], "synsets": ["clock.n.01"], "merged_object_ids": []},
        **changes,
    }
    write(root / "objects.json", [{"image_id": 1, "image_url": "", "objects": [thing]}])
    described = {"object_id": 5091, "x": 80, "y": 60, "attributes": ["green", "tall"]}
    write(root / "attributes.json", [{"image_id": 1, "attributes": [described]}])
    region = {"region_id": 13, "image_id": 1, "x": 1, "y": 2, "width": 3, "height": 4}
    regions = [{**region, "phrase": "the clock is green "}, {**region, "phrase": " "}]
    write(root / "region_descriptions.json", [{"id": 1, "regions": regions}])
    touch(root / "VG_100K_2" / "1.jpg")
    return root


def test_visual_genome(tmp_path: Path) -> None:
    first, second = open_dataset(genome(tmp_path))
    assert first.items["image"] == tmp_path / "VG_100K_2" / "1.jpg"
    assert first.items["text"] == ["the clock is green"]
    assert first.items["text_boxes"] == [[1, 2, 3, 4]]
    regions = RegionsConfig(format="xywh", pixels=True).build()
    regions.fit([first.items["regions"]])
    assert regions.names == ("clock", "green", "tall")
    read = regions.transform(
        regions.decode(first.items["regions"]), train=False, generator=torch.Generator()
    )
    assert torch.allclose(read, torch.tensor([[0.1, 0.1, 0.6, 0.6, 1, 1, 1]]))
    assert set(second.items) == {"image"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"names": []}, r"objects\[0\]: has no name"), ({"w": "wide"}, "'w' holds 'wide'")],
)
def test_visual_genome_says_what_is_wrong(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        open_dataset(genome(tmp_path, **changes))


def coco(root: Path, category: int = 18) -> Path:
    images = [
        {"id": 9, "file_name": "000000000009.jpg", "width": 640, "height": 480},
        {"id": 25, "file_name": "000000000025.jpg", "width": 640, "height": 426},
    ]
    box = {
        "id": 1,
        "image_id": 9,
        "category_id": category,
        "bbox": [64, 48, 128.0, 96.0],
        "area": 1,
    }
    crowd = {**box, "id": 2, "iscrowd": 1, "bbox": [0, 0, 640, 480]}
    annotations = [{**box, "iscrowd": 0}, crowd]
    categories = [{"id": 18, "name": "dog", "supercategory": "animal"}]
    touch(root / "val2017" / "000000000009.jpg")
    captions = [{"id": 3, "image_id": 9, "caption": "A dog. "}]
    write(
        root / "annotations" / "captions_val2017.json", {"images": images, "annotations": captions}
    )
    return write(
        root / "annotations" / "instances_val2017.json",
        {"images": images, "annotations": annotations, "categories": categories},
    )


def test_coco_objects_with_captions(tmp_path: Path) -> None:
    file = coco(tmp_path)
    first, second = open_dataset(file, split="validation")
    assert first.items["image"] == tmp_path / "val2017" / "000000000009.jpg"
    expected = {"boxes": [[64, 48, 128, 96]], "classes": ["dog"], "width": 640, "height": 480}
    assert first.items["regions"] == expected
    assert first.items["text"] == ["A dog."]
    assert second.items["regions"]["boxes"] == []
    assert "text" not in second.items
    (tmp_path / "annotations" / "captions_val2017.json").unlink()
    assert len(open_dataset(tmp_path)) == 2
    with pytest.raises(DataError, match="category 5, which is not in categories"):
        open_dataset(coco(tmp_path / "other", category=5))


def test_conceptual_captions(tmp_path: Path) -> None:
    table = tmp_path / "Train_GCC-training.tsv"
    rows = [
        "a very typical bus station\thttp://a/1.jpg",
        "sierra looked stunning\thttp://b/2",
        "gone\thttps://c/3",
    ]
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(WeftError, match="none of its pictures is there"):
        open_dataset(tmp_path)
    touch(tmp_path / "images" / "000000000.jpg")
    touch(tmp_path / "other" / "b.png")
    (tmp_path / "images.tsv").write_text("http://b/2\tother/b.png\nhttps://c/3\tno.jpg\n")
    first, second = open_dataset(tmp_path, split="train")
    assert (first.id, first.items["image"].name) == ("Train_GCC-training-0", "000000000.jpg")
    assert (second.items["text"], second.items["image"].name) == ("sierra looked stunning", "b.png")
    assert second.group == second.items["url"] == "http://b/2"
    table.write_text("\n".join([*rows, "without an address"]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="training.tsv:4: .*expected caption TAB address"):
        open_dataset(table)
