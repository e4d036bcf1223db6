"""Detection and grounding: what they cost by hand, what they teach, and what they refuse."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from weft.architectures.model import Model, ModelConfig
from weft.core.records import Batch, Field
from weft.encoders.points import Points, PointsConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.fusion.early import EarlyConfig
from weft.layers.transformer import TransformerConfig
from weft.modalities.image_sequence import ImageSequenceConfig
from weft.objectives.detection import DetectionConfig
from weft.objectives.grounding import GroundingConfig
from weft.training.streams import Streams
from weft.worlds.boxes import KINDS, MOST, DrawnBoxesConfig

DIM = 16


def model() -> Model:
    torch.manual_seed(0)
    return ModelConfig(
        encoders={
            "image": PointsConfig(KINDS, DIM, prior=0.3),
            "text": WordVectorsConfig(10, DIM),
        },
        fusion=EarlyConfig({"image": DIM, "text": DIM}, TransformerConfig(DIM, 1, 2)),
    ).build()


def batch(rows: int = 6) -> Batch:
    boxes = DrawnBoxesConfig().open("train")
    samples = [boxes[row] for row in range(rows)]
    panels = ImageSequenceConfig().build()
    targets = {
        name: torch.from_numpy(np.stack([sample.items[column] for sample in samples]))
        for name, column in (("cells", "cells"), ("counts", "counts"), ("marks", "meant"))
    }
    ids = torch.ones(rows, 2, dtype=torch.int64)
    return Batch(
        {
            "image": panels.collate([panels.decode(s.items["image"]) for s in samples]),
            "text": Field(ids, torch.ones_like(ids).bool()),
        },
        [sample.id for sample in samples],
        torch.arange(rows),
        targets,
    )


def test_detection_is_two_sums_an_object() -> None:
    made, given = model().eval(), batch()
    loss = DetectionConfig(share=0.5).build()(made, given, Streams(made, given))
    encoder = made.encoders["image"]
    assert isinstance(encoder, Points)
    field = given.inputs["image"]
    assert isinstance(field, Field)
    with torch.no_grad():
        cells_BTC, heat_BT = encoder.look(field.rows(slice(0, 6, 2)))
        kinds_BTK = encoder.classify(cells_BTC)
    truth_BT = given.targets["cells"][::2]
    there = truth_BT > 0
    where = F.softplus(heat_BT) - heat_BT * there
    what = F.cross_entropy(kinds_BTK[there], truth_BT[there] - 1, reduction="sum")
    assert loss.total.item() == pytest.approx(float((where.sum() + what) / there.sum()), rel=1e-5)


def test_detection_teaches_the_encoder_to_find_everything() -> None:
    made, given = model(), batch(2)
    objective = DetectionConfig().build()
    optimizer = torch.optim.Adam(made.parameters(), lr=3e-3)
    for _ in range(150):
        loss = objective(made, given, Streams(made, given))
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
    assert loss.terms["named"] == 1
    assert loss.terms["found"] == 1
    found = made.eval().encode("image", given.inputs["image"])
    objects_B = (given.targets["cells"] > 0).sum(1)
    assert torch.equal(found.mask.sum(1) - 3, objects_B)  # and three tokens of panels


def test_grounding_reads_fused_tokens_and_trains_what_fuses() -> None:
    made, given = model(), batch()
    objective = GroundingConfig(DIM, MOST, share=1.0).build()
    loss = objective(made, given, Streams(made, given))
    loss.total.backward()
    assert loss.total.isfinite()
    assert made.fusion is not None
    assert any(p.grad is not None and p.grad.any() for p in made.fusion.parameters())
    encoder = made.encoders["image"]
    assert isinstance(encoder, Points)
    assert all(p.grad is None for p in encoder.convolutions.parameters())


def test_refusals() -> None:
    made, given = model(), batch(2)
    with pytest.raises(ValueError, match="finds no objects"):
        DetectionConfig(stream="text").build()(made, given, Streams(made, given))
    with pytest.raises(ValueError, match="no tokens of objects"):
        GroundingConfig(DIM, MOST, stream="text").build()(made, given, Streams(made, given))
    with pytest.raises(ValueError, match="share is 0"):
        DetectionConfig(share=0)
    with pytest.raises(ValueError, match="max_objects is 0"):
        GroundingConfig(DIM, 0)
