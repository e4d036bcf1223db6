"""The data that a page takes for granted: a reader's own folder or table, of drawn pictures."""

import json
from pathlib import Path

import simplejpeg

from weft.worlds.scenes import ScenesConfig


def put(page: str, folder: Path) -> None:
    """Puts the data of the page into the folder."""
    for make in DATA.get(page, ()):
        make(folder)


def my_photos(folder: Path) -> None:
    """A folder with a .txt of captions beside each picture."""
    photos = folder / "my_photos"
    photos.mkdir()
    for sample in ScenesConfig(count=60).build():
        picture = simplejpeg.encode_jpeg(sample.items["image"].array(), quality=95)
        (photos / f"{sample.id}.jpg").write_bytes(picture)
        (photos / f"{sample.id}.txt").write_text("\n".join(sample.items["text"]))


def examples(folder: Path) -> None:
    """The examples of a checkout."""
    (folder / "examples").symlink_to(Path(__file__).parents[2] / "examples")


def my_vqa(folder: Path) -> None:
    """A recipe file of a reader's own."""
    (folder / "my_vqa.yaml").write_text("recipe: scenes_vqa\n")


def reviews(folder: Path) -> None:
    """A table of texts with their mood, several rows a writer."""
    words = {"good": "lovely bright happy", "bad": "grey sad awful"}
    rows = [
        f"{words[mood]} day {n % 7} of writer {n % 11},{20 + n % 5 + 9 * (mood == 'good')},{n % 11},{mood}"
        for n in range(60)
        for mood in [("good", "bad")[n % 2]]
    ]
    (folder / "reviews.csv").write_text("\n".join(["text,age,group,mood", *rows]) + "\n")


def my_labels(folder: Path) -> None:
    """The folder `my_photos`, with the colour of each picture's first object as its label."""
    my_photos(folder)
    rows = [
        {
            "image": f"{s.id}.jpg",
            "text": list(s.items["text"]),
            "label": s.items["text"][0].split()[1],
        }
        for s in ScenesConfig(count=60).build()
    ]
    table = "\n".join(json.dumps(row) for row in rows)
    (folder / "my_photos" / "metadata.jsonl").write_text(table + "\n")


DATA = {
    "docs/fit.md": (reviews,),
    "docs/data.md": (reviews,),
    "docs/checkpoints.md": (my_vqa, my_labels),
    "docs/choosing.md": (examples,),
    "docs/results.md": (examples,),
    "README.md": (my_photos,),
}
