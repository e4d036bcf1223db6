"""A run of random weights that writes down what is said, and sounds for it."""

from pathlib import Path

from made_media import sound_file, tone

from weft.architectures.model import ModelConfig
from weft.data.sources import FilesConfig
from weft.data.targets.transcript import TranscriptConfig
from weft.decoders.ctc import CTCDecoderConfig
from weft.encoders.stacked_frames import StackedFramesConfig
from weft.fusion.in_time import InTimeConfig
from weft.heads.head import HeadConfig
from weft.heads.transcripts import TranscriptOutput
from weft.modalities.audio import AudioConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.objectives.ctc import CTCConfig
from weft.runs.recipe import DataConfig, Recipe
from weft.runs.train import train
from weft.training.config import RunConfig


def speech_run(folder: Path) -> Path:
    """folder/run, whose head writes words at random, and beside it a folder of three sounds."""
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
    return folder / "run"
