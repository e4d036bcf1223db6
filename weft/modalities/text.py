"""Captions: strings -> token ids -> Field (B, T) with its mask."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from tokenizers import decoders
from torch import Tensor

from weft.core.config import Config
from weft.core.display import Display, Word
from weft.core.errors import WeftError
from weft.core.interfaces import Modality
from weft.core.media import Alternatives
from weft.core.ranges import COUNT, require
from weft.core.records import Field
from weft.core.text import normalised
from weft.modalities.parts import TokenParts
from weft.modalities.pretrained_tokenizers import load_pretrained
from weft.modalities.tokenization import (
    Tokens,
    train_bpe,
    train_wordpiece,
    train_words,
)
from weft.modalities.vocabulary import Vocabulary, continuing_ids
from weft.modalities.whole_words import whole_words

# No natural text has tokens this long on average. Text beyond max_length such tokens is cut off
# before tokenising, so that a caption of 100,000 characters costs no more than others.
_MAX_CHARACTERS_A_TOKEN = 32
NAMED = 5
"""Maximum unknown words of a text that a message names; of more it gives only the number."""


class Text:
    """The modality of captions, questions and sentences.

    A trained tokenizer exists after `fit` or `restore`. A pretrained one is read when it is first needed, or restored
    from a run.
    """

    def __init__(self, config: "TextConfig") -> None:
        self.config = config
        self.views = config.eval_captions
        self._tokens: Tokens | None = None

    def decode(self, raw: str | Alternatives) -> str | list[str]:
        """Returns the caption, or all alternatives, in Unicode NFC with single spaces.

        Raises WeftError for an empty caption, without the source; the caller adds it.
        """
        if isinstance(raw, str):
            return _cleaned(raw, "caption")
        if not isinstance(raw, Alternatives):
            raise WeftError(
                f"a caption is a {type(raw).__name__}, expected a string or alternatives; if lists in this column "
                "hold several captions, set --columns COLUMN=text"
            )
        if not raw:
            raise WeftError("the list of captions is empty")
        return [_cleaned(text, f"caption {i} of {len(raw)}") for i, text in enumerate(raw, 1)]

    def transform(
        self, item: str | list[str], *, train: bool, generator: torch.Generator, view: int = 0
    ) -> Tensor:
        """int64 (T,) ids, T <= max_length, with the special tokens at both ends.

        Of several captions, training samples `train_captions` and concatenates them in one row; evaluation takes number
        `view`, modulo their number.
        """
        captions = [item] if isinstance(item, str) else item
        if not train:
            return torch.tensor(self._ids(captions[view % len(captions)]))
        if self.config.train_captions > 1:
            order = torch.randperm(len(captions), generator=generator).tolist()
            drawn = order[: self.config.train_captions]
        else:
            drawn = [int(torch.randint(len(captions), (), generator=generator))]
        ids = torch.tensor([token for place in drawn for token in self._ids(captions[place])])
        return self._drop_words(ids, generator) if self.config.word_dropout else ids

    def collate(self, items: Sequence[Tensor]) -> Field:
        """B rows of ids -> Field of int64 (B, T) padded with `pad_id`, mask True at real tokens."""
        lengths = torch.tensor([len(ids) for ids in items])
        values = torch.nn.utils.rnn.pad_sequence(
            list(items), batch_first=True, padding_value=self.pad_id
        )
        return Field(values, torch.arange(values.shape[1]) < lengths[:, None])

    def length(self, raw: str | Alternatives) -> int:
        """Returns the tokens of the caption; of several the mean, since training samples one."""
        item = self.decode(raw)
        captions = [item] if isinstance(item, str) else item
        return round(sum(len(self._ids(text)) for text in captions) / len(captions))

    def fit(self, raws: Iterable[str | Alternatives]) -> None:
        """Trains the tokenizer on these captions; the same captions give the same tokenizer.

        Captions that `decode` refuses are skipped; the reader of the data reports them. Raises WeftError if no
        caption is left. A pretrained tokenizer is only read.
        """
        if self.config.kind == "pretrained":
            self._ready()
            return
        refused: list[WeftError] = []
        usable = self._usable(raws, refused)
        captions = list(itertools.islice(usable, self.config.fit_captions))
        if not captions:
            reason = f": {refused[0]}" if refused else ""
            raise WeftError(
                f"the tokenizer cannot be trained: there is no caption in the data{reason}"
            )
        config = self.config
        if config.kind == "word":
            self._use(
                train_words(captions, config.vocab_size, config.lowercase, config.min_frequency)
            )
            return
        train = train_bpe if config.kind == "bpe" else train_wordpiece
        self._use(train(captions, config.vocab_size, config.lowercase))

    def state(self) -> dict[str, Any]:
        """Returns the whole tokenizer as JSON values, also a pretrained one: a run needs no other file."""
        return self._ready().to_json()

    def restore(self, state: Mapping[str, Any]) -> None:
        self._use(Tokens.from_json(state))

    def encode(self, text: str) -> list[int]:
        """Returns ids with the special tokens at both ends, at most max_length."""
        return self._ids(normalised(text))

    def problem(self, text: str) -> str | None:
        """Returns why the model would not read the whole text: it is too long, or has words unknown to the tokenizer."""
        tokens = self._ready()
        encoding = tokens.tokenizer.encode(normalised(text))
        unknown = [
            normalised(text)[slice(*encoding.offsets[place])]
            for place, token in enumerate(encoding.ids)
            if token == tokens.special.get("unk")
        ]
        if unknown:
            words = [*dict.fromkeys(unknown)]
            more = f" and {len(words) - NAMED:,} more" if len(words) > NAMED else ""
            return f"has words that were never seen in training: {', '.join(words[:NAMED])}{more}"
        if all(encoding.special_tokens_mask):
            return "has no words that were seen in training"
        if encoding.overflowing:
            read = self.config.max_length
            return f"has {len(text):,} characters, more than the {read} tokens that are read (max_length of the stream)"
        return None

    def decode_ids(self, ids: Sequence[int]) -> str:
        """The text of these ids, without special tokens."""
        text: str = self._ready().tokenizer.decode(list(ids), skip_special_tokens=True)
        return text.strip()

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Each id as its own piece of text, special tokens included."""
        tokenizer = self._ready().tokenizer
        if isinstance(tokenizer.decoder, decoders.ByteLevel):
            # Its tokens are bytes, written as letters of their own; an incomplete character becomes
            # U+FFFD.
            return [tokenizer.decode([one], skip_special_tokens=False).strip() for one in ids]
        return [tokenizer.id_to_token(one) or "" for one in ids]

    def names_of(self, values: Tensor) -> list[str | None]:
        """The pieces of one text of ids (T,); None for special tokens."""
        ids: list[int] = values.tolist()
        special = set(self.special_ids)
        return [
            None if one in special else piece
            for one, piece in zip(ids, self.pieces(ids), strict=True)
        ]

    def show(self, raw: Any) -> Display:
        """The text as it is in the row."""
        return TokenParts().show(raw)

    def weighed(self, field: Field, weights: Tensor) -> Display:
        """Displays the words that the model reads of the one text (1, T). weights: (T,); a word has the maximum of
        its tokens."""
        ids: list[int] = field.values[0].tolist()
        special, of_tokens = set(self.special_ids), weights.tolist()
        real = [True] * len(ids) if field.mask is None else field.mask[0].tolist()
        left_out = [one in special or not there for one, there in zip(ids, real, strict=True)]
        found = whole_words(self._ready().tokenizer, ids, left_out)
        words = (Word(text, max(of_tokens[place] for place in places)) for text, places in found)
        return Display(words=tuple(words))

    @property
    def vocab_size(self) -> int:
        size: int = self._ready().tokenizer.get_vocab_size()
        return size

    @property
    def pad_id(self) -> int:
        # Padding is masked, so any id is valid if a pretrained tokenizer has none.
        return self._ready().special.get("pad", 0)

    @property
    def unk_id(self) -> int:
        return self._special_id("unk")

    @property
    def cls_id(self) -> int:
        """The token that starts a text."""
        return self._special_id("cls")

    @property
    def sep_id(self) -> int:
        """The token that ends a text."""
        return self._special_id("sep")

    @property
    def mask_id(self) -> int:
        return self._special_id("mask")

    @property
    def special_ids(self) -> tuple[int, ...]:
        """The ids of all special tokens that the tokenizer has, ascending."""
        return tuple(sorted(set(self._ready().special.values())))

    def vocabulary(self) -> Vocabulary:
        """Returns the vocabulary for masking. Raises WeftError if the tokenizer has no mask token."""
        continuing = continuing_ids(self._ready().tokenizer)
        return Vocabulary(self.vocab_size, self.mask_id, self.special_ids, continuing)

    def _special_id(self, role: str) -> int:
        tokens = self._ready()
        if role not in tokens.special:
            raise WeftError(
                f"the tokenizer has no {role} token, it has: {', '.join(tokens.special) or 'none'}"
            )
        return tokens.special[role]

    def _ready(self) -> Tokens:
        if self._tokens is None:
            if self.config.pretrained is None:
                raise ValueError("the tokenizer is not trained yet: call fit or restore first")
            self._use(load_pretrained(self.config.pretrained))
        assert self._tokens is not None
        return self._tokens

    def _use(self, tokens: Tokens) -> None:
        tokens.tokenizer.no_padding()
        direction = self.config.truncation_side
        tokens.tokenizer.enable_truncation(self.config.max_length, direction=direction)
        self._tokens = tokens

    def _ids(self, text: str) -> list[int]:
        most = self.config.max_length * _MAX_CHARACTERS_A_TOKEN
        text = text[:most] if self.config.truncation_side == "right" else text[-most:]
        return self._ready().encode(text)

    def _drop_words(self, ids: Tensor, generator: torch.Generator) -> Tensor:
        """Drops random tokens, but never all of them."""
        special = torch.isin(ids, torch.tensor(self.special_ids))
        stays = torch.rand(len(ids), generator=generator) >= self.config.word_dropout
        return ids[stays | special] if (stays & ~special).any() else ids

    def _usable(
        self, raws: Iterable[str | Alternatives], refused: list[WeftError]
    ) -> Iterable[str]:
        """Yields the captions that `decode` accepts; the first error is kept."""
        for raw in raws:
            for caption in raw if isinstance(raw, Alternatives) else [raw]:
                try:
                    item = self.decode(caption)
                except WeftError as error:
                    refused += [error] * (not refused)
                    continue
                yield str(item)


@dataclass(frozen=True)
class TextConfig(Config[Modality]):
    """Turns texts into token ids."""

    kind: Literal["wordpiece", "bpe", "word", "pretrained"] = "wordpiece"
    """wordpiece and bpe (byte-level) are trained on the training captions, in any language; so is word: whole words
    and punctuation marks."""
    vocab_size: int = 8000
    """Maximum size of the trained vocabulary. Every character (wordpiece) or byte (bpe) is always included."""
    max_length: int = 64
    """Maximum tokens of a text, including the special ones. The rest is cut off."""
    truncation_side: Literal["right", "left"] = "right"
    """Side at which a longer text is cut off: left keeps the end, such as the question of a dialog."""
    lowercase: bool = True
    """For trained tokenizers: convert text to lower case. A pretrained one has its own rule."""
    pretrained: str | None = None
    """With kind pretrained: a folder, package:NAME of an installed package, or a hub name."""
    fit_captions: int | None = None
    """Number of captions for training the tokenizer, the first ones; None for all."""
    word_dropout: float = 0.0
    """Training: probability of dropping a token."""
    min_frequency: int = 5
    """With kind word: minimum frequency of a word in the vocabulary."""
    train_captions: int = 1
    """Training: number of a row's captions to sample. Several are concatenated, each between its special tokens, for
    objectives that separate them."""
    eval_captions: int = 1
    """Evaluation views: number of captions of one sample whose embeddings are averaged."""

    def __post_init__(self) -> None:
        if (self.kind == "pretrained") != (self.pretrained is not None):
            raise ValueError(
                f"kind is '{self.kind}' and pretrained is {self.pretrained!r}, "
                "expected a name with kind 'pretrained' and none with the others"
            )
        if self.max_length < 3:
            raise ValueError(f"max_length is {self.max_length}, expected at least 3")
        if self.vocab_size < 300:
            raise ValueError(f"vocab_size is {self.vocab_size}, expected at least 300")
        if self.fit_captions is not None and self.fit_captions < 1:
            raise ValueError(f"fit_captions is {self.fit_captions}, expected at least 1")
        if not 0 <= self.word_dropout < 1:
            raise ValueError(f"word_dropout is {self.word_dropout}, expected 0 to below 1")
        counts = ("min_frequency", "train_captions", "eval_captions")
        require(self, **dict.fromkeys(counts, COUNT))

    def build(self) -> Text:
        return Text(self)


def _cleaned(text: Any, name: str) -> str:
    if not isinstance(text, str):
        raise WeftError(f"{name} is a {type(text).__name__}, expected a string")
    cleaned = normalised(text)
    if not any(map(str.isprintable, cleaned)):
        raise WeftError(f"{name} is empty")
    return cleaned
