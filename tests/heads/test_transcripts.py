"""Transcripts, read from log-probabilities by hand."""

import math

import torch

from weft.core.records import Features
from weft.data.learned import Learned
from weft.data.targets.transcript import TranscriptConfig
from weft.decoders.ctc import CTCDecoderConfig
from weft.heads.output import Part
from weft.heads.transcripts import TranscriptOutput


def test_a_penalty_of_the_blank_finds_words_that_are_less_sure() -> None:
    """A word of probability 0.7, and one of 0.3: that of the blank is lowered by its logarithm."""
    target = TranscriptConfig("text", "word").build()
    target.fit(["bin"])
    chances = torch.tensor([[0.9, 0.1], [0.3, 0.7], [0.9, 0.1], [0.7, 0.3], [0.9, 0.1]])
    tokens = chances.log()[None]
    context = Features(tokens, torch.ones(1, 5, dtype=torch.bool), tokens.mean(1))
    decoder = CTCDecoderConfig(2, 2, maps=False).build()
    part = Part(decoder, context, Learned({}, {"transcript": target}))

    def said(output: TranscriptOutput) -> str:
        return output.read([part]).texts[0]

    assert said(TranscriptOutput()) == "bin"
    assert said(TranscriptOutput(blank_penalty=math.log(2))) == "bin"
    assert said(TranscriptOutput(blank_penalty=math.log(3))) == "bin bin"
    assert said(TranscriptOutput(search="beam")) == "bin"
    assert said(TranscriptOutput(search="beam", blank_penalty=2.0)) == "bin bin"
