"""Tar shards: ours read by the webdataset library, its read by us, random access, damage."""

import io
import json
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webdataset
from hypothesis import given, settings
from hypothesis import strategies as st
from made_media import RATE, film, sound_file, tone
from PIL import Image
from written_shards import write_shards

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.data.formats import _tar_index, _tar_members, open_dataset
from weft.data.formats import webdataset as webdataset_format
from weft.data.formats._tar_writer import write_shard
from weft.data.formats.webdataset import expand_braces
from weft.modalities.audio_decoding import read_sound
from weft.modalities.video_decoding import read_frames


def encoded(kind: str, value: int = 0) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(out, kind)
    return out.getvalue()


def jpeg(value: int = 0) -> Media:
    return Media.encoded(encoded("JPEG", value), "image", "jpg")


def samples(count: int, **items: Any) -> list[Sample]:
    return [
        Sample(
            f"id {n}",
            f"g{n // 2}",
            {"image": jpeg(n), "text": f"t{n}", **items},
            f"s:{n}",
        )
        for n in range(count)
    ]


def message(path: Path | str) -> str:
    with pytest.raises(WeftError) as raised:
        open_dataset(path)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def content(dataset: Any) -> list[tuple[Any, ...]]:
    return [(s.id, s.group, {k: value(v) for k, v in s.items.items()}) for s in dataset]


def value(item: Any) -> Any:
    """What is in a Media, beside its kind where no signature tells it."""
    if isinstance(item, np.ndarray):
        return Media.array_of(item).read()
    if isinstance(item, Media):
        return item.read() if item.kind in ("image", "file") else (item.kind, item.read())
    return item


def test_round_trip_over_several_shards(tmp_path: Path) -> None:
    rows = samples(7, split="train", n=3, boxes=[[1, 2.5]], answer=None)
    paths = write_shards(rows, tmp_path, prefix="train", samples_per_shard=3)
    assert [p.name for p in paths] == [f"train-{n:06d}.tar" for n in range(3)]
    dataset = open_dataset(tmp_path)
    expected = [(i, g, {k: v for k, v in x.items() if v is not None}) for i, g, x in content(rows)]
    assert content(dataset) == expected
    assert [dataset[n].id for n in (6, 0, 4)] == ["id 6", "id 0", "id 4"]
    assert dataset[4].source == f"{paths[1]}:train-000001-000001"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        name for p in paths for name in (p.name, f"{p.name}.index.json")
    )


def test_a_shard_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "a.tar" for folder in ("one", "two")]
    for path in paths:
        write_shard(samples(5), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "image": st.builds(Media.encoded, st.binary(), st.just("file"), st.just("bin")),
        "text": st.text() | st.lists(st.text()).map(Alternatives),
        "names": st.lists(st.text()) | st.lists(st.text()).map(Alternatives),
        "sound": st.builds(Media.encoded, st.binary(), st.just("audio"), st.just("wav")),
        "label": st.text(),
        "split": st.sampled_from(["train", "validation", "test", "extra"]),
        "答え": VALUES,
    },
)


@given(rows=st.lists(st.tuples(st.text(min_size=1), st.text(), ITEMS), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_bytes_and_any_words_come_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, dict[str, Any]]]
) -> None:
    path = tmp_path_factory.mktemp("shard") / "data.tar"
    unique = {i: Sample(i, g, items, "s") for i, g, items in rows}
    write_shard(unique.values(), path)
    assert content(open_dataset(path)) == content(unique.values())
    assert content(_fresh(path)) == content(unique.values())


def _fresh(path: Path) -> Any:
    """The data set as it is read without the index file."""
    _tar_index.index_path(path).unlink()
    return open_dataset(path)


def test_pictures_keep_their_bytes_and_their_kind(tmp_path: Path) -> None:
    file = tmp_path / "a.JPG"
    file.write_bytes(encoded("JPEG"))
    values = {
        "jpg": Media.file(file),
        **{
            kind: Media.encoded(encoded(name), "image")
            for kind, name in {
                "png": "PNG",
                "webp": "WEBP",
                "gif": "GIF",
                "bmp": "BMP",
                "tif": "TIFF",
            }.items()
        },
        "image.bin": Media.encoded(b"no picture", "image"),
    }
    write_shard([Sample(k, k, {"image": v}, "s") for k, v in values.items()], tmp_path / "t.tar")
    with tarfile.open(tmp_path / "t.tar") as tar:
        kinds = [name.partition(".")[2] for name in tar.getnames() if not name.endswith(".json")]
    assert kinds == list(values)
    for sample, value in zip(open_dataset(tmp_path / "t.tar"), values.values(), strict=True):
        assert sample.items["image"].read() == value.read()


def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each member is read, from now on."""
    counts: Counter[str] = Counter()
    original = _tar_members._from_file

    def counted(shard: Path, members: Any) -> dict[str, bytes]:
        counts.update(f"{shard.name}:{name}" for name in members)
        return original(shard, members)

    monkeypatch.setattr(_tar_members, "_from_file", counted)
    return counts


def test_texts_are_read_once_and_pictures_when_somebody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shards(samples(20), tmp_path)
    dataset = open_dataset(tmp_path)
    counts = reads(monkeypatch)
    assert [sample.items["text"] for _ in range(3) for sample in dataset] == [
        f"t{n}" for _ in range(3) for n in range(20)
    ]
    assert set(counts.values()) == {1}
    assert not any(name.endswith("jpg") for name in counts)
    assert dataset[3].items["image"].read() == encoded("JPEG", 3)
    assert [name for name in counts if name.endswith("jpg")] == [
        "shard-000000.tar:shard-000000-000003.jpg"
    ]


def test_what_is_kept_of_texts_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webdataset_format, "KEPT_BYTES", 1000)
    write_shards(samples(20), tmp_path)
    dataset = open_dataset(tmp_path)
    assert len(list(dataset)) == 20
    assert 0 < dataset._kept.total <= 1000


def test_arrays(tmp_path: Path) -> None:
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    vector = np.arange(3, dtype=np.float32)
    media = {"image": Media.array_of(picture, "image"), "grid": Media.array_of(vector + 1)}
    write_shard([Sample("a", "a", {**media, "vector": vector}, "s")], tmp_path / "t.tar")
    items = open_dataset(tmp_path / "t.tar")[0].items
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(items["image"].read()))), picture)
    assert (items["vector"].kind, items["image"].kind) == ("array", "image")
    assert np.array_equal(items["vector"].array(), vector)
    assert np.array_equal(items["grid"].array(), vector + 1)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # the library leaves it open
def test_the_webdataset_library_reads_our_shards(tmp_path: Path) -> None:
    rows = samples(4, label="cat")
    rows.append(
        Sample(
            "中 文",
            "g",
            {"image": Media.encoded(encoded("PNG"), "image"), "text": Alternatives("一二")},
            "s",
        )
    )
    (path,) = write_shards(rows, tmp_path)
    read = list(webdataset.WebDataset(str(path), shardshuffle=False))
    assert [row["__key__"] for row in read] == [f"shard-000000-{n:06d}" for n in range(5)]
    assert [row.get("jpg") for row in read[:4]] == [row.items["image"].read() for row in rows[:4]]
    assert [row["txt"].decode() for row in read[:4]] == [f"t{n}" for n in range(4)]
    assert json.loads(read[4]["json"]) == {"id": "中 文", "group": "g", "text": ["一", "二"]}
    decoded = list(webdataset.WebDataset(str(path), shardshuffle=False).decode("pilrgb"))
    assert decoded[0]["jpg"].size == (8, 8)
    assert decoded[1]["json"]["label"] == "cat"


def test_shards_written_by_the_webdataset_library(tmp_path: Path) -> None:
    with webdataset.ShardWriter(str(tmp_path / "val-%04d.tar"), maxcount=2, verbose=0) as writer:
        for n in range(3):
            writer.write(
                {
                    "__key__": f"folder/sample{n:03d}",
                    "jpg": encoded("JPEG", n),
                    "txt": f"caption {n}",
                    "json": {"license": "CC", "width": 8},
                    "cls": n,
                    "mask.png": encoded("PNG", n),
                    "npy": np.arange(n),
                }
            )
    dataset = open_dataset(tmp_path, split="validation")
    assert len(dataset) == 3
    sample = dataset[2]
    assert sample.id == "val-0001/folder/sample002"
    assert sample.source == f"{tmp_path}/val-0001.tar:folder/sample002"
    assert np.array_equal(sample.items.pop("npy").array(), np.arange(2))
    assert {k: v.read() if isinstance(v, Media) else v for k, v in sample.items.items()} == {
        "image": encoded("JPEG", 2),
        "text": "caption 2",
        "license": "CC",
        "width": 8,
        "label": "2",
        "mask": encoded("PNG", 2),
        "split": "validation",
    }


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def test_members_that_belong_to_no_sample_and_long_names(tmp_path: Path) -> None:
    key = "k" * 300
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("./folder.d"), None)
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        add(tar, "README", b"no extension")
        add(tar, "__meta__.json", b"{}")
        add(tar, f"./{key}.TXT", b"words")
        add(tar, f"./{key}.json", b'{"captions": ["not used"], "split": "dev"}')
    dataset = open_dataset(tmp_path / "a.tar")
    assert dataset[len(dataset) - 1].id == f"a/{key}"
    assert dataset[len(dataset) - 1].items["text"] == "words"
    assert dataset[len(dataset) - 1].items["split"] == "validation"


def test_brace_patterns(tmp_path: Path) -> None:
    write_shards(samples(6), tmp_path, samples_per_shard=1)
    pattern = tmp_path / "shard-{000001..000003}.tar"
    assert [s.id for s in open_dataset(pattern)] == ["id 1", "id 2", "id 3"]
    assert expand_braces("a{x,yz}b{9..11}") == [
        "axb9",
        "axb10",
        "axb11",
        "ayzb9",
        "ayzb10",
        "ayzb11",
    ]
    expected = f"{tmp_path}/shard-000006.tar: cannot be read: No such file or directory"
    assert message(tmp_path / "shard-{000005..000006}.tar") == expected


def test_the_index_is_used_and_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = write_shards(samples(3), tmp_path)
    scans: list[Path] = []
    original = _tar_index.scan
    monkeypatch.setattr(_tar_index, "scan", lambda shard: scans.append(shard) or original(shard))
    assert len(open_dataset(path)) == 3
    assert scans == []
    index = _tar_index.index_path(path)
    kept = index.read_text()
    for damaged in (
        "",
        "[]",
        "{}",
        '{"version": 1}',
        kept.replace('"size": ', '"size": 1'),
        kept[:-9],
    ):
        index.write_text(damaged)
        assert content(open_dataset(path)) == content(samples(3))
        assert index.read_text() == kept
    assert len(scans) == 6
    write_shard(samples(5), path)
    assert len(open_dataset(path)) == 5


def test_an_index_that_points_outside_the_shard_is_not_believed(tmp_path: Path) -> None:
    (path,) = write_shards(samples(2), tmp_path)
    index = _tar_index.index_path(path)
    values = json.loads(index.read_text())
    values["samples"][0]["members"]["jpg"] = [0, 512, 10**15]
    index.write_text(json.dumps(values))
    assert content(open_dataset(path)) == content(samples(2))


def test_an_index_that_cannot_be_kept_stays_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = write_shards(samples(3), tmp_path)
    _tar_index.index_path(path).unlink()

    def full(*_: Any) -> None:
        raise WeftError("no space left on device")

    monkeypatch.setattr(_tar_index, "write_text", full)
    assert content(open_dataset(path)) == content(samples(3))
    assert not _tar_index.index_path(path).exists()


def test_a_cut_tar_names_shard_and_member_and_keeps_what_is_before(tmp_path: Path) -> None:
    (whole,) = write_shards(samples(6), tmp_path / "whole")
    data = whole.read_bytes()
    with tarfile.open(whole) as tar:
        members = tar.getmembers()
    end = members[-1].offset_data + members[-1].size
    path = tmp_path / "cut.tar"
    for length in (*range(1, end, 501), end, end + 100):
        path.write_bytes(data[:length])
        errors: list[DataError] = []
        try:
            got = content(open_dataset(path, on_error=errors.append))
        except WeftError:
            got = []
        before = [m for m in members if m.offset_data + m.size <= length]
        complete = {m.name.partition(".")[0] for m in before if m.name.endswith(".json")}
        # The last sample that has begun may lack members, so it is not believed to be whole.
        assert got == content(samples(6))[: len(got)]
        assert len(complete) - 1 <= len(got) <= len(complete)
        assert len(errors) == 1
        if before:
            assert errors[0].source.startswith(f"{path}:shard-000000-00000")
            assert errors[0].reason == f"the archive is cut off here ({length} bytes)"
            assert message(path) == str(errors[0])
        else:
            assert str(errors[0]).startswith(f"{path}")


def test_a_shard_damaged_in_the_middle(tmp_path: Path) -> None:
    (path,) = write_shards(samples(6), tmp_path)
    with tarfile.open(path) as tar:
        header = tar.getmember("shard-000000-000003.txt").offset
    data = bytearray(path.read_bytes())
    data[header : header + 512] = b"\x55" * 512
    path.write_bytes(data)
    errors: list[DataError] = []
    assert content(open_dataset(path, on_error=errors.append)) == content(samples(3))
    (error,) = errors
    assert error.source == f"{path}:shard-000000-000003.jpg"
    assert error.reason.startswith("the archive is damaged after this member")


def test_files_that_are_no_shards(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(b"")
    assert message(path).startswith(f"{path}: is no uncompressed tar archive: ")
    path.write_bytes(b"?" * 5000)
    assert message(path).startswith(f"{path}: is no uncompressed tar archive: ")
    with tarfile.open(path, "w:gz") as tar:
        add(tar, "a.txt", b"a")
    assert message(path).startswith(f"{path}: is no uncompressed tar archive: ")
    with tarfile.open(path, "w"):
        pass
    assert message(path) == f"{path}: holds no rows"


def test_bad_members_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        add(tar, "one.txt", b"1")
        add(tar, "one.json", b"{")
        add(tar, "two.txt", b"2")
        add(tar, "two.txt", b"3")
        add(tar, "two.json", b"[]")
        add(tar, "three.json", b'{"id": "x"}')
        add(tar, "four.json", b'{"id": "x"}')
        add(tar, "five.txt", b"\xff")
    errors: list[DataError] = []
    dataset = open_dataset(path, on_error=errors.append)
    assert [e.source for e in errors] == [
        f"{path}:{k}" for k in ("two.txt", "one.json", "two.json", "four")
    ]
    assert errors[3].reason == f"id 'x' is already used at {path}:three"
    assert dataset[0].id == "x"
    with pytest.raises(DataError, match=r"a.tar:five.txt: cannot be decoded: .*utf-8"):
        dataset[1]


def test_a_shard_cut_after_it_was_opened(tmp_path: Path) -> None:
    (path,) = write_shards(samples(3), tmp_path)
    dataset = open_dataset(path)
    path.write_bytes(path.read_bytes()[:4000])
    first = dataset[0].items["image"]
    with pytest.raises(
        DataError, match=r"shard-000000.tar:shard-000000-000002.\w+: holds 0 bytes, expe"
    ):
        dataset[2]
    path.unlink()
    for read in (first.read, lambda: dataset[1]):
        with pytest.raises(DataError, match="cannot be read: No such file"):
            read()


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ({"image": Media.file(Path("/nowhere/a.jpg"))}, "s:9: no such file: /nowhere/a.jpg"),
        ({"thing": object()}, "s:9: cannot be stored: Object of type object is not JSON"),
        ({"a.b": 1}, "s:9: cannot be stored: a column cannot be named 'a.b' in a shard"),
        ({"text": "\ud800"}, "s:9: cannot be stored: 'utf-8' codec can't encode"),
    ],
)
def test_what_cannot_be_stored_is_named(
    tmp_path: Path, items: dict[str, Any], expected: str
) -> None:
    bad = Sample("x", "x", items, "s:9")
    with pytest.raises(DataError) as raised:
        write_shard([*samples(1), bad], tmp_path / "a.tar")
    assert str(raised.value).startswith(expected)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_whole_shards_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = tarfile.TarFile.addfile

    def full(self: tarfile.TarFile, info: tarfile.TarInfo, data: Any = None) -> None:
        if info.name.startswith("shard-000001"):
            raise OSError(28, "No space left on device")
        original(self, info, data)

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    with pytest.raises(WeftError, match=r"shard-000001.tar: cannot be written: No space left"):
        write_shards(samples(6), tmp_path, samples_per_shard=2)
    assert [p.name for p in sorted(tmp_path.glob("*.tar"))] == ["shard-000000.tar"]
    assert [p.name for p in tmp_path.iterdir() if "tmp" in p.name] == []


def test_real_pictures_round_trip(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    rows = list(open_dataset(shared_data("flickr8k"), split="test"))[:50]
    write_shards(rows, tmp_path, prefix="test", samples_per_shard=20)
    for ours, real in zip(open_dataset(tmp_path), rows, strict=True):
        assert ours.items.pop("image").read() == real.items.pop("image").read()
        assert (ours.id, ours.group, ours.items) == (real.id, real.group, real.items)


@given(
    name=st.text(st.characters(codec="ascii", exclude_characters="\0/"), min_size=1, max_size=99),
    size=st.integers(0, 8**11 - 1),
    kind=st.sampled_from([tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.LNKTYPE]),
    place=st.integers(0, 511),
    byte=st.integers(0, 255),
    changed=st.booleans(),
)
def test_headers_are_read_as_tarfile_reads_them(
    name: str, size: int, kind: bytes, place: int, byte: int, changed: bool
) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    block = bytearray(member.tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape"))
    if changed:
        block[place] = byte
    try:
        read = tarfile.TarInfo.frombuf(bytes(block), "utf-8", "surrogateescape")
        expected = (read.name.removeprefix("./"), read.size) if read.isreg() else None
    except tarfile.TarError:
        expected = None
    assert _tar_members._header(bytes(block)) == expected


def test_recordings_keep_their_kinds_rates_and_parts(tmp_path: Path) -> None:
    samples_S = tone(1.0)
    clip = Media.encoded(film(20, sound=tone(2.0)), "video", "mp4")
    items = {
        "audio": Media.encoded(sound_file(samples_S), "audio", "wav").part(0.25, 0.5),
        "raw": Media.sound(samples_S, RATE).part(0.5),
        "video": clip.part(0.5, 1.5),
        "track": clip.of_kind("audio"),
        "takes": [clip, clip.part(1.0)],
    }
    write_shard([Sample("a", "a", items, "s:0")], tmp_path / "a.tar")
    (found,) = open_dataset(tmp_path)
    told = {n: m for n, m in found.items.items() if isinstance(m, Media)}
    for name, media in told.items():
        given = items[name]
        assert (media.kind, media.rate, media.start, media.end) == (
            *(given.kind, given.rate, given.start, given.end),
        )
    assert told.keys() == {"audio", "raw", "video", "track"}
    assert [take.start for take in found.items["takes"]] == [0.0, 1.0]
    np.testing.assert_array_equal(read_sound(told["audio"], RATE), read_sound(items["audio"], RATE))
    np.testing.assert_array_equal(read_sound(told["raw"], RATE), samples_S[RATE // 2 :])
    assert len(read_sound(told["track"], RATE)) > 1.9 * RATE
    np.testing.assert_array_equal(read_frames(told["video"], [0.0]), read_frames(clip, [0.5]))


def test_a_wrong_note_of_a_recording_is_named(tmp_path: Path) -> None:
    sound = Media.encoded(sound_file(tone(0.1)), "audio", "wav").part(0.01)
    write_shard([Sample("a", "a", {"audio": sound}, "s:0")], tmp_path / "a.tar")
    data = (tmp_path / "a.tar").read_bytes()
    noted = b'["audio", null, 0.01, null]'
    assert noted in data
    (tmp_path / "a.tar").write_bytes(data.replace(noted, b'["audio", null, "begin", 0]'))
    dataset = open_dataset(tmp_path)
    with pytest.raises(DataError, match=r"expected \[kind, rate, start, end\]"):
        dataset[0]
