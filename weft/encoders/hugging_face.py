"""Wrappers of Hugging Face transformers towers."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from weft.core.errors import WeftError
from weft.core.records import Features, Field
from weft.encoders.lora import layers_of
from weft.encoders.read_tower import DUAL_TEXT, FILLED_UP
from weft.encoders.transformer_text import POOLINGS
from weft.layers.convolution import Normalize
from weft.layers.padded import is_padded
from weft.layers.pooling import pool


class HuggingFaceTower(nn.Module):
    """A vision or text model of transformers as an encoder.

    tokens: its last hidden states; a grid (B, D, H, W) becomes (B, H * W, D), row by row. pooled with pooling "auto":
    for images the model's own pooled output, else their mean; for texts the vector that a two-tower model compares,
    otherwise the mean.
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
        settings = _settings(model)
        self.vision = model.main_input_name == "pixel_values"
        self.pooling = pooling
        self.dim = _width(model)
        self.normalize = Normalize(mean, std) if self.vision else None
        self.trained_layers: int | None = None
        kind = str(settings.get("model_type"))
        if pooling == "auto" and not self.vision:
            self.pooling = DUAL_TEXT.get(kind, "mean")
        self.max_length: int | None = settings.get("max_position_embeddings")
        self.filled_with: int | None = settings["pad_token_id"] if kind in FILLED_UP else None
        size = settings.get("image_size")
        self.image_size = size if self.vision and isinstance(size, int) else None
        self._check_own_width(settings)
        _make_whole_masks()

    def forward(self, field: Field) -> Features:
        """Images (B, 3, H, W) uint8, or ids (B, T) int64 with their mask."""
        if self.normalize is not None:
            return self._images(self.normalize(field.values, next(self.parameters()).dtype))
        mask_BT = field.mask
        if mask_BT is None:
            mask_BT = torch.ones_like(field.values, dtype=torch.bool)
        longest = mask_BT.shape[1]
        if not is_padded():
            longest = int(mask_BT.sum(1).amax()) if mask_BT.numel() else 0
        if self.max_length is not None and longest > self.max_length:
            raise WeftError(
                f"a text has {longest} tokens, expected at most {self.max_length}, which the tower reads: "
                "set the text's max_length"
            )
        # Moves real tokens to the front, since padding may be on either side.
        order_BT = (~mask_BT).long().argsort(dim=1, stable=True)
        ids_BT = field.values.masked_fill(~mask_BT, self.filled_with or 0).gather(1, order_BT)
        hidden_BTD, own_BD = self._texts(ids_BT[:, :longest], mask_BT.sum(1))
        hidden_BTD = F.pad(hidden_BTD, (0, 0, 0, mask_BT.shape[1] - hidden_BTD.shape[1]))
        back_BT1 = order_BT.argsort(dim=1)[:, :, None].expand_as(hidden_BTD)
        hidden_BTD = hidden_BTD.gather(1, back_BT1).masked_fill(~mask_BT[:, :, None], 0)
        if self.pooling == "own":
            pooled_BD = own_BD.masked_fill(~mask_BT.any(dim=1, keepdim=True), 0)
            return Features(hidden_BTD, mask_BT, pooled_BD)
        return Features(hidden_BTD, mask_BT, pool(hidden_BTD, mask_BT, POOLINGS[self.pooling]))

    def _texts(self, ids_BT: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the hidden states (B, T, D) of left-aligned texts, and the tower's own pooled vector."""
        length = ids_BT.shape[1]
        if self.filled_with is not None:
            assert self.max_length is not None
            ids_BL = F.pad(ids_BT, (0, self.max_length - length), value=self.filled_with)
            output = self.model(input_ids=ids_BL)
            return output.last_hidden_state[:, :length], output.pooler_output
        # A row without tokens would be a softmax over nothing; it reads one token, and its result
        # is zeroed.
        ids_BT = F.pad(ids_BT, (0, int(length == 0)))
        places_T = torch.arange(ids_BT.shape[1], device=ids_BT.device)
        seen_BT = (places_T < lengths_B.clamp(min=1)[:, None]).long()
        output = self.model(input_ids=ids_BT, attention_mask=seen_BT)
        own = output.get("pooler_output") if self.pooling == "own" else None
        return output[0][:, :length], output[0][:, 0] if own is None else own

    def _check_own_width(self, settings: dict[str, Any]) -> None:
        own = settings.get("projection_size", self.dim)
        if self.pooling == "own" and own != self.dim:
            raise WeftError(
                f"the tower pools vectors of {own} numbers of tokens of {self.dim}: set another pooling "
                "than auto, such as mean"
            )

    def _images(self, pixels_BCHW: Tensor) -> Features:
        return self.whole(self.model(pixel_values=pixels_BCHW))

    def whole(self, output: Any, mask_BT: Tensor | None = None) -> Features:
        """Returns Features of the model's output for rows of one length. mask_BT: True for real tokens, None for all."""
        tokens_BTD = output["last_hidden_state"]
        if tokens_BTD.ndim == 4:
            tokens_BTD = tokens_BTD.flatten(2).transpose(1, 2)
        if mask_BT is None:
            mask_BT = torch.ones(tokens_BTD.shape[:2], dtype=torch.bool, device=tokens_BTD.device)
        own = output.get("pooler_output")
        if self.pooling == "auto" and own is not None:
            return Features(tokens_BTD, mask_BT, own.flatten(1))
        pooling = "mean" if self.pooling == "auto" else self.pooling
        return Features(tokens_BTD, mask_BT, pool(tokens_BTD, mask_BT, POOLINGS[pooling]))

    def train_top(self, layers: int) -> Self:
        """Freezes all but the `layers` top layers. Frozen parts stay in eval mode."""
        depth = len(layers_of(self.model))
        if layers > depth:
            raise ValueError(f"trainable_layers is {layers}, expected 1 to {depth}, the depth")
        self.requires_grad_(False)
        layers_of(self.model)[-layers:].requires_grad_(True)
        self.trained_layers = layers
        return self.train(self.training)

    def recompute_activations(self) -> None:
        """From now on a training step stores only the input of every layer and recomputes the rest."""
        # Not with the model's own switch, whose name depends on the version of transformers.
        for layer in layers_of(self.model):
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.trained_layers is not None:
            self.model.eval()
            layers_of(self.model)[-self.trained_layers :].train(mode)
        return self


@cache
def _make_whole_masks() -> None:
    """From now on, transformers always builds attention masks in the padded mode.

    Otherwise it omits a mask that hides nothing, and reads the values to find out, which vmap does not allow.
    """
    try:
        from transformers import masking_utils
    except ImportError:
        return  # before 4.53 every model builds its own masks
    functions = masking_utils.ALL_MASK_ATTENTION_FUNCTIONS
    for name in ("sdpa", "eager"):
        functions[name] = partial(_whole_mask, functions[name])


def _whole_mask(function: Callable[..., Tensor | None], *args: Any, **settings: Any) -> Any:
    if is_padded():
        settings |= {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False}
    return function(*args, **settings)


def _settings(model: nn.Module) -> dict[str, Any]:
    settings: dict[str, Any] = model.config.to_dict()  # type: ignore[union-attr, operator]
    return settings


def _width(model: nn.Module) -> int:
    """Width of the last hidden states. Stage-wise models list a width for each stage."""
    settings = _settings(model)
    # The config object maps the model's own name of the width; its JSON has only one name.
    width = getattr(model.config, "hidden_size", None)
    if isinstance(width, int):
        return width
    stages = settings.get("hidden_sizes") or [0]
    if not stages[-1]:
        raise WeftError(f"{type(model).__name__} does not say how wide its hidden states are")
    return int(stages[-1])
