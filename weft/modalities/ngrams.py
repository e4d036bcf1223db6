"""Texts as sets of words and parts of words, without order."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.display import Display, Word
from weft.core.errors import WeftError, brief
from weft.core.interfaces import Modality
from weft.core.media import Alternatives
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Field
from weft.core.text import compatible, normalised, unspaced, words
from weft.modalities.parts import TokenParts

INSIDE = "~"
"""Suffix in the name of an n-gram of characters within a word."""
EDGE = "_"
"""Marks the beginning or the end of the word in it."""
SHORTEST = 3
"""Characters of the shortest run within a word."""


class Ngrams(TokenParts):
    """Text -> ids of its n-grams: runs of one word and of two, and of 3 to 5 characters within words.

    N-grams in at least `min_rows` training texts are known, the most frequent first. In scripts without blanks a word
    is one character, so runs go up to 3. Several captions are read as one text; without `together` separately, as
    other texts are: training samples one, evaluation takes number `view`.
    """

    def __init__(self, config: "NgramsConfig") -> None:
        super().__init__(self)
        self.config = config
        self._known: tuple[str, ...] = ()
        self._places: dict[str, int] = {}

    @property
    def vocab_size(self) -> int:
        """The number of known n-grams, at least 1."""
        return max(1, len(self._known))

    def decode(self, raw: Any) -> list[list[str]]:
        """Returns the n-grams of each text, in order. Raises WeftError for anything but text."""
        texts = raw if isinstance(raw, Alternatives) else [raw]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise WeftError(f"is {brief(raw)}, expected a text or alternatives")
        if not any(map(normalised, texts)):
            raise WeftError("a text is empty")
        grams = [list(self._grams(text)) for text in texts]
        return [list(itertools.chain(*grams))] if self.config.together else grams

    def transform(
        self,
        item: list[list[str]],
        *,
        train: bool,
        generator: torch.Generator,
        view: int = 0,
    ) -> Tensor:
        """int64 (T,): ids of the known n-grams."""
        if train and len(item) > 1:
            view = int(torch.randint(len(item), (), generator=generator))
        grams = item[view % len(item)]
        return torch.tensor([self._places[gram] for gram in grams if gram in self._places]).long()

    def collate(self, items: Sequence[Tensor]) -> Field:
        """Field of int64 (B, T) padded with 0, mask True at real n-grams."""
        lengths = torch.tensor([len(ids) for ids in items])
        values = torch.nn.utils.rnn.pad_sequence(list(items), batch_first=True)
        return Field(values, torch.arange(values.shape[1]) < lengths[:, None])

    def fit(self, raws: Iterable[Any]) -> None:
        """Learns the n-grams. Raises WeftError if no row has a text."""
        counts: Counter[str] = Counter()
        texts = 0
        for raw in raws:
            with suppress(WeftError):
                for grams in self.decode(raw):
                    counts.update(set(grams))
                    texts += 1
        if not texts:
            raise WeftError("no training row has a text")
        kept = [gram for gram, rows in counts.items() if rows >= self.config.min_rows]
        kept.sort(key=lambda gram: (-counts[gram], gram))
        self._use(kept[: self.config.vocab_size])

    def state(self) -> dict[str, Any]:
        return {"names": list(self._known)}

    def restore(self, state: Mapping[str, Any]) -> None:
        names = state.get("names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise WeftError("its n-grams are not a list of strings")
        self._use(names)

    def names_of(self, values: Tensor) -> list[str | None]:
        """The n-grams of one text of ids (T,)."""
        known = len(self._known)
        return [self._known[one] if 0 <= one < known else None for one in values.tolist()]

    def weighed(self, field: Field, weights: Tensor) -> Display:
        """Displays the words of the text in order, each with the maximum weight of its n-grams. Of an unknown word the
        known parts are shown."""
        display = super().weighed(field, weights)
        runs = [(word.text, word.weight or 0.0) for word in display.words]
        names = [(name, weight) for name, weight in runs if not name.endswith(INSIDE)]
        parts = _joined((n.removesuffix(INSIDE), w) for n, w in runs if n.endswith(INSIDE))
        said = [name for name, _ in names if " " not in name]
        known = dict.fromkeys(said, 0.0)
        for name, weight in (*names, *((_whole(part), weight) for part, weight in parts)):
            for word in name.split():
                if word in known:
                    known[word] = max(known[word], weight)
        others = [Word(_shown(part), weight) for part, weight in parts if _whole(part) not in known]
        if [_whole(part) for part, _ in parts if _whole(part) in known] != said:
            return Display(words=(*(Word(word, known[word]) for word in said), *others))
        # The usual case: the characters of every word are known, and so its place in the text.
        unknown = iter(others)
        words = (_whole(part) for part, _ in parts)
        return Display(
            words=tuple(Word(w, known[w]) if w in known else next(unknown) for w in words)
        )

    def _use(self, names: Sequence[str]) -> None:
        self._known = tuple(names)
        self._places = {name: place for place, name in enumerate(names)}

    def _grams(self, text: str) -> Iterator[str]:
        found = words(compatible(text).casefold())[: self.config.max_words]
        unbroken = any(map(unspaced, found))
        for n in range(1, self.config.words + 1 + unbroken):
            for start in range(len(found) - n + 1):
                yield " ".join(found[start : start + n])
        for word in found if self.config.characters else ():
            marked = f"{EDGE}{word}{EDGE}"
            for n in range(SHORTEST, self.config.characters + 1):
                for start in range(len(marked) - n + 1):
                    yield f"{marked[start : start + n]}{INSIDE}"


def _joined(runs: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Joins the runs of characters of a text to parts that are as long as possible, each with the maximum weight.

    runs: word by word, and of a word the shortest first, as `_grams` gives them.
    """
    parts: list[tuple[str, float]] = []
    first, longer = 0, False
    for run, weight in runs:
        if len(run) > SHORTEST:
            longer = True
            holders = [n for n in range(first, len(parts)) if run in parts[n][0]]
            if holders:
                part, before = parts[holders[0]]
                parts[holders[0]] = part, max(before, weight)
                continue
        elif longer:  # the next word begins
            first, longer = len(parts), False
        elif parts and parts[-1][0].endswith(run[:-1]):
            part, before = parts[-1]
            parts[-1] = part + run[-1], max(before, weight)
            continue
        parts.append((run, weight))
    return parts


def _whole(part: str) -> str:
    """Returns the word if the part is a whole word, otherwise nothing."""
    return part[1:-1] if len(part) > 2 and part[0] == part[-1] == EDGE else ""


def _shown(part: str) -> str:
    """Formats a part of a word for people, with an ellipsis where the word goes on."""
    before = "" if part.startswith(EDGE) else "…"
    behind = "" if part.endswith(EDGE) else "…"
    return f"{before}{part.strip(EDGE)}{behind}"


@dataclass(frozen=True)
class NgramsConfig(Config[Modality]):
    """Turns texts into n-grams."""

    words: int = 2
    """Maximum number of words in a run; one more in scripts without blanks."""
    characters: int = 5
    """Maximum number of characters in a run within a word, from 3; 0 for none."""
    vocab_size: int = 20000
    """Maximum number of learned n-grams."""
    min_rows: int = 2
    """Minimum number of training texts that contain a learned n-gram."""
    together: bool = True
    """If true, several captions of a row are one text; otherwise each is a separate text."""
    max_words: int = 2000
    """Maximum number of words that are read of a text, from its beginning."""

    def __post_init__(self) -> None:
        require(self, words=COUNT, characters=at_least(0), vocab_size=COUNT, min_rows=COUNT)
        require(self, max_words=COUNT)

    def build(self) -> Ngrams:
        return Ngrams(self)
