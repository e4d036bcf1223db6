"""CTC: what an empty transcript, a missing one and one that is too long cost."""

import pytest
import torch

from weft.architectures.model import ModelConfig
from weft.core.records import Batch, Field
from weft.decoders.ctc import CTCDecoderConfig
from weft.encoders.stacked_frames import StackedFramesConfig
from weft.heads.head import HeadConfig
from weft.heads.transcripts import TranscriptOutput
from weft.objectives.ctc import CTCConfig
from weft.training.streams import Streams

UNITS, PLACES = 3, 2


@pytest.mark.parametrize(
    ("transcript", "fits"),
    [([0, -1], True), ([1, 2], True), ([-1, -1], False), ([1, 1], False)],
    ids=["empty", "fitting", "missing", "too long"],
)
def test_which_transcripts_are_learned(transcript: list[int], fits: bool) -> None:
    torch.manual_seed(0)
    head = HeadConfig(CTCDecoderConfig(2, UNITS), TranscriptOutput(), "audio")
    model = ModelConfig(
        encoders={"audio": StackedFramesConfig(2, 1)}, heads={"transcript": head}
    ).build()
    sounds = Field(torch.randn(1, PLACES, 2), torch.ones(1, PLACES, dtype=torch.bool))
    batch = Batch(
        {"audio": sounds}, ["a"], torch.zeros(1).long(), {"transcript": torch.tensor([transcript])}
    )
    streams = Streams(model, batch)
    loss = CTCConfig().build()(model, batch, streams)
    log_probs = model.decode("transcript", streams.fused())[0].log_softmax(1)
    costs = {
        (0, -1): -log_probs[:, 0].sum(),
        (1, 2): -(log_probs[0, 1] + log_probs[1, 2]) / 2,
    }
    torch.testing.assert_close(loss.total, costs.get(tuple(transcript), torch.tensor(0.0)))
    assert float(loss.terms["fits"]) == fits
