"""Texts as sets of words and parts of words, without order."""

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
        """Displays the known words, each with the maximum weight of its n-grams. Character n-grams of unknown words
        follow."""
        display = super().weighed(field, weights)
        runs = [(word.text, word.weight or 0.0) for word in display.words]
        said = [name for name, _ in runs if " " not in name and not name.endswith(INSIDE)]
        known = dict.fromkeys(said, 0.0)
        others: dict[str, float] = {}
        for name, weight in runs:
            holders = _words_with(name, known)
            for word in holders:
                known[word] = max(known[word], weight)
            if not holders:
                shown = _shown_run(name)
                others[shown] = max(others.get(shown, 0.0), weight)
        return Display(
            words=(
                *(Word(word, known[word]) for word in said),
                *(Word(run, weight) for run, weight in others.items()),
            )
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
            for n in range(3, self.config.characters + 1):
                for start in range(len(marked) - n + 1):
                    yield f"{marked[start : start + n]}{INSIDE}"


def _words_with(name: str, known: Collection[str]) -> list[str]:
    """Returns the known words that an n-gram of this name consists of, or is part of."""
    if name.endswith(INSIDE):
        run = name.removesuffix(INSIDE)
        return [word for word in known if run in f"{EDGE}{word}{EDGE}"]
    return [word for word in name.split() if word in known]


def _shown_run(name: str) -> str:
    """Formats an n-gram for people, with an ellipsis before or after a run of characters."""
    if not name.endswith(INSIDE):
        return name
    run = name.removesuffix(INSIDE)
    before = "" if run.startswith(EDGE) else "…"
    behind = "" if run.endswith(EDGE) else "…"
    return f"{before}{run.strip(EDGE)}{behind}"


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
