"""open_clip's weights in our CLIP, to show that both compute the same gradients."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def from_open_clip(theirs: nn.Module, ours: nn.Module, *, gradients: bool = False) -> None:
    """Copies the weights (or their gradients) of open_clip's CLIP into our model of the same shape."""
    found: dict[str, Tensor] = {}
    for name, parameter in theirs.named_parameters():
        value = parameter.grad if gradients else parameter
        if name != "logit_scale" and value is not None:
            found[name] = value
    named = dict(ours.named_parameters())
    done: set[str] = set()
    for name, value in found.items():
        target, tensor = _renamed(name, value)
        if named[target].shape != tensor.shape:
            raise ValueError(
                f"{name} is {tuple(tensor.shape)}, {target} {tuple(named[target].shape)}"
            )
        named[target].copy_(tensor)
        done.add(target)
    if done != named.keys():
        raise ValueError(f"no weights of open_clip for {sorted(named.keys() - done)}")


WHOLE = {
    "visual.class_embedding": "encoders.image.class_token",
    "visual.positional_embedding": "encoders.image.positions",
    "visual.conv1.weight": "encoders.image.patch.weight",
    "visual.proj": "projections.image.layers.0.weight",
    "positional_embedding": "encoders.text.positions",
    "text_projection": "projections.text.layers.0.weight",
    "token_embedding.weight": "encoders.text.embedding.weight",
}
PARTS = {
    "visual.ln_pre.": "encoders.image.input_norm.",
    "visual.ln_post.": "encoders.image.norm.",
    "ln_final.": "encoders.text.norm.",
    "visual.transformer.resblocks.": "encoders.image.transformer.blocks.",
    "transformer.resblocks.": "encoders.text.transformer.blocks.",
}
LAYERS = {
    "attn.in_proj_": "attention.qkv.",
    "attn.out_proj.": "attention.out.",
    "ln_1.": "norm1.",
    "ln_2.": "norm2.",
    "mlp.c_fc.": "fc1.",
    "mlp.c_proj.": "fc2.",
}


def _renamed(name: str, value: Tensor) -> tuple[str, Tensor]:
    if name in WHOLE:
        if name.endswith("proj") or name == "text_projection":
            value = value.T
        return WHOLE[name], value.flatten(1) if value.ndim == 4 else value
    start = next(part for part in PARTS if name.startswith(part))
    target = PARTS[start] + name.removeprefix(start)
    for theirs, ours in LAYERS.items():
        target = target.replace(theirs, ours)
    return target, value
