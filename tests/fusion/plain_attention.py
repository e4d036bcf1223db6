"""Attention, residuals and MLPs in plain PyTorch, one unpadded row at a time, from our weights."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = Mapping[str, Tensor]


def linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def norm(weights: Weights, name: str, x: Tensor, eps: float = 1e-5) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], eps)


def attention(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    parts = []
    for q, k, v in zip(*(x.chunk(heads, dim=1) for x in (query, key, value)), strict=True):
        scores = torch.tensor([[(a * b).sum() / len(a) ** 0.5 for b in k] for a in q])
        parts.append(scores.softmax(dim=1) @ v)
    return torch.cat(parts, dim=1)


def cross(weights: Weights, name: str, x: Tensor, context: Tensor, heads: int) -> Tensor:
    key, value = linear(weights, f"{name}.key_value", context).chunk(2, dim=1)
    mixed = attention(linear(weights, f"{name}.query", x), key, value, heads)
    return linear(weights, f"{name}.out", mixed)


def self_attention(weights: Weights, name: str, x: Tensor, heads: int) -> Tensor:
    mixed = attention(*linear(weights, f"{name}.qkv", x).chunk(3, dim=1), heads)
    return linear(weights, f"{name}.out", mixed)


def mlp(weights: Weights, name: str, x: Tensor) -> Tensor:
    return linear(weights, f"{name}.fc2", F.gelu(linear(weights, f"{name}.fc1", x)))


def post_norm_block(weights: Weights, name: str, x: Tensor, attended: Tensor) -> Tensor:
    x = norm(weights, f"{name}.norm1", x + attended)
    return norm(weights, f"{name}.norm2", x + mlp(weights, name, x))
