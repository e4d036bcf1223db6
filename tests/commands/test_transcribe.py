"""`weft transcribe`: files, folders, and noise in which nothing is said."""

import json
from pathlib import Path

import numpy as np
import pytest
from made_media import RATE, film, sound_file, tone
from tiny_speech import speech_run

from weft.commands.evaluate import main as evaluate
from weft.commands.transcribe import main
from weft.core.errors import WeftError
from weft.core.media import Media
from weft.evaluation.false_words import words_a_minute
from weft.modalities.audio import Audio
from weft.modalities.audio_decoding import read_sound
from weft.modalities.pauses import pauses
from weft.runs import transcribing
from weft.runs.run import load


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose head writes words at random, and beside it a folder of three sounds."""
    return speech_run(tmp_path_factory.mktemp("transcribe")).parent


def test_of_a_folder_every_sound_and_words_a_minute(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(run / "run"), str(run / "sounds")])
    *lines, rate = capsys.readouterr().out.splitlines()
    said = dict(line.split("\t") for line in lines)
    assert [Path(name).name for name in said] == ["0.wav", "1.wav", "2.wav"]
    words = sum(len(text.split()) for text in said.values())
    assert rate.startswith(f"recordings: {words} words in 0.1 minutes: {words * 10:.2f} a minute (")
    main([str(run / "run"), str(run / "sounds" / "deeper" / "1.wav")])
    assert capsys.readouterr().out.splitlines() == [lines[1]]


def test_files_that_cannot_be_read_are_named_and_left_out(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    good, bad, empty = run / "sounds" / "deeper" / "1.wav", tmp_path / "a.wav", tmp_path / "b.wav"
    bad.write_bytes(b"no sound")
    empty.write_bytes(b"")
    main([str(run / "run"), str(bad), str(good), "--words"])
    said = capfd.readouterr()
    assert said.out.split("\t")[0] == str(good)
    assert "a.wav: is not a sound" in caplog.text
    assert "1 of 2 files transcribed, the others are left out" in said.err
    with pytest.raises(WeftError, match="^[^;]*a.wav: is not a sound"):
        main([str(run / "run"), str(bad)])
    with pytest.raises(WeftError, match="none of the 2 rows can be used"):
        main([str(run / "run"), str(bad), str(empty)])


def test_of_each_word_its_times_and_the_weights_of_the_streams(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = str(run / "sounds" / "deeper" / "0.wav")
    main([str(run / "run"), sound, "--words"])
    line, header, *words = capsys.readouterr().out.splitlines()
    said = line.split("\t")[1].split()
    assert header.split() == ["word", "begin", "(s)", "end", "(s)", "audio", "(%)"]
    assert said
    assert [one.split()[0] for one in words] == said
    times = [float(time) for one in words for time in one.split()[1:3]]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= 2
    assert {one.split()[3] for one in words} == {"100"}  # the only stream has all of the weight


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A sound of 5 s with pauses at 1.8 and 3.4 s."""
    samples = tone(5.0)
    for begin in (1.7, 3.3):
        samples[round(begin * RATE) : round((begin + 0.2) * RATE)] = 0
    path = tmp_path / "long.wav"
    path.write_bytes(sound_file(samples))
    return path


def test_a_long_recording_is_read_in_parts(
    run: Path, long: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The words of each part are those of a file of its own, and their times are those of the whole."""
    samples = read_sound(Media.file(long), RATE)
    for n, (start, end) in enumerate(((0, 1.8), (1.8, 3.4), (3.4, 5))):
        part = samples[round(start * RATE) : round(end * RATE)]
        (tmp_path / f"{n}.wav").write_bytes(sound_file(part))
    main([str(run / "run"), *(str(tmp_path / f"{n}.wav") for n in range(3))])
    alone = [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()]
    main([str(run / "run"), str(long), "--window", "2", "--words"])
    line, _, *words = capsys.readouterr().out.splitlines()
    assert line == f"{long}\t{' '.join(text for text in alone if text)}"
    times = [float(time) for one in words for time in one.split()[1:3]]
    assert times == sorted(times)
    assert times[-1] > 3.4


def test_parts_are_as_short_as_the_window_of_a_stream(
    run: Path, long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[float] = []
    monkeypatch.setattr(Audio, "window", 2.0)
    monkeypatch.setattr(
        transcribing, "pauses", lambda whole, longest: found.append(longest) or pauses(whole, 2.0)
    )
    (one,) = transcribing.transcribe(load(run / "run"), "transcript", [long], 30.0)
    assert found == [2.0]
    assert one.seconds == pytest.approx(5.0)


def test_what_training_does_not_warn_of_stays_whole(run: Path, long: Path) -> None:
    """A recording that is longer than the window by less than the length of a video's frame."""
    trained = load(run / "run")
    values = {stream: Media.file(long) for stream in trained.model.streams_of("transcript")}
    silent = Media.encoded(film(50), "video")  # 5 s, cut evenly
    for window, parts in ((4.95, 1), (4.85, 2)):
        assert len(transcribing.divided(trained, [values], window)) == parts
        assert len(transcribing.divided(trained, [dict.fromkeys(values, silent)], window)) == parts


def test_a_part_that_cannot_be_read_is_named(
    run: Path, long: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    samples = read_sound(Media.file(long), RATE).astype(np.float32)
    samples[2 * RATE] = np.nan
    path = tmp_path / "hole.wav"
    path.write_bytes(sound_file(samples, subtype="FLOAT"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transcribing, "pauses", lambda *_: [1.8, 3.4])
        (one,) = transcribing.transcribe(load(run / "run"), "transcript", [path], 2.0)
    assert "hole.wav (1.8–3.4 s): " in caplog.text
    assert "not finite" in caplog.text
    assert one.file == path


def test_of_silence_and_noise_words_a_minute(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(run / "run"), "--silence", "0.1"])
    lines = capsys.readouterr().out.splitlines()
    rates = [line for line in lines if "\t" not in line]
    assert [line.split(" words")[0].split(":")[0] for line in rates] == ["silence", "white noise"]
    for line in rates:
        name = line.split(":")[0]
        words = sum(len(o.split("\t")[1].split()) for o in lines if o.startswith(f"{name}, "))
        assert f": {words} words in 0.2 minutes: {6 * words:.2f} a minute" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "weft transcribe needs one file or more"),
        (["--silence", "-1"], "--silence is -1, expected 0 to 600 minutes"),
        (["--silence", "601"], "--silence is 601, expected 0 to 600 minutes"),
        (
            ["--window", "0", "a.wav"],
            "--window is 0, expected at least 1 s; inf reads a recording as",
        ),
        (["--window", "nan", "a.wav"], "--window is nan, expected at least 1 s"),
        (["{}/empty"], "empty: holds no audio and no video file"),
        (["{}/none.wav"], "^[^:]*/none.wav: no such file or folder$"),
    ],
)
def test_what_cannot_be(words: list[str], said: str, run: Path) -> None:
    (run / "empty").mkdir(exist_ok=True)
    with pytest.raises(WeftError, match=said):
        main([str(run / "run"), *(word.format(run) for word in words)])


def test_intervals_of_words_a_minute() -> None:
    none = words_a_minute([""] * 4, [15.0] * 4)
    assert (none.words, none.minutes, none.rate.low, none.rate.high) == (0, 1.0, 0.0, 3.0)
    some = words_a_minute(["a, b", "", "", "c"] * 20, [30.0] * 80)
    assert some.words == 60
    assert some.rate.value == pytest.approx(1.5)
    spread = np.std([2, 0, 0, 1]) / 0.5 / np.sqrt(80)
    assert some.rate.high - some.rate.low == pytest.approx(2 * 1.96 * spread, rel=0.15)


def test_errors_in_noise(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "noisy.json"
    evaluate(f"{run / 'run'} --noise -5 --audit False --split all --json {file}".split())
    assert "-5 dB, white noise" in capsys.readouterr().out
    found = json.loads(file.read_text())
    assert found["protocol"]["signal-to-noise ratio"] == "-5 dB, white noise"
    assert "WER" in found["metrics"]
