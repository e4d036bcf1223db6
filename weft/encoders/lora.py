"""LoRA: small trainable adapters in the linear maps of a frozen tower.

Hu et al. 2021, arXiv:2106.09685.
"""

from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from weft.core.building import build
from weft.core.config import Config
from weft.core.errors import MissingExtraError, WeftError
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, require

BASE, DOWN, UP = ".base_layer.", ".lora_A.default.weight", ".lora_B.default.weight"
"""Parts of weight names in peft."""


def lora(tower: nn.Module, *, rank: int, alpha: int) -> nn.Module:
    """Adds adapters to every linear map of the layers of `tower`. Only they are trained.

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
    """Returns the stack of layers: the longest module list in the model."""
    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise WeftError(f"{type(model).__name__} has no list of layers")
    return max(stacks, key=len)


def merged_state(module: nn.Module) -> dict[str, Tensor]:
    """Returns the weights of a module with adapters merged: W + alpha / rank B A (equation 3).

    Weights without adapters stay as they are.
    """
    tensors, found = module.state_dict(), dict[str, Tensor]()
    layers = {name: vars(layer).get("scaling") for name, layer in module.named_modules()}
    scales = {name: float(one["default"]) for name, one in layers.items() if isinstance(one, dict)}
    for name, tensor in tensors.items():
        if name.endswith((DOWN, UP)):
            continue
        found[name.replace(BASE, ".")] = tensor
        if name.endswith(f"{BASE}weight"):
            start = name.removesuffix(f"{BASE}weight")
            added = tensors[start + UP] @ tensors[start + DOWN]
            found[f"{start}.weight"] = tensor + scales[start] * added
    return found


@dataclass(frozen=True)
class LoraConfig(Config[Encoder]):
    """Trains only adapters of `rank` in an encoder; their output is multiplied by alpha / rank."""

    encoder: Config[Encoder]
    rank: int = 8
    alpha: int = 16

    def __post_init__(self) -> None:
        require(self, rank=COUNT, alpha=COUNT)

    def build(self) -> Encoder:
        return cast(Encoder, lora(build(self.encoder), rank=self.rank, alpha=self.alpha))
