"""Zero-shot classification against the formula of the paper."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from weft.core.errors import DataError
from weft.data.learned import Learned
from weft.tasks.zero_shot import ZeroShotConfig

TEMPLATES = ("{}", "{} is 5", "seen: {} 6 7")


def test_classes_are_the_nearest_mean_description(world):
    w = world(images=20, noise=1.0)
    config = ZeroShotConfig(templates=TEMPLATES, ks=(1, 2), resamples=100)
    result = config.build().evaluate([w.member()], w.rows)
    extra = [torch.zeros_like(w.table[0]), w.table[5], w.table[6] + w.table[7]]
    sentences = torch.stack([F.normalize(w.table[1:5] + e, dim=-1) for e in extra])
    weights = F.normalize(sentences.mean(0), dim=-1)
    pixels = torch.tensor(w.pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    images = F.normalize(
        sum(F.normalize(v.flatten(1), dim=-1) for v in (pixels, pixels.flip(-1))), dim=-1
    )
    order = (images @ weights.T).argsort(1, descending=True)
    labels = torch.arange(20) % 4
    for k in (1, 2):
        expected = (order[:, :k] == labels[:, None]).any(1).double().mean()
        assert result.metrics[f"accuracy@{k}"].value == pytest.approx(100 * float(expected))
    right = (order[:, 0] == labels).double()
    assert result.values["accuracy@1"].values.tolist() == (100 * right).tolist()
    per_class = [100 * float(right[labels == c].mean()) for c in range(4)]
    assert result.metrics["macro_accuracy"].value == pytest.approx(np.mean(per_class))
    for c in range(4):
        assert result.metrics[f"class/{c + 1}/accuracy"].value == pytest.approx(per_class[c])
    assert result.baselines["chance"] == {"accuracy@1": 25, "accuracy@2": 50, "macro_accuracy": 25}
    assert result.baselines["majority"]["accuracy@1"] == 25
    assert result.protocol["classes"] == 4
    example = result.examples["classification"][0]
    assert [answer.entry for answer in example.answers] == [
        str(c + 1) for c in order[example.query.row].tolist()
    ]


def test_a_model_that_knows_is_right(world):
    w = world(images=4, noise=0.0)
    rows = [
        dataclasses.replace(r, items={**r.items, "label": str(n + 1)}) for n, r in enumerate(w.rows)
    ]
    config = ZeroShotConfig(templates=("a {}",), resamples=50)
    metrics = config.build().evaluate([w.member(rows)], rows).metrics
    assert metrics["accuracy@1"].value == 100
    assert metrics["accuracy@1"].low < 100
    assert metrics["macro_accuracy"].value == 100


def test_a_label_that_is_no_class_is_named(world):
    w = world(images=4)
    config = ZeroShotConfig(classes=("1", "2", "3"))
    with pytest.raises(DataError, match="made.jsonl:4: unknown class '4'"):
        config.build().evaluate([w.member()], w.rows)


def test_templates_need_a_place_for_the_name():
    with pytest.raises(ValueError, match="templates has 'a photo'"):
        ZeroShotConfig(templates=("a photo",))
    with pytest.raises(ValueError, match="no template"):
        ZeroShotConfig(templates=())


def test_texts_need_a_modality(world):
    w = world(images=4)
    bare = dataclasses.replace(w.member(), learned=Learned())
    with pytest.raises(ValueError, match="needs the modality of 'text'"):
        ZeroShotConfig().build().evaluate([bare], w.rows)
