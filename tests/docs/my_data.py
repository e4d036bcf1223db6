"""The data that a page takes for granted: a reader's own folder or table, of drawn pictures and made recordings."""

import json
from collections.abc import Iterator
from pathlib import Path

import published_models
import simplejpeg
from made_media import bursts, film, sound_file, tone

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


def drawn(
    folder: Path, languages: tuple[str, ...] = ("en",)
) -> Iterator[tuple[str, list[str], str]]:
    """Writes 60 pictures; yields the name, the captions and the first shape of each."""
    folder.mkdir()
    for sample in ScenesConfig(count=60, languages=languages).build():
        picture = simplejpeg.encode_jpeg(sample.items["image"].array(), quality=95)
        (folder / f"{sample.id}.jpg").write_bytes(picture)
        captions = sample.items["text" if languages == ("en",) else "text_zh"]
        yield f"{sample.id}.jpg", list(captions), sample.items["objects"][0]["shape"]


def photos(folder: Path) -> None:
    """Pictures with a label each."""
    rows = [f"animals/{name},{shape}" for name, _, shape in drawn(folder / "animals")]
    # The page asks about one of them by its name.
    first = folder / rows[0].partition(",")[0]
    first.rename(folder / "animals" / "459284240_5a4167bf92.jpg")
    rows[0] = f"animals/459284240_5a4167bf92.jpg,{rows[0].partition(',')[2]}"
    (folder / "photos.csv").write_text("\n".join(["image,label", *rows]) + "\n")


def befunde(folder: Path) -> None:
    """A German table: semicolons, decimal commas, cp1252, two pictures a patient."""
    rows = [
        f"{name};Größe {n % 7}, im Bild: {captions[0].replace(';', ',')};{20 + n % 50},{n % 10};P{n // 2:03d};{shape}"
        for n, (name, captions, shape) in enumerate(drawn(folder / "Bilder"))
    ]
    head = "Bild;Befund;Alter;Patient;Diagnose"
    (folder / "befunde.csv").write_text("\n".join([head, *rows]) + "\n", encoding="cp1252")


def shuju(folder: Path) -> None:
    """Pictures with Chinese captions."""
    rows = [
        json.dumps({"image": f"tupian/{name}", "text_zh": captions}, ensure_ascii=False)
        for name, captions, _ in drawn(folder / "tupian", ("en", "zh"))
    ]
    (folder / "shuju.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")


def clip(folder: Path) -> None:
    """A published CLIP, small and with random weights."""
    (folder / "models").mkdir()
    (folder / "models" / "clip").mkdir()
    published_models.clip(folder / "models" / "clip")


def examples(folder: Path) -> None:
    """The examples of a checkout."""
    (folder / "examples").symlink_to(Path(__file__).parents[2] / "examples")


def my_vqa(folder: Path) -> None:
    """A recipe file of a reader's own."""
    (folder / "my_vqa.yaml").write_text("recipe: scenes_vqa\n")


def described(folder: Path) -> None:
    """A table of pictures with a text each."""
    rows = ["image,text"]
    for sample in ScenesConfig(count=40).build():
        picture = simplejpeg.encode_jpeg(sample.items["image"].array(), quality=95)
        (folder / f"{sample.id}.jpg").write_bytes(picture)
        rows.append(f'{sample.id}.jpg,"{sample.items["text"][0]}"')
    (folder / "photos.csv").write_text("\n".join(rows) + "\n")


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


WORDS = ("zero", "one", "two", "three")


def my_sounds(folder: Path) -> None:
    """Sounds in one folder a class, which the page names one of."""
    for n in range(24):
        place = folder / "my_sounds" / ("rooster", "rain")[n % 2]
        place.mkdir(parents=True, exist_ok=True)
        samples = tone(0.3, 300 + 10 * n) if n % 2 == 0 else bursts(n, 0.3)
        name = "1-26806-A-1.ogg" if n == 0 else f"1-{n}-A-1.ogg"
        (place / name).write_bytes(sound_file(samples, format="OGG"))


def clips(folder: Path) -> None:
    """A table of videos with a text each."""
    (folder / "clips").mkdir()
    rows = ["video,text"]
    for n in range(24):
        made = film(4 + n % 3, size=(32 + 16 * (n % 2), 32), sound=bursts(n, 0.4))
        (folder / "clips" / f"{n}.mp4").write_bytes(made)
        rows.append(f"clips/{n}.mp4,bin {WORDS[n % 4]} at f {WORDS[n % 3]} now")
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")


def my_speech(folder: Path) -> None:
    """Sounds with a .txt of what is said beside each."""
    (folder / "my_speech").mkdir()
    names = ["7_theo_1", "4_lucas_12", *map(str, range(22))]
    for n, name in enumerate(names):
        sound = sound_file(bursts(n, 0.5), format="FLAC")
        (folder / "my_speech" / f"{name}.flac").write_bytes(sound)
        (folder / "my_speech" / f"{name}.txt").write_text(WORDS[n % 4] + "\n")


def scored_films(folder: Path) -> None:
    """Films with a sound, words and a score each, and a new film."""
    (folder / "films").mkdir()
    rows = []
    for n in range(48):
        (folder / "films" / f"{n}.mp4").write_bytes(film(4))
        (folder / "films" / f"{n}.wav").write_bytes(sound_file(tone(0.3, 200 + 10 * n)))
        said = f"it was {('good', 'dull')[n % 2]} on day {n}"
        rows.append(f"films/{n}.mp4,films/{n}.wav,{said},speaker {n // 2},{n % 25 / 10 - 1.2:.1f}")
    (folder / "films.csv").write_text("\n".join(["film,sound,text,group,score", *rows]) + "\n")
    (folder / "new.mp4").write_bytes(film(4, sound=tone(0.4)))


def dialogs(folder: Path) -> None:
    """Pictures with a dialog each."""
    (folder / "scenes").mkdir()
    world = ScenesConfig(count=40)
    rows = []
    for n, sample in enumerate(world.build()):
        picture = simplejpeg.encode_jpeg(sample.items["image"].array(), quality=95)
        (folder / "scenes" / f"{n}.jpg").write_bytes(picture)
        turns = world.build().dialog(world.build().scene(n), n)
        said = [[turn["question"], turn["answer"]] for turn in turns]
        rows.append(json.dumps({"image": f"scenes/{n}.jpg", "dialog": said}))
    (folder / "dialogs.jsonl").write_text("\n".join(rows) + "\n")


def flickr8k(folder: Path) -> None:
    """The folder of its pictures, which commands that are parsed only name."""
    (folder / "flickr8k" / "images").mkdir(parents=True)


def new_photos(folder: Path) -> None:
    """Pictures with captions, some of them nonsense."""
    rows = []
    for n, text in enumerate(sorted((folder / "my_photos").glob("*.txt"))):
        strange = n % 4 == 1
        caption = f"invoice number {n}" if strange else text.read_text().splitlines()[0]
        rows.append(f'{text.with_suffix(".jpg")},"{caption}",{"yes" if strange else "no"}')
    (folder / "new.csv").write_text("\n".join(["image,text,anomalous", *rows]) + "\n")


def travel(folder: Path) -> None:
    """Pictures with an English and a Chinese sentence each; some rows have no picture."""
    (folder / "photos").mkdir()
    rows = ["image,english,chinese"]
    for n, sample in enumerate(ScenesConfig(count=60, languages=("en", "zh")).build()):
        picture = simplejpeg.encode_jpeg(sample.items["image"].array(), quality=95)
        (folder / "photos" / f"{n}.jpg").write_bytes(picture)
        english, chinese = (sample.items[name][0] for name in ("text", "text_zh"))
        rows.append(f'{f"photos/{n}.jpg" if n % 9 else ""},"{english}","{chinese}"')
    rows[1] = f"photos/0.jpg{rows[1]}"
    (folder / "travel.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


DATA = {
    "docs/start.md": (my_photos,),
    "docs/guides/pictures.md": (my_photos,),
    "docs/guides/labels.md": (photos,),
    "docs/guides/sentiment.md": (scored_films,),
    "docs/guides/table.md": (befunde,),
    "docs/guides/dialog.md": (dialogs,),
    "docs/guides/mismatches.md": (my_photos, new_photos),
    "docs/guides/translation.md": (travel,),
    "docs/guides/media.md": (my_sounds, clips, my_speech),
    "docs/guides/published.md": (my_photos, clip),
    "docs/guides/chinese.md": (shuju,),
    "docs/fit.md": (reviews, described),
    "docs/data.md": (reviews,),
    "docs/checkpoints.md": (my_vqa, my_labels, my_sounds),
    "docs/choosing.md": (examples,),
    "docs/results.md": (examples, flickr8k),
    "README.md": (my_photos,),
}
