"""Multimodal autoencoders: every stream from any of them, whatever the joint posterior is."""

from typing import get_args

import pytest
import torch

from weft.architectures.autoencoder import autoencoder
from weft.architectures.model import Model
from weft.core.interfaces import JOINT
from weft.core.records import Field
from weft.decoders.picture_convolutions import PictureConvolutionsConfig
from weft.decoders.recurrent import RecurrentDecoderConfig
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.flattened import FlattenedConfig
from weft.encoders.recurrent import RecurrentConfig
from weft.fusion.joint_posterior import Joining
from weft.heads.head import HeadConfig
from weft.heads.pictures import PictureOutput
from weft.heads.texts import TextOutput

DIM, WORDS = 8, 20


def model(joining: Joining) -> Model:
    torch.manual_seed(0)
    return (
        autoencoder(
            encoders={
                "image": FlattenedConfig(ConvNetConfig((4, 4), 2), DIM, tokens=4),
                "text": FlattenedConfig(RecurrentConfig(WORDS, embedding=8, hidden=8), DIM),
            },
            heads={
                "image": HeadConfig(
                    PictureConvolutionsConfig(DIM, (4, 4), condition=8), PictureOutput()
                ),
                "text": HeadConfig(
                    RecurrentDecoderConfig(WORDS, DIM, embedding=8, hidden=8, max_length=4),
                    TextOutput(),
                ),
            },
            dim=DIM,
            joining=joining,
        )
        .build()
        .eval()
    )


@pytest.mark.parametrize("joining", get_args(Joining))
def test_every_stream_is_made_of_any_streams(joining: Joining) -> None:
    made = model(joining)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (3, 3, 8, 8), dtype=torch.uint8, generator=generator)
    words = torch.randint(5, WORDS, (3, 4), generator=generator)
    encoded = {
        "image": made.encode("image", Field(pixels)),
        "text": made.encode("text", Field(words, torch.ones(3, 4, dtype=torch.bool))),
    }
    joint = {}
    for streams in (("image",), ("text",), ("image", "text")):
        fused = made.fuse({stream: encoded[stream] for stream in streams})
        joint[streams] = fused[JOINT].pooled
        assert joint[streams].shape == (3, DIM)
        assert made.decode("image", fused).shape == (3, 3, 8, 8)
        prefix = Field(words, torch.ones(3, 4, dtype=torch.bool))
        assert made.decode("text", fused, prefix).shape == (3, 4, WORDS)
    assert not torch.allclose(joint["image",], joint["image", "text"])
    if joining in ("mean", "mixture"):
        mean = (joint["image",] + joint["text",]) / 2
        torch.testing.assert_close(joint["image", "text"], mean)
    assert made.can_sample("image") == (joining != "mean")
    # The embedding of a stream is the direction of what it says alone.
    torch.testing.assert_close(
        made.embed("image", encoded["image"]),
        torch.nn.functional.normalize(encoded["image"].pooled, dim=1),
    )
