"""Embedding pictures and captions with a trained CLIP, 64 at a time, fp32, tensors in, embeddings out.

The shape is that of the line clip_step. open_clip computes all 77 positions of a caption.
"""

import torch
from torch import Tensor

from benchmarks.lines.clip_step import (
    batch,
    data,
    normalized,
    open_clip_model,
    our_model,
)
from benchmarks.measure import Comparison, Setting, alternate, faster
from weft.architectures.model import Model
from weft.core.records import Features, Field

AT_ONCE = 2
"""Batches of 32 in a call."""


def measure(setting: Setting) -> list[Comparison]:
    ours = our_model().eval()
    theirs = open_clip_model()[0].eval()
    images, ids, _ = data()
    pixels, ids = normalized(images).repeat(AT_ONCE, 1, 1, 1), ids.repeat(AT_ONCE, 1)
    rows = batch()
    every = torch.arange(len(rows)).repeat(AT_ONCE)
    both = {name: field.take(every) for name, field in rows.inputs.items()}
    sides = {
        "pictures": (
            lambda: _embed(ours, "image", both["image"]),
            lambda: theirs.encode_image(pixels),
        ),
        "captions": (lambda: _embed(ours, "text", both["text"]), lambda: theirs.encode_text(ids)),
    }
    found: list[Comparison] = []
    with torch.inference_mode():
        for what, (mine, other) in sides.items():
            times = alternate(mine, other, rounds=setting.rounds)
            found.append(faster(f"64 {what}", *times))
    return found


def _embed(model: Model, stream: str, value: Field | Features) -> Tensor:
    return model.embed(stream, model.encode(stream, value))
