"""A token for each column of a table (Gorishniy et al. 2021, arXiv:2106.11959, section 3.3)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, SHARE_BELOW_1, at_least, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.layers.packing import Packing
from weft.layers.pooling import pool
from weft.layers.transformer import TransformerConfig
from weft.modalities.table import PARTS

DATE_PARTS = PARTS - 1


class TableEncoder(nn.Module):
    """Values (B, C, PARTS) of C columns, from `weft.modalities.table` -> one token for each column.

    A number is multiplied by a learned vector of its column, a category has a learned vector, a date is mapped
    linearly; then the column's bias is added. A missing value also has a learned vector. The tokens pass through a
    transformer; pooled is their mean.
    """

    def __init__(self, config: "TableEncoderConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        bound = config.dim**-0.5

        def drawn(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(*shape, config.dim).uniform_(-bound, bound))

        self.number = drawn(config.numbers) if config.numbers else None
        rows = config.categories * (config.max_categories + 1)
        self.category = drawn(rows) if config.categories else None
        self.date = drawn(config.dates, DATE_PARTS) if config.dates else None
        self.bias = drawn(config.columns)
        self.missing = drawn(config.columns)
        self.transformer = config.transformer.build()
        self.norm = nn.LayerNorm(config.dim)

    def forward(self, field: Field) -> Features:
        """A masked column is ignored, as if the table did not have it."""
        columns = self.config.columns
        check_shape(field.values, "B C P", "values of columns", C=columns, P=PARTS)
        mask_BC = field.mask
        if mask_BC is None:
            mask_BC = torch.ones_like(field.values[..., 0], dtype=torch.bool)
        values_BCP = field.values.masked_fill(~mask_BC[..., None], 0).to(self.bias.dtype)
        there_BC1 = values_BCP[..., :1] > 0.5
        tokens_BCD = torch.where(there_BC1, self.values(values_BCP), self.missing) + self.bias
        packing = Packing.of(mask_BC)
        tokens_SD = self.norm(self.transformer(packing.pack(tokens_BCD), packing))
        tokens_BCD = packing.unpack(tokens_SD)
        return Features(tokens_BCD, mask_BC, pool(tokens_BCD, mask_BC, "mean"))

    def values(self, values_BCP: Tensor) -> Tensor:
        """(B, C, D) of the values that are present."""
        config = self.config
        sizes = [config.numbers, config.categories, config.dates]
        numbers_BCP, categories_BCP, dates_BCP = torch.split(values_BCP, sizes, dim=1)
        found: list[Tensor] = []
        if self.number is not None:
            found.append(numbers_BCP[..., 1:2] * self.number)
        if self.category is not None:
            first_C = torch.arange(config.categories, device=values_BCP.device)
            rows_BC = categories_BCP[..., 1].long().clamp(0, config.max_categories)
            found.append(
                F.embedding(rows_BC + first_C * (config.max_categories + 1), self.category)
            )
        if self.date is not None:
            found.append(torch.einsum("bcp,cpd->bcd", dates_BCP[..., 1:], self.date))
        return torch.cat(found, dim=1)


@dataclass(frozen=True)
class TableEncoderConfig(Config[Encoder]):
    """A token for each column of a table, and a transformer over the tokens."""

    numbers: int = 0
    """Number of number columns."""
    categories: int = 0
    """Number of category columns."""
    dates: int = 0
    """Number of date columns."""
    max_categories: int = 100
    """Maximum number of categories in a column, as many as the modality learns."""
    dim: int = 64
    """Width of a token."""
    depth: int = 1
    """Number of transformer blocks."""
    heads: int = 4
    dropout: float = 0.0
    """Dropout of the transformer's branches."""

    def __post_init__(self) -> None:
        require(self, numbers=at_least(0), categories=at_least(0), dates=at_least(0), dim=COUNT)
        require(self, max_categories=COUNT, dropout=SHARE_BELOW_1)
        if not self.columns:
            raise ValueError("has no columns, expected one or more")
        self.transformer  # noqa: B018  refuses sizes that do not fit

    @property
    def columns(self) -> int:
        """Number of columns of all kinds."""
        return self.numbers + self.categories + self.dates

    @property
    def transformer(self) -> TransformerConfig:
        return TransformerConfig.of(self)

    def build(self) -> TableEncoder:
        return TableEncoder(self)
