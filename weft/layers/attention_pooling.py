"""One vector from many tokens by attention: the head of SigLIP's vision tower."""

import torch
from torch import Tensor, nn

from weft.layers.attention import attend
from weft.layers.transformer import TransformerConfig, activate, initialize


class AttentionPool(nn.Module):
    """A learned query attends to all tokens of a row; an MLP with a residual follows.

    Zhai et al. 2022, arXiv:2106.04560, section 3.2 ("MAP head"), after Lee et al. 2019, arXiv:1810.00825. Its
    attention weights are not recorded: explanations use the gradient of its output instead.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        dim = config.dim
        self.heads = config.heads
        self.probe = nn.Parameter(dim**-0.5 * torch.randn(dim))
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim, eps=config.norm_eps)
        self.fc1 = nn.Linear(dim, config.hidden)
        self.fc2 = nn.Linear(config.hidden, dim)
        self.activation = config.activation
        initialize(self, config)

    def forward(self, tokens_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """(B, D); zeros for a row without tokens."""
        rows = tokens_BTD.shape[0]
        present_B1 = mask_BT.any(dim=1, keepdim=True)
        # A softmax over nothing is NaN, so a row without tokens attends to its padding, and its
        # result is zeroed.
        tokens_BTD = tokens_BTD.masked_fill(~mask_BT[:, :, None], 0)
        query_1NK = self.query(self.probe).unflatten(0, (1, self.heads, -1))
        key_value = self.key_value(tokens_BTD).unflatten(2, (2, self.heads, -1))
        key_BNTK, value_BNTK = key_value.permute(2, 0, 3, 1, 4).unbind(0)
        mixed_BN1K = attend(
            query_1NK[:, :, None].expand(rows, -1, -1, -1),
            key_BNTK,
            value_BNTK,
            mask=mask_BT | ~present_B1,
        )
        pooled_BD = self.out(mixed_BN1K.flatten(1))
        hidden = activate(self.fc1(self.norm(pooled_BD)), self.activation)
        found: Tensor = pooled_BD + self.fc2(hidden)
        return found.masked_fill(~present_B1, 0)
