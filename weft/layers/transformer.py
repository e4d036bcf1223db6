"""The transformer stack that every tower and every fusion uses."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from weft.core.config import Config, Settings
from weft.core.ranges import COUNT, NOT_NEGATIVE, SHARE_BELOW_1, at_least, require
from weft.layers.attention import CrossAttention, SelfAttention
from weft.layers.dropout import dropout
from weft.layers.packing import Packing

Activation = Literal["gelu", "gelu_tanh", "quick_gelu", "relu"]


def activate(values: Tensor, name: Activation) -> Tensor:
    """The activation function of that name, of `values`."""
    if name == "gelu":
        return F.gelu(values)
    if name == "gelu_tanh":
        return F.gelu(values, approximate="tanh")
    if name == "quick_gelu":
        # Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2: x * sigmoid(1.702 x).
        return values * torch.sigmoid(1.702 * values)
    return F.relu(values)


class ResidualDropout(nn.Module):
    """Dropout of single values, and of whole branches for each sequence.

    Branches: stochastic depth, Huang et al. 2016, arXiv:1603.09382; kept branches are scaled to keep the mean.
    """

    def __init__(self, dropout: float, drop_path: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.drop_path = drop_path

    def forward(self, branch_SD: Tensor, packing: Packing) -> Tensor:
        if not self.training:
            return branch_SD
        if self.dropout:
            branch_SD = dropout(branch_SD, self.dropout)
        if self.drop_path:
            keep = 1.0 - self.drop_path
            kept_B = torch.rand(packing.mask.shape[0], device=branch_SD.device) < keep
            branch_SD = branch_SD * (packing.spread(kept_B) / keep)[:, None].to(branch_SD.dtype)
        return branch_SD


class TransformerBlock(nn.Module):
    """Attention and an MLP, each with a residual, with the norm before (pre) or after (post).

    attention: None for the self-attention of `config`, or a module that takes tokens, packing and a context.
    """

    def __init__(
        self,
        config: "TransformerConfig",
        drop_path: float = 0.0,
        attention: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.pre_norm = config.norm == "pre"
        self.attention = config.self_attention() if attention is None else attention
        self.norm1 = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.norm2 = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.fc1 = nn.Linear(config.dim, config.hidden)
        self.fc2 = nn.Linear(config.hidden, config.dim)
        self.activation = config.activation
        self.drop = ResidualDropout(config.dropout, drop_path)

    def forward(self, tokens_SD: Tensor, packing: Packing, *context: Any) -> Tensor:
        """(S, D) packed tokens -> (S, D)."""
        return self.feed_forward(self.attend(tokens_SD, packing, *context), packing)

    def attend(self, tokens_SD: Tensor, packing: Packing, *context: Any) -> Tensor:
        """The first half of the block: attention."""

        def attention(given_SD: Tensor) -> Tensor:
            attended: Tensor = self.attention(given_SD, packing, *context)
            return attended

        return residual(tokens_SD, attention, self.norm1, self.drop, packing, pre=self.pre_norm)

    def feed_forward(self, tokens_SD: Tensor, packing: Packing) -> Tensor:
        """The second half: the MLP."""
        return residual(tokens_SD, self.mlp, self.norm2, self.drop, packing, pre=self.pre_norm)

    def mlp(self, tokens_SD: Tensor) -> Tensor:
        projected: Tensor = self.fc2(activate(self.fc1(tokens_SD), self.activation))
        return projected


def residual(
    tokens_SD: Tensor,
    branch: Callable[[Tensor], Tensor],
    norm: nn.LayerNorm,
    drop: ResidualDropout,
    packing: Packing,
    *,
    pre: bool,
) -> Tensor:
    """tokens + branch(norm(tokens)), or norm(tokens + branch(tokens)) without `pre`."""
    added: Tensor = tokens_SD + drop(branch(norm(tokens_SD) if pre else tokens_SD), packing)
    return added if pre else norm(added)


class Transformer(nn.Module):
    """`depth` blocks on packed tokens. In a pre-norm stack the owner applies the last norm.

    block: makes a block from the config and the probability of skipping a branch.

    Padding does not change the result: a sequence alone, padded or in a batch gives the same output. For a padded (B,
    T, D) stream:

        packing = Packing.of(mask)
        tokens = packing.unpack(transformer(packing.pack(tokens), packing))
    """

    def __init__(
        self,
        config: "TransformerConfig",
        block: Callable[["TransformerConfig", float], nn.Module] = TransformerBlock,
    ) -> None:
        super().__init__()
        self.config = config
        steps = max(config.depth - 1, 1)
        self.blocks = nn.ModuleList(
            block(config, config.drop_path * layer / steps) for layer in range(config.depth)
        )
        self._recompute = False
        initialize(self.blocks, config)

    def recompute_activations(self) -> None:
        """From now on a training step stores only the input of every block and recomputes the rest (Chen et al. 2016,
        arXiv:1604.06174, section 4.1). Values and gradients stay the same."""
        self._recompute = True

    def forward(self, tokens_SD: Tensor, packing: Packing, layers: slice = slice(None)) -> Tensor:
        """(S, D) packed tokens -> (S, D) after the blocks of `layers`, all by default."""
        for block in self.blocks[layers]:
            if self._recompute:
                tokens_SD = checkpoint(block, tokens_SD, packing, use_reentrant=False)
            else:
                tokens_SD = block(tokens_SD, packing)
        return tokens_SD


def initialize(blocks: nn.Module, config: "TransformerConfig") -> None:
    """Initialises linear weights with variance 1 / fan-in; residual branches shrink with the depth.

    Radford et al. 2019 (GPT-2), section 2.3: branches are scaled by 1 / sqrt(number of branches).
    """
    shrink = (2 * max(config.depth, 1)) ** -0.5 if config.norm == "pre" else 1.0
    for module in blocks.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in blocks.modules():
        with torch.no_grad():
            if isinstance(module, SelfAttention | CrossAttention):
                module.out.weight.mul_(shrink)
            elif isinstance(module, TransformerBlock):
                module.fc2.weight.mul_(shrink)


@dataclass(frozen=True)
class TransformerConfig(Config[Transformer]):
    """A stack of transformer blocks.

    dim: width. heads: divides dim. mlp: hidden width of the MLPs, None for 4 * dim. norm: before or
    after each branch. drop_path: chance to skip a branch in the last block, less in earlier ones.
    causal: tokens see only earlier ones.
    """

    dim: int
    depth: int
    heads: int
    mlp: int | None = None
    norm: Literal["pre", "post"] = "pre"
    activation: Activation = "gelu"
    norm_eps: float = 1e-5
    causal: bool = False
    dropout: float = 0.0
    attention_dropout: float = 0.0
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        require(self, dim=COUNT, depth=at_least(0), mlp=COUNT, norm_eps=NOT_NEGATIVE)
        require(self, dropout=SHARE_BELOW_1, attention_dropout=SHARE_BELOW_1)
        require(self, drop_path=SHARE_BELOW_1)
        if self.heads < 1 or self.dim % self.heads:
            raise ValueError(f"heads is {self.heads}, expected a divisor of dim, {self.dim}")

    @property
    def hidden(self) -> int:
        return 4 * self.dim if self.mlp is None else self.mlp

    @classmethod
    def of(cls, config: Settings) -> Self:
        """Makes the config of a part's blocks from all settings that the part's config shares with it."""
        given = {field.name for field in dataclasses.fields(config)}
        own = [field.name for field in dataclasses.fields(cls) if field.name in given]
        return cls(**{name: getattr(config, name) for name in own})

    def self_attention(self) -> SelfAttention:
        """The self-attention of one block."""
        return SelfAttention(
            self.dim, self.heads, causal=self.causal, dropout=self.attention_dropout
        )

    def build(self) -> Transformer:
        return Transformer(self)
