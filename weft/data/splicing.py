"""Splicing: combines parts of several recordings, cut between words, into one training row.

A model soon memorises few recordings. Splicing produces sentences that nobody recorded (compare Lam et al. 2021,
On-the-fly aligned data augmentation for sequence-to-sequence ASR, arXiv:2104.01393).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import torch

from weft.core.config import Settings
from weft.core.errors import DataError, WeftError, brief
from weft.core.media import Joined, Media
from weft.core.ranges import POSITIVE_SHARE, require
from weft.core.samples import Sample
from weft.core.timed import TimedWord, timed_words

DRAWS = "/splice"
"""Names the random numbers of a row that decide its splicing."""


@dataclass(frozen=True)
class SpliceConfig(Settings):
    """Which training rows are spliced, and from how many parts.

    A row of n words is cut before some of them. Each part comes from a random row of the training split: the words in
    the same relative positions. The first word brings the sound before it, the last word the sound after it.
    """

    streams: tuple[str, ...]
    """Recordings of the row that run in parallel: sounds, and videos."""
    words: str = "words"
    """Column with the times of the words: a list of objects with word, start and end, in seconds of the recording, or
    its JSON text."""
    transcript: str = "text"
    """Column that gets the words of the parts, with blanks between them."""
    share: float = 0.5
    """Share of the rows that are spliced."""
    parts: int = 3
    """Maximum number of parts. All numbers from 2 to it are equally frequent."""

    def __post_init__(self) -> None:
        require(self, share=POSITIVE_SHARE)
        if self.parts < 2:
            raise ValueError(f"parts is {self.parts}, expected 2 or more")
        if not self.streams:
            raise ValueError("streams is (), expected one recording or more")


class Splicing:
    """Splices rows. All random choices come from the row's generator."""

    def __init__(self, config: SpliceConfig, rows: int) -> None:
        self._config, self._rows = config, rows

    def __call__(
        self, sample: Sample, generator: torch.Generator, row_of: Callable[[int], Sample]
    ) -> Sample | None:
        """Returns the spliced row with the id of `sample`; None if the row stays as it is.

        row_of: returns the row with a given number. A row stays if it lacks a recording, or the times of at least two
        words. A sampled row that is unreadable or lacks them is replaced by `sample`. The row also stays if all parts
        are too short for a word. Raises DataError for invalid times.
        """
        chance, most = torch.rand(2, generator=generator).tolist()
        own = self._words(sample)
        parts = min(2 + int(most * (self._config.parts - 1)), len(own))
        cuts = 1 + torch.randperm(max(1, len(own) - 1), generator=generator)[: parts - 1]
        drawn = torch.randint(self._rows, (parts,), generator=generator).tolist()
        if chance >= self._config.share or parts < 2:
            return None
        bounds = [0.0, *(cut / len(own) for cut in sorted(cuts.tolist())), 1.0]
        recordings: dict[str, list[Media]] = {name: [] for name in self._config.streams}
        said: list[TimedWord] = []
        length = 0.0
        for row, low, high in zip(drawn, bounds[:-1], bounds[1:], strict=True):
            given = self._other(row, row_of) or sample
            words = self._words(given)
            first, last = round(low * len(words)), round(high * len(words))
            if first == last:
                continue
            start = 0.0 if first == 0 else _before(words, first)
            end = words[-1].end if last == len(words) else _before(words, last)
            if not start < end:
                continue  # words at the same time cannot be separated
            # Only the last part brings the sound after its last word; otherwise later words would
            # be timed too early.
            to_end = high == 1 and last == len(words)
            for name, parts_of_stream in recordings.items():
                parts_of_stream.append(_part(given.items[name], start, None if to_end else end))
            said += [_moved(word, length - start, length) for word in words[first:last]]
            length += end - start
        if not said:
            return None
        joined = {name: Joined(parts_of_stream) for name, parts_of_stream in recordings.items()}
        transcript = " ".join(word.word for word in said)
        texts = {
            self._config.words: [asdict(word) for word in said],
            self._config.transcript: transcript,
        }
        return replace(sample, items={**sample.items, **joined, **texts})

    def _other(self, row: int, row_of: Callable[[int], Sample]) -> Sample | None:
        """Returns the row if it can give a part."""
        try:
            other = row_of(row)
            return other if self._words(other) else None
        except DataError:
            return None

    def _words(self, sample: Sample) -> list[TimedWord]:
        """Returns the words in order of time; none if the row lacks them, or a recording. Raises DataError."""
        column = self._config.words
        words = sample.items.get(column)
        recordings = {name: sample.items.get(name) for name in self._config.streams}
        if words is None or None in recordings.values():
            return []
        for name, recording in recordings.items():
            if not isinstance(recording, Media):
                raise DataError(
                    f"'{name}' is {brief(recording)}, expected a recording", source=sample.source
                )
        try:
            return timed_words(words)
        except WeftError as error:
            raise DataError(f"'{column}' {error}", source=sample.source) from None


def _before(words: Sequence[TimedWord], place: int) -> float:
    """Returns the middle between the word at that place and the one before it, in seconds."""
    return (words[place - 1].end + words[place].start) / 2


def _moved(word: TimedWord, by: float, begin: float) -> TimedWord:
    """Shifts the word by `by` seconds, but not before the beginning of its part: words may overlap at a cut."""
    start = max(begin, word.start + by)
    return TimedWord(word.word, start, max(start, word.end + by))


def _part(recording: Media, start: float, end: float | None) -> Media:
    """Returns a part of a recording that may itself be a part. The times count from its start."""
    last = recording.end if end is None else recording.start + end
    return recording.part(recording.start + start, last)
