"""Imports of the peers.

torchvision, which open_clip and timm import, registers operators for which a CPU build of torch from
another source has no schema; declaring two of them is enough for the import. Nothing that is measured
calls them.
"""

from importlib import import_module
from types import ModuleType
from typing import Any

import torch


def open_clip() -> ModuleType:
    """The package open_clip."""
    _declare_torchvision_operators()
    return import_module("open_clip")


def transformers() -> ModuleType:
    """The package transformers."""
    _declare_torchvision_operators()
    return import_module("transformers")


def multivae_models() -> Any:
    """The module multivae.models."""
    _declare_torchvision_operators()
    return import_module("multivae.models")


def multivae_data() -> Any:
    """The module of multivae's data sets."""
    _declare_torchvision_operators()
    return import_module("multivae.data.datasets.base")


def pythae() -> tuple[Any, Any]:
    """The module of the encoders and decoders that multivae takes, and the class of what they return."""
    networks = import_module("pythae.models.nn.base_architectures")
    return networks, import_module("pythae.models.base.base_utils").ModelOutput


def _declare_torchvision_operators() -> None:
    library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in (
        "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    ):
        if not hasattr(torch.ops.torchvision, schema.partition("(")[0]):
            library.define(schema)
    _kept.append(library)


_kept: list[torch.library.Library] = []  # a library that is collected takes its operators along
