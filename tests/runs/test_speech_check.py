"""What is found in speech before training begins, each with its number and the first file."""

import json
from pathlib import Path

import numpy as np
import pytest
from made_media import RATE, sound_file, tone

from weft.architectures.model import ModelConfig
from weft.core.errors import WeftError
from weft.data.sources import FilesConfig
from weft.data.targets.transcript import TranscriptConfig
from weft.data.targets.word_times import WordTimesConfig
from weft.decoders.ctc import CTCDecoderConfig
from weft.encoders.stacked_frames import StackedFramesConfig
from weft.fusion.in_time import InTimeConfig
from weft.heads.head import HeadConfig
from weft.heads.transcripts import TranscriptOutput
from weft.modalities.audio import AudioConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.objectives.ctc import CTCConfig
from weft.runs.recipe import DataConfig, Recipe
from weft.runs.speech_check import PREFLIGHT
from weft.runs.train import train
from weft.tasks.transcription import TranscriptionTaskConfig
from weft.training.config import RunConfig

MELS, STACK = 8, 10
GOOD = tone(0.5)


def recipe(folder: Path, *, lowercase: bool = False) -> Recipe:
    """One token for each tenth of a second."""
    return Recipe(
        data=DataConfig(
            source=FilesConfig(folder / "rows.jsonl"),
            streams={"audio": AudioConfig(spectrogram=SpectrogramConfig(mels=MELS))},
            targets={"transcript": TranscriptConfig("text", lowercase=lowercase)},
        ),
        model=ModelConfig(
            encoders={"audio": StackedFramesConfig(MELS, STACK)},
            heads={
                "transcript": HeadConfig(
                    CTCDecoderConfig(MELS * STACK, 20), TranscriptOutput(), "audio"
                )
            },
        ),
        objectives={"transcript": CTCConfig()},
        tasks={"transcription": TranscriptionTaskConfig()},
        run=RunConfig(steps=1, batch_size=4, workers=0, evaluate_every=1),
    )


def written(folder: Path, rows: list[tuple[np.ndarray, int, str, str]]) -> Path:
    """rows: sound, samples a second, transcript, split."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (samples, rate, text, split) in enumerate(rows):
        (folder / f"{number}.wav").write_bytes(sound_file(samples, rate))
        lines.append({"audio": f"{number}.wav", "text": text, "split": split})
    (folder / "rows.jsonl").write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
    )
    return folder


def found(run: Path) -> dict[str, tuple[int, int, str]]:
    """The beginning of what was found -> how many of how many rows, and the place of the first."""
    findings = json.loads((run / PREFLIGHT).read_text(encoding="utf-8"))["findings"]
    return {
        " ".join(one["what"].split()[:5]): (
            one["count"],
            one["read"],
            one["example"].rsplit("/", 1)[1],
        )
        for one in findings
    }


def test_each_fault_is_counted_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [
        (GOOD, RATE, "abc", "train"),
        (GOOD, RATE, "<silence>", "train"),
        (GOOD, RATE, "aabbcc", "train"),
        (tone(0.5, rate=8000), 8000, "cab", "train"),
        (np.clip(3 * tone(0.5, level=1.0), -1, 1), RATE, "ab", "train"),
        (GOOD * 1e-4, RATE, "c", "train"),
        (GOOD * 0.01, RATE, "c", "train"),
        (GOOD, RATE, "Ab", "validation"),
        (GOOD, RATE, "ф", "test"),
        (GOOD, RATE, "", "test"),
    ]
    folder = written(tmp_path / "data", rows)
    train(recipe(folder), tmp_path / "run")
    assert found(tmp_path / "run") == {
        "train: transcript is empty, which": (1, 7, "rows.jsonl:2"),
        "validation: transcript has units that": (1, 1, "rows.jsonl:8"),
        "test: transcript is missing": (1, 2, "rows.jsonl:10"),
        "test: transcript has units that": (1, 2, "rows.jsonl:9"),
        "audio: sound has fewer than": (1, 7, "rows.jsonl:4"),
        "audio: sound with a transcript": (1, 7, "rows.jsonl:6"),
        "audio: sound is soft: no": (1, 7, "rows.jsonl:7"),
        "audio: sound is clipped: more": (1, 7, "rows.jsonl:5"),
        "transcript needs more encoder frames": (1, 6, "rows.jsonl:3"),
    }
    assert "training has 'a', see lowercase (1 of 1 read" in caplog.text
    assert "9 frames needed, 6 available" in caplog.text
    setting = "otherwise set --data.streams.audio.rate 8000"
    assert f"harmless if all sounds have the same rate, {setting}" in caplog.text


def test_nothing_is_said_of_good_speech(tmp_path: Path) -> None:
    rows = [(GOOD, RATE, "ab", split) for split in ("train", "validation", "test")]
    train(recipe(written(tmp_path / "data", rows)), tmp_path / "run")
    assert not (tmp_path / "run" / PREFLIGHT).exists()


@pytest.mark.parametrize(
    ("sound", "text", "said"),
    [
        (GOOD, "abcabcabc", "no transcript of the 3 rows that were read can be learned: 9 frames"),
        (GOOD * 1e-4, "ab", "audio: all 3 sounds that were read are silent"),
    ],
)
def test_what_cannot_be_trained_is_an_error(
    sound: np.ndarray, text: str, said: str, tmp_path: Path
) -> None:
    rows = [(sound, RATE, text, "train")] * 3 + [(GOOD, RATE, "ab", "validation")]
    folder = written(tmp_path / "data", rows)
    with pytest.raises(WeftError, match=f"rows.jsonl:1: .*{said}"):
        train(recipe(folder), tmp_path / "run")


def test_missing_times_of_words_are_told(tmp_path: Path) -> None:
    folder = written(tmp_path / "data", [(GOOD, RATE, "on", s) for s in ("train", "validation")])
    plain = recipe(folder)
    times = {**plain.data.targets, "times": WordTimesConfig("spoken")}
    train(plain.replace(data=plain.data.replace(targets=times)), tmp_path / "run")
    assert found(tmp_path / "run")["'spoken' is missing, so that"][:2] == (1, 1)


def test_streams_that_read_different_lengths_are_told(tmp_path: Path) -> None:
    """Of the sound of 2 s one stream reads all, the other a second: its tokens are those of another time."""
    rows = [(tone(length), RATE, "ab", "train") for length in (0.5, 2.0)]
    folder = written(tmp_path / "data", [*rows, (GOOD, RATE, "ab", "validation")])
    lines = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    (folder / "rows.jsonl").write_text(
        "".join(json.dumps({**line, "near": line["audio"]}) + "\n" for line in lines)
    )
    one = recipe(folder)
    streams = {**one.data.streams, "near": one.data.streams["audio"].replace(seconds=1.0)}
    source = one.data.source.replace(columns={"near": "audio"})
    encoder, width = StackedFramesConfig(MELS, STACK), MELS * STACK
    head = HeadConfig(CTCDecoderConfig(width, 20), TranscriptOutput())
    model = ModelConfig(
        encoders=dict.fromkeys(streams, encoder),
        fusion=InTimeConfig(dict.fromkeys(streams, width), width),
        heads={"transcript": head},
    )
    data = one.data.replace(streams=streams, source=source)
    train(one.replace(data=data, model=model), tmp_path / "run")
    assert found(tmp_path / "run")["near: recording is longer than"] == (1, 2, "rows.jsonl:2")
