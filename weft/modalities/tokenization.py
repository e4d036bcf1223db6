"""Tokenizers, and their training on the user's corpus: BPE, WordPiece, whole words."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tokenizers import (
    Encoding,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from weft.core.errors import WeftError
from weft.core.text import unspaced

SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
"""Role -> token in tokenizers trained here; their ids are 0 to 4 in this order."""

# Long enough for the longest words, but prevents whole sentences of an unspaced script from
# becoming tokens.
_MAX_TOKEN_BYTES = 24
# Maximum characters of a word in a script without blanks, and of any word before it is split.
_MAX_UNSPACED = 8
_MAX_WORD = 100
_MIN_FREQUENCY = 2
_REWRITINGS = 4
_PREFIX = "##"
_MARKS = '.,;:!?…¡¿"“”„«»‹›()[]{}。，、；：！？（）【】《》「」『』؟،؛।'
# Without apostrophes and hyphens, which are parts of words: "'s", "dogs'", "t-shirt".
_CJK = r"[\p{Han}\u3000-\u303f\uff00-\uffef]"


@dataclass(frozen=True)
class Tokens:
    """A tokenizer and the token id of each role (pad, unk, cls, sep, mask) that it has."""

    tokenizer: Tokenizer
    special: Mapping[str, int]
    _commands: frozenset[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # "[SEP]" in a caption is plain text, not a special token. Pickling loses this setting,
        # hence __reduce__.
        self.tokenizer.encode_special_tokens = True
        commands = {token for role, token in self.special.items() if role != "unk"}
        object.__setattr__(self, "_commands", frozenset(commands))

    def __reduce__(self) -> tuple[Any, ...]:
        return Tokens, (self.tokenizer, dict(self.special))

    def encode(self, text: str) -> list[int]:
        """Returns ids with the special tokens that the tokenizer adds, truncated if it is set so.

        In some vocabularies special tokens look like words, so a text may spell one. It is then split by a blank, to
        be read as text. A special token of one character is also a word.
        """
        for _ in range(_REWRITINGS):
            encoding = self.tokenizer.encode(text)
            spelled = self._spelled(encoding)
            if not spelled:
                break
            for place in reversed(spelled):
                start = encoding.offsets[place][0]
                text = f"{text[: start + 1]} {text[start + 1 :]}"
        # Left only if the tokenizer removes blanks.
        return [token for place, token in enumerate(encoding.ids) if place not in spelled]

    def _spelled(self, encoding: Encoding) -> list[int]:
        """Returns the positions of special tokens spelled in the text, not of those that the tokenizer added."""
        return [
            place
            for place, token in enumerate(encoding.ids)
            if token in self._commands
            and not encoding.special_tokens_mask[place]
            and encoding.offsets[place][1] - encoding.offsets[place][0] > 1
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "tokenizer": json.loads(self.tokenizer.to_str()),
            "special": dict(self.special),
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> "Tokens":
        """Raises WeftError unless `state` comes from `to_json`."""
        try:
            tokenizer = Tokenizer.from_str(json.dumps(state["tokenizer"]))
            special = {str(role): int(token) for role, token in dict(state["special"]).items()}
        except Exception as error:  # the parser of tokenizers raises a bare Exception
            raise WeftError(f"the saved tokenizer cannot be read: {error}") from None
        return cls(tokenizer, special)


def train_bpe(captions: Iterable[str], vocab_size: int, lowercase: bool) -> Tokens:
    """Byte-level BPE (Sennrich et al. 2016, section 3.2; bytes: Radford et al. 2019, section 2.2).

    No text is unknown: a rare Chinese character is encoded by its bytes.
    """
    _train_on_one_thread()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])]
    )
    # The leading space makes the first word of a caption the same token as elsewhere.
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=_MIN_FREQUENCY,
        special_tokens=list(SPECIAL.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=_MAX_TOKEN_BYTES,
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    return _between_cls_and_sep(tokenizer)


def train_wordpiece(captions: Iterable[str], vocab_size: int, lowercase: bool) -> Tokens:
    """WordPiece (Schuster & Nakajima 2012; as in BERT, Devlin et al. 2019, section 3).

    Chinese characters are separate words. Every character of the corpus is in the vocabulary, so only unseen ones are
    unknown. Accents stay, since some scripts write vowels with them.
    """
    _train_on_one_thread()
    captions = list(captions)
    tokenizer = _wordpiece({SPECIAL["unk"]: 0}, lowercase)
    # The trainer numbers characters inside words in hash table order, which varies between runs,
    # and breaks ties by number. Naming them beforehand fixes the order.
    inside = _characters_inside_words(tokenizer, captions)
    special = [*SPECIAL.values(), *(_PREFIX + character for character in inside)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=_MIN_FREQUENCY,
        special_tokens=special,
        continuing_subword_prefix=_PREFIX,
        show_progress=False,
    )
    trainer.limit_alphabet = None
    tokenizer.train_from_iterator(captions, trainer)
    # A new tokenizer, in which those characters are no longer special. Sentences in a script
    # without blanks are left out, since they would be words.
    vocab = sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])
    kept = [token for token, _ in vocab if len(token) <= _MAX_UNSPACED or not unspaced(token)]
    tokenizer = _wordpiece({token: place for place, token in enumerate(kept)}, lowercase)
    tokenizer.add_special_tokens(list(SPECIAL.values()))
    return _between_cls_and_sep(tokenizer)


def train_words(
    captions: Iterable[str], vocab_size: int, lowercase: bool, min_frequency: int
) -> Tokens:
    """Whole words and punctuation marks with a frequency of at least `min_frequency`; other words are unknown.

    Marks at both ends of a word are separate: "a dog." has the words of "a dog .", which caption metrics count. Marks
    that are not in the vocabulary are not read: where no caption ends with a full stop, "a dog." is "a dog".
    """
    _train_on_one_thread()
    normalizer = normalizers.Sequence(
        [normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])]
    )
    counts = Counter(
        word
        for text in captions
        for word, _ in _words_and_marks().pre_tokenize_str(normalizer.normalize_str(text))
    )
    # By frequency, then by name, so that ties have a fixed order.
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    frequent = [word for word, count in ranked if count >= min_frequency]
    vocab = [*SPECIAL.values(), *frequent][:vocab_size]
    tokenizer = Tokenizer(
        models.WordLevel(
            {word: place for place, word in enumerate(vocab)}, unk_token=SPECIAL["unk"]
        )
    )
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = _words_and_marks({*_MARKS} - {*vocab})
    tokenizer.add_special_tokens(list(SPECIAL.values()))
    return _between_cls_and_sep(tokenizer)


def _words_and_marks(left_out: Iterable[str] = ()) -> pre_tokenizers.PreTokenizer:
    """Splits at blanks, and separates each punctuation mark at the ends of a word. left_out: marks not returned."""
    mark = f"[{re.escape(_MARKS)}]"
    steps = [
        pre_tokenizers.WhitespaceSplit(),
        pre_tokenizers.Split(Regex(rf"\A{mark}+"), "isolated"),
        pre_tokenizers.Split(Regex(rf"{mark}(?={mark}*\z)"), "isolated"),
    ]
    if unread := "".join(sorted(left_out)):
        steps.append(pre_tokenizers.Split(Regex(rf"\A[{re.escape(unread)}]\z"), "removed"))
    return pre_tokenizers.Sequence(steps)


def _wordpiece(vocab: dict[str, int], lowercase: bool) -> Tokenizer:
    model = models.WordPiece(
        vocab,
        unk_token=SPECIAL["unk"],
        continuing_subword_prefix=_PREFIX,
        max_input_chars_per_word=_MAX_WORD,
    )
    tokenizer = Tokenizer(model)
    bert = normalizers.BertNormalizer(strip_accents=False, lowercase=lowercase)
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), bert])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), parts_of_words(_MAX_WORD)]
    )
    # Chinese is written without spaces, so its characters are joined again.
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.WordPiece(prefix=_PREFIX),
            decoders.Fuse(),
            decoders.Replace(Regex(f"(?<={_CJK}) (?={_CJK})"), ""),
        ]
    )
    return tokenizer


def parts_of_words(most: int) -> pre_tokenizers.PreTokenizer:
    """Splits words of more than `most` characters, if possible between characters with their marks.

    WordPiece treats a longer word as unknown, and a sentence in a script without blanks is one word to it.
    """
    with_marks = rf"(?:\P{{M}}\p{{M}}{{0,3}}){{1,{max(1, most // 4)}}}"
    pattern = rf"\A.{{1,{most}}}\z|{with_marks}|.{{1,{most}}}"
    return pre_tokenizers.Split(Regex(pattern), "isolated")


def _characters_inside_words(tokenizer: Tokenizer, captions: Iterable[str]) -> list[str]:
    characters: set[str] = set()
    for caption in captions:
        normal = tokenizer.normalizer.normalize_str(caption)
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal):
            characters.update(word[1:])
    return sorted(characters)


def _between_cls_and_sep(tokenizer: Tokenizer) -> Tokens:
    special = ids_of(SPECIAL, tokenizer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{SPECIAL['cls']} $A {SPECIAL['sep']}",
        pair=f"{SPECIAL['cls']} $A {SPECIAL['sep']} $B:1 {SPECIAL['sep']}:1",
        special_tokens=[(SPECIAL[role], special[role]) for role in ("cls", "sep")],
    )
    return Tokens(tokenizer, special)


def _train_on_one_thread() -> None:
    """Disables threads in tokenizers: they do not survive the fork of the loader's workers and then print a warning
    on stderr. Caption corpora are small. A value that the user has set stays."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def ids_of(tokens: Mapping[str, str], tokenizer: Tokenizer) -> dict[str, int]:
    """Returns role -> id of its token, for roles that the tokenizer has."""
    ids = {role: tokenizer.token_to_id(token) for role, token in tokens.items()}
    return {role: token_id for role, token_id in ids.items() if token_id is not None}
