"""The padded mode: every encoder, fusion and decoder computes in it what it computes packed, exports with
batches and lengths of any size, and has gradients a sample."""

import dataclasses
import gc
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import padded_cases
import pytest
import tiny_decoders
import tiny_drawing
import tiny_encoders
import tiny_fusions
import torch
from padded_cases import TEXTS, Case
from torch import Tensor, nn
from torch._dynamo import config as dynamo
from torch.export import Dim
from torch.func import functional_call, grad, vmap
from torch.fx import config as fx_config

from weft.architectures.model import Model
from weft.core.records import Features, Field
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.pretrained import PretrainedConfig
from weft.encoders.resnet import ResNetConfig
from weft.encoders.spectrogram_picture import SpectrogramPictureConfig
from weft.layers.packing import Packing
from weft.layers.padded import padded
from weft.layers.transformer import TransformerConfig

CLASSIFIER = ClassifierConfig(tiny_decoders.WIDTH, tiny_decoders.VOCABULARY, hidden=(5,))
CASES: dict[str, partial[Case]] = {
    # Sounds that are pictures of their own lengths have no static shape.
    **{
        f"encoder {n}": partial(padded_cases.encoder, c)
        for n, c in tiny_encoders.CASES.items()
        if not isinstance(c.config, SpectrogramPictureConfig)
    },
    **{f"fusion {n}": partial(padded_cases.fusion, c) for n, c in tiny_fusions.CASES.items()},
    **{f"decoder {n}": partial(padded_cases.decoder, c) for n, c in tiny_decoders.OF_TEXT.items()},
    "decoder classifier": partial(padded_cases.decoder, CLASSIFIER),
    # Of speech whose durations are predicted no shape is static either: tests/decoders/test_spoken_flow.py.
    **{f"drawing {n}": partial(padded_cases.drawer, c) for n, c in tiny_drawing.DRAWN.items()},
}
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning:torch")
every_part = pytest.mark.parametrize("build", CASES.values(), ids=CASES)


def close(found: Tensor, expected: Tensor) -> None:
    scale = max(1.0, float(expected.detach().abs().max())) if expected.numel() else 1.0
    torch.testing.assert_close(found / scale, expected / scale, atol=1e-5, rtol=0)


def learned(module: nn.Module) -> dict[str, Tensor]:
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def total(outputs: tuple[Tensor, ...]) -> Tensor:
    """One number that depends on every output."""
    parts = [(output * (number + 1)).sin().sum() for number, output in enumerate(outputs)]
    return torch.stack(parts).sum()


def gradients(module: nn.Module, outputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
    parameters = learned(module)
    if not parameters:
        return {}
    found = torch.autograd.grad(total(outputs), list(parameters.values()), allow_unused=True)
    pairs = zip(parameters.items(), found, strict=True)
    return {name: torch.zeros_like(p) if g is None else g for (name, p), g in pairs}


def test_the_suite_walks_all_parts() -> None:
    assert len(CASES) == 68 + 33 + 5 + 10
    configs = {type(padded_cases.config_of(build.args[0])) for build in CASES.values()}
    assert len(configs) == 36 + 11 + 3 + 4


@every_part
def test_values_and_gradients_are_those_of_packing(build: Callable[[], Case]) -> None:
    case = build()
    expected = case.module(*case.tensors)
    with padded():
        found = case.module(*case.tensors)
        wider = case.module(*case.wider(list(range(len(case.tensors[0]))), 3))
    for one, other, wide in zip(found, expected, wider, strict=True):
        close(one, other)
        assert wide.isfinite().all()
    close(total(wider), total(expected))
    wanted = gradients(case.module, expected)
    for outputs in (found, wider):
        for name, gradient in gradients(case.module, outputs).items():
            close(gradient, wanted[name])


@contextmanager
def without_collecting() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def exported(case: Case) -> nn.Module:
    """The case's module as a graph for batches and lengths of any size."""
    names = {name for lengths in case.lengths for name in lengths.values()}
    sizes = {
        name: Dim(name, max=case.longest if name == "length" else 64)
        for name in ("batch", *sorted(names))
    }
    shapes = tuple(
        {0: sizes["batch"], **{place: sizes[name] for place, name in lengths.items()}}
        for lengths in case.lengths
    )
    torch._dynamo.reset()  # it remembers which sizes were fixed in the exports before
    # Half of the time is saved: torch writes down every step where a handler listens, as pytest's does,
    # and where in Python every node comes from; its cache of shapes costs more than it saves; and there is
    # nothing for the collector to free.
    with (
        without_collecting(),
        pytest.MonkeyPatch.context() as patch,
        dynamo.patch(fake_tensor_cache_enabled=False),
        padded(),
    ):
        patch.setattr(fx_config, "do_not_emit_stack_traces", True)
        patch.setattr(logging.getLogger("torch.__trace"), "handlers", [])
        program = torch.export.export(case.module, case.tensors, dynamic_shapes={"tensors": shapes})
    module: nn.Module = program.module()
    return module


@every_part
def test_no_rows_are_no_outputs(build: Callable[[], Case]) -> None:
    case = build()
    expected = case.module(*case.rows([]))
    with padded():
        found = case.module(*case.rows([]))
    assert [tuple(output.shape) for output in found] == [tuple(output.shape) for output in expected]
    assert all(len(output) == 0 for output in found)


@every_part
@torch.no_grad()
def test_exports_with_batches_and_lengths_of_any_size(build: Callable[[], Case]) -> None:
    case = build()
    program = exported(case)
    for rows, columns in (([0], 3), ([2, 1, 0, 0, 1], 1)):
        tensors = case.wider(rows, columns)
        for found, expected in zip(program(*tensors), case.module(*tensors), strict=True):
            close(found, expected)


@every_part
def test_gradients_a_sample_are_those_of_a_loop(build: Callable[[], Case]) -> None:
    case = build()
    module = case.module

    def loss(parameters: dict[str, Tensor], *row: Tensor) -> Tensor:
        return total(functional_call(module, parameters, tuple(part[None] for part in row)))

    parameters = {name: p.detach() for name, p in learned(module).items()}
    with padded():
        found = vmap(grad(loss), in_dims=(None, *(0,) * len(case.tensors)))(
            parameters, *case.tensors
        )
    for row in range(len(case.tensors[0])):
        for name, gradient in gradients(module, module(*case.rows([row]))).items():
            close(found[name][row], gradient)


def tensors_of(state: Any) -> list[Tensor]:
    """The tensors in a decoder's state."""
    if isinstance(state, Tensor):
        return [state]
    if isinstance(state, list):
        return [tensor for part in state for tensor in tensors_of(part)]
    if dataclasses.is_dataclass(state):
        return tensors_of([getattr(state, field.name) for field in dataclasses.fields(state)])
    return []


def with_tensors(state: Any, tensors: Iterator[Tensor]) -> Any:
    """The same state with those tensors, in the order of `tensors_of`."""
    if isinstance(state, Tensor):
        return next(tensors)
    if isinstance(state, list):
        return [with_tensors(part, tensors) for part in state]
    if dataclasses.is_dataclass(state) and not isinstance(state, type):
        names = [field.name for field in dataclasses.fields(state)]
        return type(state)(**{n: with_tensors(getattr(state, n), tensors) for n in names})
    return state


class Stepping(nn.Module):
    """Ids (R,) and the tensors of a state -> logits and the tensors of the next state."""

    def __init__(self, decoder: Any, like: Any) -> None:
        super().__init__()
        self.decoder = decoder
        self.like = like

    def forward(self, ids: Tensor, tensors: list[Tensor]) -> list[Tensor]:
        state = with_tensors(self.like, iter(tensors))
        return [self.decoder.step(ids, state), *tensors_of(state)]


@pytest.mark.parametrize("name", tiny_decoders.OF_TEXT)
def test_one_graph_decodes_step_by_step(name: str) -> None:
    """The cache is of a fixed size, the place in it a tensor: every step is the same graph."""
    decoder: Any = tiny_decoders.built(tiny_decoders.OF_TEXT[name])
    context, prefix = tiny_decoders.contexts(), tiny_decoders.prefixes()
    assert prefix.mask is not None
    poisoned = context.tokens.masked_fill(~context.mask[..., None], torch.nan)
    whole = decoder(context, prefix)
    with padded(), torch.no_grad():
        state = decoder.start(Features(poisoned, context.mask, context.pooled), TEXTS, 6)
        stepping, tensors = Stepping(decoder, state), tensors_of(state)
        program = torch.export.export(stepping, (prefix.values[:, 0], tensors)).module()
        for place in range(6):
            begun = tensors
            logits, *tensors = program(prefix.values[:, place], tensors)
            there = prefix.mask[:, place]
            close(logits[there], whole[there, place])
        order = torch.tensor([1, 0, 3, 3, 5, 4])
        turned = tensors_of(with_tensors(state, iter(begun)).take(order))
        expected, *_ = program(prefix.values[:, 5], begun)
        found, *_ = program(prefix.values[order, 5], turned)
        close(found, expected[order])


@pytest.mark.parametrize("name", ["encoder text", "fusion early"])
def test_compiles_to_one_graph_whatever_the_lengths(name: str) -> None:
    case = CASES[name]()
    graphs = []

    def kept(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    torch.compiler.reset()
    compiled = torch.compile(case.module, fullgraph=True, dynamic=True, backend=kept)
    with padded():
        for rows, columns in (([0, 1, 2], 0), ([2, 0], 2), ([3, 1, 0, 0], 1)):
            tensors = case.wider(rows, columns)
            found = compiled(*tensors)
            for one, other in zip(found, case.module(*tensors), strict=True):
                close(one, other)
    assert len(graphs) == 1


def test_dropout_is_drawn_for_each_sample() -> None:
    config = TransformerConfig(dim=8, depth=1, heads=2, dropout=0.5, attention_dropout=0.5)
    stack = config.replace(drop_path=0.0).build().train()
    tokens = torch.randn(1, 3, 8).expand(4, -1, -1)

    def run(row: Tensor) -> Tensor:
        packing = Packing.of(torch.ones(1, 3, dtype=torch.bool))
        return stack(packing.pack(row[None]), packing)

    with padded():
        different = vmap(run, randomness="different")(tokens)
    assert not torch.equal(different[0], different[1])


def test_batch_norm_has_gradients_a_sample_by_its_running_statistics_alone() -> None:
    case = CASES["encoder resnet18"]()
    with padded(), pytest.raises(RuntimeError, match="Batch norm got a batched tensor"):
        vmap(lambda values: case.module.train()(values[None]))(*case.tensors)
    model = Model({"image": ResNetConfig(width=8).build()})
    lacking = Field(case.tensors[0], present=torch.tensor([True, False, True, True]))
    with padded(), pytest.raises(ValueError, match=r"encoders.image.bn1 .* lack the stream"):
        model.encode("image", lacking)
    with padded():
        found = model.eval().encode("image", lacking)
    expected = model.encode("image", lacking)
    close(found.pooled, expected.pooled)
    assert torch.equal(found.mask, expected.mask)


WRAPPED: dict[str, dict[str, Any]] = {
    "distilbert": {"vocab_size": tiny_encoders.VOCABULARY, "dim": 16, "n_layers": 1, "n_heads": 2}
    | {"hidden_dim": 24, "max_position_embeddings": 12},
    "mpnet": {"vocab_size": tiny_encoders.VOCABULARY, "hidden_size": 16, "num_hidden_layers": 1}
    | {"num_attention_heads": 2, "intermediate_size": 24, "max_position_embeddings": 14},
    "gpt2": {"vocab_size": tiny_encoders.VOCABULARY, "n_embd": 16, "n_layer": 1, "n_head": 2}
    | {"n_positions": 12, "bos_token_id": 0, "eos_token_id": 0},
    "dinov2": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    | {"image_size": 32, "patch_size": 8},
}


@pytest.mark.parametrize("kind", WRAPPED)
@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_towers_that_stay_modules_of_transformers(kind: str) -> None:
    """Masks for torch's own attention, for the library's, and causal ones; and a tower without masks."""
    pytest.importorskip("transformers")
    definition = json.dumps({"model_type": kind, **WRAPPED[kind]})
    config = PretrainedConfig("none", definition=definition, mode="full")
    reads: Any = "image" if kind == "dinov2" else "text"
    build = partial(padded_cases.encoder, tiny_encoders.Case(reads, config))
    test_values_and_gradients_are_those_of_packing(build)
    test_exports_with_batches_and_lengths_of_any_size(build)
    test_gradients_a_sample_are_those_of_a_loop(build)


def test_what_the_page_on_export_says_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    said: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(block, said)
    module, ids, mask = said["module"], said["ids"], said["mask"]
    loaded = torch.export.load(tmp_path / "embed.pt2").module()
    for rows in ([0], [2, 1, 0, 0]):
        close(loaded(ids[rows, :5], mask[rows, :5]), module(ids[rows, :5], mask[rows, :5]))
    wanted = torch.autograd.grad(module(ids[1:2], mask[1:2]).square().sum(), module.parameters())
    for found, expected in zip(said["gradients"].values(), wanted, strict=True):
        close(found[1], expected)
