"""Masked language modelling (Devlin et al. 2019, arXiv:1810.04805, section 3.1, task 1)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.errors import WeftError, unknown_name
from weft.core.interfaces import EncodedStreams, Modality, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import COUNT, POSITIVE_SHARE, require
from weft.core.records import Batch, Features, Field, Loss
from weft.core.shapes import check_shape
from weft.modalities.text import Text
from weft.modalities.vocabulary import Vocabulary
from weft.objectives._masking import (
    Head,
    chosen_places,
    encode_masked,
    input_field,
    rows_at,
    scaled,
)
from weft.objectives._presence import nothing, rows_with

MASKED, RANDOM = 0.8, 0.1
"""Shares of the chosen tokens that become the mask token and a random token; the rest stay unchanged (BERT)."""


class MaskedLanguage(nn.Module):
    """Some tokens of a text are hidden and predicted from the rest and from the other streams.

    Cross-entropy, a mean over the chosen tokens of all ranks; logits are computed only for these. In a row with any
    word at least one token is chosen, so that short captions are trained on too.
    """

    special: Tensor
    continuing: Tensor
    ordinary: Tensor

    def __init__(self, config: "MaskedLanguageConfig") -> None:
        super().__init__()
        self.config = config
        width = config.hidden or config.dim
        self.head = Head(config.dim, width)
        if config.tied:
            self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        else:
            self.out = scaled(nn.Linear(width, config.vocab_size))
        self._vocabulary: Vocabulary | None = None
        self.register_buffer("special", torch.empty(0, dtype=torch.bool), persistent=False)
        self.register_buffer("continuing", torch.empty(0, dtype=torch.bool), persistent=False)
        self.register_buffer("ordinary", torch.empty(0, dtype=torch.int64), persistent=False)

    def prepare(self, modalities: Mapping[str, Modality]) -> None:
        """Reads the ids of the special tokens from the text modality of the masked stream."""
        stream = self.config.masked
        if stream not in modalities:
            raise unknown_name("stream to mask", stream, modalities)
        text = modalities[stream]
        if not isinstance(text, Text):
            raise WeftError(
                f"stream '{stream}' is a {type(text).__name__}, expected a text: its words are masked"
            )
        self.use(text.vocabulary())

    def use(self, vocabulary: Vocabulary) -> None:
        """Sets the vocabulary of the texts."""
        size = self.config.vocab_size
        if vocabulary.size > size:
            raise WeftError(
                f"vocab_size of masked language modelling is {size}, expected at least "
                f"{vocabulary.size}, the tokens of '{self.config.masked}'"
            )
        self._vocabulary = vocabulary
        device = self.special.device
        special_V = torch.zeros(size, dtype=torch.bool)
        special_V[list(vocabulary.special_ids)] = True
        continuing_V = torch.zeros(size, dtype=torch.bool)
        continuing_V[list(vocabulary.continuing_ids)] = True
        self.special = special_V.to(device)
        self.continuing = continuing_V.to(device)
        self.ordinary = (~special_V[: vocabulary.size]).nonzero()[:, 0].to(device)

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        batch, streams = rows_with(batch, streams, (self.config.masked,))
        field = input_field(model, batch, self.config.masked)
        if field is None:
            return nothing(self, batch, "accuracy")
        altered, chosen_BT = self.hide(batch, field)
        features = encode_masked(model, batch, streams, self.config.masked, altered)
        check_shape(features.tokens, "B T D", "the masked stream", T=field.values.shape[1])

        def measure(features: Features, ids_BT: Tensor, chosen_BT: Tensor) -> Tensor:
            logits_MV = self.logits(rows_at(features.tokens, chosen_BT), model)
            targets_M = rows_at(ids_BT, chosen_BT)
            costs_M = F.cross_entropy(logits_MV, targets_M, reduction="none")
            return torch.stack([costs_M, (logits_MV.argmax(dim=1) == targets_M).float()])

        parts = streams.by_rows(measure, features, field.values, chosen_BT)
        costs_M, hits_M = torch.cat(parts, dim=1)
        return Loss(mean_of_all(costs_M), {"accuracy": mean_of_all(hits_M.detach())})

    def hide(self, batch: Batch, field: Field) -> tuple[Field, Tensor]:
        """The stream of the batch's rows with hidden tokens, and (B, T) True where they are predicted.

        The random numbers depend only on the batch's seeds.
        """
        check_shape(field.values, "B T", "token ids")
        scores_BT, fate_BT, word_BT = (
            batch.uniform(f"masked {self.config.masked}: {what}", field.values.shape[1])
            for what in ("score", "fate", "word")
        )
        chosen_BT = self.choose(field, scores_BT)
        ids_BT = self.corrupt(field.values, chosen_BT, fate_BT, word_BT)
        return replace(field, values=ids_BT), chosen_BT

    def choose(self, field: Field, scores_BT: Tensor) -> Tensor:
        """(B, T) True at tokens to predict; never at a special token, at padding, or in a row without text.

        scores_BT: uniform random numbers.
        """
        ids_BT = field.values
        if self._vocabulary is None:
            raise ValueError(
                "masked language modelling knows no ids yet: call prepare or use first"
            )
        candidates_BT = ~self.special[ids_BT]
        if field.mask is not None:
            candidates_BT &= field.mask
        if field.present is not None:
            candidates_BT &= field.present[:, None]
        if self.config.whole_words:
            # A token that continues a word has the number, and so the score, of the one before it.
            words_BT = (~self.continuing[ids_BT]).cumsum(dim=1)
            scores_BT = torch.cat([scores_BT, scores_BT[:, :1]], dim=1).gather(1, words_BT)
        return chosen_places(scores_BT, candidates_BT, self.config.mask_ratio)

    def corrupt(
        self, ids_BT: Tensor, chosen_BT: Tensor, fate_BT: Tensor, word_BT: Tensor
    ) -> Tensor:
        """The ids with most of the chosen tokens masked, some replaced by random tokens, and some unchanged.

        fate_BT, word_BT: uniform random numbers, for the choice between these and for the random token.
        """
        assert self._vocabulary is not None
        drawn_BT = (word_BT * len(self.ordinary)).long()
        masked_BT = chosen_BT & (fate_BT < MASKED)
        random_BT = chosen_BT & (fate_BT >= MASKED) & (fate_BT < MASKED + RANDOM)
        altered_BT = torch.where(random_BT, self.ordinary[drawn_BT], ids_BT)
        return altered_BT.masked_fill(masked_BT, self._vocabulary.mask_id)

    def logits(self, tokens_MD: Tensor, model: Reader) -> Tensor:
        """(M, V) in fp32."""
        check_shape(tokens_MD, "M D", "the tokens of the masked stream", D=self.config.dim)
        hidden_MD = self.head(tokens_MD)
        if not self.config.tied:
            own: Tensor = self.out(hidden_MD)
            return own.float()
        table_VD = word_table(model.encoder(self.config.masked), self.config.vocab_size)
        check_shape(table_VD, "V D", "the encoder's table of words", D=hidden_MD.shape[1])
        return F.linear(hidden_MD, table_VD, self.bias).float()


def word_table(encoder: nn.Module, vocab_size: int) -> Tensor:
    """(V, D) the embeddings of the encoder's words."""
    tables = [module for module in encoder.modules() if isinstance(module, nn.Embedding)]
    for table in tables:
        if table.num_embeddings == vocab_size:
            return table.weight
    sizes = ", ".join(str(table.num_embeddings) for table in tables) or "none"
    raise ValueError(
        f"{type(encoder).__name__} has tables of so many words: {sizes}; a tied head of vocab_size "
        f"{vocab_size} expects one of as many: set vocab_size so, or tied to False"
    )


@dataclass(frozen=True)
class MaskedLanguageConfig(Config[Objective]):
    """Masked language modelling: predict hidden words from the others and the other streams (BERT)."""

    dim: int
    """Width of the stream's tokens where they are read: after fusion, or its encoder's."""
    vocab_size: int
    """Logits V; at least the tokens of the tokenizer."""
    masked: str = "text"
    """Stream whose tokens are hidden."""
    mask_ratio: float = 0.15
    """Share of the tokens (or words) that is predicted."""
    whole_words: bool = False
    """Choose words, with all their pieces, instead of single tokens."""
    tied: bool = True
    """Multiply with the encoder's own table of words instead of a matrix of the objective's."""
    hidden: int | None = None
    """Width before the vocabulary, None for dim; tied needs that of the encoder's table."""

    def __post_init__(self) -> None:
        require(self, mask_ratio=POSITIVE_SHARE, dim=COUNT, vocab_size=COUNT, hidden=COUNT)

    @property
    def needs(self) -> Needs:
        return Needs(raw=(self.masked,))

    def build(self) -> MaskedLanguage:
        return MaskedLanguage(self)
