"""Small decoders of text, contexts of different lengths, and texts about them."""

import importlib
import pkgutil
from types import ModuleType

import torch

from weft.core.config import Config
from weft.core.records import Features, Field
from weft.decoders.recurrent import RecurrentDecoderConfig
from weft.decoders.text import TransformerDecoderConfig

WIDTH, VOCABULARY = 6, 11
SMALL = TransformerDecoderConfig(VOCABULARY, WIDTH, dim=16, depth=2, heads=4, max_length=9)
LSTM = RecurrentDecoderConfig(VOCABULARY, WIDTH, embedding=8, hidden=12, max_length=9)
OF_TEXT = {
    "transformer": SMALL,
    "untied": SMALL.replace(tied=False, activation="relu"),
    "lstm": LSTM,
    "lstm with attention": LSTM.replace(attention=True, layers=2),
}


def configs_in(folder: ModuleType) -> set[type[Config]]:
    """The configs of parts that the modules of a package define."""
    modules = [
        importlib.import_module(f"{folder.__name__}.{info.name}")
        for info in pkgutil.iter_modules(folder.__path__)
    ]
    return {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Config)
        and value.__module__ == module.__name__
        and hasattr(value, "build")
    }


def built(config: Config) -> torch.nn.Module:
    torch.manual_seed(0)
    decoder = config.build()
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return decoder.eval()


def contexts() -> Features:
    """Three contexts of different lengths, the last without any token."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randn(3, 5, WIDTH, generator=generator)
    mask = torch.arange(5) < torch.tensor([5, 2, 0])[:, None]
    pooled = torch.randn(3, WIDTH, generator=generator) * mask.any(1, keepdim=True)
    return Features(tokens, mask, pooled)


def prefixes(texts_a_context: int = 2) -> Field:
    """Texts of 1 to 6 tokens."""
    generator = torch.Generator().manual_seed(2)
    rows = 3 * texts_a_context
    ids = torch.randint(0, VOCABULARY, (rows, 6), generator=generator)
    lengths = torch.tensor([6, 1, 4, 3, 6, 2])[:rows]
    return Field(ids, torch.arange(6) < lengths[:, None])
