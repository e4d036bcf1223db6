"""The weights of a GPT-2 with cross-attention, of Hugging Face transformers, as a TransformerDecoder's."""

from collections.abc import Mapping

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.decoders.text import TransformerDecoderConfig

PARTS = {
    "ln_1": "norm1",
    "attn.c_attn": "attention.qkv",
    "attn.c_proj": "attention.out",
    "ln_cross_attn": "norm2",
    "crossattention.q_attn": "cross_attention.query",
    "crossattention.c_attn": "cross_attention.key_value",
    "crossattention.c_proj": "cross_attention.out",
    "ln_2": "norm3",
    "mlp.c_fc": "fc1",
    "mlp.c_proj": "fc2",
}
"""Their name of a part of a block -> ours. Theirs are linear maps whose weights lie transposed."""


def from_gpt2(tensors: Mapping[str, Tensor], config: TransformerDecoderConfig) -> dict[str, Tensor]:
    """The state of the decoder that `config` describes, from the tensors of a GPT2LMHeadModel.

    The decoder has the activation "gelu_tanh" and is tied. Raises WeftError for a missing tensor.
    """

    def take(name: str) -> Tensor:
        if f"transformer.{name}" not in tensors:
            raise WeftError(f"the checkpoint has no tensor 'transformer.{name}' of a GPT-2")
        return tensors[f"transformer.{name}"]

    words = take("wte.weight")
    found = {
        "embedding.weight": words,
        "out.weight": words,
        "out.bias": torch.zeros(len(words)),
        "positions": take("wpe.weight")[: config.max_length],
        "norm.weight": take("ln_f.weight"),
        "norm.bias": take("ln_f.bias"),
    }
    for block in range(config.depth):
        for theirs, ours in PARTS.items():
            weight = take(f"h.{block}.{theirs}.weight")
            found[f"blocks.{block}.{ours}.weight"] = weight.T if weight.ndim == 2 else weight
            found[f"blocks.{block}.{ours}.bias"] = take(f"h.{block}.{theirs}.bias")
    return found
