"""`weft data prepare`: nothing is lost unsaid, nothing leaks, and a killed run ends the same."""

import dataclasses
import hashlib
import io
import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_media import bursts, sound_file, tone
from PIL import Image

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives, Media, media_of
from weft.core.samples import Sample
from weft.data.formats import open_dataset
from weft.data.prepare import prepare as preparing
from weft.data.prepare.clean import CleanConfig
from weft.data.prepare.media_facts import MediaFacts
from weft.data.prepare.plan import PrepareConfig, make_plan
from weft.data.prepare.prepare import prepare
from weft.data.prepare.scan import RowFacts
from weft.data.prepare.split import TRAIN, SplitConfig, assign_splits, leaking_rows
from weft.report.card import write_card

ONE = PrepareConfig(workers=1, shard_rows=5)


def encoded(seed: int, size: tuple[int, int] = (80, 60), quality: int = 90) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (7, 7, 3), dtype=np.uint8)
    out = io.BytesIO()
    picture = Image.fromarray(noise).resize((240, 180), Image.Resampling.BICUBIC)
    picture.resize(size).save(out, "JPEG", quality=quality)
    return out.getvalue()


def row(n: int, image: object, group: str | None = None, **items: object) -> Sample:
    image = media_of(image, "image")
    text = Alternatives([f"number {n}", f"the {n}th"])
    values = {"image": image, "text": text, **items}
    return Sample(f"id{n}", group or f"group{n}", values, f"rows.jsonl:{n + 1}")


def contents(folder: Path) -> dict[str, str]:
    """Digest of every file but the indices, which hold the time of their shard."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".index.json")
    }


def dropped_rows(out: Path) -> list[dict[str, object]]:
    lines = (out / "quarantine" / "dropped.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_every_row_is_kept_or_named_with_its_reason(tmp_path: Path) -> None:
    rows = [
        row(0, encoded(0), split="train"),
        row(1, encoded(1)[:400], split="train"),
        row(2, encoded(2), split="train", text=Alternatives([" ", "."])),
        row(3, encoded(0), split="train", text=Alternatives(["number 0", "said  by\nanother"])),
        row(4, encoded(4, (30, 60)), split="test"),
        row(5, encoded(5, (10, 10)), split="test"),
        row(6, encoded(6), split="test", text=Alternatives(["fine", "x" * 50])),
        row(7, encoded(6), split="train", text=Alternatives(["of the test"])),
        row(8, encoded(6, (160, 120), 70), split="train"),
        row(9, encoded(9), split="validation", label="cat", boxes=[[1, 2, 3, 4]]),
    ]
    clean = CleanConfig(min_side=20, max_aspect=1.9, max_caption_chars=40)
    config = ONE.replace(clean=clean, duplicates="near")
    lost = [DataError("is not JSON", source="rows.jsonl:99")]
    result = prepare(rows, tmp_path / "out", config, row_errors=lost)
    reasons = {line["source"]: line["reason"] for line in dropped_rows(tmp_path / "out")}
    assert reasons == {
        "rows.jsonl:99": "unreadable",
        "rows.jsonl:2": "unreadable",
        "rows.jsonl:3": "no caption",
        "rows.jsonl:4": "exact duplicate",
        "rows.jsonl:5": "narrow picture",
        "rows.jsonl:6": "small picture",
        "rows.jsonl:8": "exact duplicate",
        "rows.jsonl:9": "near duplicate",
    }
    assert result.rows_in == 11 == result.rows_out + sum(result.dropped.values())
    counts = dict(result.captions)
    assert counts.pop("in") == 19 == sum(counts.values())
    assert result.splits == {"test": 1, "train": 1, "validation": 1}
    train, test, validation = (
        open_dataset(tmp_path / "out", split=s)[0] for s in ("train", "test", "validation")
    )
    assert train.items["text"] == ("number 0", "the 0th", "said by another")
    assert train.items["image"].read() == rows[0].items["image"].read()
    assert test.items["text"] == ("fine",)
    assert test.group == "group6"
    assert (validation.items["label"], validation.items["boxes"]) == ("cat", [[1, 2, 3, 4]])


def test_recordings_are_left_out_by_length_silence_and_clipping(tmp_path: Path) -> None:
    loud = np.clip(3 * tone(1.0), -1, 1)
    sounds = [tone(1.0), tone(0.3), tone(4.0), 1e-4 * tone(1.0), loud]
    rows = [
        Sample(f"{n}", f"{n}", {"audio": Media.encoded(sound_file(one), "audio", "wav")}, f"s:{n}")
        for n, one in enumerate(sounds)
    ]
    clean = CleanConfig(min_seconds=0.5, max_seconds=3.0, drop_silent=True, drop_clipped=True)
    prepare(rows, tmp_path / "out", ONE.replace(clean=clean))
    reasons = {line["source"]: line["reason"] for line in dropped_rows(tmp_path / "out")}
    assert reasons == {
        "s:1": "short recording",
        "s:2": "long recording",
        "s:3": "silent",
        "s:4": "clipped",
    }
    kept = prepare(rows, tmp_path / "all", ONE)
    assert (kept.rows_out, dict(kept.dropped)) == (5, {})


def test_what_rows_match_is_kept(tmp_path: Path) -> None:
    rows = [
        dataclasses.replace(row(n, encoded(n), split="train"), group="patient", match=f"picture{n}")
        for n in range(2)
    ]
    prepare(rows, tmp_path / "out", ONE)
    found = open_dataset(tmp_path / "out")
    assert [(s.group, s.match) for s in found] == [("patient", "picture0"), ("patient", "picture1")]


def test_train_and_test_only_are_divided_as_for_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [row(n, encoded(n), split="test" if n % 4 == 0 else "train") for n in range(40)]
    config = ONE.replace(split=SplitConfig(validation=0.3))
    result = prepare(rows, tmp_path / "out", config)
    assert result.splits["test"] == 10
    assert result.splits["train"] + result.splits["validation"] == 30
    moved = result.splits["validation"]
    assert moved > 0
    line = (
        f"there is no validation split: {moved} of 30 training rows are used for it; whole groups"
    )
    assert line in caplog.text


def test_pictures_are_made_smaller_only_where_they_are_larger(tmp_path: Path) -> None:
    rows = [row(0, encoded(0, (400, 200))), row(1, encoded(1, (90, 100)))]
    prepare(rows, tmp_path / "out", ONE.replace(max_side=100))
    first, second = sorted(open_dataset(tmp_path / "out"), key=lambda sample: sample.id)
    assert Image.open(io.BytesIO(first.items["image"].read())).size == (100, 50)
    assert second.items["image"].read() == rows[1].items["image"].read()


def test_leaks_are_dropped_on_demand(tmp_path: Path) -> None:
    rows = [
        row(0, encoded(0), split="train"),
        row(1, encoded(0, (160, 120), 70), split="test"),
        row(2, encoded(2), split="train", group="one"),
        row(3, encoded(3), split="validation", group="one"),
        row(4, encoded(4), split="train"),
    ]
    kept = prepare(rows, tmp_path / "kept", ONE)
    assert kept.rows_out == 5
    dropped = prepare(rows, tmp_path / "dropped", ONE.replace(split=SplitConfig(drop_leaks=True)))
    assert dropped.dropped == {"leak": 2}
    assert dropped.splits == {"test": 1, "train": 1, "validation": 1}


def test_questions_about_one_picture_all_stay(tmp_path: Path) -> None:
    rows = [row(n, encoded(0), group="picture", question=f"what {n}?") for n in range(6)]
    result = prepare(rows, tmp_path / "out", ONE)
    assert result.rows_out == 6
    assert len(result.splits) == 1


def pair(n: int, left: int, right: int, **items: object) -> Sample:
    pictures = {
        "left": media_of(encoded(left), "image"),
        "right": media_of(encoded(right), "image"),
    }
    return Sample(f"id{n}", f"group{n}", {**pictures, **items}, f"rows.jsonl:{n + 1}")


def test_rows_are_duplicates_where_all_their_media_are(tmp_path: Path) -> None:
    """Two pictures in columns of any name: a row that shares one of them stays, in the same split."""
    rows = [pair(0, 1, 2), pair(1, 1, 3), pair(2, 1, 2), pair(3, 2, 1), pair(4, 7, 8)]
    smaller = {
        "left": media_of(encoded(7, (160, 120), 70), "image"),
        "right": rows[4].items["right"],
    }
    rows.append(Sample("id5", "group5", smaller, "rows.jsonl:6"))
    result = prepare(rows, tmp_path / "out", ONE.replace(duplicates="near"))
    assert {
        line["id"]: (line["reason"], line["details"][:6]) for line in dropped_rows(result.out)
    } == {
        "id2": ("exact duplicate", "of id0"),
        "id5": ("near duplicate", "of id4"),
    }
    kept = {sample.id: sample for sample in open_dataset(result.out)}
    assert len({kept[name].items["split"] for name in ("id0", "id1", "id3")}) == 1
    assert kept["id1"].items["right"].read() == rows[1].items["right"].read()


def test_sounds_are_deduplicated_and_those_that_are_not_there_are_named(tmp_path: Path) -> None:
    def sounding(n: int, sound: Media) -> Sample:
        return Sample(f"id{n}", f"group{n}", {"audio": sound, "label": "a"}, f"rows.jsonl:{n + 1}")

    sounds = [Media.encoded(sound_file(bursts(n)), "audio", "wav") for n in (1, 2, 1)]
    rows = [*map(sounding, range(3), sounds), sounding(3, Media.file(tmp_path / "absent.wav"))]
    result = prepare(rows, tmp_path / "out", ONE)
    reasons = {line["id"]: line["reason"] for line in dropped_rows(result.out)}
    assert reasons == {"id2": "exact duplicate", "id3": "unreadable"}


def test_pictures_of_every_column_are_made_smaller_and_measured(tmp_path: Path) -> None:
    narrow = {"left": media_of(encoded(3, (30, 90)), "image")}
    rows = [pair(0, 1, 2), Sample("id1", "group1", narrow, "rows.jsonl:2")]
    config = ONE.replace(max_side=40, clean=CleanConfig(max_aspect=2))
    result = prepare(rows, tmp_path / "out", config)
    (stored,) = open_dataset(result.out)
    sizes = [Image.open(io.BytesIO(stored.items[s].read())).size for s in ("left", "right")]
    assert sizes == [(40, 30), (40, 30)]
    assert dropped_rows(result.out)[0]["details"] == "its left has 30 x 90 pixels"


def test_captions_of_every_column_are_cleaned_and_merged(tmp_path: Path) -> None:
    zh = [
        Alternatives(["一只狗", " "]),
        Alternatives(["狗在跑", "一只狗"]),
        Alternatives(["", "。"]),
    ]
    rows = [row(0, encoded(0), text_zh=zh[0]), row(1, encoded(0), text_zh=zh[1], said="a pup")]
    rows.append(row(2, encoded(2), text_zh=zh[2], split="train"))
    result = prepare(rows, tmp_path / "out", ONE)
    counts = dict(result.captions)
    assert counts.pop("in") == 12 == sum(counts.values())
    assert counts["out"] == 8
    stored = {sample.id: sample.items for sample in open_dataset(result.out)}
    assert stored["id0"]["text_zh"] == ("一只狗", "狗在跑")
    assert stored["id0"]["text"] == ("number 0", "the 0th", "number 1", "the 1th")
    assert "text_zh" not in stored["id2"]


def test_a_folder_of_another_version_is_refused(tmp_path: Path) -> None:
    rows = [row(n, encoded(n)) for n in range(3)]
    manifest = prepare(rows, tmp_path / "out", ONE).out / "manifest.json"
    values = json.loads(manifest.read_text())
    values["identity"]["version"] -= 1
    manifest.write_text(json.dumps(values))
    with pytest.raises(WeftError, match="was prepared by another version of weft"):
        prepare(rows, tmp_path / "out", ONE)
    started = tmp_path / "half" / ".work" / "run.json"
    started.parent.mkdir(parents=True)
    started.write_text(json.dumps(values["identity"]))
    with pytest.raises(WeftError, match="was prepared by another version of weft"):
        prepare(rows, tmp_path / "half", ONE)


def test_no_row_left_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(WeftError, match="no row is left to write: 1 unreadable"):
        prepare([row(0, b"nothing")], tmp_path / "out", ONE)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(WeftError, match="is not an empty folder"):
        prepare([row(0, encoded(0))], tmp_path, ONE)
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_a_finished_run_is_not_done_again_and_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(n, encoded(n)) for n in range(6)]
    first = prepare(rows, tmp_path / "out", ONE)
    before = contents(tmp_path / "out")
    with pytest.raises(WeftError, match="already holds other prepared data"):
        prepare(rows, tmp_path / "out", ONE.replace(quality=50))
    with pytest.raises(WeftError, match="already holds other prepared data"):
        prepare(rows[:5], tmp_path / "out", ONE)
    edited = [*rows[:5], dataclasses.replace(rows[5], items={**rows[5].items, "text": "edited"})]
    with pytest.raises(WeftError, match="already holds other prepared data"):
        prepare(edited, tmp_path / "out", ONE)
    monkeypatch.setattr(preparing, "scan", lambda *_, **__: pytest.fail("worked again"))
    assert prepare(rows, tmp_path / "out", ONE.replace(workers=2)) == first
    assert contents(tmp_path / "out") == before


def test_one_edited_row_among_many_is_noticed(tmp_path: Path) -> None:
    """Rows of texts are all looked at, not some of them."""
    rows = [Sample(f"row{n}", f"row{n}", {"text": f"line {n}"}, f"x:{n}") for n in range(1000)]
    prepare(rows, tmp_path / "out", ONE)
    rows[501] = dataclasses.replace(rows[501], items={"text": "line of another"})
    with pytest.raises(WeftError, match="already holds other prepared data"):
        prepare(rows, tmp_path / "out", ONE)


def test_an_unfinished_run_on_other_data_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(n, encoded(n)) for n in range(6)]
    with monkeypatch.context() as patch:
        patch.setattr(preparing, "make_plan", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prepare(rows, tmp_path / "out", ONE)
    with pytest.raises(WeftError, match="unfinished run on other data"):
        prepare(rows[1:], tmp_path / "out", ONE)
    assert prepare(rows, tmp_path / "out", ONE).rows_out == 6


@pytest.fixture(scope="module")
def real_rows(shared_data: Callable[[str], Path]) -> Sequence[Sample]:
    dataset = open_dataset(shared_data("flickr8k"))
    return [dataset[n] for n in (*range(0, 8000, 170), 764, 765, 780, 781, 3109, 3840)]


REAL = PrepareConfig(workers=1, shard_rows=4, max_side=160, split=SplitConfig(redo=True))


def test_number_of_processes_does_not_change_a_byte(
    real_rows: Sequence[Sample], tmp_path: Path
) -> None:
    prepare(real_rows, tmp_path / "one", REAL, card=write_card)
    prepare(real_rows, tmp_path / "two", REAL.replace(workers=2), card=write_card)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert not (tmp_path / "one" / ".work").exists()
    split_of = {sample.id: sample.items["split"] for sample in open_dataset(tmp_path / "one")}
    assert len(split_of) == len(real_rows) - 1
    assert split_of["186890601_8a6b0f1769.jpg"] == split_of["186890605_ddff5b694e.jpg"]
    assert split_of["191003285_edd8d0cf58.jpg"] == split_of["191003287_2915c11d8e.jpg"]


KILLED = """
import os, signal, sys
from pathlib import Path
from weft.data.formats import open_dataset
from weft.data.prepare import scan
from weft.data.prepare.media_facts import MediaFacts
from weft.data.prepare.plan import PrepareConfig
from weft.data.prepare.prepare import prepare
from weft.report.card import write_card

scan.UNIT_ROWS = 9
source, out = sys.argv[1:]
config = PrepareConfig(workers=1, shard_rows=7, max_side=120)
rename = Path.replace
dataset = open_dataset(source)
rows = [dataset[n] for n in range(0, 4000, 100)]

def work(writes):
    '''Works until a file is about to get its name for the `writes`-th time, then is killed.'''
    count = 0
    def replace(self, target):
        nonlocal count
        count += 1
        if count == writes:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(self, target)
    Path.replace = replace
    prepare(rows, out, config, card=write_card)

killed = 0
while True:
    child = os.fork()
    if child == 0:
        work(1 + killed % 4 if killed < 40 else None)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status):
        sys.exit(f"the run failed: {status}" if status else print(killed))
    assert os.WTERMSIG(status) == signal.SIGKILL, status
    killed += 1
"""


def test_killed_again_and_again_it_ends_with_the_same_bytes(
    shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    """SIGKILL before each kind of file gets its name: scans, shards, indices, card, manifest."""
    source = shared_data("flickr8k")
    command = [sys.executable, "-c", KILLED, str(source), str(tmp_path / "killed")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 10
    dataset = open_dataset(source)
    rows = [dataset[n] for n in range(0, 4000, 100)]
    config = PrepareConfig(workers=1, shard_rows=7, max_side=120)
    prepare(rows, tmp_path / "whole", config, card=write_card)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


names = st.integers(0, 12).map(str)
split_names = st.sampled_from([None, "train", "validation", "test", "extra"])


@given(st.lists(names, min_size=1, max_size=40), st.integers(0, 5), st.data())
def test_without_splits_no_cluster_is_torn(
    groups: list[str], seed: int, data: st.DataObject
) -> None:
    labels = np.array(
        data.draw(st.lists(st.integers(0, 9), min_size=len(groups), max_size=len(groups)))
    )
    config = SplitConfig(validation=0.3, test=0.3, seed=seed)
    splits = assign_splits(groups, [None] * len(groups), labels, config)
    found = defaultdict(set)
    for label, split in zip(labels.tolist(), splits, strict=True):
        found[label].add(split)
    assert all(len(of) == 1 for of in found.values())
    assert set(splits) <= {"train", "validation", "test"}


def test_shares_are_about_what_was_asked_and_new_groups_move_nobody() -> None:
    groups = [f"g{n}" for n in range(5000)]
    config = SplitConfig(validation=0.2, test=0.1, seed=3)
    splits = assign_splits(groups, [None] * 5000, np.arange(5000), config)
    counts = Counter(splits)
    assert counts["test"] == pytest.approx(500, abs=90)
    assert counts["validation"] == pytest.approx(1000, abs=120)
    fewer = assign_splits(groups[::2], [None] * 2500, np.arange(2500), config)
    assert fewer == splits[::2]
    other = assign_splits(groups, [None] * 5000, np.arange(5000), config.replace(seed=4))
    assert other != splits


@given(st.lists(st.tuples(names, split_names), min_size=1, max_size=30), st.data())
def test_existing_splits_stay_and_the_others_follow(
    rows: list[tuple[str, str | None]], data: st.DataObject
) -> None:
    labels = np.array(
        data.draw(st.lists(st.integers(0, 5), min_size=len(rows), max_size=len(rows)))
    )
    splits = assign_splits([g for g, _ in rows], [s for _, s in rows], labels, SplitConfig())
    given = [split for _, split in rows]
    for was, now in zip(given, splits, strict=True):
        moved = was == "train" and now == "validation" and "validation" not in given
        assert was in (None, now) or moved
    leaking = leaking_rows(splits, labels)
    left = [n for n in range(len(rows)) if n not in leaking]
    found = defaultdict(set)
    for n in left:
        found[int(labels[n])].add(splits[n])
    assert all(len(of) == 1 for of in found.values())
    assert set(found) == set(labels.tolist())


facts = st.builds(
    RowFacts,
    id=st.integers(0, 60).map(str),
    group=names,
    source=st.just("x:1"),
    split=split_names,
    captions=st.dictionaries(
        st.sampled_from(["text", "text_zh"]),
        st.lists(st.sampled_from(["a dog", "a cat", "", "一只狗"]), max_size=3).map(tuple),
    ),
    error=st.sampled_from([None, None, None, "picture is truncated"]),
    media=st.dictionaries(
        st.sampled_from(["image", "left", "sound"]),
        st.builds(
            MediaFacts,
            kind=st.just("image"),
            digest=st.integers(0, 4).map(str),
            size=st.sampled_from([(20, 20), (5, 5)]),
        ),
        max_size=2,
    ),
)


@given(st.lists(facts, max_size=25), st.booleans(), st.booleans())
@settings(max_examples=200)
def test_a_plan_accounts_for_every_row_and_caption(
    rows: list[RowFacts], redo: bool, drop_leaks: bool
) -> None:
    split = SplitConfig(redo=redo, drop_leaks=drop_leaks)
    plan = make_plan(rows, PrepareConfig(clean=CleanConfig(min_side=10), split=split))
    assert sorted([k.row for k in plan.kept] + [d.row for d in plan.dropped]) == list(
        range(len(rows))
    )
    counts = dict(plan.captions)
    assert counts.pop("in") == sum(len(r.all_captions) for r in rows) == sum(counts.values())
    groups_of = defaultdict(set)
    for kept in plan.kept:
        content = tuple(sorted(rows[kept.row].content.items()))
        groups_of[content].add(rows[kept.row].group)
    assert all(len(of) == 1 for content, of in groups_of.items() if content)
    if redo or drop_leaks:
        found = defaultdict(set)
        for kept in plan.kept:
            found[rows[kept.row].group].add(kept.split)
            for digest in rows[kept.row].content.values():
                found["content", digest].add(kept.split)
        assert all(len(of) == 1 for of in found.values())
    assert make_plan(rows, PrepareConfig(clean=CleanConfig(min_side=10), split=split)) == plan


@pytest.mark.parametrize("count", range(1, 12))
def test_few_groups_are_divided_too(count: int) -> None:
    """Each split has one, where there are three; a division that the hashes have filled stays as it is."""
    groups = [f"P{n}" for n in range(count)]
    splits = assign_splits(groups, [None] * count, np.arange(count), SplitConfig())
    assert TRAIN in splits
    assert len(set(splits)) == min(count, 3)
    assert splits == assign_splits(groups, [None] * count, np.arange(count), SplitConfig())


def test_shards_keep_labels_tags_numbers_and_several_pictures(tmp_path: Path) -> None:
    rows = [
        Sample(
            f"r{n}",
            f"P{n // 2}",
            {
                "Bilder": [
                    Media.encoded(encoded(10 * n + k), "image", "jpg") for k in range(1 + n % 3)
                ],
                "Diagnose": ["ja", "nein"][n % 2],
                "Farben": ["rot", "blau"][: 1 + n % 2],
                "Preis": 1.5 * n,
                "Tag": "2026-03-05",
            },
            f"t.csv:{n + 2}",
        )
        for n in range(20)
    ]
    prepare(rows, tmp_path / "shards", ONE)
    stored = {sample.id: sample for sample in open_dataset(tmp_path / "shards")}
    assert stored.keys() == {row.id for row in rows}
    for row in rows:
        items = dict(stored[row.id].items)
        assert stored[row.id].group == row.group
        assert [media.load() for media in items.pop("Bilder")] == [
            media.load() for media in row.items["Bilder"]
        ]
        del items["split"]
        assert items == {name: value for name, value in row.items.items() if name != "Bilder"}
