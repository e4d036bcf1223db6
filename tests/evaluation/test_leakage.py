"""The leakage audit on made and on real splits."""

import dataclasses

import numpy as np
import pytest
from made_media import bursts, sound_file
from PIL import Image

from weft.core.media import Alternatives, Media, media_of
from weft.core.samples import Sample
from weft.data.formats import open_dataset
from weft.data.prepare.fingerprints import fingerprint
from weft.data.prepare.media_facts import MediaFacts
from weft.data.prepare.scan import RowFacts
from weft.evaluation.leakage import Finding, audit, audit_datasets


def picture(seed):
    """Smooth random blobs: alike only to themselves."""
    cells = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(cells).resize((96, 96), Image.Resampling.BICUBIC))


def facts(start, stop):
    return [
        RowFacts(
            id=f"row{n}",
            group=f"image{n}",
            source=f"made.jsonl:{n}",
            captions={"text": (f"Picture {n} .",)},
            media={"image": MediaFacts("image", f"digest{n}", look=fingerprint(picture(n)))},
        )
        for n in range(start, stop)
    ]


def with_media(row, **changes):
    changed = dataclasses.replace(row.media["image"], **changes)
    return dataclasses.replace(row, media={"image": changed})


def test_disjoint_splits_are_clean():
    leakage = audit(facts(0, 60), facts(60, 100))
    assert leakage.clean
    assert leakage.lines()[0] == "0 of 40 rows have an id that is also in training"
    assert leakage.lines()[-1].startswith("this audit cannot find training pictures cropped")
    assert leakage.to_json()["clean"] is True
    assert leakage.to_json()["near_duplicates"]["image"]["total"] == 40


def test_every_kind_of_leak_is_found():
    train, evaluated = facts(0, 60), facts(60, 100)
    faded = (picture(11) * 0.8 + 20).astype(np.uint8)
    evaluated[0] = dataclasses.replace(evaluated[0], id="row59", captions={"text": ("picture 5",)})
    evaluated[1] = dataclasses.replace(evaluated[1], group="image1")
    evaluated[3] = with_media(evaluated[3], digest="digest5", look=train[5].media["image"].look)
    evaluated[7] = with_media(evaluated[7], look=fingerprint(faded))
    evaluated[8] = with_media(evaluated[8], look=fingerprint(picture(12)[:, ::-1].copy()))
    evaluated[9] = dataclasses.replace(evaluated[9], media={})
    leakage = audit(train, evaluated)
    assert leakage.ids.examples == (("row59", "row59"),)
    assert leakage.groups.examples == (("row61", "row1"),)
    assert leakage.identical["image"].examples == (("row63", "row5"),)
    assert leakage.identical["image"].total == 39
    near = leakage.near_duplicates["image"]
    assert near.examples == (("row67", "row11"), ("row68", "row12"))
    assert leakage.texts.examples == (("row59", "row5"),)
    assert not leakage.clean
    assert leakage.shared
    assert "LEAKAGE" in leakage.verdict
    nothing = Finding(0, 39)
    alike_only = dataclasses.replace(
        leakage, ids=nothing, groups=nothing, identical={"image": nothing}
    )
    assert not alike_only.clean
    assert not alike_only.shared
    assert alike_only.verdict.startswith("possible leakage")


def test_pictures_alike_within_a_split_are_no_leak():
    train, evaluated = facts(0, 5), facts(5, 10)
    train.append(dataclasses.replace(with_media(train[0], digest="other"), id="again"))
    twice = with_media(evaluated[0], digest="another")
    evaluated.append(dataclasses.replace(twice, id="twice", group="g"))
    assert audit(train, evaluated).near_duplicates["image"].found == 0


def sample(n, items):
    return Sample(f"row{n}", f"group{n}", items, f"made.jsonl:{n}")


def recording(n, kind, suffix):
    """A sound, a film of noise, or bytes that no decoder knows."""
    draws = np.random.default_rng(n)
    if kind == "audio":
        return Media.encoded(sound_file(bursts(n, 0.5)), kind, suffix)
    if kind == "video":
        return Media.frames(draws.integers(0, 255, (6, 16, 16, 3), dtype=np.uint8), 3.0)
    return Media.encoded(draws.bytes(300), kind, suffix)


def pixels(n):
    return media_of(picture(n), "image")


LAYOUTS = {
    "two pictures of any names": lambda n: {"left": pixels(n), "right": pixels(100 + n)},
    "a second picture": lambda n: {"image": pixels(n), "image2": pixels(100 + n)},
    "frames of a clip": lambda n: {"frames": [pixels(n), pixels(100 + n)], "text": f"clip {n}"},
    "pictures to choose from": lambda n: {"choices": Alternatives([pixels(n), pixels(100 + n)])},
    "sounds": lambda n: {"audio": recording(n, "audio", "wav"), "text": "a bell rings"},
    "films beside a picture": lambda n: {
        "image": pixels(200 + n % 2),
        "film": recording(n, "video", "mp4"),
    },
    "files of unknown kind": lambda n: {"scan": recording(n, "file", "")},
    "arrays": lambda n: {"signal": Media.array_of(np.arange(64.0) * n), "label": n % 2},
    "arrays in the row": lambda n: {"signal": np.arange(64.0) * n},
    "numbers of a table": lambda n: {"rooms": n % 7, "size": 1.5 * n, "city": "Basel"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_whatever_a_row_holds_is_compared(layout):
    """Eight test rows hold what eight training rows hold, under other ids: never 'none found'."""
    items = LAYOUTS[layout]
    train = [sample(n, items(n)) for n in range(1, 17)]
    apart = [sample(n, items(n)) for n in range(31, 39)]
    evaluated = [sample(50 + n, items(n)) for n in range(1, 9)]
    leakage = audit_datasets(train, evaluated, workers=1)
    assert not leakage.clean
    assert "none found" not in leakage.verdict
    assert leakage.ids.found == leakage.groups.found == 0
    found = [*leakage.identical.values(), leakage.values]
    assert sum(finding.found for finding in found) >= 8
    assert any(("row51", "row1") in finding.examples for finding in found)
    if "films" not in layout:  # there each picture stands in many rows
        assert audit_datasets(train, apart, workers=1).clean


def test_a_picture_is_found_in_another_column_and_turned():
    train = [sample(n, {"left": pixels(n), "right": pixels(20 + n)}) for n in range(10)]
    turned = media_of(np.rot90(picture(23)).copy(), "image")
    evaluated = [
        sample(50, {"left": pixels(40), "right": turned}),
        sample(51, {"right": pixels(1)}),
    ]
    leakage = audit_datasets(train, evaluated, workers=1)
    assert leakage.identical["image"].examples == (("row51", "row1"),)
    assert leakage.near_duplicates["image"].examples == (("row50", "row3"),)


def test_a_sound_is_found_whatever_its_file_is_called():
    content = recording(1, "audio", "wav").place
    train = [sample(1, {"member": Media("file", content)})]
    leakage = audit_datasets(
        train, [sample(2, {"audio": Media("audio", content, "wav")})], workers=1
    )
    assert leakage.identical["audio"].examples == (("row2", "row1"),)
    assert (
        "this audit cannot find training sounds cut by more than about 2 %, mixed with others, played faster or slower, cropped, or mirrored"
        in leakage.lines()
    )
    assert (
        "this audit cannot find other parts of a training recording: give all parts of a recording the same value of the column `group`"
        in leakage.lines()
    )


def test_texts_of_every_column_are_compared():
    train = [sample(1, {"text": "A dog .", "text_zh": Alternatives(["一只狗", "狗在跑"])})]
    evaluated = [
        sample(2, {"text": "a cat", "text_zh": Alternatives(["狗在跑", "一只猫"])}),
        sample(3, {"question": "What runs here?", "answer": "dog"}),
        sample(4, {"question": "A dog", "answer": "dog", "split": "a dog"}),
    ]
    leakage = audit_datasets(train, evaluated, workers=1)
    assert leakage.texts == Finding(2, 5, (("row2", "row1"), ("row4", "row1")))
    assert leakage.clean


def test_labels_and_names_are_no_texts():
    """Every class of the test rows is in training, which says nothing. A stream that reads them as text is compared."""

    def rows(start, stop):
        names = {"label": "golden retriever", "speaker": "Ann Lee"}
        return [
            sample(n, {"image": pixels(n), **names, "report": f"seen at mile {n}"})
            for n in range(start, stop)
        ]

    train, evaluated = rows(0, 12), rows(20, 28)
    assert audit_datasets(train, evaluated, workers=1).texts == Finding(0, 8)
    found = audit_datasets(train, evaluated, workers=1, streams=["label"]).texts
    assert (found.found, found.total) == (8, 16)


def test_numbers_and_dates_are_no_texts(tmp_path):
    """The cells of a CSV table are strings: -0.25 has two words, and many rows share it."""
    for name, first in (("train", 0), ("test", 20)):
        rows = [
            f"{name}{n},{n % 3 - 1.5:.4f},2026-03-{n % 9 + 1:02},1.5 mm,it was said {n} times"
            for n in range(first, first + 20)
        ]
        table = "\n".join(["id,audio_1,seen,size,speech", *rows]) + "\n"
        (tmp_path / f"{name}.csv").write_text(table)
    train, evaluated = (open_dataset(tmp_path / f"{n}.csv") for n in ("train", "test"))
    found = audit_datasets(train, evaluated, workers=1)
    assert found.texts == Finding(0, 20)
    (tmp_path / "numbers.csv").write_text("audio_1,seen\n-1.5,2026-03-01\n")
    numbers = open_dataset(tmp_path / "numbers.csv")
    found = audit_datasets(numbers, numbers, workers=1)
    assert (found.texts.total, found.values.found) == (0, 1)  # the row as a whole


def test_labels_and_masks_that_lie_in_arrays_may_be_the_same():
    def items(n):
        one_hot = np.eye(10)[n % 10]
        return {"image": pixels(n), "label": one_hot, "mask": Media.array_of(np.zeros((64, 64)))}

    train, evaluated = ([sample(n, items(n)) for n in rows] for rows in (range(10), range(10, 20)))
    leakage = audit_datasets(train, evaluated, workers=1)
    assert leakage.clean
    assert list(leakage.identical) == ["image"]


def test_equal_arrays_are_suspected_and_no_proof():
    times = np.linspace(0, 1, 100)
    train, evaluated = (
        [sample(n, {"image": pixels(n), "times": times}) for n in rows] for rows in ((1, 2), (3, 4))
    )
    leakage = audit_datasets(train, evaluated, workers=1)
    assert not leakage.shared
    assert leakage.verdict.startswith("possible leakage")


@pytest.mark.parametrize("side", ["evaluated", "training"])
def test_what_cannot_be_read_is_not_audited(side, tmp_path):
    absent = Media.file(tmp_path / "absent.wav")
    good, bad = (
        [sample(1, {"image": pixels(1)})],
        [sample(2, {"image": pixels(2), "sound": absent})],
    )
    train, evaluated = (good, bad) if side == "evaluated" else (bad, good)
    leakage = audit_datasets(train, evaluated, workers=1)
    assert not leakage.clean
    assert leakage.verdict.startswith("leakage from training: not audited")
    line = (
        f"not compared: 1 of 1 {side} rows, which cannot be read (made.jsonl:2: sound: no such file"
    )
    assert any(said.startswith(line) for said in leakage.lines())
    assert leakage.to_json()["clean"] is False
    assert leakage.to_json()["not_compared"]
    shared = audit_datasets(train, [*evaluated, dataclasses.replace(train[0], id="x")], workers=1)
    assert "LEAKAGE" in shared.verdict


def test_data_sets_are_read(tmp_path):
    def rows(start, stop):
        return [
            Sample(
                f"row{n}",
                f"image{n}",
                {"image": media_of(picture(n), "image"), "text": Alternatives([f"Picture {n}"])},
                f"x:{n}",
            )
            for n in range(start, stop)
        ]

    evaluated = [*rows(5, 8), dataclasses.replace(rows(2, 3)[0], id="new", group="new")]
    for _ in range(2):
        leakage = audit_datasets(rows(0, 5), evaluated, workers=1, kept=tmp_path)
        assert leakage.identical["image"].examples == (("new", "row2"),)
        assert leakage.texts.examples == (("new", "row2"),)
        assert leakage.groups.found == 0
    edited = [*rows(0, 2), dataclasses.replace(rows(7, 8)[0], id="edited", group="e"), *rows(3, 5)]
    leakage = audit_datasets(edited, evaluated, workers=1, kept=tmp_path)
    assert leakage.identical["image"].examples == (("row7", "edited"),)


def test_flickr8k_test_split_shares_captions_but_no_group(shared_data):
    def split(name):
        rows = open_dataset(shared_data("flickr8k"), split=name)
        return [
            RowFacts(s.id, s.group, s.source, captions={"text": tuple(s.items["text"])})
            for s in (rows[n] for n in range(len(rows)))
        ]

    leakage = audit(split("train"), split("test"))
    assert leakage.clean
    assert (leakage.train_rows, leakage.evaluated_rows) == (6000, 1000)
    assert 0 < leakage.texts.found < 150
