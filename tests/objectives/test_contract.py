"""What every objective keeps, found by walking weft/objectives."""

import importlib
import inspect
import json
import pkgutil
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import tiny_objectives as tiny
import torch
import torch.distributed as dist
import two_ranks
from bad_numbers import assert_refused_by_name
from tiny_captions import texts_of
from torch import nn

import weft.objectives
from weft.architectures.model import Model, ModelConfig, ProjectionConfig
from weft.core.config import Config, from_json, to_json
from weft.core.interfaces import JOINT, Objective
from weft.core.needs import Needing
from weft.core.records import Batch, Field
from weft.decoders.classifier import ClassifierConfig
from weft.decoders.codecs.convolutions import PictureCodecConfig
from weft.decoders.drawing import DrawingConfig
from weft.decoders.flow import FlowConfig
from weft.decoders.joint import JointDecoderConfig
from weft.decoders.picture_convolutions import PictureConvolutionsConfig
from weft.decoders.projection_critic import ProjectionCriticConfig
from weft.decoders.spoken_flow import PLACES, SpokenFlowConfig
from weft.decoders.text import TransformerDecoderConfig
from weft.decoders.velocity.frames import FrameVelocityConfig
from weft.decoders.velocity.unet import UNetConfig
from weft.encoders.flattened import FlattenedConfig
from weft.encoders.pictures import PicturesEncoderConfig
from weft.encoders.points import PointsConfig
from weft.encoders.regions import RegionsConfig
from weft.encoders.speech_transformer import SpeechTransformerConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.fusion.early import EarlyConfig
from weft.fusion.joint_posterior import Joining, JointPosteriorConfig
from weft.heads.classes import MATCHING, ClassOutput
from weft.heads.head import HeadConfig
from weft.heads.numbers import NumberOutput
from weft.heads.pictures import PictureOutput
from weft.heads.sounds import SoundOutput
from weft.heads.texts import TextOutput
from weft.heads.transcripts import TranscriptOutput
from weft.layers.transformer import TransformerConfig
from weft.objectives.adversarial import AdversarialConfig, CriticConfig, GeneratorConfig
from weft.objectives.aligned_words import AlignedWordsConfig
from weft.objectives.alignment import AlignmentConfig
from weft.objectives.answer_ranking import AnswerRankingConfig
from weft.objectives.attraction import LabelAlignmentConfig, ModalityInvariantConfig
from weft.objectives.captioning import CaptioningConfig
from weft.objectives.classification import ClassificationConfig, RegressionConfig
from weft.objectives.contrastive import (
    HingeContrastiveConfig,
    SigmoidContrastiveConfig,
    SoftmaxContrastiveConfig,
)
from weft.objectives.ctc import CTCConfig
from weft.objectives.cycle import CycleConfig
from weft.objectives.detection import DetectionConfig
from weft.objectives.evidence import EvidenceConfig
from weft.objectives.grid_objects import GridObjectsConfig
from weft.objectives.grounding import GroundingConfig
from weft.objectives.hierarchical import HierarchicalContrastiveConfig
from weft.objectives.latent_codec import LatentCodecConfig
from weft.objectives.masked import MaskedLanguage, MaskedLanguageConfig
from weft.objectives.masked_frames import MaskedFramesConfig
from weft.objectives.masked_patches import MaskedPatchesConfig
from weft.objectives.masked_regions import MaskedRegionClassesConfig, MaskedRegionsConfig
from weft.objectives.masked_video import MaskedVideoConfig
from weft.objectives.matching import MatchingConfig
from weft.objectives.modality_adversary import ModalityAdversaryConfig
from weft.objectives.reconstruction import ReconstructionConfig
from weft.objectives.rectified_flow import RectifiedFlowConfig
from weft.objectives.self_critical import SelfCritical, SelfCriticalConfig
from weft.objectives.similarity import Likeness
from weft.objectives.spoken_flow import SpokenFlowObjectiveConfig
from weft.objectives.temperature import TemperatureConfig
from weft.objectives.transcript_attention import TranscriptAttentionConfig
from weft.objectives.word_prediction import WordPredictionConfig
from weft.training.step import TrainStep
from weft.training.streams import Streams

FEATURES, CLASSES, PANELS = 5, 3, 2
BANDS, FRAMES = 4, 3
CELLS = 4 * PANELS
LATENT = ("text", "image", "regions")
"""Streams of the models of one latent."""
WORDS = MaskedLanguageConfig(dim=tiny.DIM, vocab_size=tiny.WORDS, hidden=12, whole_words=True)
REGIONS = MaskedRegionsConfig(dim=tiny.DIM, feature_dim=FEATURES, masked="regions")
REGION_CLASSES = MaskedRegionClassesConfig(dim=tiny.DIM, classes=CLASSES, masked="regions")
PATCHES = MaskedPatchesConfig(dim=tiny.DIM, patch_size=4)

CASES: dict[str, Config] = {
    "softmax": SoftmaxContrastiveConfig(),
    "sigmoid": SigmoidContrastiveConfig(),
    "hinge": HingeContrastiveConfig(),
    "softmax-all-pairs": SoftmaxContrastiveConfig(("image", "text", "regions")),
    "sigmoid-two-pairs": SigmoidContrastiveConfig(
        ("image", "text", "regions"), pairs=(("image", "text"), ("text", "regions"))
    ),
    "soft-negatives-text": SoftmaxContrastiveConfig(
        ("image", "regions"), soft_negatives=Likeness(stream="text")
    ),
    "soft-negatives-class": SoftmaxContrastiveConfig(soft_negatives=Likeness(target="answer")),
    "modality-invariant": ModalityInvariantConfig(("image", "text", "regions")),
    "label-alignment": LabelAlignmentConfig("answer", ("image", "text")),
    "hierarchical": HierarchicalContrastiveConfig(("image", "text"), token=0.5),
    "hierarchical-video": HierarchicalContrastiveConfig(("text", "film"), clip=0, chunk=1),
    "classification": ClassificationConfig(),
    "regression": RegressionConfig(),
    "masked-language": WORDS,
    "masked-regions": REGIONS,
    "masked-region-classes": REGION_CLASSES,
    "masked-region-class": REGION_CLASSES.replace(hard=True),
    "masked-patches": PATCHES,
    "masked-frames": MaskedFramesConfig(
        tiny.DIM, bands=BANDS, frames=2, masked="sound", mask_ratio=0.4, span=2
    ),
    "masked-tubes": MaskedVideoConfig(tiny.DIM, 4, pixels=2, masked="film", mask_ratio=0.5),
    "masked-video-patches": MaskedVideoConfig(
        tiny.DIM, 4, pixels=4, masked="film", mask_ratio=0.5, tubes=False
    ),
    "matching": MatchingConfig(),
    "matching-hard": MatchingConfig(negatives="hard"),
    "matching-soft": MatchingConfig(("text", "regions"), negatives="soft"),
    "alignment": AlignmentConfig(),
    "alignment-regions": AlignmentConfig(("text", "regions")),
    "objects": GridObjectsConfig(dim=10, classes=(2, CLASSES), stream="regions"),
    "captioning": CaptioningConfig(),
    "word-prediction": WordPredictionConfig(tiny.DIM, stream="image", out_dim=8),
    "word-prediction-joint": WordPredictionConfig(tiny.DIM, out_dim=8),
    "ctc": CTCConfig(),
    "transcript-attention": TranscriptAttentionConfig(),
    "aligned-words": AlignedWordsConfig(),
    "self-critical": SelfCriticalConfig(captions=2, max_length=6),
    "detection": DetectionConfig(stream="panels", share=0.5),
    "grounding": GroundingConfig(tiny.DIM, max_objects=3, stream="panels"),
    "answer-ranking": AnswerRankingConfig(),
    "flow": RectifiedFlowConfig("flow", unconditional=0.3),
    "flow-latents": RectifiedFlowConfig("latents"),
    "latent-codec": LatentCodecConfig("latents", share=0.5),
    "spoken-flow": SpokenFlowObjectiveConfig(rate=10.0, unconditional=0.3),
    "critic": CriticConfig(punished=0.5, contrast=0.5),
    "critic-wasserstein": CriticConfig(
        game="wasserstein", r1=0, r2=0, between=10, punished=1, wrong=0
    ),
    "generator": GeneratorConfig(contrast=0.5),
    "generator-flow": GeneratorConfig(head="flow", game="hinge"),
    "cycle": CycleConfig(),
    "cycle-flow": CycleConfig("flow"),
    "reconstruction": ReconstructionConfig(
        {"drawing": 1.0, "caption": 0.5},
        spectral=0.5,
        perceptual=ViTConfig(image_size=16, patch_size=8, dim=8, depth=1, heads=2),
    ),
    "modality-adversary": ModalityAdversaryConfig(6, ("image", "text", "regions"), hidden=(5,)),
}
JOINED = ReconstructionConfig({"drawing": 1.0, "caption": 0.5})
OF_ONE_LATENT: dict[Joining, Config] = {
    joining: EvidenceConfig(JOINED, divergence=0.1) for joining in get_args(Joining)
}
"""Of models whose fusion is a joint posterior of that kind, and no other."""
CASES |= {f"evidence-{joining}": config for joining, config in OF_ONE_LATENT.items()}
MASKING = {
    "text": 1,
    "image": 13,
    "regions": 3,
    "panels": 0,
    "answer": 0,
    "sound": 1,
    "film": 2,
}
"""How often the cases encode a stream anew, which they have altered or drawn."""
every_objective = pytest.mark.parametrize(
    "config", CASES.values(), ids=CASES.keys(), scope="module"
)


def config_classes() -> set[type[Config]]:
    found: set[type[Config]] = set()
    for module_info in pkgutil.iter_modules(weft.objectives.__path__):
        module = importlib.import_module(f"weft.objectives.{module_info.name}")
        for _, member in inspect.getmembers(module, inspect.isclass):
            own = member.__module__ == module.__name__
            if own and issubclass(member, Config):
                found.add(member)
    return found - {TemperatureConfig, AdversarialConfig}  # parts of objectives


def test_every_config_is_in_the_suite() -> None:
    assert config_classes() == {type(config) for config in CASES.values()}
    assert len(config_classes()) == 35


def model(config: Config | None = None) -> Model:
    """With the fusion that the objective works with, which is one for all but those of one latent, and
    with the heads that it needs: to build all of them takes longer than a training step."""
    torch.manual_seed(0)
    joining = next((name for name, one in OF_ONE_LATENT.items() if one is config), None)
    widths = {"text": 12, "image": 8, "regions": 10, "panels": 6, "sound": 8, "film": 8}
    projected = {**widths, "answer": 12, JOINT: tiny.DIM}
    words = TextTransformerConfig(tiny.WORDS, dim=12, depth=1, heads=2, max_length=12)
    encoders: dict[str, Config] = {
        "text": words,
        "answer": words,
        "image": ViTConfig(image_size=16, patch_size=4, dim=8, depth=1, heads=2),
        "regions": RegionsConfig(FEATURES, dim=10),
        "sound": SpeechTransformerConfig(BANDS, dim=8, depth=1, heads=2),
        "film": PicturesEncoderConfig(
            ViTConfig(image_size=8, patch_size=4, dim=8, depth=1, heads=2), tokens=True
        ),
        "panels": PointsConfig(
            CLASSES, 6, size=8, panels=PANELS, max_objects=3, prior=0.7, widths=(4, 4, 6)
        ),
    }
    fusion: Config = EarlyConfig(widths, TransformerConfig(tiny.DIM, 1, 2))
    if joining is not None:
        encoders |= {s: FlattenedConfig(encoders[s], tiny.DIM) for s in LATENT}
        projected |= dict.fromkeys(LATENT, tiny.DIM)
        fusion = JointPosteriorConfig(LATENT, tiny.DIM, joining)
    picture = PictureConvolutionsConfig(tiny.DIM, (4, 6, 4), condition=8)
    two_steps = DrawingConfig(steps=2, guidance=1.5)
    unet = UNetConfig(16, tiny.DIM, (4, 8), condition=4, heads=2)
    frames = FrameVelocityConfig(BANDS, tiny.DIM + PLACES, frames=12, dim=8, depth=2, heads=2)
    heads = {
        "drawing": HeadConfig(picture, PictureOutput()),
        "picture": HeadConfig(picture.replace(noise=3), PictureOutput(), "text"),
        "flow": HeadConfig(FlowConfig(unet), PictureOutput(drawing=two_steps), "text"),
        "latents": HeadConfig(
            FlowConfig(
                UNetConfig(4, tiny.DIM, (4, 8), patch=1, condition=4, heads=2, channels=5),
                codec=PictureCodecConfig(16, 5, widths=(4, 6)),
            ),
            PictureOutput(drawing=two_steps),
            "text",
        ),
        "critic": HeadConfig(
            ProjectionCriticConfig(8, condition=tiny.DIM, dim=4), NumberOutput(), "image"
        ),
        "speech": HeadConfig(
            SpokenFlowConfig(frames, context_dim=tiny.DIM, usual=2.0),
            SoundOutput("sound"),
            "text",
        ),
        "matching": HeadConfig(ClassifierConfig(tiny.DIM, 2), MATCHING),
        "answer": HeadConfig(ClassifierConfig(tiny.DIM, 4), ClassOutput("answer")),
        "score": HeadConfig(ClassifierConfig(tiny.DIM, 1), NumberOutput("score")),
        "transcript": HeadConfig(
            JointDecoderConfig(tiny.DIM, 5, dim=8, heads=2, max_length=6, dropout=0.0),
            TranscriptOutput(),
            context="image",
        ),
        "caption": HeadConfig(
            TransformerDecoderConfig(tiny.WORDS, tiny.DIM, dim=8, depth=1, heads=2, max_length=12),
            TextOutput(),
            context="image",
        ),
    }
    if isinstance(config, Needing):
        heads = {name: heads[name] for name in config.needs.heads}
    return ModelConfig(
        encoders=encoders,
        projections={stream: ProjectionConfig(width, 6) for stream, width in projected.items()},
        fusion=fusion,
        heads=heads,
    ).build()


def batch() -> Batch:
    """The tiny batch with regions (NaN where there is none), panels, answers and targets; two rows are of
    one group."""
    rows = tiny.batch((0, 1, 1, 2, 3, 4))
    generator = torch.Generator().manual_seed(2)
    mask = torch.arange(4) < torch.tensor([4, 2, 3, 4, 1, 4])[:, None]
    values = torch.rand(6, 4, 4 + FEATURES, generator=generator)
    regions = Field(values.masked_fill(~mask[:, :, None], torch.nan), mask)
    targets = {
        "answer": torch.tensor([0, 1, -1, 3, 2, 1]),
        "score": torch.rand(6, generator=generator),
        "transcript": torch.tensor([[1, 2], [3, 3], [4, -1], [1, 1], [2, 3], [-1, -1]]),
        "times": torch.tensor([[[0.0, 0.2], [0.3, 0.5]]] * 6),
        "objects": torch.randint(3, (6, 4, 2), generator=generator),
        # More objects in every row than in the one before.
        "cells": torch.randint(1, CLASSES + 1, (6, CELLS), generator=generator)
        * (torch.rand(6, CELLS, generator=generator) < torch.linspace(0, 1, 6)[:, None]),
        "counts": torch.randint(4, (6, PANELS), generator=generator),
        "marks": torch.randint(-1, 2, (6, CELLS), generator=generator),
    }
    pixels = torch.randint(256, (6, PANELS, 3, 8, 8), generator=generator, dtype=torch.uint8)
    answers = rows.inputs["text"].take(torch.tensor([1, 0, 2, 0, 4, 5]))
    heard = torch.arange(9) < torch.tensor([9, 8, 5, 9, 3, 7])[:, None]
    sounds = torch.randn(6, 9, BANDS, generator=generator)
    seen = torch.arange(FRAMES) < torch.tensor([3, 1, 2, 3, 3, 2])[:, None]
    films = torch.randint(256, (6, FRAMES, 3, 8, 8), generator=generator, dtype=torch.uint8)
    inputs = {
        **rows.inputs,
        "regions": regions,
        "panels": Field(pixels),
        "answer": answers,
        "sound": Field(sounds.masked_fill(~heard[:, :, None], torch.nan), heard),
        "film": Field(films, seen),
    }
    return Batch(inputs, rows.ids, rows.groups, targets, seeds=torch.arange(10, 16))


def built(config: Config) -> nn.Module:
    torch.manual_seed(0)
    objective: nn.Module = config.build()  # type: ignore[attr-defined]
    if isinstance(objective, MaskedLanguage):
        objective.use(tiny.VOCABULARY)
    if isinstance(objective, SelfCritical):
        objective.prepare({"text": texts_of(tiny.WORDS)})
    return objective


Parts = tuple[Model, nn.Module]


def fresh(config: Config) -> Parts:
    return model(config), built(config)


@pytest.fixture(scope="module")
def parts(config: Config) -> Parts:
    """Model and objective of all tests of a config: to build them takes as long as a training step."""
    return fresh(config)


def run(parts: Parts, rows: Batch, micro_batch: int = 0):
    """Loss, model and objective after a backward pass; gradients of runs before are gone."""
    reader, objective = parts
    for part in parts:
        part.zero_grad(set_to_none=True)
    torch.manual_seed(1)
    loss = objective(reader, rows, Streams(reader, rows, micro_batch))
    loss.total.backward()
    return loss, reader, objective


@every_objective
def test_finite_and_the_gradient_reaches_model_and_objective(parts: Parts) -> None:
    loss, reader, objective = run(parts, batch())
    assert isinstance(objective, Objective)
    assert loss.total.shape == ()
    assert loss.total.isfinite()
    for term in loss.terms.values():
        assert term.isfinite()
        assert not term.requires_grad
    for name, parameter in objective.named_parameters():
        if not parameter.requires_grad:  # a frozen encoder that looks at what is drawn
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    grads = [p.grad for p in reader.parameters() if p.grad is not None]
    assert all(grad.isfinite().all() for grad in grads)
    assert any(grad.any() for grad in grads)


@every_objective
def test_the_seed_alone_decides(config: Config) -> None:
    one, reader, _ = run(fresh(config), batch())
    other, again, _ = run(fresh(config), batch())
    assert torch.equal(one.total, other.total)
    for first, second in zip(reader.parameters(), again.parameters(), strict=True):
        assert (first.grad is None) == (second.grad is None)
        assert first.grad is None or torch.equal(first.grad, second.grad)


STREAMS = ("text", "image", "regions", "panels", "answer", "sound", "film")
every_stream = pytest.mark.parametrize("stream", STREAMS)


def taken(rows: Batch, missing: list[int], *streams: str) -> Batch:
    """The batch in which these rows lack the streams."""
    for stream in streams:
        rows = tiny.without(rows, stream, missing)
    return rows


def without(rows: Batch, *streams: str) -> Batch:
    """The batch without the streams."""
    kept = {name: value for name, value in rows.inputs.items() if name not in streams}
    return replace(rows, inputs=kept)


def assert_finite(parts: Parts, rows: Batch) -> torch.Tensor:
    loss, reader, objective = run(parts, rows)
    assert loss.total.isfinite()
    assert all(term.isfinite() for term in loss.terms.values())
    for parameter in (*reader.parameters(), *objective.parameters()):
        assert parameter.grad is None or parameter.grad.isfinite().all()
    return loss.total.detach()


@every_objective
@every_stream
def test_a_row_may_lack_any_stream(parts: Parts, stream: str) -> None:
    assert_finite(parts, taken(batch(), [0, 2], stream))


@every_objective
@every_stream
def test_a_batch_may_lack_any_stream(parts: Parts, stream: str) -> None:
    """Whether no row has it or the batch does not know it."""
    nobody = assert_finite(parts, taken(batch(), [0, 1, 2, 3, 4, 5], stream))
    unknown = assert_finite(parts, without(batch(), stream))
    torch.testing.assert_close(nobody, unknown, atol=1e-5, rtol=1e-5)


@every_objective
def test_a_batch_may_lack_everything(parts: Parts) -> None:
    assert assert_finite(parts, taken(batch(), [0, 1, 2, 3, 4, 5], *STREAMS)) == 0
    assert assert_finite(parts, without(batch(), *STREAMS)) == 0


@every_objective
def test_rows_without_any_stream_change_nothing(config: Config) -> None:
    """Pairs and targets are those of the rows that are there, as if the others were not in the batch."""
    kept = [1, 3, 4, 5]
    found, reader, _ = run(fresh(config), taken(batch(), [0, 2], *STREAMS))
    expected, alone, _ = run(fresh(config), batch().take(torch.tensor(kept)))
    torch.testing.assert_close(found.total, expected.total, atol=1e-5, rtol=1e-5)
    for name, term in expected.terms.items():
        torch.testing.assert_close(found.terms[name], term, msg=name, atol=1e-5, rtol=1e-5)
    for (name, one), other in zip(reader.named_parameters(), alone.parameters(), strict=True):
        if one.grad is not None and other.grad is not None:
            torch.testing.assert_close(one.grad, other.grad, msg=name, atol=1e-5, rtol=1e-4)


@every_objective
def test_config_survives_json(config: Config) -> None:
    assert from_json(json.loads(json.dumps(to_json(config))), Config, "test") == config


@every_objective
def test_numbers_out_of_range_are_refused_by_name(config: Config) -> None:
    assert_refused_by_name(config)


def test_objectives_share_one_encoding_of_what_they_leave_as_it_is() -> None:
    reader = model()
    calls = dict.fromkeys(reader.encoders, 0)
    for stream, encoder in reader.encoders.items():

        def count(*_: object, stream: str = stream) -> None:
            calls[stream] += 1

        encoder.register_forward_hook(count)
    shared = {
        name: config
        for name, config in CASES.items()
        if not any(config is one for one in OF_ONE_LATENT.values())
    }
    step = TrainStep(reader, {name: built(config) for name, config in shared.items()})
    loss = step(batch())
    loss.total.backward()
    assert calls == {stream: 1 + altered for stream, altered in MASKING.items()}
    assert {name.partition("/")[0] for name in loss.terms} == set(shared)


def gradients(parts: Parts, rows: Batch, micro_batch: int = 0) -> dict[str, torch.Tensor]:
    """The loss, its terms, and its gradient by every parameter that it has one by."""
    loss, reader, objective = run(parts, rows, micro_batch)
    parameters = nn.ModuleDict({"model": reader, "objective": objective}).named_parameters()
    found = {name: p.grad for name, p in parameters if p.grad is not None}
    return {"total": loss.total.detach(), **dict(loss.terms), **found}


def uneven() -> Batch:
    """The batch, in which some rows lack a stream, and the second rank's rows all lack pictures."""
    second = list(range(6))[RANKS[1]]
    return taken(taken(taken(batch(), [4], "text"), [0], "regions"), second, "image")


def assert_one(found: dict[str, torch.Tensor], whole: dict[str, torch.Tensor], what: str) -> None:
    """Equal to 1e-5 of each tensor's largest value."""
    assert found.keys() == whole.keys()
    for name, value in whole.items():
        if name == "tokens":  # a rank's own count
            continue
        largest = max(value.abs().max().item(), 0.1)
        torch.testing.assert_close(
            found[name], value, atol=1e-5 * largest, rtol=0, msg=f"{what}: {name}"
        )


@every_objective
def test_accumulation_has_the_gradient_of_the_whole_batch(parts: Parts) -> None:
    rows = uneven()
    whole = gradients(parts, rows)
    for count in (2, 3):
        assert_one(gradients(parts, rows, 6 // count), whole, f"{count} micro-batches")


@every_objective
def test_accumulation_fuses_and_encodes_some_rows_at_a_time(config: Config) -> None:
    rows, reader, objective = uneven(), model(config), built(config)
    sizes: list[int] = []

    def seen(_: nn.Module, arguments: tuple) -> None:
        value = arguments[0]
        sizes.append(len(next(iter(value.values())) if isinstance(value, dict) else value))

    classes = [reader.head("answer").decoder] if "answer" in reader.heads else []
    for part in (*reader.encoders.values(), reader.fusion, *classes):
        part.register_forward_pre_hook(seen)
    reader.encoder("panels").convolutions.register_forward_pre_hook(
        lambda _, arguments: sizes.append(len(arguments[0]) // PANELS)
    )
    objective(reader, rows, Streams(reader, rows, 2)).total.backward()
    # Which objects are found is asked of all rows at once, without gradient.
    # A codec reads no encoder.
    assert max(sizes, default=0) <= (3 if isinstance(config, GroundingConfig) else 2)


RANKS = [slice(0, 2), slice(2, 6)]
"""The rows of two ranks, which have nothing of a kind equally often."""


def on_rank(rank: int) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for case, config in CASES.items():
        own = gradients(fresh(config), uneven().rows(RANKS[rank]))
        summed = torch.cat([value.flatten() for value in own.values()])
        dist.all_reduce(summed)
        parts = summed.split([value.numel() for value in own.values()])
        for (name, value), part in zip(own.items(), parts, strict=True):
            found[f"{case}/{name}"] = part.view(value.shape) / 2
    return found


def test_two_ranks_with_unequal_shares_are_as_one(tmp_path: Path) -> None:
    found = two_ranks.found(__file__, tmp_path)
    for case, config in CASES.items():
        own = {
            name.removeprefix(f"{case}/"): value
            for name, value in found.items()
            if name.startswith(f"{case}/")
        }
        assert_one(own, gradients(fresh(config), uneven()), case)


if __name__ == "__main__":
    two_ranks.main(on_rank)
