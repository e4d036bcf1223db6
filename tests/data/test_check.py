"""`weft data check` names what is broken, doubled and leaking."""

import io
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_media import RATE, bursts, film, sound_file, tone
from PIL import Image, ImageOps

from weft.core.errors import DataError
from weft.core.media import Alternatives, Media, media_of
from weft.core.samples import Sample
from weft.data.formats import open_dataset
from weft.data.prepare import media_facts
from weft.data.prepare import scan as scanning
from weft.data.prepare.check import CheckConfig, check
from weft.data.prepare.engines import Processes
from weft.data.prepare.report import DataReport
from weft.data.prepare.scan import RowFacts
from weft.data.schema import infer, labels_of, texts_of
from weft.report.card import write_card

ONE = CheckConfig(workers=1)


def picture(seed: int, size: tuple[int, int] = (80, 60)) -> Image.Image:
    rng = np.random.default_rng(seed)
    noise = Image.fromarray(rng.integers(0, 255, (7, 7, 3), dtype=np.uint8))
    return noise.resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "JPEG", **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def row(
    n: int, image: object, split: str = "train", group: str | None = None, **items: object
) -> Sample:
    several = Alternatives([f"number {n} of them"])
    values = {"image": media_of(image, "image"), "text": several, "split": split, **items}
    return Sample(f"id{n}", group or f"group{n}", values, f"rows.jsonl:{n + 1}")


class Failing(Sequence[Sample]):
    """A data set whose last row cannot be read at all."""

    def __init__(self, rows: list[Sample]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows) + 1

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        if index == len(self.rows):
            raise DataError("the shard is cut off", source="a.tar:7")
        return self.rows[index]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> DataReport:
    folder = tmp_path_factory.mktemp("pictures")
    whole = encoded(picture(2))
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("not a picture")
    rows = [
        row(0, encoded(picture(0), quality=95)),
        row(1, encoded(picture(1), quality=95), split="test"),
        row(2, folder / "cut.jpg"),
        row(3, folder / "empty.jpg"),
        row(4, folder / "text.jpg"),
        row(5, folder / "absent.jpg"),
        row(6, encoded(picture(0), quality=95), split="test"),
        row(7, encoded(picture(1).resize((300, 200)), quality=60), split="train"),
        row(8, encoded(ImageOps.mirror(picture(1)), quality=95), split="train"),
        row(9, encoded(picture(9)), group="shared"),
        row(10, encoded(picture(10)), split="validation", group="shared"),
        row(11, encoded(picture(11)), text=["", "Number 0, of THEM!", "x" * 2000]),
        row(12, np.full((20, 30, 3), 7, np.uint8), text="没有照片", split="test"),
    ]
    lost = [DataError("is not JSON", source="rows.jsonl:99")]
    return check(Failing(rows), ONE, name="odd", row_errors=lost)


def test_counts(report: DataReport) -> None:
    assert report.total.rows == 14
    assert report.counts(report.total)["pictures"] == 9
    assert report.splits["test"].rows == 3
    assert report.columns["image"].kinds == {"image": 9, "jpg image": 4}
    assert sum(split.rows for split in report.splits.values()) == report.total.rows


def test_a_picture_with_several_captions_counts_once() -> None:
    same = encoded(picture(0))
    rows = [row(n, same, group="photo") for n in range(3)] + [row(3, encoded(picture(3)))]
    found = check(rows, ONE)
    assert found.counts(found.total) == {"rows": 4, "pictures": 2, "captions": 4, "groups": 2}
    assert found.exact.total == 0
    assert [place[0] for place in found.shown] == [0, 3]
    assert sum(map(sum, found.histograms["kilobytes a picture"].counts.values())) == 2


def test_duplicates_whose_labels_differ_are_named() -> None:
    """Exact and near ones, of one group too; another question about a picture is no duplicate."""
    same, small = encoded(picture(0), quality=95), encoded(picture(0).resize((60, 45)))
    label, text = "golden retriever", "a dog"
    rows = [
        row(0, same, label=label, text=text),
        row(1, same, label="cat", text="A dog.", group="group0"),
        row(2, same, label="cat", text="what else?"),
        row(3, small, label="cat", text=text),
        row(4, same, label=None, text=text),
        row(5, encoded(picture(5)), label="cat", text=text),
    ]
    found = check(rows, ONE, labels=["label"])
    assert [(one.source, one.reason) for one in found.conflicts] == [
        (
            "rows.jsonl:2",
            "the same content as rows.jsonl:1, but label 'cat' instead of 'golden retriever'",
        ),
        (
            "rows.jsonl:4",
            "nearly the same content as rows.jsonl:1, but label 'cat' instead of 'golden retriever'",
        ),
    ]
    assert found.conflicts_total == 2
    assert check(rows, ONE).conflicts_total == 0
    unlabelled = [row(9, same, label=None, text=text), *rows[:2]]
    (only,) = check(unlabelled, ONE, labels=["label"]).conflicts
    assert only.source == "rows.jsonl:2"


def test_questions_are_texts_and_no_labels() -> None:
    rows = [
        Sample(str(n), str(n), {"image": media_of(encoded(picture(n % 20)), "image"), "question": asked}, "a")
        for n, asked in enumerate(["Is it red?", "is it red"] * 20)
    ]  # fmt: skip
    schema = infer(rows)
    assert schema.of("category") == texts_of(schema) == ("question",)
    assert labels_of(schema) == ()


@pytest.mark.parametrize(
    ("column", "called"), [("question", "question"), ("Befund", "text"), ("caption_de", "caption")]
)
def test_texts_are_called_after_their_column(column: str, called: str, tmp_path: Path) -> None:
    rows = [row(n, encoded(picture(n))) for n in range(2)]
    said = ["what is the blue shape?", " "]
    asked = [
        replace(one, items={"image": one.items["image"], column: text})
        for one, text in zip(rows, said, strict=True)
    ]
    found = check(asked, ONE, texts=[column])
    assert found.counts(found.total)[f"{called}s"] == 2
    assert [problem.reason for problem in found.suspicious] == [f"{called} without words: ' '"]
    assert {f"words a {called}", f"characters a {called}"} < set(found.histograms)
    page = write_card(found, tmp_path / "card").read_text()
    assert f"{called.capitalize()}s a row" in page


def test_corrupt_rows_are_named_with_their_reason(report: DataReport) -> None:
    found = {problem.source: problem.reason for problem in report.corrupt}
    assert report.corrupt_total == len(found) == 6
    assert found["rows.jsonl:99"] == "is not JSON"
    assert found["a.tar:7"] == "the shard is cut off"
    assert "truncated" in found["rows.jsonl:3"]
    assert "empty" in found["rows.jsonl:4"]
    assert "not a picture" in found["rows.jsonl:5"]
    assert "no such file" in found["rows.jsonl:6"]


def test_duplicates_and_leaks_are_named(report: DataReport) -> None:
    assert [pair.ids for pair in report.exact.pairs] == [("id0", "id6")]
    assert report.exact.leaking == 1
    near = {pair.ids: pair.turn for pair in report.near.pairs}
    assert near == {("id1", "id7"): "", ("id1", "id8"): "mirrored", ("id7", "id8"): "mirrored"}
    assert report.near.leaking == 2
    assert report.shared_group_names == ("shared",)
    assert report.leaks == 4


def test_captions(report: DataReport) -> None:
    facts = report.captions
    assert (facts.total, facts.empty, facts.long) == (15, 1, 1)
    assert facts.across_splits == 0
    assert facts.repeated == 1
    assert facts.languages["Chinese"] == 1
    reasons = [problem.reason for problem in report.suspicious]
    assert "caption without words: ''" in reasons
    assert "caption of 2,000 characters" in reasons
    assert "image: picture is one flat colour" in reasons


def test_a_picture_in_many_rows_is_compared_once() -> None:
    """Each of its rows has the other picture beside it, which is named once."""
    same, like = encoded(picture(1), quality=95), encoded(picture(1).resize((300, 200)), quality=60)
    rows = [row(n, same if n % 2 else like, group=f"{n % 2}") for n in range(40)]
    found = check(rows, ONE)
    assert (found.near.total, found.near.pairs[0].ids) == (1, ("id0", "id1"))
    assert found.exact.total == 0


def test_same_caption_in_two_splits_is_counted() -> None:
    rows = [
        row(n, encoded(picture(n)), split, text="A dog.")
        for n, split in enumerate(("train", "test"))
    ]
    assert check(rows, ONE).captions.across_splits == 2


def test_rows_of_one_group_are_no_duplicates() -> None:
    rows = [row(n, encoded(picture(0)), group="one", text=f"question {n}") for n in range(3)]
    assert check(rows, ONE).exact.total == 0


def test_every_column_of_pictures_and_sounds_is_checked(tmp_path: Path) -> None:
    def pair(n: int, left: int, right: int, split: str) -> Sample:
        places = {"left": media_of(encoded(picture(left), quality=95), "image")}
        places["right"] = media_of(encoded(picture(right), quality=60), "image")
        sound = Media.encoded(sound_file(bursts(left)), "audio", "wav")
        items = {**places, "sound": sound, "text_de": "ein Satz", "split": split}
        return Sample(f"id{n}", f"group{n}", items, f"rows.jsonl:{n + 1}")

    rows = [pair(0, 1, 2, "train"), pair(1, 3, 2, "test"), pair(2, 1, 4, "test")]
    rows.append(pair(3, 5, 3, "train"))
    rows[3].items["sound"] = Media.file(tmp_path / "absent.wav")
    report = check(rows, ONE)
    assert report.counts(report.total) == {
        **{"rows": 4, "pictures": 8, "sounds": 3, "captions": 4, "groups": 4}
    }
    exact = {(pair.ids, pair.columns) for pair in report.exact.pairs}
    assert exact == {
        (("id0", "id1"), ("right", "right")),
        (("id0", "id2"), ("left", "left")),
        (("id0", "id2"), ("sound", "sound")),
    }
    assert [(p.ids, p.columns) for p in report.near.pairs] == [(("id1", "id3"), ("left", "right"))]
    assert report.leaks == 4
    assert [(p.source, p.reason[:20]) for p in report.corrupt] == [
        ("rows.jsonl:4", "sound: no such file:")
    ]
    assert set(report.thumbnails) == {(n, side) for n in range(4) for side in ("left", "right")}
    page = write_card(report, tmp_path / "card").read_text()
    assert "4 rows, 8 pictures, 3 sounds, 4 captions" in page
    assert "1 row or value cannot be read" in page
    assert "The splits share rows (leaks: 4)" in page
    assert "left and right" in page
    assert "Not compared, since they cannot be read: 1 row." in page


def test_upright_size_is_that_of_the_file_and_not_of_the_fast_decoding() -> None:
    sideways = picture(0, (1600, 1000))
    exif = sideways.getexif()
    exif[0x0112] = 6
    out = io.BytesIO()
    sideways.save(out, "JPEG", exif=exif)
    fact = scanning.scan_row(lambda: row(0, out.getvalue()), 0)
    assert fact.media["image"].size == (1000, 1600)


def test_data_without_pictures_or_splits_can_be_checked(tmp_path: Path) -> None:
    rows = [Sample(str(n), str(n), {"text": f"word {n}", "label": "a"}, f"x:{n}") for n in range(3)]
    found = check(rows, ONE)
    assert "pictures" not in found.counts(found.total)
    page = write_card(found, tmp_path).read_text()
    assert "not divided into splits." in page
    assert "No duplicates were found." in page
    assert "not divided into splits, so nothing can leak" in page
    for wrong in ("(none)", "share no rows", "only one split", "leaks between", "another split"):
        assert wrong not in page


def test_one_split_is_named(tmp_path: Path) -> None:
    items = [{"text": f"word {n}", "split": "train"} for n in range(3)]
    rows = [Sample(str(n), str(n), values, f"x:{n}") for n, values in enumerate(items)]
    page = write_card(check(rows, ONE), tmp_path).read_text()
    assert "all in the split train." in page
    assert "There is only one split" in page
    assert "not divided" not in page


def test_card_says_all_that_and_json_too(report: DataReport, tmp_path: Path) -> None:
    page = write_card(report, tmp_path).read_text()
    for needed in ("rows.jsonl:99", "the shard is cut off", "id8", "mirrored", "shared groups"):
        assert needed in page
    assert "<script" not in page
    values = json.loads((tmp_path / "card.json").read_text())
    assert values["leaks"] == 4
    assert values["near"]["pairs"][0]["ids"] == ["id1", "id7"]
    assert "thumbnails" not in values


def test_scan_continues_from_kept_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "UNIT_ROWS", 4)
    rows = [row(n, encoded(picture(n))) for n in range(10)]
    first = scanning.scan(rows, engine=Processes(1), kept=tmp_path)
    (tmp_path / "rows-000001.json").write_text("[{")
    monkeypatch.setattr(
        scanning,
        "scan_row",
        lambda read, n, *others, **more: (
            pytest.fail("was read already")
            if n < 4 or n >= 8
            else scan_row(read, n, *others, **more)
        ),
    )
    assert scanning.scan(rows, engine=Processes(1), kept=tmp_path) == first


def test_a_kept_unit_whose_rows_changed_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "UNIT_ROWS", 4)
    paths = [tmp_path / f"{n}.png" for n in range(10)]
    for n, path in enumerate(paths):
        path.write_bytes(encoded(picture(n)))
    rows = [row(n, path) for n, path in enumerate(paths)]

    def scan() -> list[RowFacts]:
        kept = scanning.scan(rows, engine=Processes(1), kept=tmp_path / "kept")
        assert kept == scanning.scan(rows, engine=Processes(1))
        return kept

    first = scan()
    rows[1] = row(1, paths[1])
    rows[1].items["text"] = "another caption"
    assert scan() != first
    # The same name, size and time of writing: only the time of the inode's change tells them apart.
    before = paths[9].stat()
    paths[9].write_bytes(encoded(picture(77))[: before.st_size].ljust(before.st_size, b"\0"))
    os.utime(paths[9], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert scan()[9].media["image"].digest != first[9].media["image"].digest
    monkeypatch.setattr(scanning, "VERSION", scanning.VERSION + 1)
    monkeypatch.setattr(media_facts, "fingerprint", lambda pixels: b"another look")
    assert scan()[0].media["image"].look == b"another look"


scan_row = scanning.scan_row


def test_known_pairs_of_flickr8k(shared_data: Callable[[str], Path]) -> None:
    dataset = open_dataset(shared_data("flickr8k"))
    rows = [dataset[n] for n in (764, 765, 780, 781, 3109, 3840, 7412, 7413, *range(0, 8000, 200))]
    found = check(rows, ONE)
    assert found.corrupt_total == 0
    assert [pair.rows for pair in found.exact.pairs] == [(4, 5)]
    assert {pair.rows for pair in found.near.pairs} == {(0, 1), (2, 3), (6, 7)}
    assert found.near.leaking == 2


def moving(seed: int, frames: int = 20) -> np.ndarray:
    """(F, 48, 64, 3) uint8: a square that goes its own way before a background of its own."""
    draws = np.random.default_rng(seed)
    start, step = draws.integers(0, 20, 2), draws.integers(-3, 4, 2)
    ground = np.asarray(picture(seed, (64, 48)))
    made = np.stack([ground] * frames)
    for n in range(frames):
        y, x = (start + n * step) % (36, 52)
        made[n, y : y + 12, x : x + 12] = draws.integers(0, 255, 3)
    return made


WRONG_RECORDINGS: dict[str, tuple[Callable[[], Media], str]] = {
    "a text named .wav": (lambda: Media.encoded(b"hello", "audio", "wav"), "is not a sound"),
    "nothing": (lambda: Media.encoded(b"", "audio", "wav"), "sound is empty"),
    "a text named .mp4": (lambda: Media.encoded(b"hello", "video", "mp4"), "is not a video"),
    "a sound as a film": (
        lambda: Media.encoded(sound_file(tone(0.1)), "video", "mp4"),
        "has no video track",
    ),
    "a part behind the end": (
        lambda: Media.encoded(sound_file(tone(1.0)), "audio").part(70.0, 80.0),
        "the part begins at 70 s, but the recording ends at 1.000 s",
    ),
}
ODD_RECORDINGS: dict[str, tuple[Callable[[], Media], str]] = {
    "silence": (
        lambda: Media.encoded(sound_file(np.zeros(RATE, np.float32)), "audio"),
        "silent: no sample is above -60 dB",
    ),
    "clipping": (
        lambda: Media.encoded(sound_file(np.clip(9 * tone(), -1, 1)), "audio"),
        r"clipped: \d\d\.\d % of the samples",
    ),
    "a cut sound": (
        lambda: Media.encoded(_cut(sound_file(tone(1.0))), "audio"),
        r"header says 1.0 s, but 0.5 s can be decoded",
    ),
    "a cut film": (
        lambda: Media.encoded(_cut(film(200, 10, format="matroska")), "video"),
        r"header says 20.0 s, but \d+\.\d s can be decoded",
    ),
    "damaged frames": (
        lambda: Media.encoded(_spoiled(film(60, 10)), "video"),
        r"[1-9]\d* frames cannot be decoded",
    ),
}


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _spoiled(data: bytes) -> bytes:
    """Every second frame of the film without the code that it starts with."""
    parts = data.split(b"\x00\x00\x01\xb6")
    return b"".join(p + (b"\x00\x00\x01\xb6", bytes(4))[n % 2] for n, p in enumerate(parts))[:-4]


@pytest.mark.parametrize("name", WRONG_RECORDINGS)
def test_a_recording_that_cannot_be_used_is_named_with_its_row(name: str) -> None:
    make, reason = WRONG_RECORDINGS[name]
    good = Sample("a", "a", {"sound": Media.encoded(sound_file(bursts(0)), "audio")}, "rows.csv:2")
    report = check([good, Sample("b", "b", {"sound": make()}, "rows.csv:3")], ONE)
    ((source, said),) = [(p.source, p.reason) for p in report.corrupt]
    assert source == "rows.csv:3"
    assert said.startswith(f"sound: {reason}")


@pytest.mark.parametrize("name", ODD_RECORDINGS)
def test_a_recording_that_looks_wrong_is_named_with_its_row(name: str) -> None:
    make, reason = ODD_RECORDINGS[name]
    report = check([Sample("a", "a", {"clip": make()}, "rows.csv:2")], ONE)
    assert not report.corrupt
    ((source, said),) = [(p.source, p.reason) for p in report.suspicious]
    assert source == "rows.csv:2"
    assert re.match(f"clip: {reason}", said)


def test_lengths_rates_and_films_without_sound_are_told(tmp_path: Path) -> None:
    voiced = [film(20, sound=bursts(n, 2.0)) for n in range(3)]
    items: list[dict[str, object]] = [
        {"video": Media.encoded(data, "video", "mp4")} for data in (*voiced, film(20))
    ]
    items += [{"audio": Media.encoded(sound_file(bursts(9, 0.5)), "audio").part(0.1, 0.3)}]
    report = check([Sample(f"{n}", f"{n}", i, f"rows.csv:{n}") for n, i in enumerate(items)], ONE)
    sounds, films = report.recordings["audio"], report.recordings["video"]
    assert (sounds.shortest, sounds.longest, sounds.rates) == (0.2, 0.2, {"16000": 1})
    assert films.median == pytest.approx(2.0, abs=0.01)
    assert films.rates == {"10": 4}
    assert films.channels == {"1": 3, "0": 1}
    assert [(p.source, p.reason) for p in report.suspicious] == [
        ("rows.csv:3", "video: video has no sound track that can be read, most others have one")
    ]
    assert "seconds a video" in report.histograms
    page = write_card(report, tmp_path).read_text()
    assert "Sounds and videos" in page
    assert len(report.thumbnails) == 4


def test_copies_of_recordings_are_found_in_other_formats_and_levels() -> None:
    def heard(samples: np.ndarray, format: str = "WAV", subtype: str | None = None) -> Media:
        return Media.encoded(sound_file(samples, RATE, format, subtype), "audio")

    items: list[dict[str, object]] = [{"audio": heard(bursts(n, 3.0))} for n in range(6)]
    items += [{"audio": heard(bursts(2, 3.0), "MP3", "MPEG_LAYER_III")}]
    items += [{"audio": heard(0.3 * bursts(4, 3.0))}]
    items += [{"video": Media.frames(moving(n), 10.0)} for n in range(5)]
    items += [{"video": Media.frames(moving(3)[:, ::2, ::2], 10.0)}]
    # The same place at another time is another film.
    items += [{"video": Media.frames(np.roll(moving(2), 9, axis=0), 10.0)}]
    report = check([Sample(f"{n}", f"{n}", i, f"rows:{n}") for n, i in enumerate(items)], ONE)
    assert report.exact.total == 0
    assert {pair.rows for pair in report.near.pairs} == {(2, 6), (4, 7), (11, 13)}
