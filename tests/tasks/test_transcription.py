"""Recognised words: when they were said, against the times of the rows, and the weight of each stream."""

import io

import numpy as np
import pytest
import torch
from rich.console import Console

from weft.architectures.model import ModelConfig
from weft.core.media import Media
from weft.core.records import Features
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.data.learned import Learned
from weft.data.targets.transcript import Transcript, TranscriptConfig
from weft.decoders.ctc import CTCDecoder, CTCDecoderConfig
from weft.encoders.stacked_frames import StackedFramesConfig
from weft.fusion.in_time import InTime, InTimeConfig
from weft.heads.head import HeadConfig
from weft.heads.output import Part
from weft.heads.transcripts import TranscriptOutput
from weft.inference.member import Member
from weft.modalities.audio import AudioConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.tasks.printing import print_result
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
    target = beeps()
    spectrogram = SpectrogramConfig(mels=MELS, low=300.0, high=700.0)
    config = AudioConfig(
        rate=RATE, spectrogram=spectrogram, normalise="sound", level="peak", trim=trim
    )
    task = TranscriptionTaskConfig(resamples=20).build()
    found = task.evaluate([hears_beeps(target, config)], rows())
    assert found.metrics["WER"].value == 0
    if trim is not None:  # cut sounds do not say when their words were said
        assert "word_time_error" not in found.metrics
        assert not any(one.words for one in found.predictions)
        return
    assert found.metrics["word_time_error"].value == pytest.approx(140, abs=25)
    assert found.metrics["words_within_100ms"].value == 50
    assert found.protocol["words with times"] == 4
    shown = [word for one in found.predictions for word in one.words]
    assert [word.word for word in shown] == ["beep"] * 4
    assert np.mean([abs(word.off or 0) for word in shown]) == pytest.approx(0.14, abs=0.025)
    assert all(word.span is not None and word.span[0] < word.span[1] for word in shown)


def beeps() -> Transcript:
    target = TranscriptConfig("text", "word").build()
    target.fit(["beep beep"])
    return target


def test_weights_of_a_word_are_the_mean_over_its_places() -> None:
    """Two words, at places 1 and 2 and at place 4 of six."""
    logits = torch.full((2, 6, 2), -9.0)
    logits[:, [0, 3, 5], 0] = logits[:, [1, 2, 4], 1] = 9.0
    mask = torch.ones(2, 6, dtype=torch.bool)
    decoder = CTCDecoderConfig(2, 2).build()
    with torch.no_grad():
        decoder.map.weight.copy_(torch.eye(2))
        decoder.map.bias.zero_()
    heard_BT = torch.tensor([[0.0, 1.0, 0.5, 0.0, 0.25, 0.0], [1.0] * 6])
    weights = {"audio": heard_BT, "video": 1 - heard_BT}
    part = Part(
        decoder,
        Features(logits, mask, logits.mean(1)),
        Learned({}, {"transcript": beeps()}),
        weights,
    )
    values = TranscriptOutput().read([part])
    assert values.texts == ("beep beep",) * 2
    assert values.weights[0] == ({"audio": 0.75, "video": 0.25}, {"audio": 0.25, "video": 0.75})
    assert values.take([1, 0]).weights == values.weights[::-1]
    assert type(values).join([values, values]).weights == values.weights * 2
    # Of an ensemble the mean, and nothing where not all weigh the same streams.
    other = Part(decoder, part.context, part.learned, {"audio": 1 - heard_BT, "video": heard_BT})
    assert TranscriptOutput().read([part, other]).weights[0][0] == {"audio": 0.5, "video": 0.5}
    none = Part(decoder, part.context, part.learned)
    assert TranscriptOutput().read([part, none]).weights == ()
    kept = part.take(torch.tensor([1]))
    assert kept.weights["audio"].tolist() == [[1.0] * 6]


def test_how_far_each_stream_was_believed() -> None:
    """The gate gives three quarters to the first stream where both are there; the second row lacks the second one."""
    rows_of_both = [
        Sample(one.id, one.group, {**one.items, **other}, one.source)
        for one, other in zip(rows(), ({"second": rows()[0].items["audio"]}, {}), strict=True)
    ]
    width = 5 * MELS
    model = ModelConfig(
        encoders={s: StackedFramesConfig(MELS, 5) for s in ("audio", "second")},
        fusion=InTimeConfig({"audio": width, "second": width}, dim=2),
        heads={"transcript": HeadConfig(CTCDecoderConfig(2, 2, maps=False), TranscriptOutput())},
    ).build()
    fusion = model.fusion
    assert isinstance(fusion, InTime)
    with torch.no_grad():
        fusion.gate.weight.zero_()
        fusion.gate.bias.copy_(torch.tensor([3.0, 1.0]).log())
        for linear in fusion.maps.values():
            linear.weight.zero_()
            linear.bias.copy_(torch.tensor([0.0, 1.0]))  # one word, of all places
    audio = AudioConfig(rate=RATE, spectrogram=SpectrogramConfig(mels=MELS)).build()
    names = ("audio", "second")
    member = Member(
        model.eval(),
        {name: ModalitySource(rows_of_both, name, audio, optional=True) for name in names},
        Learned(dict.fromkeys(names, audio), {"transcript": beeps()}),
    )
    found = TranscriptionTaskConfig(resamples=20).build().evaluate([member], rows_of_both)
    weights = {shown.inputs[0].row: shown.words for shown in (*found.predictions, *found.worst)}
    assert [[word.word for word in words] for words in weights.values()] == [["beep"]] * 2
    assert weights[0][0].weights == pytest.approx({"audio": 0.75, "second": 0.25})
    assert weights[1][0].weights == {"audio": 1, "second": 0}
    means = {
        one["stream"]: one["percent"] for one in found.to_json()["diagnostics"]["stream_weights"]
    }
    assert means["audio"]["value"] == pytest.approx(87.5)
    assert means["second"]["value"] == pytest.approx(12.5)
    assert means["second"]["groups"] == 2
    out = io.StringIO()
    print_result(found, Console(file=out, width=100))
    assert "  audio: 87.5 % (75.0 – 100.0" in out.getvalue()
