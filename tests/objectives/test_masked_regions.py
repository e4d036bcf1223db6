"""Masked regions: what is hidden, from what it is predicted, and what it costs."""

from dataclasses import replace

import pytest
import torch

from weft.architectures.lxmert import lxmert
from weft.architectures.model import Model
from weft.core.interfaces import Objective
from weft.core.records import Batch, Field
from weft.objectives.masked_regions import (
    MaskedRegionClassesConfig,
    MaskedRegions,
    MaskedRegionsConfig,
    altered_regions,
    chosen_regions,
    hidden,
    overlap,
)
from weft.training.streams import Streams

CONFIG = MaskedRegionsConfig(dim=16, feature_dim=5, mask_ratio=0.4, zeroed=1.0, overlap=1.0)
MASK = torch.tensor([[True] * 4, [True, True, False, False], [True] * 4])


def model() -> Model:
    torch.manual_seed(0)
    config = lxmert(
        vocab_size=20,
        feature_dim=5,
        width=16,
        text_depth=1,
        region_depth=1,
        fusion_depth=1,
        max_length=6,
        dropout=0.0,
    )
    return config.build()


def objective(config: MaskedRegionsConfig = CONFIG) -> MaskedRegions:
    torch.manual_seed(0)
    return config.build()


def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, 20, (3, 5), generator=generator)
    regions = torch.rand(3, 4, 9, generator=generator)
    present = torch.tensor([True, True, False])
    inputs = {"text": Field(ids, ids > 0), "image": Field(regions, MASK, present)}
    return Batch(inputs, ids="abc", groups=torch.arange(3))


def test_hidden_regions_keep_their_boxes_alone() -> None:
    regions = torch.rand(2, 3, 9)
    chosen = torch.tensor([[True, False, False], [False, True, True]])
    altered = hidden(regions, chosen)
    assert torch.equal(altered[:, :, :4], regions[:, :, :4])
    assert not altered[chosen][:, 4:].any()
    assert torch.equal(altered[~chosen], regions[~chosen])


def test_most_chosen_regions_are_zeroed_with_those_that_overlap_them() -> None:
    rows = 2000
    boxes = torch.tensor([[0.0, 0, 1, 1], [0.0, 0, 1, 0.5], [0.5, 0.5, 1, 1], [0, 0, 0, 0]])
    shared = torch.tensor([[1, 0.5, 0.25, 0], [0.5, 1, 0, 0], [0.25, 0, 1, 0], [0, 0, 0, 0]])
    torch.testing.assert_close(overlap(boxes[None])[0], shared)
    regions = torch.cat([boxes.expand(rows, 4, 4), torch.ones(rows, 4, 5)], dim=2)
    given = Batch({"image": Field(regions)}, [str(n) for n in range(rows)], torch.arange(rows))
    for chosen, share, also in (
        ([0], 0.9, [1]),
        ([2], 0.9, []),
        ([0, 2], 0.9, [1]),
        ([3], 1.0, []),
    ):
        chosen_BR = torch.zeros(rows, 4, dtype=torch.bool)
        chosen_BR[:, chosen] = True
        config = CONFIG.replace(zeroed=share, overlap=0.4)
        altered = altered_regions(given, Field(regions), chosen_BR, config).values
        assert torch.equal(altered[:, :, :4], regions[:, :, :4])
        zeroed = (altered[:, :, 4:] == 0).all(dim=2)
        assert zeroed[:, chosen].float().mean() == pytest.approx(share, abs=0.02)
        for place in also:
            assert torch.equal(zeroed[:, place], zeroed[:, 0])
        others = [place for place in range(4) if place not in (*chosen, *also)]
        assert not zeroed[:, others].any()


def test_only_regions_that_are_there_are_chosen_and_one_at_least_in_a_row() -> None:
    field = batch().inputs["image"]
    assert isinstance(field, Field)
    few = chosen_regions(batch(), field, CONFIG.replace(mask_ratio=1e-6))
    assert few.sum(dim=1).tolist() == [1, 1, 0]
    everything = chosen_regions(batch(), field, CONFIG.replace(mask_ratio=1.0))
    assert torch.equal(everything, MASK & torch.tensor([[True], [True], [False]]))


def test_the_cost_is_the_squared_error_of_what_was_hidden() -> None:
    reader, built, rows = model().eval(), objective(CONFIG.replace(mask_ratio=1.0)), batch()
    assert isinstance(built, Objective)
    loss = built(reader, rows, Streams(reader, rows))
    field = rows.inputs["image"]
    assert isinstance(field, Field)
    chosen = MASK & torch.tensor([[True], [True], [False]])
    dark = replace(field, values=hidden(field.values, chosen))
    fused = reader.fuse(
        {"text": reader.encode("text", rows.inputs["text"]), "image": reader.encode("image", dark)}
    )
    found = built.out(built.head(fused["image"].tokens[chosen]))
    wanted = field.values[chosen][:, 4:]
    torch.testing.assert_close(loss.total, (found - wanted).square().mean())
    spread = (wanted - wanted.mean(0)).square().mean()
    torch.testing.assert_close(loss.terms["variance"], spread)


def test_what_is_hidden_cannot_be_read_and_the_text_can() -> None:
    reader, rows = model().eval(), batch()
    field = rows.inputs["image"]
    assert isinstance(field, Field)
    built = objective(CONFIG.replace(mask_ratio=1.0))
    seen: list[torch.Tensor] = []
    built.out.register_forward_hook(lambda _, __, output: seen.append(output))
    for inputs in (
        rows,
        rows.with_inputs(
            image=replace(field, values=field.values + torch.tensor([0] * 4 + [1] * 5))
        ),
        rows.with_inputs(text=Field(torch.full((3, 5), 7))),
    ):
        built(reader, inputs, Streams(reader, inputs))
    assert torch.equal(seen[1], seen[0])
    assert not torch.allclose(seen[2], seen[0])


def test_it_learns_what_the_text_says() -> None:
    reader, built, rows = model().train(), objective(CONFIG.replace(mask_ratio=1.0)), batch()
    optimizer = torch.optim.Adam([*reader.parameters(), *built.parameters()], lr=3e-3)
    costs = []
    for _ in range(300):
        loss = built(reader, rows, Streams(reader, rows))
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        costs.append(float(loss.total.detach()))
    assert costs[-1] < 0.5 * float(loss.terms["variance"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mask_ratio": 0.0}, "mask_ratio is 0.0"),
        ({"feature_dim": 0}, "feature_dim is 0, expected at least 1"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CONFIG.replace(**changes)


CLASSES = MaskedRegionClassesConfig(dim=16, classes=3, mask_ratio=1.0, zeroed=1.0)


def cost_by_hand(config: MaskedRegionClassesConfig, rows: Batch, chosen: torch.Tensor):
    reader = model().eval()
    torch.manual_seed(0)
    built = config.build()
    loss = built(reader, rows, Streams(reader, rows))
    field = rows.inputs["image"]
    assert isinstance(field, Field)
    dark = replace(field, values=hidden(field.values, chosen))
    fused = reader.fuse(
        {"text": reader.encode("text", rows.inputs["text"]), "image": reader.encode("image", dark)}
    )
    return loss, built.out(built.head(fused["image"].tokens[chosen])).softmax(1)


def test_classes_from_the_features_are_met_softly_or_hard() -> None:
    rows = batch()
    field = rows.inputs["image"]
    assert isinstance(field, Field)
    chosen = MASK & torch.tensor([[True], [True], [False]])
    shares = field.values[chosen][:, -3:]
    shares = shares / shares.sum(1, keepdim=True)
    loss, found = cost_by_hand(CLASSES, rows, chosen)
    divergence = (shares * (shares / found).log()).sum(1).mean()
    torch.testing.assert_close(loss.total, divergence)
    hits = (found.argmax(1) == shares.argmax(1)).float().mean()
    torch.testing.assert_close(loss.terms["accuracy"], hits)
    loss, found = cost_by_hand(CLASSES.replace(hard=True), rows, chosen)
    best = found.gather(1, shares.argmax(1)[:, None]).log().mean()
    torch.testing.assert_close(loss.total, -best)


def test_classes_from_a_target_and_regions_without_one() -> None:
    classes = torch.tensor([[0, -1, 2, 1], [2, 0, 1, 1], [0, 0, 0, 0]])
    rows = replace(batch(), targets={"objects": classes})
    chosen = MASK & torch.tensor([[True], [True], [False]]) & (classes != -1)
    loss, found = cost_by_hand(CLASSES.replace(target="objects"), rows, chosen)
    expected = -found.gather(1, classes[chosen][:, None]).log().mean()
    torch.testing.assert_close(loss.total, expected)
    one_hot = torch.nn.functional.one_hot(classes.clamp(min=0), 3).float()
    one_hot[classes == -1] = 0
    soft = replace(batch(), targets={"objects": one_hot})
    for config in (CLASSES, CLASSES.replace(hard=True)):
        other, _ = cost_by_hand(config.replace(target="objects"), soft, chosen)
        torch.testing.assert_close(other.total, expected)


def test_classes_that_do_not_fit_are_named() -> None:
    reader, rows = model(), batch()
    with pytest.raises(ValueError, match="no target 'objects', it has: none"):
        CLASSES.replace(target="objects").build()(reader, rows, Streams(reader, rows))
    with pytest.raises(ValueError, match="have 5 features, expected at least 9"):
        CLASSES.replace(classes=9).build()(reader, rows, Streams(reader, rows))
    negative = replace(rows, targets={"objects": -torch.ones(3, 4, 3)})
    with pytest.raises(ValueError, match="expected probabilities, not logits"):
        CLASSES.replace(target="objects").build()(reader, negative, Streams(reader, negative))
    with pytest.raises(ValueError, match="classes is 0"):
        CLASSES.replace(classes=0)
