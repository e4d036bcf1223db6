"""Predictions with the frames of films in random order."""

from collections import Counter

import numpy as np
import torch
from torch import nn

from weft.architectures.model import Model
from weft.core.media import Media
from weft.core.records import Features, Field
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.data.learned import Learned
from weft.heads.classes import ClassOutput
from weft.heads.head import Head
from weft.inference.config import InferenceConfig
from weft.inference.member import Member
from weft.inference.predict import predict
from weft.modalities.frame_sampling import FrameSamplingConfig
from weft.modalities.image import ImageConfig
from weft.modalities.video import VideoConfig

MOST = 4


class FirstFrame(nn.Module):
    """A film -> the brightness of its frames; pooled: that of the first."""

    dim = 1

    def forward(self, field: Field) -> Features:
        tokens = field.values.float().mean((2, 3, 4))[..., None]
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool) if field.mask is None else field.mask
        return Features(tokens, mask, tokens[:, 0])


class Number(nn.Module):
    """Logits of which the largest says which frame has that brightness."""

    def forward(self, context: Features, prefix: Field | None = None) -> torch.Tensor:
        return -(context.pooled - 40 * torch.arange(1, MOST + 1)).abs()


def films(count: int) -> list[Sample]:
    """Films of two or four frames, frame n of brightness 40 (n + 1)."""
    rows = []
    for number in range(count):
        frames = np.zeros((2 + 2 * (number % 2), 8, 8, 3), np.uint8)
        frames += (40 * np.arange(1, len(frames) + 1, dtype=np.uint8))[:, None, None, None]
        rows.append(Sample(str(number), str(number), {"video": Media.frames(frames, 1.0)}, "here"))
    return rows


def member(rows: list[Sample]) -> Member:
    sampling = FrameSamplingConfig("dense", frames=MOST, rate=1.0)
    video = VideoConfig(sampling, ImageConfig(size=8, crop_scale=None, flip=0.0)).build()
    head = Head(Number(), ClassOutput(classes=tuple("abcd")), "video")
    model = Model({"video": FirstFrame()}, heads={"first": head})
    return Member(model, {"video": ModalitySource(rows, "video", video)}, Learned({"video": video}))


def test_frames_in_random_order_are_a_baseline_of_films() -> None:
    rows = films(160)
    found = predict([member(rows)], rows, "first", InferenceConfig(batch_size=160), swap=True)
    assert set(found.said) == {"a"}
    assert set(found.altered) == {"video in random order"}
    said = found.altered_said["video in random order"]
    # Of a short film padding is never the first frame.
    assert set(said[::2]) == {"a", "b"}
    counts = Counter(said[1::2])
    assert set(counts) == set("abcd")
    assert min(counts.values()) > 8
    # The same order whatever rows are beside it, and for every member.
    rows = rows[:20]
    few = [member(rows), member(rows)]
    again = predict(few, rows, "first", InferenceConfig(batch_size=3), swap=True)
    assert again.altered_said["video in random order"] == said[:20]


def test_without_the_question_nothing_is_altered() -> None:
    rows = films(4)
    found = predict([member(rows)], rows, "first", InferenceConfig(batch_size=2))
    assert found.altered == {}
