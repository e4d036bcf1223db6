"""The leakage audit on made and on real splits."""

import dataclasses

import numpy as np
from PIL import Image

from weft.core.media import Alternatives, media_of
from weft.core.records import Sample
from weft.data.formats import open_dataset
from weft.data.prepare.fingerprints import fingerprint
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
            captions=(f"Picture {n} .",),
            digest=f"digest{n}",
            look=fingerprint(picture(n)),
        )
        for n in range(start, stop)
    ]


def test_disjoint_splits_are_clean():
    leakage = audit(facts(0, 60), facts(60, 100))
    assert leakage.clean
    assert leakage.lines()[0] == "0 of 40 rows have an id that is also in training"
    assert leakage.lines()[-1].startswith("not found: training pictures cropped")
    assert leakage.to_json()["clean"] is True
    assert leakage.to_json()["near_duplicate_pictures"]["total"] == 40


def test_every_kind_of_leak_is_found():
    train, evaluated = facts(0, 60), facts(60, 100)
    faded = (picture(11) * 0.8 + 20).astype(np.uint8)
    for place, changes in {
        0: {"id": "row59", "captions": ("picture 5",)},
        1: {"group": "image1"},
        3: {"digest": "digest5", "look": train[5].look},
        7: {"look": fingerprint(faded)},
        8: {"look": fingerprint(picture(12)[:, ::-1].copy())},
        9: {"look": None, "digest": None},
    }.items():
        evaluated[place] = dataclasses.replace(evaluated[place], **changes)
    leakage = audit(train, evaluated)
    assert leakage.ids.examples == (("row59", "row59"),)
    assert leakage.groups.examples == (("row61", "row1"),)
    assert leakage.identical_pictures.examples == (("row63", "row5"),)
    assert leakage.identical_pictures.total == 39
    assert leakage.near_duplicate_pictures.examples == (("row67", "row11"), ("row68", "row12"))
    assert leakage.identical_captions.examples == (("row59", "row5"),)
    assert not leakage.clean
    assert leakage.shared
    assert "LEAKAGE" in leakage.verdict
    alike_only = dataclasses.replace(
        leakage, **dict.fromkeys(("ids", "groups", "identical_pictures"), Finding(0, 39))
    )
    assert not alike_only.clean
    assert not alike_only.shared
    assert alike_only.verdict.startswith("possible leakage")


def test_pictures_alike_within_a_split_are_no_leak():
    train, evaluated = facts(0, 5), facts(5, 10)
    train.append(dataclasses.replace(train[0], id="again", digest="other"))
    evaluated.append(dataclasses.replace(evaluated[0], id="twice", group="g", digest="another"))
    assert audit(train, evaluated).near_duplicate_pictures.found == 0


def test_what_was_not_looked_at_is_said():
    bare = RowFacts("a", "g", "made.jsonl:1")
    leakage = audit([bare], [dataclasses.replace(bare, id="b", group="h")])
    assert leakage.identical_pictures.found is None
    assert "not checked: pictures are near duplicates of a training picture" in leakage.lines()


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
        assert leakage.identical_pictures.examples == (("new", "row2"),)
        assert leakage.identical_captions.examples == (("new", "row2"),)
        assert leakage.groups.found == 0
    edited = [*rows(0, 2), dataclasses.replace(rows(7, 8)[0], id="edited", group="e"), *rows(3, 5)]
    leakage = audit_datasets(edited, evaluated, workers=1, kept=tmp_path)
    assert leakage.identical_pictures.examples == (("row7", "edited"),)


def test_flickr8k_test_split_shares_captions_but_no_group(shared_data):
    def split(name):
        rows = open_dataset(shared_data("flickr8k"), split=name)
        return [
            RowFacts(s.id, s.group, s.source, captions=tuple(s.items["text"]))
            for s in (rows[n] for n in range(len(rows)))
        ]

    leakage = audit(split("train"), split("test"))
    assert leakage.clean
    assert (leakage.train_rows, leakage.evaluated_rows) == (6000, 1000)
    assert 0 < leakage.identical_captions.found < 150
