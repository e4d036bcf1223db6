"""Contrastive objectives against hand-computed values, transformers, and themselves on two ranks."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
import two_ranks
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from weft.core.config import from_json, to_json
from weft.core.records import Batch, Features, Field, Loss
from weft.objectives.attraction import LabelAlignmentConfig, ModalityInvariantConfig
from weft.objectives.contrastive import (
    HingeContrastiveConfig,
    SigmoidContrastiveConfig,
    SoftmaxContrastiveConfig,
)
from weft.objectives.similarity import Likeness
from weft.objectives.temperature import TemperatureConfig

CONFIGS = (
    SoftmaxContrastiveConfig(),
    SoftmaxContrastiveConfig(label_smoothing=0.1),
    SigmoidContrastiveConfig(),
    HingeContrastiveConfig(),
    HingeContrastiveConfig(negatives="sum"),
    HingeContrastiveConfig(negatives="sum", directions="forward"),
)
NAMES = ("softmax", "smoothed", "sigmoid", "hardest", "sum", "devise")
BY_CHUNKS = tuple(config.replace(chunk=3) for config in CONFIGS)


class GivenStreams:
    """Embeddings that are simply given."""

    def __init__(self, embeddings: Mapping[str, Tensor]) -> None:
        self.embeddings = embeddings

    def embedding(self, stream: str) -> Tensor:
        return self.embeddings[stream]

    def features(self, stream: str) -> Features:
        raise NotImplementedError

    def fused(self) -> Mapping[str, Features]:
        raise NotImplementedError


def batch_of(groups: list[int]) -> Batch:
    inputs = {stream: Field(torch.zeros(len(groups), 1)) for stream in ("image", "text", "text_zh")}
    return Batch(inputs, ids=[str(i) for i in range(len(groups))], groups=torch.tensor(groups))


def loss_of(config, image: Tensor, text: Tensor, groups: list[int] | None = None) -> Loss:
    groups = list(range(len(image))) if groups is None else groups
    streams = GivenStreams({"image": image, "text": text})
    return config.build()(nn.Module(), batch_of(groups), streams)


def unit(rows: int, dim: int = 8, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, dim, generator=generator), dim=-1).to(dtype)


def planar(*degrees: float) -> Tensor:
    angles = torch.tensor(degrees) * math.pi / 180
    return torch.stack([angles.cos(), angles.sin()], 1)


# Cosines image x text of the hand cases: [[1, 0.5], [0.5, 1]].
IMAGE, TEXT = planar(0, 60), planar(0, 60)


def test_softmax_by_hand() -> None:
    config = SoftmaxContrastiveConfig(temperature=TemperatureConfig(init=0.5))
    expected = math.log(1 + math.exp(-1.0))  # logits 2 and 1: log(e^2 + e^1) - 2
    loss = loss_of(config, IMAGE, TEXT)
    assert loss.total.item() == pytest.approx(expected, abs=1e-6)
    assert loss.terms["accuracy"].item() == 1.0
    assert loss.terms["temperature"].item() == pytest.approx(0.5)


def test_softmax_with_two_positives_by_hand() -> None:
    """Rows 0 and 1 are one group: half of the target on each, so the cost is the mean of two logs."""
    image, text = planar(0, 60, 90), planar(0, 60, 90)
    config = SoftmaxContrastiveConfig(temperature=TemperatureConfig(init=1.0))
    cosines = [[1.0, 0.5, 0.0], [0.5, 1.0, math.sqrt(3) / 2], [0.0, math.sqrt(3) / 2, 1.0]]
    logs = [[s - math.log(sum(map(math.exp, row))) for s in row] for row in cosines]
    rows = [-(logs[0][0] + logs[0][1]) / 2, -(logs[1][0] + logs[1][1]) / 2, -logs[2][2]]
    assert loss_of(config, image, text, [7, 7, 8]).total.item() == pytest.approx(
        sum(rows) / 3, abs=1e-6
    )


@pytest.mark.parametrize(
    "config", [SoftmaxContrastiveConfig(), SigmoidContrastiveConfig(), HingeContrastiveConfig()]
)
def test_what_matches_is_positive_whatever_the_group(config) -> None:
    """Rows of one group (a patient) are negatives of each other where they do not match."""
    image, text = unit(6, seed=1), unit(6, seed=2)
    streams = GivenStreams({"image": image, "text": text})
    batch = dataclasses.replace(batch_of([7] * 6), matches=torch.tensor([0, 1, 2, 2, 3, 4]))
    found = config.build()(nn.Module(), batch, streams)
    expected = loss_of(config, image, text, [0, 1, 2, 2, 3, 4])
    assert found.total.item() == expected.total.item()
    assert found.total.item() != loss_of(config, image, text, [7] * 6).total.item()
    part = batch.rows(slice(2, 4))
    assert part.match_keys.tolist() == [2, 2]
    assert part.to("cpu").match_keys.tolist() == [2, 2]


def streams_of(**degrees: tuple[float, ...]) -> GivenStreams:
    return GivenStreams({stream: planar(*angles) for stream, angles in degrees.items()})


def test_several_streams_are_the_mean_of_their_pairs() -> None:
    given = streams_of(image=(0, 60, 200), text=(10, 90, 170), text_zh=(40, 30, 250))
    names = ("image", "text", "text_zh")
    for config in CONFIGS:
        pairs = [("image", "text"), ("image", "text_zh"), ("text", "text_zh")]
        alone = [
            config.replace(streams=pair).build()(nn.Module(), batch_of([0, 1, 2]), given)
            for pair in pairs
        ]
        found = config.replace(streams=names).build()(nn.Module(), batch_of([0, 1, 2]), given)
        costs = [loss.total for loss in alone]
        torch.testing.assert_close(found.total, sum(costs) / 3)
        two = config.replace(streams=names, pairs=tuple(pairs[1:]))
        found = two.build()(nn.Module(), batch_of([0, 1, 2]), given)
        torch.testing.assert_close(found.total, sum(costs[1:]) / 2)
        assert found.terms["accuracy_image_text_zh"] == alone[1].terms["accuracy"]


def test_a_pair_has_the_rows_that_have_both_of_its_streams() -> None:
    given = streams_of(image=(0, 60, 200), text=(10, 90, 170), text_zh=(40, 30, 250))
    there = torch.tensor([True, True, False])
    batch = batch_of([0, 1, 2])
    lacking = batch.with_inputs(text_zh=Field(batch.inputs["text_zh"].values, present=there))
    found = SoftmaxContrastiveConfig(("image", "text", "text_zh")).build()(
        nn.Module(), lacking, given
    )
    kept = {name: vectors[:2] for name, vectors in given.embeddings.items()}
    of_pairs = [
        SoftmaxContrastiveConfig(("image", "text")).build()(nn.Module(), batch, given),
        *(
            SoftmaxContrastiveConfig(pair).build()(
                nn.Module(), batch_of([0, 1]), GivenStreams(kept)
            )
            for pair in (("image", "text_zh"), ("text", "text_zh"))
        ),
    ]
    torch.testing.assert_close(found.total, sum(loss.total for loss in of_pairs) / 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"streams": ("image",)},
        {"streams": ("image", "image")},
        {"pairs": (("image", "image"),)},
        {"pairs": (("image", "audio"),)},
    ],
)
def test_pairs_that_cannot_be_are_refused(wrong) -> None:
    for config in CONFIGS:
        with pytest.raises(ValueError, match="different ones"):
            config.replace(**wrong)


def test_soft_negatives_by_hand() -> None:
    """Logits 2 and 1; the negative counts 1 - 0.8 x likeness."""
    config = SoftmaxContrastiveConfig(temperature=TemperatureConfig(init=0.5))
    given = GivenStreams({"image": IMAGE, "text": TEXT, "text_zh": planar(0, 60)})
    soft = config.replace(soft_negatives=Likeness(stream="text_zh", strength=0.8))
    expected = math.log(math.exp(2) + 0.6 * math.exp(1)) - 2  # cosine 0.5
    found = soft.build()(nn.Module(), batch_of([0, 1]), given)
    assert found.total.item() == pytest.approx(expected, abs=1e-6)
    of_class = config.replace(soft_negatives=Likeness(target="kind", strength=0.8))
    for kinds, weight in (([4, 4], 0.2), ([4, 5], 1.0), ([-1, -1], 1.0)):
        batch = dataclasses.replace(batch_of([0, 1]), targets={"kind": torch.tensor(kinds)})
        found = of_class.build()(nn.Module(), batch, given)
        expected = math.log(math.exp(2) + weight * math.exp(1)) - 2
        assert found.total.item() == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ValueError, match="expected one of them"):
        Likeness()


def test_all_streams_of_a_row_attract_by_hand() -> None:
    """Four embeddings of two rows: each has one positive and two negatives."""
    config = ModalityInvariantConfig(temperature=TemperatureConfig(init=1.0))
    given = streams_of(image=(0, 90), text=(60, 180))
    found = config.build()(nn.Module(), batch_of([0, 1]), given)
    cosine = [[math.cos(math.radians(a - b)) for b in (0, 90, 60, 180)] for a in (0, 90, 60, 180)]
    costs = [
        math.log(sum(math.exp(s) for n, s in enumerate(row) if n != place)) - row[partner]
        for place, (row, partner) in enumerate(zip(cosine, (2, 3, 0, 1), strict=True))
    ]
    assert found.total.item() == pytest.approx(sum(costs) / 4, abs=1e-6)
    # Of one class all are positives of each other.
    labels = LabelAlignmentConfig("kind", temperature=TemperatureConfig(init=1.0))
    batch = dataclasses.replace(batch_of([0, 1]), targets={"kind": torch.tensor([3, 3])})
    found = labels.build()(nn.Module(), batch, given)
    costs = [
        math.log(sum(math.exp(s) for n, s in enumerate(row) if n != place))
        - sum(s for n, s in enumerate(row) if n != place) / 3
        for place, row in enumerate(cosine)
    ]
    assert found.total.item() == pytest.approx(sum(costs) / 4, abs=1e-6)


def test_label_smoothing_by_hand() -> None:
    config = SoftmaxContrastiveConfig(temperature=TemperatureConfig(init=0.5), label_smoothing=0.2)
    log_sum = math.log(math.exp(2) + math.exp(1))
    expected = -(0.9 * (2 - log_sum) + 0.1 * (1 - log_sum))
    assert loss_of(config, IMAGE, TEXT).total.item() == pytest.approx(expected, abs=1e-6)


def test_sigmoid_by_hand() -> None:
    config = SigmoidContrastiveConfig(temperature=TemperatureConfig(init=0.5), bias=-1.0)
    positive, negative = math.log(1 + math.exp(-1.0)), math.log(1 + math.exp(0.0))
    assert loss_of(config, IMAGE, TEXT).total.item() == pytest.approx(positive + negative, abs=1e-6)


def test_hinge_by_hand() -> None:
    image, text = planar(0, 60, 90), planar(0, 60, 90)
    # margin 0.6: [0.6 - 1 + s]+ for each negative s.
    near, middle = 0.6 - 1 + math.sqrt(3) / 2, 0.6 - 1 + 0.5
    total = HingeContrastiveConfig(margin=0.6, negatives="sum")
    both = 2 * (middle + (middle + near) + near) / 3
    assert loss_of(total, image, text).total.item() == pytest.approx(both, abs=1e-6)
    one = total.replace(directions="forward")
    assert loss_of(one, image, text).total.item() == pytest.approx(both / 2, abs=1e-6)
    hardest = total.replace(negatives="hardest")
    assert loss_of(hardest, image, text).total.item() == pytest.approx(
        2 * (middle + near + near) / 3, abs=1e-6
    )


def test_hinge_does_not_push_its_own_group_away() -> None:
    image, text = planar(0, 60, 90), planar(0, 60, 90)
    middle = 0.6 - 1 + 0.5
    config = HingeContrastiveConfig(margin=0.6, negatives="sum")
    grouped = loss_of(config, image, text, [0, 1, 1]).total.item()
    assert grouped == pytest.approx(2 * (middle + middle) / 3, abs=1e-6)


def test_hinge_directions_differ_where_the_matrix_is_not_symmetric() -> None:
    image, text = unit(6, seed=1), unit(6, seed=2)
    config = HingeContrastiveConfig(negatives="sum")
    one, other, both = (
        loss_of(config.replace(directions=name), image, text).total.item()
        for name in ("forward", "backward", "both")
    )
    assert one != pytest.approx(other, abs=1e-3)
    assert both == pytest.approx(one + other, abs=1e-6)
    swapped = loss_of(config.replace(directions="forward"), text, image).total.item()
    assert swapped == pytest.approx(other, abs=1e-6)


def tower_settings() -> dict[str, dict[str, int]]:
    small = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    small |= {"num_attention_heads": 2}
    return {
        "text_config": {**small, "vocab_size": 20, "max_position_embeddings": 4},
        "vision_config": {**small, "image_size": 8, "patch_size": 4},
    }


def transformers_output(model: nn.Module):
    with torch.no_grad():
        return model.eval()(
            input_ids=torch.randint(0, 20, (5, 4)),
            pixel_values=torch.randn(5, 3, 8, 8),
            return_loss=True,
        )


def test_softmax_agrees_with_transformers_clip() -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.CLIPConfig(
        **tower_settings(), projection_dim=8, logit_scale_init_value=math.log(1 / 0.07)
    )
    output = transformers_output(transformers.CLIPModel(config))
    actual = loss_of(SoftmaxContrastiveConfig(), output.image_embeds, output.text_embeds)
    torch.testing.assert_close(actual.total, output.loss, atol=1e-6, rtol=1e-6)


def test_sigmoid_agrees_with_transformers_siglip() -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    model = transformers.SiglipModel(transformers.SiglipConfig(**tower_settings()))
    with torch.no_grad():
        model.logit_scale.fill_(math.log(10))
        model.logit_bias.fill_(-3.0)
    output = transformers_output(model)
    actual = loss_of(SigmoidContrastiveConfig(bias=-3.0), output.image_embeds, output.text_embeds)
    torch.testing.assert_close(actual.total, output.loss, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_one_group_alone_is_finite(config) -> None:
    image, text = unit(4, seed=1).requires_grad_(), unit(4, seed=2).requires_grad_()
    loss = loss_of(config, image, text, [3, 3, 3, 3])
    loss.total.backward()
    assert math.isfinite(loss.total.item())
    assert image.grad is not None
    assert image.grad.isfinite().all()
    if isinstance(config, HingeContrastiveConfig):
        assert loss.total.item() == 0.0
    assert loss.terms["accuracy"].item() == 1.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_half_precision_is_computed_in_fp32(config, dtype: torch.dtype) -> None:
    image, text = unit(8, seed=1, dtype=dtype), unit(8, seed=2, dtype=dtype)
    expected = loss_of(config, image.float(), text.float()).total
    assert torch.equal(loss_of(config, image, text).total, expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(loss_of(config, image.float(), text.float()).total, expected)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=8), st.integers(0, 1000))
def test_order_of_rows_does_not_matter(groups: list[int], seed: int) -> None:
    image, text = unit(len(groups), seed=seed), unit(len(groups), seed=seed + 1)
    order = torch.randperm(len(groups), generator=torch.Generator().manual_seed(seed))
    shuffled = [groups[i] for i in order]
    for config in CONFIGS:
        one = loss_of(config, image, text, groups).total
        other = loss_of(config, image[order], text[order], shuffled).total
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_descends_to_a_perfect_match(config) -> None:
    image = nn.Parameter(unit(6, seed=1))
    text = nn.Parameter(unit(6, seed=2))
    objective = config.build()
    optimizer = torch.optim.Adam([image, text, *objective.parameters()], lr=0.05)
    for _ in range(80):
        named = {"image": F.normalize(image, dim=-1), "text": F.normalize(text, dim=-1)}
        loss = objective(nn.Module(), batch_of(list(range(6))), GivenStreams(named))
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
    assert loss.terms["accuracy"].item() >= (0.5 if config == CONFIGS[-1] else 1.0)


@pytest.mark.parametrize("chunk", [1, 3, 8, 9])
@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_chunks_change_nothing(config, chunk: int) -> None:
    image, text = unit(8, seed=1), unit(8, seed=2)
    by_chunks = config.replace(chunk=chunk)
    expected, found = loss_of(config, image, text, GROUPS), loss_of(by_chunks, image, text, GROUPS)
    torch.testing.assert_close(found.total, expected.total, atol=1e-6, rtol=1e-6)
    assert found.terms.keys() == expected.terms.keys()
    for name, value in expected.terms.items():
        torch.testing.assert_close(found.terms[name], value, atol=1e-6, rtol=1e-6)
    pairs = zip(
        gradients(by_chunks, image, text, GROUPS),
        gradients(config, image, text, GROUPS),
        strict=True,
    )
    for one, other in pairs:
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-6)


class Largest(TorchDispatchMode):
    """Numbers of the largest tensor that any operation made."""

    numbers = 0

    def __torch_dispatch__(self, operation, types, arguments=(), settings=None):
        made = operation(*arguments, **(settings or {}))
        for value in made if isinstance(made, tuple | list) else (made,):
            if isinstance(value, Tensor):
                self.numbers = max(self.numbers, value.numel())
        return made


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_chunks_never_hold_all_similarities(config) -> None:
    rows, dim, chunk = 64, 4, 5
    image, text = unit(rows, dim, seed=1), unit(rows, dim, seed=2)
    with Largest() as whole:
        gradients(config, image, text, list(range(rows)))
    with Largest() as parts:
        gradients(config.replace(chunk=chunk), image, text, list(range(rows)))
    assert whole.numbers == rows * rows
    assert parts.numbers == chunk * rows


def test_a_chunk_without_rows_is_refused() -> None:
    for config in CONFIGS:
        with pytest.raises(ValueError, match="chunk is 0, expected at least 1"):
            config.replace(chunk=0)


def test_configs_survive_json() -> None:
    for config in CONFIGS + BY_CHUNKS:
        assert from_json(to_json(config), type(config), "here") == config


@pytest.mark.parametrize("config", CONFIGS + BY_CHUNKS)
def test_rows_that_lack_a_stream_are_in_no_pair(config) -> None:
    """The loss is that of the other rows; without any it is 0, with a gradient."""
    image, text, groups = unit(6, seed=1), unit(6, seed=2), [0, 1, 1, 2, 3, 4]
    there = {
        "image": torch.tensor([1, 1, 0, 1, 1, 1]).bool(),
        "text": torch.tensor([1] * 5 + [0]).bool(),
    }
    kept = [0, 1, 3, 4]
    expected = loss_of(config, image[kept], text[kept], [groups[row] for row in kept])
    streams = GivenStreams({"image": image, "text": text})
    whole = batch_of(groups)
    fields = {s: Field(whole.inputs[s].values, present=there[s]) for s in there}
    found = config.build()(nn.Module(), whole.with_inputs(**fields), streams)
    torch.testing.assert_close(found.total, expected.total)
    for name, term in expected.terms.items():
        torch.testing.assert_close(found.terms[name], term)
    image.requires_grad_()
    nobody = {s: Field(whole.inputs[s].values, present=torch.zeros(6).bool()) for s in there}
    none = config.build()(nn.Module(), whole.with_inputs(**nobody), streams).total
    none.backward()
    assert none.item() == 0
    assert not image.grad.any()


def test_temperature_is_held_in_its_bounds_and_comes_back() -> None:
    temperature = TemperatureConfig(init=0.02).build()
    with torch.no_grad():
        temperature.log_scale.fill_(9.0)
    scale = temperature()
    assert scale.item() == pytest.approx(100.0)
    scale.backward()
    assert temperature.log_scale.grad is not None
    assert temperature.log_scale.grad.item() == pytest.approx(100.0)
    with torch.no_grad():
        temperature.log_scale.fill_(-5.0)
    assert temperature().item() == pytest.approx(1.0)


def test_fixed_temperature_is_not_trained() -> None:
    objective = SoftmaxContrastiveConfig(temperature=TemperatureConfig(learned=False)).build()
    assert list(objective.parameters()) == []
    assert "temperature.log_scale" in objective.state_dict()


def test_temperature_bounds_are_checked() -> None:
    with pytest.raises(ValueError, match="expected 0 < minimum"):
        TemperatureConfig(init=0.001)


def gradients(config, image: Tensor, text: Tensor, groups: list[int]) -> list[Tensor]:
    """Loss, gradients of a shared weight matrix and of the objective's parameters."""
    weight = nn.Parameter(torch.eye(image.shape[1]) + 0.1)
    objective = config.build()
    named = {
        "image": F.normalize(image @ weight, dim=-1),
        "text": F.normalize(text @ weight.T, dim=-1),
    }
    loss = objective(nn.Module(), batch_of(groups), GivenStreams(named))
    loss.total.backward()
    return [loss.total.detach(), *(p.grad for p in (weight, *objective.parameters()))]


GROUPS = [0, 1, 1, 2, 3, 0, 4, 5]


def on_rank(rank: int) -> dict[str, Tensor]:
    mine = slice(4 * rank, 4 * rank + 4)
    image, text = unit(8, seed=1)[mine], unit(8, seed=2)[mine]
    found = {
        f"{i}/{j}": value
        for i, config in enumerate(CONFIGS + BY_CHUNKS)
        for j, value in enumerate(gradients(config, image, text, GROUPS[mine]))
    }
    for value in found.values():
        dist.all_reduce(value)
    return {name: value / 2 for name, value in found.items()}


def test_two_ranks_give_the_gradient_of_one(tmp_path: Path) -> None:
    found = two_ranks.found(__file__, tmp_path)
    for i, config in enumerate(CONFIGS + BY_CHUNKS):
        expected = gradients(config.replace(chunk=None), unit(8, seed=1), unit(8, seed=2), GROUPS)
        assert expected[1].abs().max() > 1e-3
        for j, value in enumerate(expected):
            torch.testing.assert_close(found[f"{i}/{j}"], value, atol=1e-6, rtol=1e-5)


if __name__ == "__main__":
    two_ranks.main(on_rank)
