"""What every objective keeps, found by walking weft/objectives."""

import importlib
import inspect
import json
import pkgutil
from pathlib import Path

import pytest
import tiny_objectives as tiny
import torch
import torch.distributed as dist
import two_ranks
from torch import nn

import weft.objectives
from weft.architectures.model import Model, ModelConfig, ProjectionConfig, Streams
from weft.core.config import Config, from_json, to_json
from weft.core.interfaces import Objective
from weft.core.records import Batch, Field
from weft.decoders.classifier import ClassifierConfig
from weft.decoders.text import TransformerDecoderConfig
from weft.encoders.regions import RegionsConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.fusion.early import EarlyConfig
from weft.heads.classes import MATCHING, ClassOutput
from weft.heads.head import HeadConfig
from weft.heads.numbers import NumberOutput
from weft.heads.texts import TextOutput
from weft.layers.transformer import TransformerConfig
from weft.objectives.alignment import AlignmentConfig
from weft.objectives.answer_ranking import AnswerRankingConfig
from weft.objectives.captioning import CaptioningConfig
from weft.objectives.classification import ClassificationConfig, RegressionConfig
from weft.objectives.contrastive import (
    HingeContrastiveConfig,
    SigmoidContrastiveConfig,
    SoftmaxContrastiveConfig,
)
from weft.objectives.detection import DetectionConfig
from weft.objectives.grid_objects import GridObjectsConfig
from weft.objectives.grounding import GroundingConfig
from weft.objectives.masked import MaskedLanguage, MaskedLanguageConfig
from weft.objectives.masked_patches import MaskedPatchesConfig
from weft.objectives.masked_regions import MaskedRegionClassesConfig, MaskedRegionsConfig
from weft.objectives.matching import MatchingConfig
from weft.objectives.self_critical import SelfCriticalConfig
from weft.objectives.temperature import TemperatureConfig
from weft.training.step import TrainStep

FEATURES, CLASSES = 5, 3
WORDS = MaskedLanguageConfig(dim=tiny.DIM, vocab_size=tiny.WORDS, hidden=12, whole_words=True)
REGIONS = MaskedRegionsConfig(dim=tiny.DIM, feature_dim=FEATURES, masked="regions")
REGION_CLASSES = MaskedRegionClassesConfig(dim=tiny.DIM, classes=CLASSES, masked="regions")
PATCHES = MaskedPatchesConfig(dim=tiny.DIM, patch_size=4)

CASES: dict[str, Config] = {
    "softmax": SoftmaxContrastiveConfig(),
    "sigmoid": SigmoidContrastiveConfig(),
    "hinge": HingeContrastiveConfig(),
    "classification": ClassificationConfig(),
    "regression": RegressionConfig(),
    "masked-language": WORDS,
    "masked-regions": REGIONS,
    "masked-region-classes": REGION_CLASSES,
    "masked-region-class": REGION_CLASSES.replace(hard=True),
    "masked-patches": PATCHES,
    "matching": MatchingConfig(),
    "matching-hard": MatchingConfig(negatives="hard"),
    "matching-soft": MatchingConfig(("text", "regions"), negatives="soft"),
    "alignment": AlignmentConfig(),
    "alignment-regions": AlignmentConfig(("text", "regions")),
    "objects": GridObjectsConfig(dim=10, classes=(2, CLASSES), stream="regions"),
    "captioning": CaptioningConfig(),
    "self-critical": SelfCriticalConfig(tiny.WORDS, captions=2, max_length=6),
}
ELSEWHERE: set[type[Config]] = {AnswerRankingConfig, DetectionConfig, GroundingConfig}
"""They read a stream of answers, or encoders of objects in panels, with which they are tested."""
MASKING = {"text": 1, "image": 1, "regions": 3}
"""How many of the cases alter each stream."""
every_objective = pytest.mark.parametrize("config", CASES.values(), ids=CASES.keys())


def config_classes() -> set[type[Config]]:
    found: set[type[Config]] = set()
    for module_info in pkgutil.iter_modules(weft.objectives.__path__):
        module = importlib.import_module(f"weft.objectives.{module_info.name}")
        for _, member in inspect.getmembers(module, inspect.isclass):
            own = member.__module__ == module.__name__
            if own and issubclass(member, Config):
                found.add(member)
    return found - {TemperatureConfig} - ELSEWHERE  # the first is a part of objectives


def test_every_config_is_in_the_suite() -> None:
    assert config_classes() == {type(config) for config in CASES.values()}
    assert len(config_classes()) == 14


def model() -> Model:
    torch.manual_seed(0)
    widths = {"text": 12, "image": 8, "regions": 10}
    return ModelConfig(
        encoders={
            "text": TextTransformerConfig(tiny.WORDS, dim=12, depth=1, heads=2, max_length=12),
            "image": ViTConfig(image_size=16, patch_size=4, dim=8, depth=1, heads=2),
            "regions": RegionsConfig(FEATURES, dim=10),
        },
        projections={stream: ProjectionConfig(width, 6) for stream, width in widths.items()},
        fusion=EarlyConfig(widths, TransformerConfig(tiny.DIM, 1, 2)),
        heads={
            "matching": HeadConfig(ClassifierConfig(tiny.DIM, 2), MATCHING),
            "answer": HeadConfig(ClassifierConfig(tiny.DIM, 4), ClassOutput("answer")),
            "score": HeadConfig(ClassifierConfig(tiny.DIM, 1), NumberOutput("score")),
            "caption": HeadConfig(
                TransformerDecoderConfig(
                    tiny.WORDS, tiny.DIM, dim=8, depth=1, heads=2, max_length=12
                ),
                TextOutput(),
                context="image",
            ),
        },
    ).build()


def batch() -> Batch:
    """The tiny batch with regions (NaN where there is none) and targets; two rows are of one group."""
    rows = tiny.batch((0, 1, 1, 2, 3, 4))
    generator = torch.Generator().manual_seed(2)
    mask = torch.arange(4) < torch.tensor([4, 2, 3, 4, 1, 4])[:, None]
    values = torch.rand(6, 4, 4 + FEATURES, generator=generator)
    regions = Field(values.masked_fill(~mask[:, :, None], torch.nan), mask)
    targets = {
        "answer": torch.tensor([0, 1, -1, 3, 2, 1]),
        "score": torch.rand(6, generator=generator),
        "objects": torch.randint(3, (6, 4, 2), generator=generator),
    }
    inputs = {**rows.inputs, "regions": regions}
    return Batch(inputs, rows.ids, rows.groups, targets)


def built(config: Config) -> nn.Module:
    torch.manual_seed(0)
    objective: nn.Module = config.build()  # type: ignore[attr-defined]
    if isinstance(objective, MaskedLanguage):
        objective.use(tiny.VOCABULARY)
    return objective


def run(config: Config, rows: Batch, seed: int = 1):
    """Loss, model and objective after a backward pass."""
    reader, objective = model(), built(config)
    torch.manual_seed(seed)
    loss = objective(reader, rows, Streams(reader, rows))
    loss.total.backward()
    return loss, reader, objective


@every_objective
def test_finite_and_the_gradient_reaches_model_and_objective(config: Config) -> None:
    loss, reader, objective = run(config, batch())
    assert isinstance(objective, Objective)
    assert loss.total.shape == ()
    assert loss.total.isfinite()
    for term in loss.terms.values():
        assert term.isfinite()
        assert not term.requires_grad
    for name, parameter in objective.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    grads = [p.grad for p in reader.parameters() if p.grad is not None]
    assert all(grad.isfinite().all() for grad in grads)
    assert any(grad.any() for grad in grads)


@every_objective
def test_the_seed_alone_decides(config: Config) -> None:
    one, reader, _ = run(config, batch())
    other, again, _ = run(config, batch())
    assert torch.equal(one.total, other.total)
    for first, second in zip(reader.parameters(), again.parameters(), strict=True):
        assert (first.grad is None) == (second.grad is None)
        assert first.grad is None or torch.equal(first.grad, second.grad)


def lacking(rows: Batch, missing: list[int]) -> Batch:
    for stream in ("text", "image", "regions"):
        rows = tiny.without(rows, stream, [(row + len(stream)) % 6 for row in missing])
    return rows


@every_objective
@pytest.mark.parametrize("missing", [[0, 2], [0, 1, 2, 3, 4, 5]], ids=["some", "all"])
def test_rows_that_lack_streams_never_give_nan(config: Config, missing: list[int]) -> None:
    rows = lacking(batch(), missing)
    if "Contrastive" in type(config).__name__:
        with pytest.raises(ValueError, match="expected both streams of a contrastive pair"):
            run(config, rows)
        return
    if isinstance(config, SelfCriticalConfig) and len(missing) == 6:
        with pytest.raises(ValueError, match="no row of the batch has a text"):
            run(config, rows)
        return
    loss, reader, objective = run(config, rows)
    assert loss.total.isfinite()
    assert all(term.isfinite() for term in loss.terms.values())
    for parameter in (*reader.parameters(), *objective.parameters()):
        assert parameter.grad is None or parameter.grad.isfinite().all()


@every_objective
def test_config_survives_json(config: Config) -> None:
    assert from_json(json.loads(json.dumps(to_json(config))), Config, "test") == config


def test_objectives_share_one_encoding_of_what_they_leave_as_it_is() -> None:
    reader = model()
    calls = dict.fromkeys(reader.encoders, 0)
    for stream, encoder in reader.encoders.items():

        def count(*_: object, stream: str = stream) -> None:
            calls[stream] += 1

        encoder.register_forward_hook(count)
    step = TrainStep(reader, {name: built(config) for name, config in CASES.items()})
    loss = step(batch())
    loss.total.backward()
    assert calls == {stream: 1 + altered for stream, altered in MASKING.items()}
    assert {name.partition("/")[0] for name in loss.terms} == set(CASES)


WHOLE: dict[str, Config] = {
    "masked-language": WORDS.replace(mask_ratio=1.0),
    "masked-regions": REGIONS.replace(mask_ratio=1.0),
    "masked-region-classes": REGION_CLASSES.replace(mask_ratio=1.0),
    "masked-patches": PATCHES.replace(mask_ratio=1.0),
    "alignment": AlignmentConfig(),
}
"""Objectives without a draw: everything is hidden, and words stay what they are."""


def totals(part: slice) -> dict[str, torch.Tensor]:
    """Of some rows the loss, and what it says of one weight, by objective."""
    rows = tiny.without(tiny.without(batch(), "text", [4]), "regions", [0]).rows(part)
    found: dict[str, torch.Tensor] = {}
    for name, config in WHOLE.items():
        reader, objective = model(), built(config)
        if isinstance(objective, MaskedLanguage):
            objective.corrupt = lambda ids, chosen: ids  # type: ignore[method-assign]
        total = objective(reader, rows, Streams(reader, rows)).total
        total.backward()
        weight = reader.fusion.types.grad  # type: ignore[union-attr]
        found |= {f"{name}/total": total.detach(), f"{name}/gradient": weight.clone()}
    return found


def on_rank(rank: int) -> dict[str, torch.Tensor]:
    found = totals(slice(3 * rank, 3 * rank + 3))
    for value in found.values():
        dist.all_reduce(value)
    return {name: value / 2 for name, value in found.items()}


def test_two_ranks_with_unequal_shares_are_as_one(tmp_path: Path) -> None:
    found = two_ranks.found(__file__, tmp_path)
    for name, value in totals(slice(None)).items():
        torch.testing.assert_close(found[name], value, atol=1e-5, rtol=1e-5, msg=name)


if __name__ == "__main__":
    two_ranks.main(on_rank)
