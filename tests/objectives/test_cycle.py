"""Cycle consistency: 1 - the cosine of what is drawn and of what it was drawn from."""

from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F

from weft.core.records import Batch, Features, Field
from weft.decoders.picture_convolutions import PictureConvolutionsConfig
from weft.heads.pictures import PictureOutput
from weft.objectives.cycle import CycleConfig

ROWS, DIM, WIDTH, NOISE = 4, 5, 6, 2


def test_the_cost_is_one_minus_the_cosine_of_the_rows_that_have_the_source() -> None:
    torch.manual_seed(0)
    decoder = PictureConvolutionsConfig(WIDTH, (4, 4), noise=NOISE, condition=8).build().eval()
    head = SimpleNamespace(output=PictureOutput(), decoder=decoder, context="text")
    mapping = torch.randn(3, DIM)
    model: Any = SimpleNamespace(
        head=lambda name: head,
        fusion=None,
        encode=lambda stream, field: field.values.mean((2, 3)) / 255,
        embed=lambda stream, seen: F.normalize(seen @ mapping, dim=1),
    )
    there = torch.tensor([True, False, True, True])
    context, given = torch.randn(ROWS, WIDTH), F.normalize(torch.randn(ROWS, DIM), dim=1)
    streams: Any = SimpleNamespace(
        features=lambda stream: Features(context[:, None], there[:, None], context),
        embedding=lambda stream: given,
        by_rows=lambda compute, *rows: [compute(*rows)],
    )
    texts = Field(torch.zeros(ROWS, 1), present=there)
    batch = Batch(
        inputs={"text": texts},
        ids=tuple("abcd"),
        groups=torch.arange(ROWS),
        seeds=torch.arange(ROWS),
    )
    found = CycleConfig().build()(model, batch, streams).total
    noise = batch.normal("cycle: noise", NOISE)[there]
    kept = Features(context[there][:, None], torch.ones(3, 1, dtype=torch.bool), context[there])
    drawn = decoder.draw(kept, noise, head.output.drawing)
    seen = ((drawn + 1) / 2).mean((2, 3)) @ mapping
    expected = 1 - F.cosine_similarity(seen, given[there], dim=1).mean()
    torch.testing.assert_close(found, expected)
    found.backward()
    assert all(parameter.grad is not None for parameter in decoder.parameters())
