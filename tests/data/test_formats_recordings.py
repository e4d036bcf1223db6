"""The published layouts of sounds and films: what their rows hold beyond what the contract asks."""

import json
from pathlib import Path

import pytest
from layouts import errors_of, touch, write
from made_formats import MADE

from weft.data.formats import open_dataset


def test_activitynet_sentences_are_about_parts(tmp_path: Path) -> None:
    told = {"duration": 9.0, "timestamps": [[0.5, 3], [2.5, 9.1]], "sentences": ["One.", " Two."]}
    write(tmp_path / "train.json", {"v_a": told})
    write(tmp_path / "val_1.json", {"v_b": {**told, "timestamps": [[0, 1], [4, 2]]}})
    touch(tmp_path / "films", "v_a.mkv", "v_b.mp4")
    reason = "its part is 4 s to 2 s, expected an end after the start"
    assert errors_of(tmp_path) == [f"{tmp_path}/val_1.json:v_b[1]: {reason}"]
    rows = list(open_dataset(tmp_path, split="train", on_error=lambda _: None))
    assert [(r.items["video"].start, r.items["video"].end) for r in rows] == [(0.5, 3), (2.5, 9.1)]
    assert [r.items["text"] for r in rows] == ["One.", "Two."]
    assert {r.group for r in rows} == {"v_a"}
    assert len({r.match_name for r in rows}) == 2


def test_a_film_that_is_not_there_is_named(tmp_path: Path) -> None:
    MADE["msrvtt"].make(tmp_path)
    (tmp_path / "TrainValVideo" / "video3.mp4").unlink()
    (error,) = errors_of(tmp_path)
    assert error == (
        f"{tmp_path}/train_val_videodatainfo.json:videos[3]: has no video 'video3' below {tmp_path}"
    )


def test_msrvtt_has_all_captions_and_its_splits(tmp_path: Path) -> None:
    MADE["msrvtt"].make(tmp_path)
    rows = list(open_dataset(tmp_path))
    assert list(rows[1].items["text"]) == ["подпись 1", "подпись 13"]
    assert [r.items["split"] for r in rows[:3]] == ["train", "validation", "test"]
    assert rows[2].items["category"] == 2


def test_audiocaps_clips_are_found_by_any_of_their_names(tmp_path: Path) -> None:
    header = "audiocap_id,youtube_id,start_time,caption\n"
    rows = "1,abc,30,A dog\n2,abc,30,A dog barks\n3,-d_e,0,Rain\n4,fg,100,Wind\n5,hi,5,A bell\n"
    write(tmp_path / "test.csv", header + rows)
    touch(tmp_path / "wav", "abc_30000_40000.wav", "Y-d_e.wav", "4.wav", "Yhi_5.000_15.000.flac")
    found = list(open_dataset(tmp_path))
    assert [r.items["audio"].path.stem for r in found] == [
        *("abc_30000_40000", "abc_30000_40000", "Y-d_e", "4", "Yhi_5.000_15.000")
    ]
    assert found[0].match_name == found[1].match_name != found[2].match_name
    assert found[0].items["split"] == "test"


def test_clotho_captions_and_splits(tmp_path: Path) -> None:
    header = "file_name,caption_1,caption_2\n"
    for called in ("development", "validation", "evaluation"):
        write(tmp_path / f"clotho_captions_{called}.csv", f"{header}a b.wav,one,two\n")
        touch(tmp_path / "clotho_audio_files" / called, "a b.wav")
    rows = list(open_dataset(tmp_path))
    assert sorted(r.items["split"] for r in rows) == ["test", "train", "validation"]
    assert list(rows[0].items["text"]) == ["one", "two"]
    assert all(r.items["audio"].path.is_file() for r in rows)


@pytest.mark.parametrize("place", ["", "dev-clean", "dev-clean/84/121123"])
def test_librispeech_from_any_of_its_folders(tmp_path: Path, place: str) -> None:
    MADE["librispeech"].make(tmp_path / "LibriSpeech")
    row = open_dataset(tmp_path / "LibriSpeech" / place)[0]
    assert (row.items["speaker"], row.items["chapter"], row.items["split"]) == (
        *("84", "121123"),
        "validation",
    )
    assert (row.items["text"], row.group, row.match_name) == ("ДА 84-121123-0000", "84", row.id)


def test_common_voice_keeps_quotes_and_reads_other_tables_by_name(tmp_path: Path) -> None:
    MADE["common_voice"].make(tmp_path)
    row = open_dataset(tmp_path)[4]
    assert (row.items["text"], row.items["speaker"], row.items["locale"]) == ('"Да 4', "c1", "ru")
    assert row.items["split"] == "validation"
    assert "split" not in open_dataset(tmp_path / "validated.tsv")[0].items


def test_wrong_timestamps_are_named(tmp_path: Path) -> None:
    told = {"duration": 9.0, "timestamps": [[0.5]], "sentences": ["One."]}
    good = {**told, "timestamps": [[0, 1]]}
    (tmp_path / "train.json").write_text(
        json.dumps({"v_a": told, "v_b": {**told, "sentences": []}, "v_c": good})
    )
    touch(tmp_path, "v_a.mp4", "v_b.mp4", "v_c.mp4")
    assert errors_of(tmp_path, "activitynet") == [
        f"{tmp_path}/train.json:v_a: a timestamp is [0.5], expected [start, end]",
        f"{tmp_path}/train.json:v_b: has 1 timestamps and 0 sentences, expected as many",
    ]


@pytest.mark.parametrize("place", ["s1/align", "align/s1", "align", "alignments/s1"])
def test_grid_as_published(tmp_path: Path, place: str) -> None:
    touch(tmp_path / "s1", "bbaf2n.mpg", "bbaf3s.mpg")
    words = "0 23750 sil\n23750 29500 bin\n29500 34000 blue\n34000 74500 sil\n"
    write(tmp_path / place / "bbaf2n.align", words)
    (row,) = open_dataset(tmp_path)
    assert (row.id, row.items["text"], row.items["speaker"]) == ("s1/bbaf2n", "bin blue", "s1")
    assert row.items["words"] == [
        {"word": "bin", "start": 0.95, "end": 1.18},
        {"word": "blue", "start": 1.18, "end": 1.36},
    ]
    assert row.items["video"].path == row.items["audio"].path == tmp_path / "s1" / "bbaf2n.mpg"


def test_esc50_as_published(tmp_path: Path) -> None:
    touch(tmp_path / "audio", "1-100032-A-0.wav", "1-100032-B-0.wav")
    header = "filename,fold,target,category,esc10,src_file,take\n"
    rows = "1-100032-A-0.wav,1,0,dog,True,100032,A\n1-100032-B-0.wav,1,0,dog,True,100032,B\n"
    write(tmp_path / "meta" / "esc50.csv", header + rows)
    first, second = open_dataset(tmp_path)
    assert first.group == second.group
    assert (first.items["label"], first.items["fold"]) == ("dog", "1")


def test_fsdd_as_published(tmp_path: Path) -> None:
    touch(tmp_path / "recordings", "0_jackson_0.wav", "7_theo_31.wav")
    first, second = open_dataset(tmp_path)
    assert [(r.items["speaker"], r.items["split"]) for r in (first, second)] == [
        *(("jackson", "test"), ("theo", "train"))
    ]
    assert [r.items["audio"].path.name for r in (first, second)] == [
        *("0_jackson_0.wav", "7_theo_31.wav")
    ]
