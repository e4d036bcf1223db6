"""`weft transcribe`: files, folders, and noise in which nothing is said."""

import json
from pathlib import Path

import numpy as np
import pytest
from made_media import sound_file, tone

from weft.architectures.model import ModelConfig
from weft.commands.evaluate import main as evaluate
from weft.commands.transcribe import main
from weft.core.errors import WeftError
from weft.data.sources import FilesConfig
from weft.data.targets.transcript import TranscriptConfig
from weft.decoders.ctc import CTCDecoderConfig
from weft.encoders.stacked_frames import StackedFramesConfig
from weft.evaluation.false_words import words_a_minute
from weft.fusion.in_time import InTimeConfig
from weft.heads.head import HeadConfig
from weft.heads.transcripts import TranscriptOutput
from weft.modalities.audio import AudioConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.objectives.ctc import CTCConfig
from weft.runs.recipe import DataConfig, Recipe
from weft.runs.train import train
from weft.training.config import RunConfig


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose head writes words at random, and beside it a folder of three sounds."""
    folder = tmp_path_factory.mktemp("transcribe")
    sounds = folder / "sounds" / "deeper"
    sounds.mkdir(parents=True)
    for number in range(3):
        (sounds / f"{number}.wav").write_bytes(sound_file(tone(2.0, 200.0 * (number + 1))))
    (sounds / "notes.md").write_text("no sound")
    rows = "".join(
        f"{sounds}/{n}.wav,w{n},{s}\n" for n, s in enumerate(("train", "validation", "test"))
    )
    (folder / "rows.csv").write_text("audio,text,split\n" + rows)
    recipe = Recipe(
        data=DataConfig(
            source=FilesConfig(folder / "rows.csv"),
            streams={"audio": AudioConfig(spectrogram=SpectrogramConfig(mels=8))},
            targets={"transcript": TranscriptConfig("text", unit="word")},
        ),
        model=ModelConfig(
            encoders={"audio": StackedFramesConfig(8, 10)},
            fusion=InTimeConfig({"audio": 80}, dim=8),
            heads={"transcript": HeadConfig(CTCDecoderConfig(8, 3), TranscriptOutput())},
        ),
        objectives={"transcript": CTCConfig()},
        tasks={},
        run=RunConfig(steps=1, batch_size=1, workers=0),
    )
    train(recipe, folder / "run")
    return folder


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
        (["{}/empty"], "empty: holds no audio and no video file"),
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
