"""The data that a page takes for granted: a reader's own folder or table, of drawn pictures."""

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


DATA = {
    "docs/checkpoints.md": (my_vqa,),
    "docs/choosing.md": (examples,),
    "docs/results.md": (examples,),
    "README.md": (my_photos,),
}
