"""Configs -> modules of torch."""

from typing import Any

from torch import nn

from weft.core.config import Config


def build(config: Config[Any]) -> nn.Module:
    """The module that `config` describes. Raises TypeError where it builds anything else."""
    part = config.build()
    if not isinstance(part, nn.Module):
        raise TypeError(
            f"{type(config).__name__}.build() gave a {type(part).__name__}, expected a module"
        )
    return part
