"""Accumulation by gradient caching, and recomputing: the gradient of the whole batch in little memory."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
import two_ranks
from torch import Tensor, nn

from weft.architectures.clip import clip
from weft.architectures.model import Model, ModelConfig, ProjectionConfig
from weft.core.config import Config
from weft.core.interfaces import EncodedStreams
from weft.core.records import Batch, Features, Field, Loss
from weft.encoders.frozen import FrozenConfig, PartlyFrozenConfig
from weft.encoders.resnet import ResNetConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.objectives.contrastive import (
    HingeContrastiveConfig,
    SigmoidContrastiveConfig,
    SoftmaxContrastiveConfig,
)
from weft.training import distributed
from weft.training.config import RunConfig
from weft.training.gradients import AccumulateAndClip
from weft.training.optim import OptimConfig
from weft.training.players import single_player
from weft.training.step import TrainStep, recompute_activations
from weft.training.streams import Streams

OBJECTIVES: dict[str, Config] = {
    "softmax": SoftmaxContrastiveConfig(),
    "chunked": SoftmaxContrastiveConfig(chunk=3),
    "sigmoid": SigmoidContrastiveConfig(),
    "hinge": HingeContrastiveConfig(negatives="sum"),
}
ROWS = 8
CLIP = clip(
    vocab_size=50, image_size=16, patch_size=8, width=16, depth=2, text_depth=2, embedding=8
)


def batch(rows: slice = slice(None)) -> Batch:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (ROWS, 3, 16, 16), dtype=torch.uint8, generator=generator)
    ids = torch.randint(1, 50, (ROWS, 6), generator=generator)
    mask = torch.arange(6) < torch.randint(1, 7, (ROWS, 1), generator=generator)
    inputs = {"image": Field(images), "text": Field(ids * mask, mask)}
    groups = torch.tensor([0, 1, 1, 2, 3, 0, 4, 5])
    return Batch(inputs, ids=[str(i) for i in range(ROWS)], groups=groups).rows(rows)


def with_dropout(config: ModelConfig) -> ModelConfig:
    random = {"dropout": 0.3, "attention_dropout": 0.3, "drop_path": 0.3}
    return config.replace(
        encoders={name: part.replace(**random) for name, part in config.encoders.items()}
    )


class Accumulated(TrainStep):
    """A step that computes every batch in `parts` micro-batches."""

    parts = 1

    def forward(
        self, batch: Batch, objectives: Sequence[str] | None = None, micro_batches: int = 1
    ) -> Loss:
        return super().forward(batch, objectives, micro_batches if self.parts == 1 else self.parts)


def step_of(objective: str, model: ModelConfig = CLIP, accumulate: int = 1) -> Accumulated:
    torch.manual_seed(0)
    step = Accumulated(model.build(), {"contrastive": OBJECTIVES[objective].build()})
    step.parts = accumulate
    return step


def gradients(step: TrainStep, rows: Batch | None = None) -> dict[str, Tensor]:
    """The loss, its terms and all gradients."""
    loss = step(batch() if rows is None else rows)
    loss.total.backward()
    found = {name: p.grad for name, p in step.named_parameters() if p.grad is not None}
    return {"total": loss.total.detach(), **loss.terms, **found}


def assert_same(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Equal to 1e-5 of each tensor's largest value."""
    assert found.keys() == expected.keys()
    assert max(value.abs().max() for name, value in expected.items() if "encoders" in name) > 1e-4
    for name, value in expected.items():
        largest = max(value.abs().max().item(), 0.1)
        torch.testing.assert_close(found[name], value, atol=1e-5 * largest, rtol=0, msg=name)


@pytest.mark.parametrize("parts", [8, 3, 2, 100])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_gradient_is_the_whole_batch_s(objective: str, parts: int) -> None:
    expected = gradients(step_of(objective))
    assert_same(gradients(step_of(objective, accumulate=parts)), expected)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_recomputed_blocks_change_nothing(accumulate: int) -> None:
    expected = gradients(step_of("softmax"))
    step = step_of("softmax", accumulate=accumulate)
    calls: list[int] = []
    block = step.model.encoders["text"].transformer.blocks[0]
    block.fc1.register_forward_hook(lambda *_: calls.append(1))
    recompute_activations(step)
    assert_same(gradients(step), expected)
    assert len(calls) == (9 if accumulate > 1 else 2)  # a micro-batch within a block's, once more
    with torch.no_grad():
        assert step.eval()(batch()).total.isfinite()


class Given:
    """Streams whose embeddings are simply given."""

    def __init__(self, embeddings: Mapping[str, Tensor]) -> None:
        self.embeddings = embeddings

    def embedding(self, stream: str) -> Tensor:
        return self.embeddings[stream]

    def features(self, stream: str) -> Features:
        raise NotImplementedError

    def fused(self) -> Mapping[str, Features]:
        raise NotImplementedError

    def by_rows(self, compute, *rows):
        raise NotImplementedError


@pytest.mark.parametrize("blocks", [False, True], ids=["kept", "recomputed"])
def test_dropout_is_drawn_once(blocks: bool) -> None:
    """As if the micro-batches were encoded one after the other with everything kept."""
    plain = step_of("softmax", with_dropout(CLIP))
    torch.manual_seed(7)
    parts = [batch().rows(slice(start, start + 3)) for start in range(0, ROWS, 3)]
    embeddings = {
        stream: torch.cat([Streams(plain.model, part).embedding(stream) for part in parts])
        for stream in ("image", "text")
    }
    objective = plain.objectives["contrastive"]
    loss = objective(plain.model, batch(), Given(embeddings))
    loss.total.backward()
    expected = {name: p.grad for name, p in plain.named_parameters()}

    cached = step_of("softmax", with_dropout(CLIP), accumulate=3)
    if blocks:
        recompute_activations(cached)
    torch.manual_seed(7)
    found = gradients(cached)
    assert_same({name: found[name] for name in expected}, expected)
    torch.manual_seed(8)
    assert not torch.allclose(cached(batch()).total, found["total"])


def test_autocast_holds_in_the_second_pass_too() -> None:
    plain, cached = step_of("softmax"), step_of("softmax", accumulate=3)
    for step in (plain, cached):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = step(batch())
        loss.total.backward()
    exact, found = gradients(step_of("softmax")), dict(cached.named_parameters())
    for name, parameter in plain.named_parameters():
        rounding = (parameter.grad - exact[name]).norm()
        assert (parameter.grad - found[name].grad).norm() <= rounding, name


class Watched(nn.Module):
    """Says when it encodes which row, and when the gradient of that comes back."""

    dim = 4

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.events: list[tuple[str, int]] = []

    def forward(self, field: Field) -> Features:
        first = int(field.values[0, 0, 0])
        self.events.append(("encode", first))
        tokens = torch.tanh(self.linear(field.values))
        if tokens.requires_grad:
            tokens.register_hook(lambda _: self.events.append(("gradient", first)))
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool)
        return Features(tokens, mask, tokens.mean(1))


def watched() -> tuple[Watched, Streams]:
    torch.manual_seed(0)
    encoder = Watched()
    model = Model({"image": encoder}, projections={"image": ProjectionConfig(4, 2).build()})
    values = torch.arange(8.0)[:, None, None].expand(8, 2, 4)
    rows = Batch({"image": Field(values)}, ids=list("abcdefgh"), groups=torch.arange(8))
    return encoder, Streams(model, rows, micro_batch=3)


def test_the_backward_pass_holds_one_micro_batch_at_a_time() -> None:
    encoder, streams = watched()
    embedding = streams.embedding("image")
    assert encoder.events == [("encode", 0), ("encode", 3), ("encode", 6)]
    embedding[:, 0].sum().backward()
    assert encoder.events[3:] == [
        (what, first) for first in (6, 3, 0) for what in ("encode", "gradient")
    ]


@pytest.mark.parametrize("asked", [("features", "embedding"), ("embedding", "embedding")])
def test_no_stream_is_encoded_twice(asked: tuple[str, str]) -> None:
    encoder, streams = watched()
    for name in asked:
        getattr(streams, name)("image")
    assert len(encoder.events) == 3


def test_features_after_the_embedding_are_the_same_features() -> None:
    encoder, streams = watched()
    embedding, features = streams.embedding("image"), streams.features("image")
    assert len(encoder.events) == 6
    assert features.tokens.shape == (8, 2, 4)
    model = streams._model
    torch.testing.assert_close(model.embed("image", features), embedding)


class TokenObjective(nn.Module):
    """Reads tokens and embeddings."""

    def forward(self, model: nn.Module, batch: Batch, streams: EncodedStreams) -> Loss:
        tokens = streams.features("text").tokens.square().mean()
        return Loss(tokens + streams.embedding("text").square()[:, 0].mean(), {})


def test_objectives_that_read_tokens_agree_too() -> None:
    found = []
    for accumulate in (1, 3):
        step = step_of("softmax")
        step.objectives = nn.ModuleDict({"tokens": TokenObjective(), **step.objectives})
        step.weights["tokens"] = 1.0
        step.parts = accumulate
        found.append(gradients(step))
    assert_same(found[1], found[0])


LIT = CLIP.replace(
    encoders={
        "image": FrozenConfig(ResNetConfig(width=8), tokens=False),
        "text": PartlyFrozenConfig(
            TextTransformerConfig(vocab_size=50, dim=16, depth=2, heads=2, max_length=8)
        ),
    },
    projections={
        "image": ProjectionConfig(64, 8, hidden=(16,)),
        "text": ProjectionConfig(16, 8, hidden=(16,)),
    },
)


@pytest.mark.parametrize("cached_features", [False, True])
def test_frozen_towers_and_their_cached_features(cached_features: bool) -> None:
    def rows(step: TrainStep) -> Batch:
        if not cached_features:
            return batch()
        encoders = step.model.encoders
        return batch().with_inputs(
            **{name: encoders[name].frozen(field) for name, field in batch().inputs.items()}
        )

    plain, step = step_of("softmax", LIT), step_of("softmax", LIT, accumulate=3)
    calls: list[int] = []
    step.model.encoders["image"].encoder.register_forward_hook(lambda *_: calls.append(1))
    assert_same(gradients(step, rows(step)), gradients(plain, rows(plain)))
    assert len(calls) == (1 if cached_features else 3)  # nothing of it is computed again


def test_batch_norms_that_train_are_refused() -> None:
    image = ResNetConfig(width=8)
    projections = {**CLIP.projections, "image": ProjectionConfig(64, 8)}
    config = CLIP.replace(encoders={**CLIP.encoders, "image": image}, projections=projections)
    step = step_of("softmax", config, accumulate=3)
    with pytest.raises(ValueError, match=r"encoders\.image\.bn1 is a BatchNorm2d in training"):
        step(batch())
    assert step.eval()(batch()).total.isfinite()


def test_the_run_s_settings_reach_the_step() -> None:
    step = step_of("softmax", with_dropout(CLIP))
    made = single_player(step, OptimConfig(), RunConfig(accumulate=3, recompute=True, device="cpu"))
    assert made.rule == AccumulateAndClip(accumulate=3, clip_norm=1.0)
    rows: list[int] = []
    step.model.encoders["text"].register_forward_pre_hook(
        lambda _, arguments: rows.append(len(arguments[0]))
    )
    made.turn(batch())
    assert rows == [3, 3, 2, 2, 3, 3]  # and once more in the backward pass
    assert "checkpoint" not in " ".join(step.state_dict())
    model = LIT.replace(encoders={"image": LIT.encoders["image"]}, projections={})
    without = step_of("softmax", model)
    with pytest.raises(ValueError, match="no transformer blocks"):
        single_player(without, OptimConfig(), RunConfig(recompute=True, device="cpu"))
    with pytest.raises(ValueError, match="accumulate is 0, expected at least 1"):
        RunConfig(accumulate=0)


def on_rank(rank: int) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for objective in OBJECTIVES:
        step = step_of(objective, accumulate=3)
        recompute_activations(step)
        wrapped = distributed.wrap(step)
        loss = wrapped(batch(slice(4 * rank, 4 * rank + 4)))
        loss.total.backward()
        mean = distributed.mean({"total": loss.total.detach(), **loss.terms})
        found |= {f"{objective}/{name}": value for name, value in mean.items()}
        found |= {f"{objective}/{name}": p.grad for name, p in step.named_parameters()}
    return found


def test_two_ranks_with_micro_batches_give_the_gradient_of_one(tmp_path: Path) -> None:
    found = two_ranks.found(__file__, tmp_path)
    for objective in OBJECTIVES:
        own = {
            name.partition("/")[2]: value
            for name, value in found.items()
            if name.startswith(f"{objective}/")
        }
        assert_same(own, gradients(step_of(objective)))


if __name__ == "__main__":
    two_ranks.main(on_rank)
