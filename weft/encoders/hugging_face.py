"""Towers that stay modules of Hugging Face transformers, and LoRA adapters in any tower."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from weft.core.errors import MissingExtraError, WeftError
from weft.core.records import Features, Field
from weft.encoders.transformer_text import POOLINGS
from weft.layers.convolution import Normalize
from weft.layers.pooling import pool


class HuggingFaceTower(nn.Module):
    """A vision or text model of transformers as an encoder.

    tokens: its last hidden states; a grid (B, D, H, W) becomes (B, H * W, D), row by row.
    pooled: with pooling "auto" the model's own pooled output for images (else their mean), the
    mean for texts.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        pooling: str,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        self.model = model
        self.vision = "num_channels" in _settings(model)
        self.pooling = pooling
        self.dim = _width(model)
        self.normalize = Normalize(mean, std) if self.vision else None
        self.trained_layers: int | None = None

    def forward(self, field: Field) -> Features:
        """Images (B, 3, H, W) uint8, or ids (B, T) int64 with their mask."""
        if self.normalize is not None:
            return self._images(self.normalize(field.values, next(self.parameters()).dtype))
        mask_BT = field.mask
        if mask_BT is None:
            mask_BT = torch.ones_like(field.values, dtype=torch.bool)
        # A row without tokens would be a softmax over nothing; it reads one token and is zeroed.
        seen_BT = mask_BT.clone()
        seen_BT[:, :1] |= ~mask_BT.any(dim=1, keepdim=True)
        ids_BT = field.values.masked_fill(~mask_BT, 0)
        hidden_BTD = self.model(input_ids=ids_BT, attention_mask=seen_BT.long())[0]
        hidden_BTD = hidden_BTD.masked_fill(~mask_BT[:, :, None], 0)
        pooling = "mean" if self.pooling == "auto" else self.pooling
        return Features(hidden_BTD, mask_BT, pool(hidden_BTD, mask_BT, POOLINGS[pooling]))

    def _images(self, pixels_BCHW: Tensor) -> Features:
        output = self.model(pixel_values=pixels_BCHW)
        tokens_BTD = output.last_hidden_state
        if tokens_BTD.ndim == 4:
            tokens_BTD = tokens_BTD.flatten(2).transpose(1, 2)
        mask_BT = torch.ones(tokens_BTD.shape[:2], dtype=torch.bool, device=tokens_BTD.device)
        own = output.get("pooler_output")
        if self.pooling == "auto" and own is not None:
            return Features(tokens_BTD, mask_BT, own.flatten(1))
        pooling = "mean" if self.pooling == "auto" else self.pooling
        return Features(tokens_BTD, mask_BT, pool(tokens_BTD, mask_BT, POOLINGS[pooling]))

    def train_top(self, layers: int) -> Self:
        """Freezes all but the `layers` top layers; what is frozen stays in eval mode."""
        depth = len(layers_of(self.model))
        if layers > depth:
            raise ValueError(f"trainable_layers is {layers}, expected 1 to {depth}, the depth")
        self.requires_grad_(False)
        layers_of(self.model)[-layers:].requires_grad_(True)
        self.trained_layers = layers
        return self.train(self.training)

    def recompute_activations(self) -> None:
        """From now on a training step keeps of every layer only its input."""
        # Not by the model's own switch, which other versions of transformers call otherwise.
        for layer in layers_of(self.model):
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.trained_layers is not None:
            self.model.eval()
            layers_of(self.model)[-self.trained_layers :].train(mode)
        return self


def read_tower(settings: dict[str, Any], source: Path | None) -> nn.Module:
    """The tower of these settings with the weights in `source`, random ones where it is None.

    Only safetensors are read. Raises WeftError where weights are missing.
    """
    from transformers import AutoConfig, AutoModel

    values = {key: value for key, value in settings.items() if key != "model_type"}
    config = AutoConfig.for_model(settings["model_type"], **values)
    if source is None:
        random: nn.Module = AutoModel.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]
        return random
    with torch.device("meta"):
        tower_class = type(AutoModel.from_config(config, trust_remote_code=False))  # type: ignore[no-untyped-call]
    tower: nn.Module
    tower, report = tower_class.from_pretrained(
        source, config=config, use_safetensors=True, output_loading_info=True
    )
    missing = sorted(report["missing_keys"])
    if missing:
        raise WeftError(f"{source}: lacks {len(missing)} weights of the tower: {missing[0]}, ...")
    return tower.float()


def lora(tower: nn.Module, *, rank: int, alpha: int) -> nn.Module:
    """`tower` with adapters in every linear map of its layers, which alone learn.

    Hu et al. 2021, arXiv:2106.09685, equation 3.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ModuleNotFoundError:
        raise MissingExtraError("peft", extra="pretrained", purpose="mode 'lora'") from None
    inside = {id(module) for module in layers_of(tower).modules()}
    names = [
        name
        for name, module in tower.named_modules()
        if isinstance(module, nn.Linear) and id(module) in inside
    ]
    if not names:
        raise WeftError(f"mode 'lora': {type(tower).__name__} has no linear maps in its layers")
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=names)
    inject_adapter_in_model(config, tower)
    return tower


def layers_of(model: nn.Module) -> nn.ModuleList:
    """The stack of layers: the longest list of modules there is."""
    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise WeftError(f"{type(model).__name__} has no list of layers")
    return max(stacks, key=len)


def _settings(model: nn.Module) -> dict[str, Any]:
    settings: dict[str, Any] = model.config.to_dict()  # type: ignore[union-attr, operator]
    return settings


def _width(model: nn.Module) -> int:
    """Width of the last hidden states; stage-wise models list one a stage."""
    settings = _settings(model)
    for name in ("hidden_size", "dim", "d_model"):
        if isinstance(settings.get(name), int):
            return int(settings[name])
    stages = settings.get("hidden_sizes") or [0]
    if not stages[-1]:
        raise WeftError(f"{type(model).__name__} does not say how wide its hidden states are")
    return int(stages[-1])
