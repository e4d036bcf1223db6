"""Configs -> modules of torch."""

from typing import Any

from torch import nn

from weft.core.config import Config


def build(config: Config[Any]) -> nn.Module:
    """Builds the module that `config` describes. Raises TypeError if the result is not a module."""
    part = config.build()
    if not isinstance(part, nn.Module):
        raise TypeError(
            f"{type(config).__name__}.build() gave a {type(part).__name__}, expected a module"
        )
    return part
