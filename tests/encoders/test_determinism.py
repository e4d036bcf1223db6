"""With several threads the same step gives the same bits, gradients included."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from weft.core.records import Field
from weft.encoders.recurrent import RecurrentConfig
from weft.encoders.resnet import ResNetConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.encoders.word_vectors import WordVectorsConfig

ENCODERS = {
    "resnet": ResNetConfig(depth=18, width=16),
    "vit": ViTConfig(image_size=64, patch_size=8, dim=64, depth=1, heads=1),
    "transformer_text": TextTransformerConfig(500, dim=128, depth=1, heads=2, max_length=48),
    "recurrent": RecurrentConfig(500, embedding=64, hidden=64),
    "word_vectors": WordVectorsConfig(500, 64),
}


@pytest.fixture
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def field(name: str) -> Field:
    generator = torch.Generator().manual_seed(0)
    if name in ("resnet", "vit"):
        return Field(torch.randint(256, (32, 3, 64, 64), generator=generator).to(torch.uint8))
    mask = torch.arange(40) < torch.randint(8, 41, (128, 1), generator=generator)
    return Field(torch.randint(1, 500, (128, 40), generator=generator) * mask, mask)


def gradients(encoder: nn.Module, value: Field) -> dict[str, Tensor]:
    encoder.zero_grad()
    (encoder(value).pooled ** 2).sum().backward()
    return {n: p.grad.clone() for n, p in encoder.named_parameters() if p.grad is not None}


@pytest.mark.usefixtures("_two_threads")
@pytest.mark.parametrize("name", ENCODERS)
def test_gradients_do_not_depend_on_how_threads_arrive(name: str) -> None:
    torch.manual_seed(0)
    encoder, value = ENCODERS[name].build(), field(name)
    first = gradients(encoder, value)
    for _ in range(16):
        again = gradients(encoder, value)
        assert [n for n in first if not torch.equal(first[n], again[n])] == []
