"""Folders and tables of sounds and films: classes, texts beside files, parts by start and end, sound tracks."""

import logging
from pathlib import Path

import numpy as np
import pytest
from made_media import RATE, bursts, film, number_of, sound_file, tone
from PIL import Image

from weft.core.errors import DataError, WeftError
from weft.core.media import Media
from weft.data.formats import Said, columns_of, open_dataset
from weft.data.prepare.check import CheckConfig, check
from weft.data.schema import infer
from weft.modalities.audio_decoding import read_sound, sound_facts
from weft.modalities.video_decoding import read_frames


def wav(path: Path, seconds: float = 0.2, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sound_file(bursts(seed, seconds)))


def mp4(path: Path, frames: int = 10) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(film(frames, sound=tone(frames / 10)))


def test_sounds_in_folders_of_classes(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in ("dog", "rain"):
            wav(tmp_path / split / label / "1.wav")
    rows = list(open_dataset(tmp_path))
    assert [(s.items["label"], s.items["split"], s.items["audio"].kind) for s in rows] == [
        *(("dog", "test", "audio"), ("rain", "test", "audio")),
        *(("dog", "train", "audio"), ("rain", "train", "audio")),
    ]
    assert infer(open_dataset(tmp_path)).of("audio") == ("audio",)


def test_files_of_one_stem_are_one_sample(tmp_path: Path) -> None:
    for n in range(3):
        wav(tmp_path / f"{n}.wav")
        mp4(tmp_path / f"{n}.mp4")
        (tmp_path / f"{n}.txt").write_text(f"clip {n}\n")
    rows = list(open_dataset(tmp_path))
    assert [(sorted(s.items), list(s.items["text"])) for s in rows] == [
        (["audio", "text", "video"], [f"clip {n}"]) for n in range(3)
    ]
    (tmp_path / "1.txt").unlink()
    with pytest.raises(DataError, match=r"1\.txt does not exist"):
        open_dataset(tmp_path)


def test_sounds_beside_pictures_go_with_those_of_their_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(2):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{n}.png")
        wav(tmp_path / f"{n + 1}.wav")
    with caplog.at_level(logging.WARNING):
        rows = list(open_dataset(tmp_path))
    assert [sorted(s.items) for s in rows] == [["image"], ["audio", "image"]]
    assert "1 sounds and videos are left out" in caplog.text
    assert str(tmp_path / "2.wav") in caplog.text


def test_metadata_describes_sounds(tmp_path: Path) -> None:
    for n in range(3):
        wav(tmp_path / "train" / f"{n}.wav")
    table = "file_name,text\n0.wav,a dog\n1.wav,rain\n"
    (tmp_path / "train" / "metadata.csv").write_text(table)
    rows = list(open_dataset(tmp_path))
    assert [(s.items["text"], s.items["split"]) for s in rows] == [
        ("a dog", "train"),
        ("rain", "train"),
    ]
    assert read_sound(rows[0].items["audio"], RATE).shape == (3200,)


def clips(folder: Path, rows: str, header: str = "video,start,end,text") -> Path:
    mp4(folder / "clips" / "a.mp4", 30)
    path = folder / "clips.csv"
    path.write_text(f"{header}\n{rows}")
    return path


def test_start_and_end_make_parts_whose_texts_match_them_alone(tmp_path: Path) -> None:
    path = clips(tmp_path, "a.mp4,0.5,1.0,one\na.mp4,0:00:01,2,two\na.mp4,,,whole\na.mp4,2,,rest\n")
    dataset = open_dataset(path)
    rows = list(dataset)
    parts = [(s.items["video"].start, s.items["video"].end) for s in rows]
    assert parts == [(0.5, 1.0), (1.0, 2.0), (0.0, None), (2.0, None)]
    assert {"start", "end"}.isdisjoint(rows[0].items)
    assert len({s.group for s in rows}) == 1
    assert len({s.match_name for s in rows}) == 4
    assert number_of(read_frames(rows[1].items["video"], [0.0])[0]) == 10
    assert columns_of(dataset).items == ("video", "text")
    assert "'start' to 'end'" in columns_of(dataset).notes["video"]


def test_other_columns_called_start_stay_columns(tmp_path: Path) -> None:
    path = clips(tmp_path, "a.mp4,2020-01-01,2021-01-01,one\na.mp4,2020-03-01,2021-04-01,two\n")
    assert [s.items["video"].end for s in open_dataset(path)] == [None, None]
    assert "start" in open_dataset(path)[0].items
    table = tmp_path / "numbers.csv"
    table.write_text("start,end,label\n1,2,a\n3,4,b\n")
    assert open_dataset(table)[0].items["start"] is not None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("a.mp4,2.5,1.5,no", "column 'end' is 1.5 s, expected more than the start, 2.5 s"),
        ("a.mp4,soon,1.5,no", "column 'start' holds 'soon', expected seconds, or h:m:s"),
        ("a.mp4,-1,1.5,no", "column 'start' holds '-1', expected seconds, or h:m:s"),
    ],
)
def test_a_time_that_is_none_is_named_with_its_row(tmp_path: Path, bad: str, reason: str) -> None:
    good = "".join(f"a.mp4,{n / 10},{n / 10 + 0.5},t{n}\n" for n in range(12))
    path = clips(tmp_path, f"{good}{bad}\n")
    with pytest.raises(DataError) as raised:
        open_dataset(path)
    assert str(raised.value) == f"{path}:14: {reason}"


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ("3.5,4", "the part begins at 3.5 s, but the recording ends at 3.000 s"),
        (
            "500,1500",
            "the part begins at 500 s, but the recording ends at 3.000 s, expected seconds: "
            "these look like milliseconds",
        ),
        (
            "0,2500",
            "the part ends at 2500 s, but the recording at 3.000 s, expected seconds: "
            "these look like milliseconds",
        ),
    ],
)
def test_times_outside_the_recording_are_named_with_their_row(
    tmp_path: Path, times: str, reason: str
) -> None:
    path = clips(tmp_path, f"a.mp4,0,1,good\na.mp4,{times},bad\n")
    report = check(open_dataset(path), CheckConfig(workers=1))
    assert [(p.source, p.reason) for p in report.corrupt] == [(f"{path}:3", f"video: {reason}")]


def test_an_end_a_little_behind_the_recording_is_suspicious(tmp_path: Path) -> None:
    path = clips(tmp_path, "a.mp4,0,1,good\na.mp4,1,5,long\n")
    report = check(open_dataset(path), CheckConfig(workers=1))
    assert not report.corrupt
    assert [(p.source, p.reason) for p in report.suspicious] == [
        (f"{path}:3", "video: the part ends 2.0 s after the end of the recording")
    ]


def test_a_film_is_read_as_a_sound_as_well(tmp_path: Path) -> None:
    path = clips(tmp_path, "a.mp4,one\n", "clip,text")
    (row,) = open_dataset(path, said=Said({"audio": "clip"}))
    assert row.items["clip"].kind == "video"
    assert row.items["audio"].kind == "audio"
    assert sound_facts(row.items["audio"]).seconds == pytest.approx(3.0, abs=0.2)
    assert np.abs(read_sound(row.items["audio"], RATE)).max() > 0.1
    schema = infer(open_dataset(path, said=Said({"audio": "clip"})), {"audio": "clip"})
    assert (schema.of("video"), schema.of("audio")) == (("clip",), ("audio",))
    for columns in ({"video": "clip", "audio": "clip"}, {"audio": "clip", "video": "clip"}):
        rows = open_dataset(path, said=Said(columns))
        assert {n: row.items[n].kind for row in rows for n in ("audio", "video")} == {
            "audio": "audio",
            "video": "video",
        }
        assert {*infer(rows, columns).of("video", "audio")} == {"video", "audio"}


def test_a_part_of_a_part_is_none(tmp_path: Path) -> None:
    wav(tmp_path / "a.wav", 1.0)
    with pytest.raises(WeftError, match="expected a start of 0 or more and an end after it"):
        Media.file(tmp_path / "a.wav").part(0.5, 0.2)
