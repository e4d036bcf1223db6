"""Times of recognised words: where the alignment has them, against those of the rows."""

import numpy as np
import pytest
import torch

from weft.architectures.model import ModelConfig
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.data.learned import Learned
from weft.data.targets.transcript import Transcript, TranscriptConfig
from weft.decoders.ctc import CTCDecoder, CTCDecoderConfig
from weft.encoders.stacked_frames import StackedFramesConfig
from weft.heads.head import HeadConfig
from weft.heads.transcripts import TranscriptOutput
from weft.inference.member import Member
from weft.modalities.audio import AudioConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.tasks.transcription import TranscriptionTaskConfig

RATE, MELS = 8000, 4


def rows() -> list[Sample]:
    """Two beeps, which are the words, in two seconds; the reference says them 80 ms and 200 ms later."""
    found = []
    for n, starts in enumerate(([0.3, 1.2], [0.5, 1.4])):
        sound = np.zeros(2 * RATE, np.float32)
        for start in starts:
            times = np.arange(round(0.2 * RATE)) / RATE
            sound[round(start * RATE) :][: len(times)] = 0.5 * np.sin(2 * np.pi * 500 * times)
        words = [
            {"word": "beep", "start": start + late, "end": start + 0.2 + late}
            for start, late in zip(starts, (0.08, 0.2), strict=True)
        ]
        items = {"audio": Media.sound(sound, RATE), "text": "beep beep", "words": words}
        found.append(Sample(f"s{n}", f"g{n}", items, f"t.csv:{n}"))
    return found


def hears_beeps(target: Transcript, config: AudioConfig) -> Member:
    """A model whose only unit is where a place of 50 ms is loud."""
    model = ModelConfig(
        encoders={"audio": StackedFramesConfig(MELS, 5)},
        heads={
            "transcript": HeadConfig(CTCDecoderConfig(5 * MELS, 2), TranscriptOutput(), "audio")
        },
    ).build()
    decoder = model.head("transcript").decoder
    assert isinstance(decoder, CTCDecoder)
    with torch.no_grad():
        decoder.map.weight.copy_(torch.stack([-torch.ones(5 * MELS), torch.ones(5 * MELS)]))
        decoder.map.bias.zero_()
    audio = config.build()
    sources = {"audio": ModalitySource(rows(), "audio", audio)}
    return Member(model.eval(), sources, Learned({"audio": audio}, {"transcript": target}))


@pytest.mark.parametrize("trim", [None, 30.0])
def test_the_middle_of_each_word_against_the_true_one(trim: float | None) -> None:
    target = TranscriptConfig("text", "word").build()
    target.fit(["beep beep"])
    spectrogram = SpectrogramConfig(mels=MELS, low=300.0, high=700.0)
    config = AudioConfig(
        rate=RATE, spectrogram=spectrogram, normalise="sound", level="peak", trim=trim
    )
    task = TranscriptionTaskConfig(resamples=20).build()
    found = task.evaluate([hears_beeps(target, config)], rows())
    assert found.metrics["WER"].value == 0
    if trim is not None:  # cut sounds do not say when their words were said
        assert "word_time_error" not in found.metrics
        return
    assert found.metrics["word_time_error"].value == pytest.approx(140, abs=25)
    assert found.metrics["words_within_100ms"].value == 50
    assert found.protocol["words with times"] == 4
